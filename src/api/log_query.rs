//! Query parameters of what is on record: events, deliveries and attempts.

use serde::Deserialize;
use utoipa::IntoParams;

use crate::service::{AttemptQuery, DeliveryQuery, EventQuery, LogQuery, PageRequest};

/// Which page of which events.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct EventsQuery {
    /// Only events of this type.
    #[serde(rename = "type")]
    #[param(rename = "type")]
    event_type: Option<String>,
    /// Only events that were accepted then or later, RFC 3339. An event that an automation made counts from the
    /// first of all that led to it.
    since: Option<String>,
    /// Only events that were accepted before, RFC 3339.
    until: Option<String>,
    /// Only events in whose payloads all of this is found: words, `"a phrase"`, `beginning*`, `name:value`. At most
    /// 200 bytes and 16 terms.
    search: Option<String>,
    /// How many rows at most, 1 to 250; 50, if left out.
    limit: Option<usize>,
    /// The `next_cursor` of the page before.
    cursor: Option<String>,
}

/// Which page of which deliveries.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct DeliveriesQuery {
    /// Only of the event with this id.
    event: Option<String>,
    /// Only to the endpoint with this id.
    endpoint: Option<String>,
    /// Only because of the automation with this id.
    automation: Option<String>,
    /// Only of events of this type.
    #[serde(rename = "type")]
    #[param(rename = "type")]
    event_type: Option<String>,
    /// Only in this state: `pending`, `claimed`, `delivered`, `failed`, `held` or `cancelled`.
    state: Option<String>,
    /// Only those that were given up for this reason: `exhausted`, `rejected`, `gone` or `expired`.
    failure: Option<String>,
    /// Only those whose event was accepted then or later, RFC 3339. One that was sent again counts from then.
    since: Option<String>,
    /// Only those whose event was accepted before, RFC 3339.
    until: Option<String>,
    /// How many rows at most, 1 to 250; 50, if left out.
    limit: Option<usize>,
    /// The `next_cursor` of the page before.
    cursor: Option<String>,
}

/// Which page of which attempts.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct AttemptsQuery {
    /// Only for the delivery with this id.
    delivery: Option<String>,
    /// Only at the endpoint with this id.
    endpoint: Option<String>,
    /// Only those that came to this: `success`, `failed`, a status such as `503`, or a hundred of them such as `5xx`.
    status: Option<String>,
    /// Only those without an answer, for this reason: `dns`, `connect`, `tls`, `timeout`, `too_large`, `egress` or
    /// `interrupted`.
    error_class: Option<String>,
    /// Only of events of this type.
    #[serde(rename = "type")]
    #[param(rename = "type")]
    event_type: Option<String>,
    /// Only those that began then or later, RFC 3339.
    since: Option<String>,
    /// Only those that began before, RFC 3339.
    until: Option<String>,
    /// How many rows at most, 1 to 250; 50, if left out.
    limit: Option<usize>,
    /// The `next_cursor` of the page before.
    cursor: Option<String>,
}

impl EventsQuery {
    pub(super) fn parts(self) -> (EventQuery, PageRequest) {
        let query = EventQuery {
            event_type: self.event_type,
            since: self.since,
            until: self.until,
            search: self.search,
        };
        (query, page(self.limit, self.cursor))
    }
}

impl DeliveriesQuery {
    pub(super) fn parts(self) -> (DeliveryQuery, PageRequest) {
        let query = DeliveryQuery {
            event: self.event,
            endpoint: self.endpoint,
            automation: self.automation,
            event_type: self.event_type,
            state: self.state,
            failure: self.failure,
            since: self.since,
            until: self.until,
        };
        (query, page(self.limit, self.cursor))
    }
}

impl AttemptsQuery {
    pub(super) fn parts(self) -> (AttemptQuery, PageRequest) {
        let query = AttemptQuery {
            delivery: self.delivery,
            endpoint: self.endpoint,
            status: self.status,
            error_class: self.error_class,
            event_type: self.event_type,
            since: self.since,
            until: self.until,
        };
        (query, page(self.limit, self.cursor))
    }
}

/// Which events are exported, and from where on.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct EventsExport {
    /// Only events of this type.
    #[serde(rename = "type")]
    #[param(rename = "type")]
    event_type: Option<String>,
    /// Only events that were accepted then or later, RFC 3339. An event that an automation made counts from the
    /// first of all that led to it.
    since: Option<String>,
    /// Only events that were accepted before, RFC 3339.
    until: Option<String>,
    /// Only events in whose payloads all of this is found: words, `"a phrase"`, `beginning*`, `name:value`. At most
    /// 200 bytes and 16 terms.
    search: Option<String>,
    /// The `next_cursor` of the answer before.
    cursor: Option<String>,
}

/// Which deliveries are exported, and from where on.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct DeliveriesExport {
    /// Only of the event with this id.
    event: Option<String>,
    /// Only to the endpoint with this id.
    endpoint: Option<String>,
    /// Only because of the automation with this id.
    automation: Option<String>,
    /// Only of events of this type.
    #[serde(rename = "type")]
    #[param(rename = "type")]
    event_type: Option<String>,
    /// Only in this state: `pending`, `claimed`, `delivered`, `failed`, `held` or `cancelled`.
    state: Option<String>,
    /// Only those that were given up for this reason: `exhausted`, `rejected`, `gone` or `expired`.
    failure: Option<String>,
    /// Only those whose event was accepted then or later, RFC 3339. One that was sent again counts from then.
    since: Option<String>,
    /// Only those whose event was accepted before, RFC 3339.
    until: Option<String>,
    /// The `next_cursor` of the answer before.
    cursor: Option<String>,
}

/// Which attempts are exported, and from where on.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct AttemptsExport {
    /// Only for the delivery with this id.
    delivery: Option<String>,
    /// Only at the endpoint with this id.
    endpoint: Option<String>,
    /// Only those that came to this: `success`, `failed`, a status such as `503`, or a hundred of them such as `5xx`.
    status: Option<String>,
    /// Only those without an answer, for this reason: `dns`, `connect`, `tls`, `timeout`, `too_large`, `egress` or
    /// `interrupted`.
    error_class: Option<String>,
    /// Only of events of this type.
    #[serde(rename = "type")]
    #[param(rename = "type")]
    event_type: Option<String>,
    /// Only those that began then or later, RFC 3339.
    since: Option<String>,
    /// Only those that began before, RFC 3339.
    until: Option<String>,
    /// The `next_cursor` of the answer before.
    cursor: Option<String>,
}

impl EventsExport {
    pub(super) fn parts(self) -> (LogQuery, Option<String>) {
        let query = EventQuery {
            event_type: self.event_type,
            since: self.since,
            until: self.until,
            search: self.search,
        };
        (LogQuery::Events(query), self.cursor)
    }
}

impl DeliveriesExport {
    pub(super) fn parts(self) -> (LogQuery, Option<String>) {
        let query = DeliveryQuery {
            event: self.event,
            endpoint: self.endpoint,
            automation: self.automation,
            event_type: self.event_type,
            state: self.state,
            failure: self.failure,
            since: self.since,
            until: self.until,
        };
        (LogQuery::Deliveries(query), self.cursor)
    }
}

impl AttemptsExport {
    pub(super) fn parts(self) -> (LogQuery, Option<String>) {
        let query = AttemptQuery {
            delivery: self.delivery,
            endpoint: self.endpoint,
            status: self.status,
            error_class: self.error_class,
            event_type: self.event_type,
            since: self.since,
            until: self.until,
        };
        (LogQuery::Attempts(query), self.cursor)
    }
}

fn page(limit: Option<usize>, cursor: Option<String>) -> PageRequest {
    PageRequest { limit, cursor }
}
