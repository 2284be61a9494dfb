//! An event's way through a whole node, told on both engines: from the acknowledgement to the
//! record, with a real receiver at the end and the clock in the test's hand.

mod bodies;
mod bounds;
mod emissions;
mod endpoints;
mod evaluations;
mod failure_policies;
mod failures;
mod fairness;
mod flow;
mod limits;
mod made_events;
mod mails;
mod order;
mod pauses;
mod plugins;
mod receivers;
mod reminders;
mod retries;
mod stopping;
mod tls;
mod two_nodes;
mod unreadable;
