//! The authors' guide, `docs/conditions.md`, kept true: each of its examples is evaluated, and what it
//! names is what there is.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::expression::{LoopKind, Root};
use super::fault::STEPS_MAX;
use super::form::FieldOperator;
use super::function::Function;
use super::loops::LOOP_ENTRIES_MAX;
use super::{Answer, Condition, EventView, Form, Variables};
use crate::automation::EventType;
use crate::model::limits::CONDITION_BYTES_MAX;
use crate::model::{EventId, Timestamp};

const GUIDE: &str = include_str!("../../../../docs/conditions.md");
/// Before what comes of an example.
const ANSWER: &str = " // ";

/// An event as the guide shows one.
#[derive(Deserialize)]
struct Sample<'a> {
    r#type: String,
    timestamp: String,
    #[serde(borrow)]
    data: &'a RawValue,
}

/// One example: the event above it, the condition, and what is said of it.
struct Example {
    event: String,
    condition: String,
    answer: String,
}

/// The examples of the guide, in their order.
fn examples() -> Vec<Example> {
    let (mut language, mut event) = (None, String::new());
    let (mut condition, mut found) = (String::new(), Vec::new());
    for line in GUIDE.lines() {
        match (line.strip_prefix("```"), language) {
            (Some(""), Some("cel")) => {
                assert_eq!(condition.trim(), "", "an example has no answer");
                language = None;
            }
            (Some(""), _) => language = None,
            (Some(begun), _) => {
                language = Some(begun);
                if begun == "json" {
                    event.clear();
                }
            }
            (None, Some("json")) => event.extend([line, "\n"]),
            (None, Some("cel")) => match line.rsplit_once(ANSWER) {
                Some((end, answer)) => {
                    condition.push_str(end);
                    found.push(Example {
                        event: event.clone(),
                        condition: std::mem::take(&mut condition),
                        answer: answer.trim().to_owned(),
                    });
                }
                None => condition.extend([line, "\n"]),
            },
            (None, _) => {}
        }
    }
    found
}

/// What comes of a condition, in the words of the guide.
fn answer(example: &Example) -> String {
    let condition = match Condition::parse(&example.condition) {
        Ok(condition) => condition,
        Err(error) => return format!("refused: {error}"),
    };
    let sample: Sample<'_> = serde_json::from_str(&example.event).expect("an event");
    let at: Timestamp = sample.timestamp.parse().expect("a time");
    let event_type: EventType = sample.r#type.parse().expect("an event type");
    let payload = sample.data.get().as_bytes();
    let view = EventView::new(EventId::mint(at), &event_type, at, payload).with_source("api");
    let explanation = condition.explain(&view);
    match explanation.answer {
        Answer::True => "true".to_owned(),
        Answer::False => format!("false: {}", explanation.summary),
        Answer::Error { message } => format!("error: {message}"),
    }
}

#[test]
fn every_example_of_the_guide_comes_out_as_it_says() {
    let examples = examples();
    assert!(examples.len() > 50, "only {} were found", examples.len());
    for example in &examples {
        let said = answer(example);
        let told = &example.answer;
        let is_kept = match told.split_once(": ") {
            // Long messages are told in part.
            Some((word @ ("error" | "refused"), part)) => {
                said.starts_with(word) && said.contains(part)
            }
            _ => said == *told,
        };
        assert!(
            is_kept,
            "{}\n is told: {told}\n but is: {said}",
            example.condition
        );
    }
}

#[test]
fn every_form_of_the_guide_is_the_cel_beside_it() {
    let (mut seen, mut within) = (0, false);
    for line in GUIDE.lines() {
        match line.strip_prefix("```") {
            Some(language) => within = language == "form",
            None if within => {
                let (form, cel) = line.split_once(ANSWER).expect("a form and its CEL");
                let read: Form = serde_json::from_str(form).expect(form);
                assert_eq!(read.cel(), cel, "{form}");
                let condition = Condition::parse_with(cel, &Variables::unasked()).expect(cel);
                assert_eq!(Form::of(&condition), Some(read), "{cel}");
                seen += 1;
            }
            None => {}
        }
    }
    assert!(seen >= 10, "only {seen} were found");
}

#[test]
fn the_guide_leaves_nothing_out() {
    let functions = Function::names();
    let names = functions.split(", ");
    let loops = LoopKind::ALL.iter().map(|kind| kind.as_str());
    for name in names.chain(loops) {
        let told = GUIDE.contains(&format!("{name}("));
        assert!(told, "nothing is said of {name}()");
    }
    for root in Root::ALL.iter().filter(|root| root.is_of_event()) {
        let row = format!("| `event.{}` |", root.as_str());
        assert!(GUIDE.contains(&row), "nothing is said of {row}");
    }
    for operator in FieldOperator::ALL {
        let told = GUIDE.contains(&format!("`{}`", operator.as_str()));
        assert!(told, "nothing is said of {}", operator.as_str());
    }
    for (bound, told) in [
        (CONDITION_BYTES_MAX, "4,096 bytes"),
        (LOOP_ENTRIES_MAX, "1,000 entries"),
        (STEPS_MAX, "75,000 steps"),
    ] {
        assert!(GUIDE.contains(told), "nothing is said of {bound}");
        assert_eq!(
            told.split(' ').next().map(|number| number.replace(',', "")),
            Some(bound.to_string())
        );
    }
}
