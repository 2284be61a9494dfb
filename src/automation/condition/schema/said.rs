//! What a sentence says of a path, and of several names.

use cel::common::ast::{Expr, IdedExpr, operators};

use super::literal::{self, Literal};

/// Most names that a sentence lists.
const NAMES_SAID_MAX: usize = 8;

/// A path as it is written.
pub(super) fn said(path: &IdedExpr) -> String {
    match &path.expr {
        Expr::Ident(name) => name.clone(),
        Expr::Select(select) => format!("{}.{}", said(&select.operand), select.field),
        Expr::Call(call) if call.func_name == operators::INDEX => match call.args.as_slice() {
            [of, index] => match literal::of(index) {
                Some(Literal::Json(index)) => format!("{}[{index}]", said(of)),
                _ => format!("{}[…]", said(of)),
            },
            _ => "…".to_owned(),
        },
        Expr::Call(call) => call.target.as_ref().map_or_else(
            || format!("{}(…)", call.func_name),
            |target| format!("{}.{}(…)", said(target), call.func_name),
        ),
        _ => "…".to_owned(),
    }
}

/// Some of the names, and how many more there are.
pub(super) fn listed(names: &[&str]) -> String {
    let shown = names.iter().take(NAMES_SAID_MAX).copied();
    let shown = shown.collect::<Vec<_>>().join(", ");
    match names.len().saturating_sub(NAMES_SAID_MAX) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}
