//! Flow control ready to be asked: checked when a version is saved, compiled when it is loaded.

use super::super::{EventView, Formula, FormulaError, Gives, Variables};
use super::shape::{Debounce, Delay, Digest, Flow, Order, Over, RateLimit};
use crate::model::Timestamp;
use crate::model::limits::{
    DIGEST_BYTES_MAX, DIGEST_EVENTS_MAX, FLOW_WAIT_MS_MAX, RATE_EVENTS_MAX,
};

/// How many periods a debounce takes at most, where nothing else is said.
const LONGEST_PERIODS: i64 = 10;

/// Why a flow can't be used, and where in it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// A key or a time is no expression.
    #[error("{cause}")]
    Expression {
        /// JSON pointer within the flow.
        pointer: String,
        /// What is wrong with it.
        cause: FormulaError,
    },
    /// A number is beyond its bounds, or two things don't go together.
    #[error("{why}")]
    Field {
        /// JSON pointer within the flow.
        pointer: String,
        /// What to do.
        why: String,
    },
}

impl Error {
    fn field(pointer: impl Into<String>, why: impl Into<String>) -> Self {
        Self::Field {
            pointer: pointer.into(),
            why: why.into(),
        }
    }

    /// JSON pointer within the flow.
    pub fn pointer(&self) -> &str {
        match self {
            Self::Expression { pointer, .. } | Self::Field { pointer, .. } => pointer,
        }
    }
}

/// A flow, checked and compiled.
#[derive(Debug, Clone)]
pub struct Rules {
    dedupe: Option<(Formula, i64)>,
    then: Rule,
    order: Option<Formula>,
}

#[derive(Debug, Clone)]
enum Rule {
    Go,
    Debounce(Option<Formula>, (i64, i64)),
    Digest(Option<Formula>, (i64, i64, i64)),
    Rate(Option<Formula>, (i64, i64), Over),
    For(i64),
    Until(Formula),
}

/// What one event asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ask {
    /// The key that only one event of a window has, and the window.
    pub dedupe: Option<(String, i64)>,
    /// What comes after that.
    pub then: Then,
}

/// What comes after the dedupe. Where a key is empty there is none: all events of the automation have it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Then {
    /// It goes on.
    Go,
    /// It goes on unless another one of its key comes.
    Debounce {
        /// Which events belong together.
        key: String,
        /// How long no other may have come.
        period_ms: i64,
        /// How long after the first one it goes on at the latest.
        longest_ms: i64,
    },
    /// It goes on with others.
    Digest {
        /// Which events belong together.
        key: String,
        /// How long after the first one they go on at the latest.
        period_ms: i64,
        /// With how many they go on at once.
        events_max: i64,
        /// How many bytes they may have together.
        bytes_max: i64,
        /// How many this one has.
        bytes: i64,
    },
    /// It goes on within a limit.
    Rate {
        /// Which events are counted together.
        key: String,
        /// How many go on in a window.
        events_max: i64,
        /// How long a window is.
        window_ms: i64,
        /// What becomes of the others.
        over: Over,
    },
    /// It goes on at this time.
    At {
        /// When.
        at: Timestamp,
        /// The expression that says so; `None`: a fixed time after it was accepted.
        source: Option<String>,
    },
}

impl Rules {
    /// Checks a flow. What is wrong comes with its place. `variables`: what `vars` has in its expressions.
    pub fn of(flow: &Flow, variables: &Variables) -> Result<Self, Error> {
        let dedupe = match &flow.dedupe {
            None => None,
            Some(dedupe) => {
                let key = formula(&dedupe.key, Gives::Key, ("/dedupe/key", variables))?;
                Some((
                    key,
                    within(dedupe.window_ms, FLOW_WAIT_MS_MAX, "/dedupe/window_ms")?,
                ))
            }
        };
        let order = flow.order.as_ref();
        let order = order.map(|Order { key }| formula(key, Gives::Key, ("/order/key", variables)));
        Ok(Self {
            dedupe,
            then: Rule::of(flow, variables)?,
            order: order.transpose()?,
        })
    }

    /// What goes on keeps its order by this, if by anything; and what decides whether it goes on and when, if
    /// anything does.
    pub fn split(mut self) -> (Option<Formula>, Option<Self>) {
        let order = self.order.take();
        let decides = self.dedupe.is_some() || !matches!(self.then, Rule::Go);
        (order, decides.then_some(self))
    }

    /// Most steps that asking takes on a payload of this size, about.
    pub fn steps_max(&self, payload_bytes: usize) -> usize {
        let dedupe = self.dedupe.as_ref().map(|(key, _)| key);
        let then = match &self.then {
            Rule::Go | Rule::For(_) => None,
            Rule::Debounce(key, _) | Rule::Digest(key, _) | Rule::Rate(key, ..) => key.as_ref(),
            Rule::Until(time) => Some(time),
        };
        let formulas = dedupe.into_iter().chain(then);
        formulas.map(|it| it.steps_max(payload_bytes)).sum()
    }

    /// What the event of `view` asks for; or a sentence that says why that can't be told. `bytes`: what it would
    /// have in a digest.
    pub fn ask(
        &self,
        view: &EventView<'_>,
        accepted_at: Timestamp,
        bytes: i64,
    ) -> Result<Ask, String> {
        let key = |formula: &Option<Formula>| match formula {
            None => Ok(String::new()),
            Some(formula) => formula.key(view),
        };
        let dedupe = match &self.dedupe {
            None => None,
            Some((formula, window_ms)) => Some((formula.key(view)?, *window_ms)),
        };
        let then = match &self.then {
            Rule::Go => Then::Go,
            Rule::Debounce(formula, (period_ms, longest_ms)) => Then::Debounce {
                key: key(formula)?,
                period_ms: *period_ms,
                longest_ms: *longest_ms,
            },
            Rule::Digest(formula, (period_ms, events_max, bytes_max)) => Then::Digest {
                key: key(formula)?,
                period_ms: *period_ms,
                events_max: *events_max,
                bytes_max: *bytes_max,
                bytes,
            },
            Rule::Rate(formula, (events_max, window_ms), over) => Then::Rate {
                key: key(formula)?,
                events_max: *events_max,
                window_ms: *window_ms,
                over: *over,
            },
            Rule::For(ms) => Then::At {
                at: accepted_at.plus_ms(*ms),
                source: None,
            },
            Rule::Until(formula) => Then::At {
                at: formula.time(view)?,
                source: Some(formula.source().to_owned()),
            },
        };
        Ok(Ask { dedupe, then })
    }

    /// What an event asks for that had a place in a limit and has missed it: the window that began at `place_at` is
    /// over by now. `None`: nothing; it goes on.
    pub fn ask_again(&self, key: &str, place_at: Timestamp, now: Timestamp) -> Option<Ask> {
        let Rule::Rate(_, (events_max, window_ms), over) = &self.then else {
            return None;
        };
        (now.ms_since(place_at) >= *window_ms).then(|| Ask {
            dedupe: None,
            then: Then::Rate {
                key: key.to_owned(),
                events_max: *events_max,
                window_ms: *window_ms,
                over: *over,
            },
        })
    }
}

impl Rule {
    fn of(flow: &Flow, variables: &Variables) -> Result<Self, Error> {
        let Flow {
            dedupe,
            debounce,
            digest,
            rate_limit,
            delay,
            order,
        } = flow;
        let named = [
            ("debounce", debounce.is_some()),
            ("digest", digest.is_some()),
            ("rate_limit", rate_limit.is_some()),
            ("delay", delay.is_some()),
        ];
        let mut named = named.iter().filter(|(_, is_there)| *is_there);
        if let (Some((first, _)), Some((second, _))) = (named.next(), named.next()) {
            let why = format!(
                "{first} and {second} don't go together: keep one of them, and put the other into an automation of its own"
            );
            return Err(Error::field(format!("/{second}"), why));
        }
        if let Some(debounce) = debounce {
            return Self::debounce(debounce, variables);
        }
        if let Some(digest) = digest {
            return Self::digest(digest, variables);
        }
        if let Some(rate) = rate_limit {
            return Self::rate(rate, variables);
        }
        if let Some(delay) = delay {
            return Self::delay(delay, variables);
        }
        if dedupe.is_none() && order.is_none() {
            let why = "nothing is said: add dedupe, debounce, digest, rate_limit, delay or order, or leave flow out";
            return Err(Error::field("", why));
        }
        Ok(Self::Go)
    }

    fn debounce(debounce: &Debounce, variables: &Variables) -> Result<Self, Error> {
        let period_ms = within(debounce.period_ms, FLOW_WAIT_MS_MAX, "/debounce/period_ms")?;
        let longest_ms = match debounce.longest_ms {
            None => period_ms
                .saturating_mul(LONGEST_PERIODS)
                .min(FLOW_WAIT_MS_MAX),
            Some(ms) => within(ms, FLOW_WAIT_MS_MAX, "/debounce/longest_ms")?,
        };
        if longest_ms < period_ms {
            let why = format!("this must be at least the period, which is {period_ms}");
            return Err(Error::field("/debounce/longest_ms", why));
        }
        let key = key(debounce.key.as_deref(), ("/debounce/key", variables))?;
        Ok(Self::Debounce(key, (period_ms, longest_ms)))
    }

    fn digest(digest: &Digest, variables: &Variables) -> Result<Self, Error> {
        let period_ms = within(digest.period_ms, FLOW_WAIT_MS_MAX, "/digest/period_ms")?;
        let events = digest.count.unwrap_or(DIGEST_EVENTS_MAX);
        let events = within(events, DIGEST_EVENTS_MAX, "/digest/count")?;
        let bytes = digest.bytes.unwrap_or(DIGEST_BYTES_MAX);
        let bytes = within(bytes, DIGEST_BYTES_MAX, "/digest/bytes")?;
        let key = key(digest.key.as_deref(), ("/digest/key", variables))?;
        Ok(Self::Digest(key, (period_ms, events, bytes)))
    }

    fn rate(rate: &RateLimit, variables: &Variables) -> Result<Self, Error> {
        let events = within(rate.count, RATE_EVENTS_MAX, "/rate_limit/count")?;
        let window_ms = within(rate.window_ms, FLOW_WAIT_MS_MAX, "/rate_limit/window_ms")?;
        let key = key(rate.key.as_deref(), ("/rate_limit/key", variables))?;
        Ok(Self::Rate(key, (events, window_ms), rate.over))
    }

    fn delay(delay: &Delay, variables: &Variables) -> Result<Self, Error> {
        match (delay.for_ms, &delay.until) {
            (Some(ms), None) => within(ms, FLOW_WAIT_MS_MAX, "/delay/for_ms").map(Self::For),
            (None, Some(source)) => {
                formula(source, Gives::Time, ("/delay/until", variables)).map(Self::Until)
            }
            _ => {
                let why = "an event waits for a time or until one: give for_ms or until";
                Err(Error::field("/delay", why))
            }
        }
    }
}

fn within(value: i64, max: i64, pointer: &str) -> Result<i64, Error> {
    if (1..=max).contains(&value) {
        return Ok(value);
    }
    let why = format!("{value} is not between 1 and {max}");
    Err(Error::field(pointer, why))
}

/// Where an expression stands, and what `vars` has in it.
type Place<'a> = (&'a str, &'a Variables);

fn key(source: Option<&str>, place: Place<'_>) -> Result<Option<Formula>, Error> {
    let formula = source.map(|source| formula(source, Gives::Key, place));
    formula.transpose()
}

fn formula(source: &str, gives: Gives, place: Place<'_>) -> Result<Formula, Error> {
    let (pointer, variables) = place;
    Formula::parse(source, gives, variables).map_err(|cause| Error::Expression {
        pointer: pointer.to_owned(),
        cause,
    })
}
