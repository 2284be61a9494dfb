//! A trial: one version of an automation looked at for one event, now and for whoever asks, up to the
//! requests that would leave. It is the same [`evaluate`] as for events that come in, on the plugins'
//! threads in the account's turns and within the same limits; the requests are made and signed as an
//! attempt makes them. Flow control is asked what it would say now: it tells what it remembers, and remembers
//! nothing of this. Nothing is sent, nothing is stored, and nothing of it is kept in memory.

use std::sync::Arc;

use tokio::sync::oneshot;

use super::chain::Chain;
use super::evaluate::{Reached, evaluate, evaluate_late};
use super::late::Carries;
use super::plan::Draft;
use super::request::RequestParts;
use super::snapshot::Compiled;
use super::standing::{Current, Standing};
use super::tried::{Settled, Tried, request};
use super::variables::AccountVariables;
use super::verdict::Verdict;
use super::workers::Run;
use super::{AcceptedEvent, Evaluation, Pipeline, SnapshotError};
use crate::automation::flow::{self, Arrival, Ask, Move};
use crate::model::{AccountId, Timestamp};
use crate::plugin::Engine;
use crate::store::{self, PublishedAutomation, SnapshotRows};
use crate::vault::Vault;

/// Most bytes of all bodies together that are shown of one trial's requests: four of the largest payloads.
const BODIES_BYTES_MAX: usize = 1024 * 1024;

/// What is tried.
#[derive(Debug)]
pub struct Trial {
    /// Whose turn it takes, and whose plugins.
    pub account: AccountId,
    /// The version, whether it is stored or not, published or not.
    pub automation: PublishedAutomation,
    /// The event, whether it is stored or not.
    pub event: AcceptedEvent,
    /// How the automation's endpoints stand, stored or not; `None`: no requests are wanted.
    pub endpoints: Option<Addressees>,
    /// The account's variables, stored or not; `None`: as they are stored.
    pub variables: Option<AccountVariables>,
}

/// Where a trial's requests would go, and what signs them.
#[derive(Debug)]
pub struct Addressees {
    /// The account with the endpoints and their secrets. No automations.
    pub rows: SnapshotRows,
    /// Opens the secrets.
    pub vault: Arc<Vault>,
    /// When the requests would leave.
    pub now: Timestamp,
}

/// Why a trial has no answer: the server failed, not the automation.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A plugin could not be loaded.
    #[error("the automation can't be made ready at the moment")]
    Snapshot(#[source] SnapshotError),
    /// What flow control remembers could not be read.
    #[error("what flow control remembers can't be read at the moment")]
    Store(#[source] store::Error),
    /// The sandbox could not run it this time.
    #[error("the automation can't be evaluated at the moment: {0}")]
    NotNow(String),
    /// The node is stopping.
    #[error("the node is stopping")]
    Stopped,
}

impl Pipeline {
    /// Tries it, as soon as the account's turn comes. Whoever stops waiting ends it after the run that is
    /// under way. Whether the trigger names the event's type is the caller's to see.
    pub async fn try_out(&self, mut trial: Trial) -> Result<Tried, Error> {
        let node = &self.node;
        let automation = node
            .snapshots
            .compile_apart(trial.account, &trial.automation, trial.variables.take())
            .await
            .map_err(Error::Snapshot)?;
        let begun = Begun {
            automation,
            trial: Box::new(trial),
            gated: None,
        };
        let (mut settled, begun) = self.try_on(begun).await?;
        let Some(ask) = settled.evaluation.ask.take() else {
            return Ok(settled.into());
        };
        match self.at_the_gate(begun, settled.evaluation, &ask).await? {
            Came::Stopped(evaluation) => Ok(Settled::empty(*evaluation).into()),
            Came::On(begun) => Ok(self.try_on(*begun).await?.0.into()),
        }
    }

    /// As soon as the account's turn comes, up to flow control or, behind it, to the end.
    async fn try_on(&self, begun: Begun) -> Result<(Settled, Begun), Error> {
        let node = &self.node;
        let (reply, answer) = oneshot::channel();
        let account = begun.trial.account;
        let course = Course {
            begun,
            engine: node.components.engine().clone(),
            chain: None,
            reply,
        };
        node.workers.submit(account, Box::new(course));
        // What waits when the node stops is let go, and its sender with it.
        answer.await.unwrap_or(Err(Error::Stopped))
    }

    /// What flow control would say now of the event. Nothing of it is remembered.
    async fn at_the_gate(
        &self,
        begun: Begun,
        mut evaluation: Evaluation,
        ask: &Ask,
    ) -> Result<Came, Error> {
        let node = &self.node;
        let Begun {
            automation,
            mut trial,
            ..
        } = begun;
        let known = node.store.flow_known(trial.account, automation.id, ask);
        let known = known.await.map_err(Error::Store)?;
        let now = node.clock.now();
        let arrival = Arrival {
            event: trial.event.id,
            version: automation.version,
            now,
            ask,
        };
        let decision = flow::decide(arrival, &known);
        evaluation.is_gated = false;
        evaluation.ends(decision.verdict.into(), decision.why);
        for trace in decision.traces {
            evaluation.step(trace.into());
        }
        let due_at = match decision.moves {
            Move::Stop => return Ok(Came::Stopped(Box::new(evaluation))),
            Move::Go => None,
            Move::Wait(at) => Some(at),
            Move::Replace(_, open) | Move::Begin(_, open) | Move::Join(open) => Some(open.due_at),
        };
        let carries = Carries::alone(automation.id, &mut trial.event, ask);
        Ok(Came::On(Box::new(Begun {
            automation,
            trial,
            gated: Some(Gated {
                evaluation,
                carries,
                due_at,
            }),
        })))
    }
}

/// What a trial works with.
struct Begun {
    automation: Arc<Compiled>,
    trial: Box<Trial>,
    /// What flow control has said, once it has.
    gated: Option<Gated>,
}

/// What flow control has said.
struct Gated {
    evaluation: Evaluation,
    carries: Carries,
    /// When it would go on, if not now.
    due_at: Option<Timestamp>,
}

/// How a trial has come through flow control.
enum Came {
    /// Nothing follows.
    Stopped(Box<Evaluation>),
    /// It goes on, now or later.
    On(Box<Begun>),
}

/// A trial on the workers' threads, as far as it has come: one run of a plugin a turn.
struct Course {
    begun: Begun,
    engine: Engine,
    chain: Option<Chain>,
    reply: oneshot::Sender<Result<(Settled, Begun), Error>>,
}

impl Run for Course {
    fn turn(self: Box<Self>) -> Option<Box<dyn Run>> {
        let mut course = *self;
        if course.reply.is_closed() {
            return None;
        }
        let (automation, event) = (&course.begun.automation, &course.begun.trial.event);
        let from = course.chain.take();
        let reached = if from.is_none() && course.begun.gated.is_some() {
            evaluate_late(automation, event)
        } else {
            evaluate(automation, event, &event.view(), &course.engine, from)
        };
        let answer = match reached {
            Reached::Midway(chain) => {
                course.chain = Some(chain.telling_everything());
                return Some(Box::new(course));
            }
            Reached::Verdict(evaluation) => Ok(course.begun.conclude(evaluation)),
            Reached::NotNow { why, .. } => Err(Error::NotNow(why)),
        };
        // Nobody may be waiting for it any more.
        drop(
            course
                .reply
                .send(answer.map(|settled| (settled, course.begun))),
        );
        None
    }
}

impl Begun {
    /// What has come of it, with what flow control has said.
    fn conclude(&mut self, mut evaluation: Evaluation) -> Settled {
        let Some(gated) = self.gated.take() else {
            if let Some(condition) = &self.automation.condition {
                evaluation.tell(condition, &self.trial.event.view());
            }
            return self.settle(evaluation);
        };
        gated.carries.keep(&mut evaluation, &self.trial.event);
        let mut settled = self.settle(evaluation);
        if let Some(at) = gated.due_at {
            for request in &mut settled.requests {
                let wait = format!("it would not leave before {at}");
                request.held.get_or_insert(wait);
            }
        }
        let mut whole = gated.evaluation;
        let Evaluation {
            verdict,
            summary,
            steps,
            ..
        } = settled.evaluation;
        if verdict != Verdict::Fired {
            whole.ends(verdict, summary.unwrap_or_default());
        }
        for step in steps {
            whole.step(step);
        }
        Settled {
            evaluation: whole,
            ..settled
        }
    }

    /// What follows, as a plan has it, signed; nothing, as long as its flow control is not asked.
    fn settle(&mut self, evaluation: Evaluation) -> Settled {
        let mut settled = Settled::empty(evaluation);
        if settled.evaluation.ask.is_some() {
            return settled;
        }
        let (event, secrets) = (&self.trial.event, &self.automation.secrets);
        let outputs = settled.evaluation.outputs.clone().each(&event.payload);
        let mut draft = Draft::new(event.id);
        if let Some(Addressees { rows, vault, now }) = self.trial.endpoints.take() {
            let current = Current::of(rows, &vault);
            settled.evaluation =
                draft.follow(&self.automation, event, &current, settled.evaluation);
            draft.close(event);
            let plan = draft.finish(self.trial.account, 0, now);
            let mut left_bytes = BODIES_BYTES_MAX;
            for (delivery, content) in plan.rows.deliveries.iter().zip(&plan.contents) {
                let parts = RequestParts {
                    account: self.trial.account,
                    envelope: delivery.envelope,
                    webhook_id: &delivery.webhook_id,
                    content,
                };
                let request = request(&parts, delivery, (&current, now), left_bytes);
                left_bytes = left_bytes.saturating_sub(request.body.len());
                settled.requests.push(request);
            }
            for made in plan.rows.consequences.emissions {
                settled.events.push((made.event_type, made.payload));
            }
        } else {
            let nothing = Standing::default().last_loaded();
            settled.evaluation =
                draft.follow(&self.automation, event, &nothing, settled.evaluation);
        }
        if settled.evaluation.verdict == Verdict::Fired {
            let contents = outputs.into_iter().map(|output| output.content);
            settled.outputs = contents.map(|it| secrets.hide_in_body(it)).collect();
        }
        settled
    }
}
