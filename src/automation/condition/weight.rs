//! What a condition may take at worst on a payload of a given size: known before it is evaluated, so that
//! what may take long is done where nobody waits for it.
//!
//! Every node has a most of steps and a most of bytes of its value. Both grow with the payload in proportion
//! at most, so that a loop's body may be taken as if all entries had the same size.

use super::evaluation::FAULT_STEPS;
use super::expression::{Expression, Loop, LoopKind, Root};
use super::fault::STEPS_MAX;
use super::function::Function;
use super::loops::LOOP_ENTRIES_MAX;
use super::value::{FETCH_STEPS, Value};
use crate::model::limits::{CLOUDEVENT_BYTES_MAX, EVENT_TYPE_BYTES_MAX};

/// The shortest value in a list of a payload, with what parts it from the next one.
const VALUE_BYTES_MIN: usize = 2;
/// The longest type, id or source of an event: a source's name has as many bytes as a type, and a word before it.
const TEXT_ROOT_BYTES_MAX: usize = EVENT_TYPE_BYTES_MAX + 16;
/// What a number, a time, or a yes or no counts.
const SCALAR_BYTES: usize = 8;
/// The longest text that a number becomes.
const NUMBER_TEXT_BYTES_MAX: usize = 512;
/// Bytes of a text of which a step searches one at least (see `fault` and `function`).
const SEARCHED_BYTES_PER_STEP: usize = 8;
/// Bytes that a step copies or puts together at least.
const COPIED_BYTES_PER_STEP: usize = 8;
/// More than any value has, and little enough to multiply with.
const BYTES_MAX: usize = 1 << 32;

/// At most so many steps, for a value of at most so many bytes.
#[derive(Debug, Clone, Copy)]
struct Most {
    steps: usize,
    bytes: usize,
}

/// Most steps of one evaluation.
pub(super) fn steps_max(expression: &Expression, payload_bytes: usize) -> usize {
    let sizes = Sizes {
        payload_bytes,
        entry_bytes: 0,
    };
    Most::of(sizes.most(expression).steps + FAULT_STEPS, 0).steps
}

/// How large the values are that an expression begins with.
#[derive(Debug, Clone, Copy)]
struct Sizes {
    payload_bytes: usize,
    /// What the variable of the loop stands for.
    entry_bytes: usize,
}

impl Most {
    /// Never more than an evaluation may take at all.
    fn of(steps: usize, bytes: usize) -> Self {
        Self {
            steps: steps.min(STEPS_MAX),
            bytes: bytes.min(BYTES_MAX),
        }
    }

    fn and(self, other: Self) -> Self {
        Self::of(self.steps + other.steps, self.bytes + other.bytes)
    }
}

impl Sizes {
    fn most(self, expression: &Expression) -> Most {
        match expression {
            Expression::Literal(Value::Text(text)) | Expression::Known(_, Value::Text(text)) => {
                Most::of(1, text.len().max(SCALAR_BYTES))
            }
            Expression::Literal(_) | Expression::Known(..) => Most::of(1, SCALAR_BYTES),
            Expression::Root(Root::Payload) => Most::of(1, self.payload_bytes),
            Expression::Root(Root::CloudEvent) => Most::of(1, CLOUDEVENT_BYTES_MAX),
            Expression::Root(root) => Most::of(1 + root.steps(), TEXT_ROOT_BYTES_MAX),
            Expression::Variable(_) => Most::of(
                1 + self.entry_bytes / COPIED_BYTES_PER_STEP,
                self.entry_bytes,
            ),
            Expression::Field(of, _) => {
                let of = self.most(of);
                Most::of(1 + of.steps, of.bytes)
            }
            Expression::Index(of, index) => {
                let (of, index) = (self.most(of), self.most(index));
                Most::of(1 + of.steps + index.steps, of.bytes)
            }
            Expression::Has(inner) | Expression::Not(inner) | Expression::Negate(inner) => {
                Most::of(1 + self.most(inner).steps, SCALAR_BYTES)
            }
            Expression::All(parts) | Expression::Any(parts) => {
                let faults = parts.len() * FAULT_STEPS;
                Most::of(1 + self.all(parts).steps + faults, SCALAR_BYTES)
            }
            Expression::List(parts) => {
                let all = self.all(parts);
                Most::of(1 + all.steps, all.bytes)
            }
            Expression::Compare(_, left, right) => {
                let (left, right) = (self.most(left), self.most(right));
                let steps = 1 + left.steps + right.steps + compared(left, right);
                Most::of(steps, SCALAR_BYTES)
            }
            Expression::In(left, right) => {
                let (left, right) = (self.most(left), self.most(right));
                // Each entry is looked at, and may be a list itself.
                let steps = 1 + left.steps + right.steps + 2 * right.bytes;
                Most::of(steps, SCALAR_BYTES)
            }
            Expression::Arithmetic(_, left, right) => {
                let both = self.most(left).and(self.most(right));
                Most::of(
                    1 + both.steps + both.bytes / COPIED_BYTES_PER_STEP,
                    both.bytes,
                )
            }
            // The sum, for what grows in proportion to the payload.
            Expression::Either {
                test,
                then,
                otherwise,
            } => {
                let both = self.most(then).and(self.most(otherwise));
                Most::of(1 + self.most(test).steps + both.steps, both.bytes)
            }
            Expression::Call(function, arguments) => self.call(*function, arguments),
            Expression::Loop(each) => self.each(each),
        }
    }

    fn all(self, parts: &[Expression]) -> Most {
        parts
            .iter()
            .map(|part| self.most(part))
            .fold(Most::of(0, 0), Most::and)
    }

    fn call(self, function: Function, arguments: &[Expression]) -> Most {
        let all = self.all(arguments);
        let own = 1 + function.steps(arguments.len());
        let steps = own + all.steps + all.bytes / SEARCHED_BYTES_PER_STEP;
        let bytes = match function {
            Function::String | Function::LowerAscii => all.bytes + NUMBER_TEXT_BYTES_MAX,
            _ => SCALAR_BYTES,
        };
        Most::of(steps, bytes)
    }

    fn each(self, each: &Loop) -> Most {
        let over = self.most(&each.entries);
        let entries = LOOP_ENTRIES_MAX.min(1 + over.bytes / VALUE_BYTES_MIN);
        let body = Self {
            entry_bytes: over.bytes.div_ceil(entries),
            ..self
        };
        let body = body.most(&each.body);
        let copied = over.bytes / COPIED_BYTES_PER_STEP;
        let steps = 1 + over.steps + copied + entries * (2 + FAULT_STEPS + body.steps);
        let bytes = match each.kind {
            LoopKind::Map => entries * body.bytes,
            LoopKind::Filter => over.bytes,
            LoopKind::All | LoopKind::Exists | LoopKind::ExistsOne => SCALAR_BYTES,
        };
        Most::of(steps, bytes)
    }
}

/// Comparing ends where the shorter one does.
fn compared(left: Most, right: Most) -> usize {
    1 + (1 + FETCH_STEPS) * left.bytes.min(right.bytes) / VALUE_BYTES_MIN
}

#[cfg(test)]
mod tests {
    use super::super::evaluation::Evaluation;
    use super::super::{Condition, EventView};
    use super::*;
    use crate::automation::EventType;
    use crate::model::{EventId, Timestamp};

    fn condition(source: &str) -> Condition {
        Condition::parse(source).expect("a condition")
    }

    /// The steps that it takes on this payload.
    fn steps(condition: &Condition, payload: &str) -> usize {
        let event_type: EventType = "deal.updated".parse().expect("valid");
        let at = Timestamp::from_ms(0);
        let view = EventView::new(EventId::mint(at), &event_type, at, payload.as_bytes());
        let mut evaluation = Evaluation::new(&view);
        let _answer = evaluation.decide(&condition.expression);
        evaluation.steps.taken()
    }

    #[test]
    fn no_condition_takes_more_than_is_said_before() {
        let numbers = format!("[{}]", vec!["1"; 900].join(","));
        let texts = format!("[{}]", vec!["\"x\""; 400].join(","));
        let text = format!("\"{}\"", "x".repeat(3_000));
        let payload = format!(
            r#"{{"a": {numbers}, "b": {numbers}, "t": {text}, "u": {text}, "l": {texts}, "n": 1}}"#
        );
        let repeated = |part: &str, by: &str| vec![part; 40].join(by);
        for source in [
            "event.data.n >= 1",
            "event.data.a.exists(x, x.missing > 1)",
            "event.data.a == event.data.b",
            "event.data in [event.data.a, event.data]",
            "event.data.t in event.data.l",
            "event.data.t.contains('y')",
            "event.data.t + event.data.u + event.data.t == event.data.u",
            "event.data.a.all(x, x == 1)",
            "event.data.a.all(x, event.data.t != 'y')",
            "event.data.l.exists(x, event.data.t == x || event.data.u == event.data.t)",
            "event.data.l.filter(x, x != 'y').map(y, y + y).exists(z, z.startsWith('y'))",
            "size(event.data.l.map(x, [x, x, x])) == 1",
            "event.data.a.exists(x, x in event.data.b && x > 1)",
            "(event.data.n == 1 ? event.data.a : event.data.b) == event.data.a",
            "string(event.data.n).contains('2') || event.type.startsWith('x')",
            "event.data.a.all(x, event.id != string(x))",
            "event.data.a.exists(x, event.timestamp.getHours('Europe/Berlin') == x + 100)",
            &repeated("event.data.t != event.data.u + 'z'", " && "),
        ] {
            let condition = condition(source);
            let (taken, most) = (
                steps(&condition, &payload),
                condition.steps_max(payload.len()),
            );
            assert!(taken <= most, "{source}: {taken} of {most}");
        }
    }

    #[test]
    fn what_most_people_ask_is_known_to_be_cheap() {
        for (source, most) in [
            (
                "event.data.amount >= 1000 && event.data.stage == 'won'",
                400,
            ),
            ("event.data.tags.exists(t, t == 'vip')", 40_000),
        ] {
            let steps = condition(source).steps_max(500);
            assert!(steps <= most, "{source}: {steps}");
        }
        let dear = "event.data.l.exists(x, event.data.t.contains(x))";
        assert_eq!(condition(dear).steps_max(200_000), STEPS_MAX);
    }
}
