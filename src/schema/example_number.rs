//! Example numbers: within bounds, and a multiple of what they must be.

use serde_json::{Map, Value, json};

/// The whole number nearest to 1 that is within the bounds.
pub(super) fn whole(schema: &Map<String, Value>) -> Option<Value> {
    make(schema, Grain::Whole)
}

/// The number nearest to 1 that is within the bounds.
pub(super) fn any(schema: &Map<String, Value>) -> Option<Value> {
    make(schema, Grain::Any)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Grain {
    Whole,
    Any,
}

fn make(schema: &Map<String, Value>, grain: Grain) -> Option<Value> {
    let whole = grain == Grain::Whole;
    let bound = |keyword| schema.get(keyword).and_then(Value::as_f64);
    let step = bound("multipleOf").filter(|step| *step > 0.0);
    let least_step = step.unwrap_or(if whole { 1.0 } else { 0.5 });
    let low = [
        bound("minimum"),
        bound("exclusiveMinimum").map(|it| it + least_step),
    ];
    let high = [
        bound("maximum"),
        bound("exclusiveMaximum").map(|it| it - least_step),
    ];
    let low = low.into_iter().flatten().reduce(f64::max);
    let high = high.into_iter().flatten().reduce(f64::min);
    let mut found = 1.0_f64;
    found = high.map_or(found, |high| found.min(high));
    found = low.map_or(found, |low| found.max(low));
    if let Some(step) = step {
        found = (found / step).ceil() * step;
        if high.is_some_and(|high| found > high) {
            found = (found / step).floor().mul_add(step, -step);
        }
    }
    if whole {
        found = if low.is_some() {
            found.ceil()
        } else {
            found.floor()
        };
    }
    if found.fract() == 0.0 && found.abs() < 9e15 {
        return Some(json!(found as i64));
    }
    serde_json::Number::from_f64(found).map(Value::Number)
}
