//! Why there is no evaluation of an automation for an event, as a word and a sentence. Pure.

use crate::automation::{Definition, EventType, Pattern, Trigger};
use crate::model::Timestamp;

/// The trigger does not name the event's type.
pub(super) const NOT_SUBSCRIBED: &str = "not_subscribed";
/// Most patterns of a trigger that a sentence names.
const PATTERNS_NAMED_MAX: usize = 5;

/// Why there is no evaluation.
#[derive(Debug)]
pub(super) struct Absence {
    /// The version that was live, if one was.
    pub(super) version: Option<i64>,
    pub(super) verdict: &'static str,
    pub(super) summary: String,
}

impl Absence {
    pub(super) fn new(verdict: &'static str, summary: impl Into<String>) -> Self {
        Self {
            version: None,
            verdict,
            summary: summary.into(),
        }
    }
}

/// For what should be on record and is not.
pub(super) fn unrecorded() -> Absence {
    Absence::new(
        "not_evaluated",
        "no evaluation of it is on record: if the event has just come, ask again in a moment",
    )
}

/// For a test.
pub(super) fn test() -> Absence {
    Absence::new(
        "test",
        "the event is a test: it was sent to one endpoint to see it arrive, and no automation looked at it",
    )
}

/// For an automation of which no version had gone live by the time at which an event was accepted; `published`: the version
/// that is published now; `first`: the revision at which the first one went live.
pub(super) fn not_live_yet(
    made_at: Timestamp,
    accepted_at: Timestamp,
    published: Option<i64>,
    first: Option<i64>,
) -> Absence {
    if made_at > accepted_at {
        Absence::new("made_later", "the automation was made after the event came")
    } else if first.is_some() {
        Absence::new(
            "not_published",
            "no version of the automation was live yet when the event came: its first one went live later",
        )
    } else if published.is_some() {
        Absence::new("disabled", "the automation was never switched on")
    } else {
        Absence::new(
            "not_published",
            "the automation is a draft: no version of it was ever published",
        )
    }
}

/// For an endpoint that had no subscription of its own.
pub(super) fn no_subscription(made_at: Timestamp, accepted_at: Timestamp) -> Absence {
    if made_at > accepted_at {
        return Absence::new("made_later", "the endpoint was made after the event came");
    }
    Absence::new(
        NOT_SUBSCRIBED,
        "the endpoint subscribed to nothing itself when the event came: it got what automations sent to it",
    )
}

/// Why the trigger of a stored definition is not met by an event of this type, if it is not. One that can't
/// be read is met: its evaluation says so.
pub(super) fn unmet_by(definition: &str, event_type: &EventType) -> Option<String> {
    let definition: Definition = serde_json::from_str(definition).ok()?;
    let trigger = &definition.trigger;
    let met = trigger.events.iter().any(|it| it.matches(event_type));
    (!met).then(|| unmet(trigger, event_type))
}

/// That the trigger does not name the type.
pub(super) fn unmet(trigger: &Trigger, event_type: &EventType) -> String {
    if trigger.schedule.is_some() {
        return format!(
            "the event's type is {event_type}, and the trigger is a schedule of the automation's own"
        );
    }
    if event_type.is_own_schedule() {
        return format!(
            "the event's type is {event_type}: it was made by the schedule of one automation, and only that one \
             meets it"
        );
    }
    let patterns = &trigger.events;
    let named = patterns.iter().take(PATTERNS_NAMED_MAX);
    let named = named.map(Pattern::to_string).collect::<Vec<_>>().join(", ");
    let more = match patterns.len().saturating_sub(PATTERNS_NAMED_MAX) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    format!("the event's type is {event_type}, and the trigger names {named}{more}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pipeline::Verdict;

    /// What `explain` may answer instead of an evaluation's verdict.
    const ABSENT: [&str; 7] = [
        NOT_SUBSCRIBED,
        "disabled",
        "not_published",
        "made_later",
        "not_evaluated",
        "set_aside",
        "test",
    ];

    #[test]
    fn the_guide_leaves_no_verdict_out() {
        let guide = include_str!("../../docs/explain.md");
        let rows: Vec<_> = guide
            .lines()
            .filter(|line| line.starts_with("| `"))
            .collect();
        for word in Verdict::ALL.iter().map(|it| it.as_str()).chain(ABSENT) {
            let quoted = format!("`{word}`");
            let first = |row: &&str| row.split('|').nth(1).is_some_and(|it| it.contains(&quoted));
            assert!(rows.iter().any(first), "nothing is said of {word}");
        }
    }

    #[test]
    fn a_trigger_that_is_not_met_is_told_with_what_it_names() {
        let event_type: EventType = "call.started".parse().expect("a name");
        for (patterns, wanted) in [
            (
                &["deal.*"][..],
                "the event's type is call.started, and the trigger names deal.*",
            ),
            (
                &["a", "b", "c", "d", "e", "f", "g"],
                "the event's type is call.started, and the trigger names a, b, c, d, e and 2 more",
            ),
        ] {
            let definition = serde_json::json!({"trigger": {"events": patterns}, "actions": []});
            let found = unmet_by(&definition.to_string(), &event_type);
            assert_eq!(found.as_deref(), Some(wanted));
        }
        for met in [
            r#"{"trigger":{"events":["a","call.*"]},"actions":[]}"#,
            r#"{"trigger":{"events":["a"]},"written_by":"a newer version"}"#,
        ] {
            assert_eq!(unmet_by(met, &event_type), None, "{met}");
        }
    }

    #[test]
    fn an_automation_that_never_was_live_by_then_is_told_apart() {
        let at = Timestamp::from_ms;
        for (made_ms, published, first, verdict) in [
            (1_001, Some(1), Some(9), "made_later"),
            (1_000, Some(1), Some(9), "not_published"),
            (1_000, Some(1), None, "disabled"),
            (1_000, None, None, "not_published"),
        ] {
            let found = not_live_yet(at(made_ms), at(1_000), published, first);
            assert_eq!(found.verdict, verdict, "{}", found.summary);
        }
    }
}
