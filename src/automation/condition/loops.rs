//! `all`, `exists`, `exists_one`, `filter` and `map`. A loop goes over a bounded number of entries
//! and never runs within another, so its cost is known when the condition is saved.

use std::borrow::Cow;

use super::evaluation::Evaluation;
use super::expression::{Expression, Loop, LoopKind};
use super::fault::Fault;
use super::value::{Value, said_with_kind};

/// Most entries that a loop goes over.
pub(super) const LOOP_ENTRIES_MAX: usize = 1000;

impl<'v, 'a: 'v> Evaluation<'v, 'a> {
    /// What the loop gives.
    pub(super) fn each(&mut self, each: &'v Loop) -> Result<Value<'v>, Fault> {
        let entries = self.loop_entries(&each.entries)?;
        let outer = std::mem::replace(&mut self.variable, Value::Null);
        let result = self.go_over(each, &entries);
        self.variable = outer;
        result
    }

    /// What the loop goes over: the entries of a list or the keys of an object.
    fn loop_entries(&mut self, of: &'v Expression) -> Result<Vec<Value<'v>>, Fault> {
        let value = self.value(of)?;
        let count = match &value {
            Value::Object(entries) => entries.len(),
            other => match other.as_list() {
                Some(list) => list.len(),
                None => {
                    return self.fault(|| {
                        format!("`{of}` is {}, needs to be a list", said_with_kind(&value))
                    });
                }
            },
        };
        if count > LOOP_ENTRIES_MAX {
            return self.fault(|| {
                format!(
                    "`{of}` has {count} entries: a condition goes over {LOOP_ENTRIES_MAX} at most"
                )
            });
        }
        self.steps.charge(count)?;
        Ok(match (&value, value.as_list()) {
            (Value::Object(entries), _) => entries
                .iter()
                .map(|(key, _)| Value::Text(Cow::Borrowed(key)))
                .collect(),
            (_, Some(list)) => (0..count).filter_map(|no| list.get(no)).collect(),
            _ => Vec::new(),
        })
    }

    fn go_over(&mut self, each: &'v Loop, entries: &[Value<'v>]) -> Result<Value<'v>, Fault> {
        let mut pending = None;
        let mut kept = Vec::new();
        for entry in entries {
            self.steps.charge_bytes(3 * entry.bytes_to_copy())?;
            self.variable = entry.clone();
            if each.kind == LoopKind::Map {
                kept.push(self.value(&each.body)?);
                continue;
            }
            match (self.decide(&each.body), each.kind) {
                (Ok(false), LoopKind::All) => return Ok(Value::Bool(false)),
                (Ok(true), LoopKind::Exists) => return Ok(Value::Bool(true)),
                (Ok(true), LoopKind::Filter | LoopKind::ExistsOne) => kept.push(entry.clone()),
                (Ok(_), _) => {}
                (Err(Fault::Said(said)), LoopKind::All | LoopKind::Exists) => {
                    pending = pending.or(Some(said));
                }
                (Err(fault), _) => return Err(fault),
            }
        }
        match (pending, each.kind) {
            (Some(said), _) => Err(Fault::Said(said)),
            (None, LoopKind::All) => Ok(Value::Bool(true)),
            (None, LoopKind::Exists) => Ok(Value::Bool(false)),
            (None, LoopKind::ExistsOne) => Ok(Value::Bool(kept.len() == 1)),
            (None, LoopKind::Filter | LoopKind::Map) => Ok(Value::Made(kept.into())),
        }
    }
}
