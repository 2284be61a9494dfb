//! Floor 1: what starts an automation and what it asks of an event.
//!
//! [`EventType`], [`Pattern`] and [`PatternIndex`] find the automations an event is a candidate
//! for; a [`Condition`] says yes, no, or why it cannot say. Both are pure: no I/O, no clock, the
//! same event gives the same answer on every node and in every replay. A [`Mapping`] is the same language
//! asked of a request, for a text. [`canonical`] spells a
//! [`Definition`] in one way, so that what is the same has one digest.

mod canonical;
mod condition;
mod definition;
pub mod flow;
mod kept_test;
mod pattern;
mod reference;

pub use canonical::{DefinitionDigest, Difference, Differences, canonical, differences};
pub use condition::{
    Answer, Clause, ClauseValue, Condition, ConditionError, ConditionWarning, EventView,
    Explanation, Form, FormError, Formula, FormulaError, Gives, Leaf, Mapped, Mapping,
    MappingError, Position, RequestView, Variables, WarningKind, check_against_schemas,
    is_variable_name,
};
pub use definition::{Action, Definition, OnError, Transform, Trigger};
pub use flow::Flow;
pub use kept_test::{Expectation, Test, TestEvent};
pub use pattern::{
    EventType, OPERATIONAL_PREFIX, OWN_SCHEDULE_PREFIX, Pattern, PatternError, PatternIndex,
};
pub use reference::{
    ReferenceError, VARIABLES_ROOT, fill, fill_json, may_name_variables, references,
    references_in_json,
};
