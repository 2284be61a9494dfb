//! From text to the parser's tree. The parser is the `cel` crate's, with its macros off, so that
//! `x.all(y, …)` and `has(…)` come as the calls they were written as.
//!
//! It is a generated, recursive parser that needs megabytes of stack for a few brackets, and a stack that
//! overflows can't be caught: what would make it recurse deeply is refused by [`super::nesting`] before it
//! sees the text, and it runs on a thread with a stack of its own. It also holds code that may panic on
//! what its grammar lets through; that would take down the request that saves a condition, or a node that
//! loads one, so it becomes a refusal.

use cel::common::ast::{IdedExpr, SourceInfo};

use super::error::ConditionError;
use super::nesting;
use crate::model::limits::CONDITION_BYTES_MAX;

/// The parser's own stack. What `nesting` lets through takes less than a quarter of it in a build
/// without optimisation; only the pages that are touched are ever memory.
const PARSER_STACK_BYTES: usize = 64 * 1024 * 1024;

/// The tree that `source` says, and where in the text its nodes are.
pub(super) fn parse(source: &str) -> Result<(IdedExpr, SourceInfo), ConditionError> {
    if source.len() > CONDITION_BYTES_MAX {
        return Err(ConditionError::TooLong {
            bytes: source.len(),
        });
    }
    if source.trim().is_empty() {
        return Err(ConditionError::Empty);
    }
    nesting::check(source)?;
    let read = || {
        cel::Env::default()
            .with_optional_support(false)
            .parser()
            .parse_with_source_info(source)
    };
    let parsed = std::thread::scope(|scope| {
        let parser = std::thread::Builder::new()
            .name("condition-parser".to_owned())
            .stack_size(PARSER_STACK_BYTES);
        // A panic ends the thread, and joining it says so.
        parser
            .spawn_scoped(scope, read)
            .map(std::thread::ScopedJoinHandle::join)
    });
    match parsed {
        Ok(Ok(Ok(parsed))) => Ok(parsed),
        Ok(Ok(Err(errors))) => Err(ConditionError::from_parser(source, &errors)),
        Ok(Err(_)) | Err(_) => Err(ConditionError::Unreadable),
    }
}
