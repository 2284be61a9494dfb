//! Many event types at once, from a document that a user brings. Each is answered by itself, and one
//! that is refused is not what its neighbours wait for; what is written is one commit.

use std::collections::HashSet;

use bytes::Bytes;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::draft::{Bounds, Draft, check_name};
use crate::model::AccountId;
use crate::model::limits::IMPORTED_EVENT_TYPES_MAX;
use crate::schema::catalogue::{self, Entry, Refusal};
use crate::schema::openapi;
use crate::service::principal::{MayWriteCatalogue, Principal};
use crate::service::vetting::apart;
use crate::service::{Error, Merges, Place, Service};
use crate::store::EventTypeEntry;

/// Whether an import is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Import {
    /// It is.
    Write,
    /// Only what would come of it is told.
    DryRun,
}

/// What came of one event type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ImportOutcome {
    /// It was not there.
    Created,
    /// It was there, and has a new version of its schema.
    NewVersion,
    /// It was there with the same schema; its description, group or examples are new.
    Changed,
    /// It was there, and nothing of it is new.
    Unchanged,
    /// It was there, and stays as it is: the first schema is kept.
    Kept,
    /// It is not taken; `why` says what to do.
    Refused,
}

/// One event type of an import.
#[derive(Debug, Serialize, ToSchema)]
pub struct ImportedView {
    /// The type's name; empty, if it can't be read.
    pub name: String,
    /// What came of it; in a dry run, what would.
    pub outcome: ImportOutcome,
    /// Which version of its schema is in force then; null: it has none.
    pub schema_version: Option<i64>,
    /// Where in the event type something is wrong, as a JSON pointer; left out, if nothing is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pointer: Option<String>,
    /// Why it was refused or kept, as a sentence; left out, if it was not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

/// What came of an import.
#[derive(Debug, Serialize, ToSchema)]
pub struct ImportView {
    /// Whether nothing was written.
    pub dry_run: bool,
    /// One entry for each event type, in the order of the document.
    pub data: Vec<ImportedView>,
}

/// One event type on its way: as it is, or why it is refused.
pub(in crate::service) type Wanted = Result<Entry, Refusal>;
/// What is to be written, if anything, and what is told of it.
pub(in crate::service) type Laid = (
    Option<(Option<EventTypeEntry>, EventTypeEntry)>,
    ImportedView,
);

impl Service {
    /// Imports event types from an OpenAPI document's webhooks or from a JSON list.
    pub async fn import_event_types(
        &self,
        who: &Principal<MayWriteCatalogue>,
        document: &Bytes,
        import: Import,
    ) -> Result<ImportView, Error> {
        let _turn = self.schema_turn(who.account()).await?;
        let document = document.clone();
        let wanted = apart(move || read(&document)).await??;
        if wanted.len() > IMPORTED_EVENT_TYPES_MAX {
            let why = format!(
                "the document has {} event types: {IMPORTED_EVENT_TYPES_MAX} at most, so split it",
                wanted.len()
            );
            return Err(Error::field("", why));
        }
        let mut merges = Merges::default();
        loop {
            let done = self.put(who, wanted.clone(), import).await;
            if !merges.go_on(&done).await {
                return done;
            }
        }
    }

    /// Lays the event types over those of the principal as they are now, unless somebody else changes them
    /// meanwhile.
    async fn put(
        &self,
        who: &Principal<MayWriteCatalogue>,
        wanted: Vec<Wanted>,
        import: Import,
    ) -> Result<ImportView, Error> {
        let mut beside = Vec::with_capacity(wanted.len());
        for entry in wanted {
            let from = match &entry {
                Ok(entry) => self.known(who.account(), &entry.name).await?,
                Err(_) => None,
            };
            beside.push((entry, from));
        }
        let bounds = self.bounds();
        let laid = apart(move || lay_all(beside, bounds)).await?;
        self.finish(who, laid, import).await
    }

    async fn known(&self, owner: AccountId, name: &str) -> Result<Option<EventTypeEntry>, Error> {
        if check_name(name).is_err() {
            return Ok(None);
        }
        Ok(self.inner.store.event_type(owner, name).await?)
    }

    pub(in crate::service) async fn finish(
        &self,
        who: &Principal<MayWriteCatalogue>,
        laid: Vec<Laid>,
        import: Import,
    ) -> Result<ImportView, Error> {
        let (writes, data): (Vec<_>, Vec<_>) = laid.into_iter().unzip();
        let writes: Vec<_> = writes.into_iter().flatten().collect();
        if import == Import::Write && !writes.is_empty() {
            self.write_event_types(who, writes)
                .await
                .map_err(overtaken)?;
        }
        Ok(ImportView {
            dry_run: import == Import::DryRun,
            data,
        })
    }
}

/// Somebody made one of them meanwhile: then it is looked at once more.
fn overtaken(error: Error) -> Error {
    match error {
        Error::Store(error) if error.is_taken() => Error::Store(crate::store::Error::Raced),
        other => other,
    }
}

/// The event types of a document.
fn read(document: &[u8]) -> Result<Vec<Wanted>, Error> {
    let document: Value = crate::service::json::read(document)?;
    let list = match &document {
        Value::Array(list) => Some(list),
        document if openapi::is_one(document) => {
            return openapi::event_types(document).map_err(|why| Error::Invalid {
                code: "invalid_document",
                at: Place::body(""),
                why,
            });
        }
        document => document.get("event_types").and_then(Value::as_array),
    };
    match list {
        Some(list) => Ok(catalogue::event_types(list)),
        None => Err(Error::Invalid {
            code: "invalid_document",
            at: Place::body(""),
            why: "this is neither an OpenAPI document (an object with openapi and webhooks) nor a list of event \
                  types (an array, or an object with event_types)"
                .to_owned(),
        }),
    }
}

/// Each laid over what there is of it. It takes a while: schemas are compiled.
pub(in crate::service) fn lay_all(
    wanted: Vec<(Wanted, Option<EventTypeEntry>)>,
    bounds: Bounds,
) -> Vec<Laid> {
    let mut seen = HashSet::new();
    wanted
        .into_iter()
        .map(|(entry, from)| {
            let laid = entry.and_then(|entry| {
                if !seen.insert(entry.name.clone()) {
                    return Err(Refusal {
                        name: entry.name,
                        pointer: "/name".to_owned(),
                        why: "the document has this event type twice: the first one counts"
                            .to_owned(),
                    });
                }
                lay(&entry, from, bounds)
            });
            laid.unwrap_or_else(|refusal| {
                let view = ImportedView {
                    name: refusal.name,
                    outcome: ImportOutcome::Refused,
                    schema_version: None,
                    pointer: Some(refusal.pointer).filter(|pointer| !pointer.is_empty()),
                    why: Some(refusal.why),
                };
                (None, view)
            })
        })
        .collect()
}

fn lay(entry: &Entry, from: Option<EventTypeEntry>, bounds: Bounds) -> Result<Laid, Refusal> {
    let refuse = |error: Error| Refusal {
        name: entry.name.clone(),
        pointer: match error.place() {
            Some(Place::Body(pointer)) => listed(pointer),
            _ => String::new(),
        },
        why: error.to_string(),
    };
    check_name(&entry.name).map_err(refuse)?;
    let before = match &from {
        Some(from) => from.clone(),
        None => Draft::blank(&entry.name, bounds.now),
    };
    let to = Draft::from(entry).over(&before, bounds).map_err(refuse)?;
    let outcome = match &from {
        None => ImportOutcome::Created,
        Some(from) if to == *from => ImportOutcome::Unchanged,
        Some(from) if to.latest_version > from.latest_version => ImportOutcome::NewVersion,
        Some(_) => ImportOutcome::Changed,
    };
    let view = ImportedView {
        name: to.name.clone(),
        outcome,
        schema_version: to.schema_version,
        pointer: None,
        why: None,
    };
    let write = (outcome != ImportOutcome::Unchanged).then_some((from, to));
    Ok((write, view))
}

/// In a list the first example stands among the others.
fn listed(pointer: &str) -> String {
    if let Some(rest) = pointer.strip_prefix("/examples/") {
        let (place, within) = rest.split_once('/').unwrap_or((rest, ""));
        let within = if within.is_empty() {
            String::new()
        } else {
            format!("/{within}")
        };
        let place = place.parse::<usize>().map_or(0, |place| place + 1);
        return format!("/examples/{place}{within}");
    }
    match pointer.strip_prefix("/example") {
        Some(within) if !within.starts_with('s') => format!("/examples/0{within}"),
        _ => pointer.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Timestamp;

    #[test]
    fn the_places_of_examples_are_those_of_the_list() {
        for (own, wanted) in [
            ("/example", "/examples/0"),
            ("/example/a/b", "/examples/0/a/b"),
            ("/examples/0", "/examples/1"),
            ("/examples/2/a/b", "/examples/3/a/b"),
            ("/examples", "/examples"),
            ("/schema/type", "/schema/type"),
        ] {
            assert_eq!(listed(own), wanted, "{own}");
        }
    }

    #[test]
    fn documents_that_are_none_are_refused() {
        for (document, code) in [
            ("{", "malformed"),
            ("1", "invalid_document"),
            ("{}", "invalid_document"),
            (r#"{"event_types":{}}"#, "invalid_document"),
            (r#"{"openapi":"3.1.0"}"#, "invalid_document"),
        ] {
            let error = read(document.as_bytes()).expect_err(document);
            assert_eq!(error.code(), code, "{document}: {error}");
        }
        for document in ["[]", r#"{"event_types":[]}"#] {
            assert_eq!(read(document.as_bytes()).expect("a list"), []);
        }
    }

    #[test]
    fn one_that_is_refused_is_not_what_its_neighbours_wait_for() {
        let list = r#"[{"name":"a"},{"name":"a"},{"name":"b.*"},{"name":"c","schema":{"type":1}},
            {"name":"d","schema":{"type":"object"},"examples":[{},1]},{"nom":"e"},{"name":"f"}]"#;
        let wanted = read(list.as_bytes()).expect("a list");
        let bounds = Bounds {
            payload_bytes_max: 1000,
            now: Timestamp::from_ms(0),
        };
        let laid = lay_all(
            wanted.into_iter().map(|entry| (entry, None)).collect(),
            bounds,
        );
        let told: Vec<_> = laid
            .iter()
            .map(|(write, view)| (write.is_some(), view.outcome, view.pointer.as_deref()))
            .collect();
        let refused = |pointer| (false, ImportOutcome::Refused, pointer);
        assert_eq!(
            told,
            [
                (true, ImportOutcome::Created, None),
                refused(Some("/name")),
                refused(Some("/name")),
                refused(Some("/schema/type")),
                refused(Some("/examples/1")),
                refused(None),
                (true, ImportOutcome::Created, None),
            ]
        );
    }
}
