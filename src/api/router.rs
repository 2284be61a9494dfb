//! The whole API on one page.

use std::collections::HashSet;
use std::sync::Arc;

use axum::middleware::from_fn_with_state;
use utoipa::openapi::OpenApi;
use utoipa_axum::router::{OpenApiRouter, UtoipaMethodRouter};
use utoipa_axum::routes;

use super::{
    account, account_connection, api_key, automation, code, condition, dead_letter, delivery,
    egress, endpoint, event, event_type, explain, export, health, job, key_pair, mail, operations,
    pass, plugin, policy, problem, profile, query, receiver, schedule, source, test_event, trial,
    variable, version,
};
use crate::service::Service;

/// Renders the figures for Prometheus.
pub type Render = Arc<dyn Fn() -> String + Send + Sync>;

/// One path with its methods and their description, which is large: each is made when it is asked for.
type Described = fn() -> UtoipaMethodRouter<Service>;

/// Accounts and keys.
const ACCOUNTS: &[Described] = &[
    || routes!(account::create, account::list),
    || routes!(account::get),
    || routes!(account::own, account::change_own),
    || routes!(account_connection::get, account_connection::put),
    || routes!(account::reveal_signing_key),
    || routes!(account::rotate_signing_key),
    || routes!(account::end_signing_key_overlap),
    || routes!(api_key::create, api_key::list),
    || routes!(api_key::revoke),
];

/// What comes in.
const EVENTS: &[Described] = &[
    || routes!(event::send, event::list),
    || routes!(event::send_batch),
    || routes!(export::events),
    || routes!(event::get),
    || routes!(event::evaluations),
    || routes!(event::deliveries),
    || routes!(event_type::create, event_type::list),
    || routes!(event_type::get, event_type::change, event_type::delete),
    || routes!(event_type::versions),
    || routes!(event_type::version),
    || routes!(event_type::import),
    || routes!(event_type::catalogues),
    || routes!(event_type::catalogue),
    || routes!(event_type::install),
    || routes!(schedule::create, schedule::list),
    || routes!(schedule::preview),
    || routes!(schedule::get, schedule::change, schedule::delete),
    || routes!(schedule::occurrences),
    || routes!(schedule::run),
    || routes!(source::create, source::list),
    || routes!(source::get, source::change, source::delete),
    || routes!(source::secrets),
    || routes!(source::rotate_secret),
    || routes!(source::refusals),
    || routes!(source::test),
];

/// What follows from it.
const AUTOMATIONS: &[Described] = &[
    || routes!(automation::create, automation::list),
    || routes!(automation::get, automation::change, automation::delete),
    || routes!(code::export),
    || routes!(code::plan),
    || routes!(code::apply),
    || routes!(version::list),
    || routes!(version::get),
    || routes!(version::diff),
    || routes!(version::publish),
    || routes!(version::roll_back),
    || routes!(version::publications),
    || routes!(version::archive),
    || routes!(version::unarchive),
    || routes!(explain::automation),
    || routes!(trial::test),
    || routes!(version::run_tests),
    || routes!(job::backtest),
    || routes!(job::rerun),
    || routes!(job::list),
    || routes!(job::get),
    || routes!(job::cancel),
    || routes!(job::differences),
    || routes!(condition::convert),
    || routes!(condition::check),
    || routes!(variable::create, variable::list),
    || routes!(variable::get, variable::change, variable::delete),
    || routes!(dead_letter::list),
    || routes!(dead_letter::rerun),
    || routes!(dead_letter::get, dead_letter::discard),
    || routes!(plugin::upload, plugin::list),
    || routes!(plugin::get),
    || routes!(plugin::versions),
];

/// Where it goes.
const ENDPOINTS: &[Described] = &[
    || routes!(endpoint::create, endpoint::list),
    || routes!(endpoint::validate),
    || routes!(health::list),
    || routes!(health::get),
    || routes!(endpoint::get, endpoint::change, endpoint::delete),
    || routes!(endpoint::enable),
    || routes!(endpoint::disable),
    || routes!(job::recover),
    || routes!(test_event::send),
    || routes!(receiver::create, receiver::list),
    || routes!(receiver::get, receiver::change, receiver::delete),
    || routes!(receiver::requests),
    || routes!(receiver::stream),
    || routes!(receiver::answer),
    || routes!(explain::endpoint),
    || routes!(endpoint::secrets),
    || routes!(endpoint::rotate_secret),
    || routes!(endpoint::end_secret_overlap),
    || routes!(endpoint::reveal_secret),
    || routes!(key_pair::create, key_pair::list),
    || routes!(key_pair::delete),
    || routes!(key_pair::set),
    || routes!(policy::create_retry, policy::retry),
    || routes!(policy::preview_retry),
    || {
        routes!(
            policy::get_retry,
            policy::change_retry,
            policy::delete_retry
        )
    },
    || routes!(policy::create_failure, policy::failure),
    || {
        routes!(
            policy::get_failure,
            policy::change_failure,
            policy::delete_failure
        )
    },
    || routes!(profile::create, profile::list),
    || routes!(profile::get, profile::change, profile::delete),
    || routes!(delivery::list),
    || routes!(export::deliveries),
    || routes!(delivery::get),
    || routes!(delivery::attempts),
    || routes!(delivery::resend),
    || routes!(delivery::list_attempts),
    || routes!(export::attempts),
    || routes!(delivery::attempt),
    || routes!(egress::get),
    || routes!(mail::list),
];

/// For operations.
const OPERATORS: &[Described] = &[
    || routes!(operations::health),
    || routes!(operations::ready),
];

/// Every path of the native API.
fn paths() -> impl Iterator<Item = UtoipaMethodRouter<Service>> {
    let nouns = [ACCOUNTS, EVENTS, AUTOMATIONS, ENDPOINTS, OPERATORS];
    nouns.into_iter().flatten().map(|path| path())
}

/// The description of every path of the native API.
pub(super) fn described() -> OpenApi {
    paths()
        .fold(OpenApiRouter::new(), OpenApiRouter::routes)
        .into_openapi()
}

/// The API over a service, with doors beside it. `render`: what `/metrics` answers.
pub fn router(service: Service, render: Render, beside: axum::Router<Service>) -> axum::Router {
    let mut asking = HashSet::new();
    let mut router = axum::Router::new();
    for (_, paths, methods) in paths() {
        query::note_asking(&paths, &mut asking);
        for path in paths.paths.keys() {
            router = router.route(path, methods.clone());
        }
    }
    let passage = Arc::new(pass::Passage {
        service: service.clone(),
        asking,
    });
    router
        .merge(operations::plain(render))
        .merge(beside)
        .fallback(problem::no_route)
        .method_not_allowed_fallback(problem::no_method)
        .layer(from_fn_with_state(passage, pass::pass))
        .with_state(service)
}
