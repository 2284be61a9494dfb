//! `/v1/events`.

use axum::Json;
use axum::http::HeaderMap;
use serde::Serialize;
use utoipa::ToSchema;

use super::answer::{Accepted, Answer};
use super::cloudevent::{Form, Sent, SentBatch};
use super::idempotency;
use super::log_query::EventsQuery;
use super::principal::{By, On};
use super::problem::ProblemView;
use super::query::{PageQuery, QueryParams};
use crate::model::EventId;
use crate::pipeline::Acknowledged;
use crate::service::{
    DeliveryView, Error, Evaluations, EventSummary, EventView, Listed, MayRead, MaySend, NewEvent,
};

/// The accepted event.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Taken {
    /// The event's id: the first one's, if it came before.
    #[schema(value_type = String, example = "evt_0198c1f0a3b27c4d8e5f60718293a4b5")]
    id: EventId,
}

/// The answer to one event of a batch.
#[derive(Debug, Serialize, ToSchema)]
#[serde(untagged)]
pub(super) enum Outcome {
    /// The event is durable.
    Taken {
        /// Its line, from 1; left out, unless the batch came as lines.
        #[serde(skip_serializing_if = "Option::is_none")]
        line: Option<usize>,
        /// The event's id: the first one's, if it came before.
        #[schema(value_type = String)]
        id: EventId,
    },
    /// The event was refused; its neighbours were not.
    Refused {
        /// Its line, from 1; left out, unless the batch came as lines.
        #[serde(skip_serializing_if = "Option::is_none")]
        line: Option<usize>,
        /// Why.
        #[schema(inline)]
        error: ProblemView,
    },
}

/// The answer to what was sent.
#[derive(Debug, Serialize, ToSchema)]
#[serde(untagged)]
pub(super) enum Answered {
    /// To one event.
    One(Taken),
    /// To a batch of CloudEvents.
    Each(Outcomes),
}

/// The answers to a batch, one for each event, in their order.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Outcomes {
    /// One answer for each event of the batch, in their order.
    data: Vec<Outcome>,
}

fn outcomes(answers: Vec<Result<Acknowledged, Error>>) -> Outcomes {
    let answers = answers.into_iter();
    Outcomes {
        data: answers.map(|answer| Outcome::of(None, answer)).collect(),
    }
}

/// Send an event
///
/// Answered once it is durable. The same id or idempotency key with the same content again is the
/// same event and gets the same answer; with another content it is a conflict. CloudEvents 1.0 are taken in
/// structured and binary mode, and in batches, which are answered one by one: docs/cloudevents.md.
#[utoipa::path(post, path = "/v1/events", tag = "events", operation_id = "send_event",
    params(("Idempotency-Key" = Option<String>, Header, description = "The same as idempotency_key in the body")),
    request_body(content((NewEvent<'_> = "application/json"), (Object = "application/cloudevents+json"), (Vec<Object> = "application/cloudevents-batch+json"))),
    responses((status = 202, description = "The event is durable, or those of the batch that were not refused", body = Answered)))]
pub(super) async fn send(
    By(who, service): By<MaySend>,
    headers: HeaderMap,
    Sent(form): Sent,
) -> Answer<Accepted<Answered>> {
    let key = idempotency::key(&headers)?;
    let taken = match form {
        Form::Native(body) => service.send_event(&who, &body, key).await?,
        Form::CloudEvent(event) => service.send_cloudevent(&who, event, key).await?,
        Form::Batch(body) => {
            let answers = service.send_cloudevents(&who, &body, key).await?;
            return Ok(Accepted(Answered::Each(outcomes(answers))));
        }
    };
    Ok(Accepted(Answered::One(Taken { id: taken.event })))
}

/// Send up to 1000 events
///
/// As a JSON array, or as lines with one event each (`application/x-ndjson`; empty lines are passed over, and
/// each answer has its line's number). Each is answered by itself, in order: one that is wrong never fails its
/// neighbours. With a key in the header, the event at place n, from 0 (of lines: the line's number less 1), has
/// the idempotency key `key#n` unless it has one of its own: the same batch sent again repeats nothing, and
/// those that were refused the first time get in.
#[utoipa::path(post, path = "/v1/events/batch", tag = "events", operation_id = "send_events",
    params(("Idempotency-Key" = Option<String>, Header, description = "Each event's idempotency key is made from it")),
    request_body(content((Vec<NewEvent<'_>> = "application/json"), (String = "application/x-ndjson"), (Vec<Object> = "application/cloudevents-batch+json"))),
    responses((status = 202, description = "One answer for each", body = Outcomes)))]
pub(super) async fn send_batch(
    By(who, service): By<MaySend>,
    headers: HeaderMap,
    batch: SentBatch,
) -> Answer<Accepted<Outcomes>> {
    let key = idempotency::key(&headers)?;
    Ok(Accepted(match batch {
        SentBatch::Array(body) => outcomes(service.send_batch(&who, &body, key).await?),
        SentBatch::CloudEvents(body) => outcomes(service.send_cloudevents(&who, &body, key).await?),
        SentBatch::Lines(body) => {
            let answers = service.send_lines(&who, &body, key).await?.into_iter();
            let data = answers.map(|(line, answer)| Outcome::of(Some(line), answer));
            Outcomes {
                data: data.collect(),
            }
        }
    }))
}

impl Outcome {
    fn of(line: Option<usize>, answer: Result<Acknowledged, Error>) -> Self {
        match answer {
            Ok(taken) => Self::Taken {
                line,
                id: taken.event,
            },
            Err(error) => Self::Refused {
                line,
                error: ProblemView::of(&error),
            },
        }
    }
}

/// List events
///
/// Newest first. Payloads are left out: get one event for its own. With `type` or `search`, a page may be short, or
/// empty, and have a `next_cursor`: at most 10,000 events, and 16 MiB of payloads, are looked at for one page.
/// docs/log.md.
#[utoipa::path(get, path = "/v1/events", tag = "events", operation_id = "list_events",
    params(EventsQuery), responses((status = 200, description = "A page", body = Listed<EventSummary>)))]
pub(super) async fn list(
    By(who, service): By<MayRead>,
    QueryParams(query): QueryParams<EventsQuery>,
) -> Answer<Json<Listed<EventSummary>>> {
    let (query, page) = query.parts();
    Ok(Json(service.events(&who, &query, &page).await?))
}

/// Get an event
#[utoipa::path(get, path = "/v1/events/{id}", tag = "events", operation_id = "get_event",
    params(("id" = String, Path, description = "The event's id")),
    responses((status = 200, description = "The event", body = EventView)))]
pub(super) async fn get(On(who, service, id): On<MayRead>) -> Answer<Json<EventView>> {
    Ok(Json(service.event(&who, &id).await?))
}

/// Get what every automation said of an event
#[utoipa::path(get, path = "/v1/events/{id}/evaluations", tag = "events", operation_id = "list_evaluations",
    params(("id" = String, Path, description = "The event's id"), PageQuery),
    responses((status = 200, description = "A page of what the candidate automations said", body = Evaluations)))]
pub(super) async fn evaluations(
    On(who, service, id): On<MayRead>,
    QueryParams(query): QueryParams<PageQuery>,
) -> Answer<Json<Evaluations>> {
    Ok(Json(service.evaluations(&who, &id, &query.page()).await?))
}

/// List an event's deliveries
#[utoipa::path(get, path = "/v1/events/{id}/deliveries", tag = "events", operation_id = "list_deliveries_of_event",
    params(("id" = String, Path, description = "The event's id"), PageQuery),
    responses((status = 200, description = "A page", body = Listed<DeliveryView>)))]
pub(super) async fn deliveries(
    On(who, service, id): On<MayRead>,
    QueryParams(query): QueryParams<PageQuery>,
) -> Answer<Json<Listed<DeliveryView>>> {
    Ok(Json(service.deliveries_of(&who, &id, &query.page()).await?))
}
