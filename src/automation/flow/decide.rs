//! The decision: pure. What is known of an event's keys goes in; a verdict, and what is to be remembered,
//! comes out.

use serde_json::json;

use super::arrival::{Arrival, Decision, FlowVerdict, Known, Move, Open, Taken, Trace, Used};
use super::rules::Then;
use super::shape::Over;
use super::words::{of_key, ordinal, span};
use crate::model::limits::{
    FLOW_KEYS_PER_ACCOUNT_MAX, FLOW_WAIT_MS_MAX, FLOW_WAITS_PER_ACCOUNT_MAX,
};
use crate::model::{EventId, Timestamp};

/// What an account has too much of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Full {
    /// Keys that are remembered.
    Keys,
    /// Outputs that wait.
    Waits,
}

/// Decides on an event. Asked again about an event that has its key or its digest already, it says the same
/// as if it had none.
pub fn decide(arrival: Arrival<'_>, known: &Known) -> Decision {
    let mut decision = Decision::undecided();
    if let Some((key, window_ms)) = &arrival.ask.dedupe {
        dedupe(&mut decision, arrival, (key, *window_ms), known.taken);
        if decision.moves == Move::Stop {
            return decision;
        }
    }
    match &arrival.ask.then {
        Then::Go => {}
        Then::Debounce { .. } => debounce(&mut decision, arrival, known.open),
        Then::Digest { .. } => digest(&mut decision, arrival, known.open),
        Then::Rate { .. } => rate(&mut decision, arrival, known.used),
        Then::At { at, source } => delay(&mut decision, arrival.now, (*at, source.as_deref())),
    }
    if decision.moves == Move::Stop {
        // What does not go on keeps nobody else from it.
        decision.taken = None;
    }
    decision
}

/// The decision on an event for which the account has no room.
pub fn refuse(full: Full) -> Decision {
    let (count, what) = match full {
        Full::Keys => (FLOW_KEYS_PER_ACCOUNT_MAX, "keys remembered by flow control"),
        Full::Waits => (FLOW_WAITS_PER_ACCOUNT_MAX, "outputs that wait"),
    };
    let why = format!("it is not followed: the account has {count} {what}, as many as it may have");
    let mut decision = Decision::undecided();
    decision.ends(
        FlowVerdict::LimitExceeded,
        Move::Stop,
        trace("bounds", why, json!({ "count_max": count })),
    );
    decision
}

fn trace(what: &'static str, why: String, detail: serde_json::Value) -> Trace {
    Trace {
        kind: "flow",
        what,
        outcome: "passed",
        why,
        detail,
    }
}

impl Decision {
    /// Nothing speaks against it.
    fn undecided() -> Self {
        Self {
            verdict: FlowVerdict::Fired,
            why: String::new(),
            traces: Vec::new(),
            moves: Move::Go,
            taken: None,
            used: None,
        }
    }

    /// Comes to this, with the step that has led to it.
    fn ends(&mut self, verdict: FlowVerdict, moves: Move, mut step: Trace) {
        step.outcome = match moves {
            Move::Stop => "stopped",
            Move::Go => "passed",
            _ => "waits",
        };
        self.verdict = verdict;
        self.moves = moves;
        self.why.clone_from(&step.why);
        self.traces.push(step);
    }
}

fn dedupe(
    decision: &mut Decision,
    arrival: Arrival<'_>,
    (key, window_ms): (&str, i64),
    taken: Option<Taken>,
) {
    let now = arrival.now;
    let name = of_key(key);
    let other =
        taken.filter(|taken| taken.by != arrival.event && taken.at.plus_ms(window_ms) > now);
    let (verdict, moves, taken, why) = match other {
        None => {
            let until = now.plus_ms(window_ms);
            let why = format!("it is the first with {name} within {}", span(window_ms));
            let taken = Taken {
                by: arrival.event,
                at: now,
            };
            decision.taken = Some((taken, until));
            (FlowVerdict::Fired, Move::Go, taken, why)
        }
        Some(taken) => {
            let (by, ago_ms) = (taken.by, now.ms_since(taken.at).max(0));
            let why = format!(
                "{by} had {name} {} before: others are dropped until {}",
                span(ago_ms),
                taken.at.plus_ms(window_ms)
            );
            (FlowVerdict::Deduped, Move::Stop, taken, why)
        }
    };
    let detail = json!({
        "key": key, "window_ms": window_ms, "winner": taken.by, "taken_at": taken.at,
        "until": taken.at.plus_ms(window_ms),
    });
    decision.ends(verdict, moves, trace("dedupe", why, detail));
}

fn debounce(decision: &mut Decision, arrival: Arrival<'_>, open: Option<Open>) {
    let Then::Debounce {
        key,
        period_ms,
        longest_ms,
    } = &arrival.ask.then
    else {
        return;
    };
    let now = arrival.now;
    // One whose time has come goes on, whether it has gone already or not.
    let before = open.filter(|open| open.event != arrival.event && open.due_at > now);
    let since = before.map_or(now, |open| open.since);
    let last_at = since.plus_ms(*longest_ms);
    let due_at = now.plus_ms(*period_ms).min(last_at).max(now);
    let next = Open {
        event: arrival.event,
        version: arrival.version,
        since,
        due_at,
        events: before.map_or(1, |open| open.events + 1),
        bytes: 0,
    };
    let name = of_key(key);
    let why = if due_at == last_at {
        format!("it goes at {due_at}, the latest for {name}, unless another comes before")
    } else {
        format!(
            "it goes at {due_at}, if no other of {name} comes within {}; the last one goes at {last_at} at the latest",
            span(*period_ms)
        )
    };
    let detail = json!({
        "key": key, "period_ms": period_ms, "longest_ms": longest_ms, "due_at": due_at,
        "latest_at": last_at, "events": next.events, "replaces": before.map(|open| open.event),
    });
    let moves = Move::Replace(before.map(|open| open.event), next);
    decision.ends(
        FlowVerdict::Debounced,
        moves,
        trace("debounce", why, detail),
    );
}

fn digest(decision: &mut Decision, arrival: Arrival<'_>, open: Option<Open>) {
    let Then::Digest {
        key,
        period_ms,
        events_max,
        bytes_max,
        bytes,
    } = &arrival.ask.then
    else {
        return;
    };
    let now = arrival.now;
    let waiting = open.filter(|open| open.event != arrival.event && open.due_at > now);
    // What another version has begun, and what this one would make too large, goes on without it.
    let joined =
        waiting.filter(|open| open.version == arrival.version && open.bytes + bytes <= *bytes_max);
    let begun = joined.unwrap_or(Open {
        event: arrival.event,
        version: arrival.version,
        since: now,
        due_at: now.plus_ms(*period_ms),
        events: 0,
        bytes: 0,
    });
    let mut next = Open {
        events: begun.events + 1,
        bytes: begun.bytes + bytes,
        ..begun
    };
    let full = next.events >= *events_max || next.bytes >= *bytes_max;
    if full {
        next.due_at = now;
    }
    let (name, place, first) = (of_key(key), ordinal(next.events), next.event);
    let which = if joined.is_some() {
        format!("it is the {place} of the digest of {name} that {first} has begun")
    } else {
        format!("it begins a digest of {name}")
    };
    let why = if full {
        format!("{which}, which is full with it and goes")
    } else {
        let due_at = next.due_at;
        format!("{which}: that goes at {due_at}, or with {events_max} events or {bytes_max} bytes")
    };
    let detail = json!({
        "key": key, "period_ms": period_ms, "count_max": events_max, "bytes_max": bytes_max,
        "digest": first, "place": next.events, "bytes": next.bytes, "due_at": next.due_at,
    });
    let moves = match joined {
        Some(_) => Move::Join(next),
        None => Move::Begin(waiting.map(|open| open.event), next),
    };
    decision.ends(FlowVerdict::Digested, moves, trace("digest", why, detail));
}

fn rate(decision: &mut Decision, arrival: Arrival<'_>, used: Option<Used>) {
    let Then::Rate {
        key,
        events_max,
        window_ms,
        over,
    } = &arrival.ask.then
    else {
        return;
    };
    let now = arrival.now;
    let present = windows(used, now, (*events_max, *window_ms));
    let ahead = present.events / events_max;
    let opens_at = present.since.plus_ms(ahead.saturating_mul(*window_ms));
    let name = of_key(key);
    let limit = format!("{events_max} in {}", span(*window_ms));
    let detail = json!({
        "key": key, "count_max": events_max, "window_ms": window_ms, "window_from": opens_at,
        "place": present.events % events_max + 1,
    });
    let of_limit = |why| trace("rate_limit", why, detail);
    let took = Used {
        events: present.events + 1,
        ..present
    };
    let until = present.since.plus_ms(
        (took.events - 1)
            .div_euclid(*events_max)
            .saturating_add(1)
            .saturating_mul(*window_ms),
    );
    if ahead == 0 {
        let place = ordinal(took.events);
        let why = format!(
            "it is the {place} of {name} since {}: {limit} go on",
            present.since
        );
        decision.used = Some((took, until));
        return decision.ends(FlowVerdict::Fired, Move::Go, of_limit(why));
    }
    let full = format!("{name} has had its {limit}, since {}", present.since);
    if *over == Over::Drop {
        let why = format!("{full}: the next one goes from {opens_at}");
        return decision.ends(FlowVerdict::RateLimited, Move::Stop, of_limit(why));
    }
    if opens_at.ms_since(now) > FLOW_WAIT_MS_MAX {
        let longest = span(FLOW_WAIT_MS_MAX);
        let why = format!(
            "{full}, and so many wait that its turn would come at {opens_at}: an event waits {longest} at most"
        );
        return decision.ends(FlowVerdict::LimitExceeded, Move::Stop, of_limit(why));
    }
    decision.used = Some((took, until));
    let why = format!("{full}: it goes at {opens_at}");
    decision.ends(
        FlowVerdict::RateLimited,
        Move::Wait(opens_at),
        of_limit(why),
    );
}

/// The present window, and how many have a place in it and later.
fn windows(used: Option<Used>, now: Timestamp, (events_max, window_ms): (i64, i64)) -> Used {
    let fresh = Used {
        since: now,
        events: 0,
    };
    let Some(used) = used else {
        return fresh;
    };
    let passed = now.ms_since(used.since).max(0) / window_ms;
    let left = used
        .events
        .saturating_sub(passed.saturating_mul(events_max));
    if passed > 0 && left <= 0 {
        return fresh;
    }
    Used {
        since: used.since.plus_ms(passed.saturating_mul(window_ms)),
        events: left.max(0),
    }
}

fn delay(decision: &mut Decision, now: Timestamp, (at, source): (Timestamp, Option<&str>)) {
    let by = source.map_or(String::new(), |source| format!(" (`{source}`)"));
    let detail = json!({ "until": source, "due_at": at });
    let (verdict, moves, why) = if at <= now {
        let why = format!("the time to wait for, {at}{by}, is over");
        (FlowVerdict::Fired, Move::Go, why)
    } else if at.ms_since(now) > FLOW_WAIT_MS_MAX {
        let longest = span(FLOW_WAIT_MS_MAX);
        let why = format!("it would wait until {at}{by}: an event waits {longest} at most");
        (FlowVerdict::LimitExceeded, Move::Stop, why)
    } else {
        let why = format!("it waits until {at}{by}");
        (FlowVerdict::Delayed, Move::Wait(at), why)
    };
    decision.ends(verdict, moves, trace("delay", why, detail));
}

/// That another event has taken the place of one that waited.
pub fn replaced(by: EventId, at: Timestamp) -> String {
    format!("{by} took its place at {at}")
}
