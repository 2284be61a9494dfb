//! The whole API on one page.

use std::sync::Arc;

use axum::middleware::from_fn_with_state;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::{
    account, api_key, automation, code, condition, dead_letter, delivery, endpoint, errand, event,
    event_type, explain, operations, pass, plugin, problem, query, schedule, source, trial,
    variable, version,
};
use crate::service::Service;

/// Renders the figures for Prometheus.
pub type Render = Arc<dyn Fn() -> String + Send + Sync>;

/// Every route of the native API, with its description.
pub(super) fn described() -> OpenApiRouter<Service> {
    accounts()
        .merge(events())
        .merge(automations())
        .merge(endpoints())
        .merge(operators())
}

/// Accounts and keys.
fn accounts() -> OpenApiRouter<Service> {
    OpenApiRouter::new()
        .routes(routes!(account::create, account::list))
        .routes(routes!(account::get))
        .routes(routes!(account::own, account::change_own))
        .routes(routes!(account::reveal_signing_key))
        .routes(routes!(api_key::create, api_key::list))
        .routes(routes!(api_key::revoke))
}

/// What comes in.
fn events() -> OpenApiRouter<Service> {
    OpenApiRouter::new()
        .routes(routes!(event::send, event::list))
        .routes(routes!(event::send_batch))
        .routes(routes!(event::get))
        .routes(routes!(event::evaluations))
        .routes(routes!(event::deliveries))
        .routes(routes!(event_type::create, event_type::list))
        .routes(routes!(
            event_type::get,
            event_type::change,
            event_type::delete
        ))
        .routes(routes!(event_type::versions))
        .routes(routes!(event_type::version))
        .routes(routes!(event_type::import))
        .routes(routes!(event_type::catalogues))
        .routes(routes!(event_type::catalogue))
        .routes(routes!(event_type::install))
        .routes(routes!(schedule::create, schedule::list))
        .routes(routes!(schedule::preview))
        .routes(routes!(schedule::get, schedule::change, schedule::delete))
        .routes(routes!(schedule::occurrences))
        .routes(routes!(schedule::run))
        .routes(routes!(source::create, source::list))
        .routes(routes!(source::get, source::change, source::delete))
        .routes(routes!(source::secrets))
        .routes(routes!(source::rotate_secret))
        .routes(routes!(source::refusals))
        .routes(routes!(source::test))
}

/// What follows from it.
fn automations() -> OpenApiRouter<Service> {
    OpenApiRouter::new()
        .routes(routes!(automation::create, automation::list))
        .routes(routes!(
            automation::get,
            automation::change,
            automation::delete
        ))
        .routes(routes!(code::export))
        .routes(routes!(code::plan))
        .routes(routes!(code::apply))
        .routes(routes!(version::list))
        .routes(routes!(version::get))
        .routes(routes!(version::diff))
        .routes(routes!(version::publish))
        .routes(routes!(version::roll_back))
        .routes(routes!(version::publications))
        .routes(routes!(version::archive))
        .routes(routes!(version::unarchive))
        .routes(routes!(explain::automation))
        .routes(routes!(trial::test))
        .routes(routes!(version::run_tests))
        .routes(routes!(errand::backtest))
        .routes(routes!(errand::rerun))
        .routes(routes!(errand::list))
        .routes(routes!(errand::get))
        .routes(routes!(errand::cancel))
        .routes(routes!(errand::differences))
        .routes(routes!(condition::convert))
        .routes(routes!(condition::check))
        .routes(routes!(variable::create, variable::list))
        .routes(routes!(variable::get, variable::change, variable::delete))
        .routes(routes!(dead_letter::list))
        .routes(routes!(dead_letter::rerun))
        .routes(routes!(dead_letter::get, dead_letter::discard))
        .routes(routes!(plugin::upload, plugin::list))
        .routes(routes!(plugin::get))
        .routes(routes!(plugin::versions))
}

/// Where it goes.
fn endpoints() -> OpenApiRouter<Service> {
    OpenApiRouter::new()
        .routes(routes!(endpoint::create, endpoint::list))
        .routes(routes!(endpoint::get, endpoint::change, endpoint::delete))
        .routes(routes!(endpoint::enable))
        .routes(routes!(endpoint::disable))
        .routes(routes!(explain::endpoint))
        .routes(routes!(endpoint::secrets))
        .routes(routes!(endpoint::rotate_secret))
        .routes(routes!(endpoint::reveal_secret))
        .routes(routes!(delivery::list))
        .routes(routes!(delivery::get))
        .routes(routes!(delivery::attempts))
        .routes(routes!(delivery::resend))
}

/// For operations.
fn operators() -> OpenApiRouter<Service> {
    OpenApiRouter::new()
        .routes(routes!(operations::health))
        .routes(routes!(operations::ready))
}

/// The API over a service, with doors beside it. `render`: what `/metrics` answers.
pub fn router(service: Service, render: Render, beside: axum::Router<Service>) -> axum::Router {
    let (routes, description) = described().split_for_parts();
    let passage = Arc::new(pass::Passage {
        service: service.clone(),
        asking: query::asking(&description),
    });
    routes
        .merge(operations::plain(render))
        .merge(beside)
        .fallback(problem::no_route)
        .method_not_allowed_fallback(problem::no_method)
        .layer(from_fn_with_state(passage, pass::pass))
        .with_state(service)
}
