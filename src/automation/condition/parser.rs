//! The way from a text to the tree of the `cel` crate's parser, which runs on a stack of its own.

use cel::common::ast::{IdedExpr, SourceInfo};

use super::error::ConditionError;

/// The parser's own stack. What `nesting` lets through takes less than a quarter of it in a build
/// without optimisation; only the pages that are touched are ever memory.
const PARSER_STACK_BYTES: usize = 64 * 1024 * 1024;

/// The tree that `source` is, and where its nodes stand.
pub(super) fn parse(source: &str) -> Result<(IdedExpr, SourceInfo), ConditionError> {
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
