//! What became of one event, as the server's own record tells it; and whether that, and what the
//! receiver saw, is what must follow from it.

use std::collections::HashMap;

use serde_json::Value;

use super::company::{Company, Listener};
use super::receiver::Arrival;
use super::story::{Place, Story};
use crate::cli::client;
use crate::model::{Clock, counted};

/// How often the record is looked at while an event is under way.
const LOOK_EVERY_MS: i64 = 25;
/// How long an event may be under way.
const SETTLED_WITHIN_MS: i64 = 30_000;
/// States that nothing follows on.
const SETTLED: [&str; 4] = ["delivered", "failed", "held", "cancelled"];

/// What became of one event.
#[derive(Debug, Default)]
pub(super) struct Outcome {
    /// One for each automation that looked at it.
    pub(super) evaluations: Vec<Evaluation>,
    /// Whether everything has come to its end.
    pub(super) open: Option<String>,
}

/// What became of one automation.
#[derive(Debug)]
pub(super) struct Evaluation {
    /// Which.
    pub(super) listener: Listener,
    /// The verdict's word.
    pub(super) verdict: String,
    /// Why, in a sentence.
    pub(super) summary: String,
    /// What it led to.
    pub(super) deliveries: Vec<Delivery>,
}

/// One delivery on record.
#[derive(Debug)]
pub(super) struct Delivery {
    /// Where it stands.
    pub(super) state: String,
    /// Its attempts, in order.
    pub(super) attempts: Vec<Attempt>,
}

/// One attempt on record.
#[derive(Debug)]
pub(super) struct Attempt {
    /// The status code, or the class of the failure.
    pub(super) came_back: String,
    /// How long it took.
    pub(super) duration_ms: i64,
}

/// What arrived for one event, by place.
pub(super) type Arrivals = HashMap<Place, Vec<Arrival>>;

/// Waits until nothing is under way for the event, and reads what became of it.
pub(super) async fn settle(company: &Company, event: &str) -> Result<Outcome, client::Error> {
    let clock = Clock::System;
    let until = clock.now().plus_ms(SETTLED_WITHIN_MS);
    loop {
        let evaluations = company
            .client
            .get(&format!("/v1/events/{event}/evaluations"))
            .await?;
        let deliveries = company
            .client
            .get(&format!("/v1/deliveries?event={event}&limit=250"))
            .await?;
        let state = evaluations["state"].as_str().unwrap_or_default();
        let open = match state {
            "planned" => first_open(&deliveries),
            "set_aside" => {
                return read(
                    company,
                    &evaluations,
                    &deliveries,
                    Some("set aside".to_owned()),
                )
                .await;
            }
            _ => Some("not planned yet".to_owned()),
        };
        let now = clock.now();
        if open.is_none() || now >= until {
            return read(company, &evaluations, &deliveries, open).await;
        }
        clock.sleep_until(now.plus_ms(LOOK_EVERY_MS)).await;
    }
}

fn first_open(deliveries: &Value) -> Option<String> {
    let open = |delivery: &Value| {
        let state = delivery["state"].as_str().unwrap_or_default();
        (!SETTLED.contains(&state)).then(|| format!("a delivery is {state}"))
    };
    rows(deliveries).find_map(open)
}

async fn read(
    company: &Company,
    evaluations: &Value,
    deliveries: &Value,
    open: Option<String>,
) -> Result<Outcome, client::Error> {
    let mut outcome = Outcome {
        evaluations: Vec::new(),
        open,
    };
    for evaluation in rows(evaluations) {
        let automation = &evaluation["automation"];
        let mut own = Vec::new();
        for delivery in rows(deliveries).filter(|delivery| delivery["automation"] == *automation) {
            let id = delivery["id"].as_str().unwrap_or_default();
            let attempts = company
                .client
                .get(&format!("/v1/deliveries/{id}/attempts"))
                .await?;
            own.push(Delivery {
                state: word(delivery, "state"),
                attempts: read_attempts(&attempts),
            });
        }
        outcome.evaluations.push(Evaluation {
            listener: company.listener(automation.as_str().unwrap_or_default()),
            verdict: word(evaluation, "verdict"),
            summary: word(evaluation, "summary"),
            deliveries: own,
        });
    }
    outcome
        .evaluations
        .sort_by_key(|evaluation| evaluation.listener.place);
    Ok(outcome)
}

fn read_attempts(attempts: &Value) -> Vec<Attempt> {
    let mut numbered: Vec<(i64, Attempt)> = rows(attempts)
        .map(|attempt| {
            let came_back = match attempt["status_code"].as_i64() {
                Some(status) => status.to_string(),
                None => word(attempt, "error_class"),
            };
            let duration_ms = attempt["duration_ms"].as_i64().unwrap_or(0);
            (
                attempt["no"].as_i64().unwrap_or(0),
                Attempt {
                    came_back,
                    duration_ms,
                },
            )
        })
        .collect();
    numbered.sort_by_key(|(no, _)| *no);
    numbered.into_iter().map(|(_, attempt)| attempt).collect()
}

fn rows(list: &Value) -> impl Iterator<Item = &Value> {
    list["data"].as_array().into_iter().flatten()
}

fn word(value: &Value, field: &str) -> String {
    value[field].as_str().unwrap_or_default().to_owned()
}

/// Everything that is not as it must be, one sentence each; empty if the event went as expected.
pub(super) fn faults(story: &Story, outcome: &Outcome, arrivals: &Arrivals) -> Vec<String> {
    let mut faults = Vec::new();
    let mut fault =
        |what: String| faults.push(format!("{} {}: {what}", story.event_type, story.reference));
    if let Some(open) = &outcome.open {
        fault(format!(
            "not at its end after {} s: {open}",
            SETTLED_WITHIN_MS / 1000
        ));
    }
    if outcome.evaluations.len() != story.evaluations {
        let (wanted, found) = (story.evaluations, outcome.evaluations.len());
        fault(format!(
            "{wanted} automations must look at it, the record has {found}"
        ));
    }
    for place in Place::ALL {
        let path = place.path();
        let expected = story
            .expected
            .iter()
            .find(|(expected, _)| *expected == place)
            .map(|(_, body)| body);
        let here = arrivals.get(&place).map_or(&[][..], Vec::as_slice);
        let taken: Vec<&Arrival> = here
            .iter()
            .filter(|arrival| arrival.status == 200)
            .collect();
        match (expected, taken.as_slice()) {
            (None, []) => {}
            (None, _) => fault(format!(
                "nothing must arrive at {path}, {} did",
                taken.len()
            )),
            (Some(_), []) => fault(format!("it never arrived at {path}")),
            (Some(body), [arrival]) if !is_body(place, body, arrival) => {
                fault(format!("another body than expected arrived at {path}"));
            }
            (Some(_), [_]) => {}
            (Some(_), more) => fault(format!("it arrived {} times at {path}", more.len())),
        }
        for why in here
            .iter()
            .filter_map(|arrival| arrival.signature.as_ref().err())
        {
            fault(format!("the signature at {path} is not genuine: {why}"));
        }
        if here.windows(2).any(|pair| pair[0].body != pair[1].body) {
            fault(format!(
                "an attempt at {path} had another body than the one before"
            ));
        }
        let (state_wrong, on_record) = on_record(outcome, place);
        if on_record != here.len() {
            fault(format!(
                "{} at {path}, but {} on record",
                counted(here.len(), "request"),
                counted(on_record, "attempt")
            ));
        }
        if let Some(state) = state_wrong {
            fault(format!("its delivery to {path} is {state}"));
        }
    }
    faults
}

/// The state of a delivery that is not delivered, and how many attempts are on record.
fn on_record(outcome: &Outcome, place: Place) -> (Option<&str>, usize) {
    let here = outcome
        .evaluations
        .iter()
        .filter(|evaluation| evaluation.listener.place == place);
    let deliveries: Vec<&Delivery> = here.flat_map(|evaluation| &evaluation.deliveries).collect();
    let wrong = deliveries
        .iter()
        .find(|delivery| delivery.state != "delivered");
    (
        wrong.map(|delivery| delivery.state.as_str()),
        deliveries
            .iter()
            .map(|delivery| delivery.attempts.len())
            .sum(),
    )
}

fn is_body(place: Place, expected: &Value, arrival: &Arrival) -> bool {
    let Ok(mut body) = serde_json::from_slice::<Value>(&arrival.body) else {
        return false;
    };
    // The envelope's time is the event's own, which the server sets.
    if place == Place::Crm {
        let time = body
            .as_object_mut()
            .and_then(|fields| fields.remove("timestamp"));
        if time.is_none() {
            return false;
        }
    }
    body == *expected
}

#[cfg(test)]
#[path = "outcome_tests.rs"]
mod tests;
