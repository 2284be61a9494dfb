//! `/rest/v1`: endpoints and attempts as two tables, `webhook_configurations` and `webhook_logs`, in the shapes of
//! PostgREST 12, so that its clients can be used. What they ask is read in `query.rs`, `filter.rs` and `prefer.rs`, which
//! are pure.
//!
//! A row is what [`crate::service`] says it is; filters that name rows, an organisation or a time are asked there,
//! all others walk the account's own rows, of which there are at most as many as an account may have endpoints, or
//! [`SCANNED_ROWS_MAX`](crate::model::limits::SCANNED_ROWS_MAX) deliveries. Nothing is changed or removed without a filter.

mod answer;
mod asked;
mod configuration;
mod fault;
mod filter;
mod like;
mod log;
mod prefer;
mod query;
mod table;
#[cfg(test)]
mod tests;

use axum::extract::{Path, Request, State};
use axum::response::Response;
use axum::routing::{any, get};

use super::Refuse;
use crate::service::Service;
use fault::Fault;

/// The routes of this door. `refuse`: how the house answers what can't be done.
pub fn routes(refuse: Refuse) -> axum::Router<Service> {
    let told = move |done: Result<Response, Fault>| {
        done.unwrap_or_else(|fault| answer::refusal(fault, refuse))
    };
    let read = move |State(service): State<Service>, request: Request| async move {
        told(configuration::read(&service, request, None).await)
    };
    let create = move |State(service): State<Service>, request: Request| async move {
        told(Box::pin(configuration::create(&service, request)).await)
    };
    let change = move |State(service): State<Service>, request: Request| async move {
        told(Box::pin(configuration::change(&service, request, None)).await)
    };
    let delete = move |State(service): State<Service>, request: Request| async move {
        told(configuration::delete(&service, request, None).await)
    };
    let rows = get(read).post(create).patch(change).delete(delete);
    let read_one = move |State(service): State<Service>,
                         Path(id): Path<String>,
                         request: Request| async move {
        told(configuration::read(&service, request, Some(id)).await)
    };
    let change_one = move |State(service): State<Service>,
                           Path(id): Path<String>,
                           request: Request| async move {
        told(Box::pin(configuration::change(&service, request, Some(id))).await)
    };
    let delete_one = move |State(service): State<Service>,
                           Path(id): Path<String>,
                           request: Request| async move {
        told(configuration::delete(&service, request, Some(id)).await)
    };
    let one = get(read_one).patch(change_one).delete(delete_one);
    let logs = move |State(service): State<Service>, request: Request| async move {
        told(log::read(&service, request).await)
    };
    let nothing = move |Path(table): Path<String>| async move {
        told(Err(Fault::no_table(&filter::shown(&table))))
    };
    axum::Router::new()
        .route("/rest/v1/webhook_configurations", rows)
        .route("/rest/v1/webhook_configurations/{id}", one)
        .route("/rest/v1/webhook_logs", get(logs))
        .route("/rest/v1/{table}", any(nothing))
}
