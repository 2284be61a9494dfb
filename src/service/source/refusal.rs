//! What sources refuse, so that their owners can see it: counted, and the last of it written down with the
//! reason.
//!
//! Strangers may try a source as fast as they like: what is refused is gathered in memory, a few of
//! each source and like ones as one, and written now and then in one small transaction. So they can neither
//! fill the disk nor keep the account's own writes waiting.

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::{Mutex, PoisonError};

use serde::Serialize;
use utoipa::ToSchema;

use super::look::OpenSource;
use crate::model::limits::SUMMARY_BYTES_MAX;
use crate::model::{AccountId, RefusalId, SourceId, Timestamp};
use crate::service::principal::{MayRead, Principal};
use crate::service::{Error, Listed, Service};
use crate::store::{NewRefusals, SourceRefusal};

/// How long refusals are gathered.
const GATHER_MS: i64 = 2_000;
/// Refusals of one source that are written at a time, like ones as one; the others are only counted.
const LISTED_MAX: usize = 10;
/// Sources whose refusals are written at a time.
const WRITTEN_MAX: usize = 20;
/// Sources whose refusals are gathered; those of more are only counted for the operator.
const GATHERED_MAX: usize = 1_000;
/// The code of what a plugin has dropped.
const DROPPED: &str = "plugin_dropped";
/// What is shown of a refused body.
const EXCERPT_BYTES_MAX: usize = 200;

/// A request that a source has refused, or several like it within a moment.
#[derive(Debug, Serialize, ToSchema)]
pub struct RefusalView {
    /// When the first of them came, RFC 3339.
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    /// A word for programs: `not_genuine`, `source_disabled`, `mapping_failed`, `too_large`, `event_conflict`, …; or
    /// `plugin_dropped`: the source's plugin wanted no event of it, so that it was taken and counts as no refusal.
    #[schema(example = "not_genuine")]
    pub code: String,
    /// Why, as a sentence.
    pub why: String,
    /// The beginning of the first one's body, 200 bytes at most; empty, if none was read.
    pub excerpt: String,
    /// How many they were.
    pub requests: i64,
}

impl From<SourceRefusal> for RefusalView {
    fn from(row: SourceRefusal) -> Self {
        Self {
            at: row.id.minted_at(),
            code: row.code,
            why: row.why,
            excerpt: row.excerpt,
            requests: row.requests,
        }
    }
}

/// What was refused and is not written down yet.
#[derive(Debug, Default)]
pub(in crate::service) struct Ledger {
    gathered: Mutex<HashMap<(AccountId, SourceId), NewRefusals>>,
}

impl Ledger {
    fn note(&self, whose: (AccountId, SourceId), refusal: SourceRefusal) {
        let mut gathered = self.gathered.lock().unwrap_or_else(PoisonError::into_inner);
        if gathered.len() >= GATHERED_MAX && !gathered.contains_key(&whose) {
            return;
        }
        let of = gathered.entry(whose).or_insert_with(|| nothing_of(whose));
        if refusal.code != DROPPED {
            of.requests += 1;
        }
        let like =
            |known: &&mut SourceRefusal| known.code == refusal.code && known.why == refusal.why;
        if let Some(known) = of.refusals.iter_mut().find(like) {
            known.requests += 1;
        } else if of.refusals.len() < LISTED_MAX {
            of.refusals.push(refusal);
        }
    }

    /// Takes what was gathered of some sources.
    fn take(&self) -> Vec<NewRefusals> {
        let mut gathered = self.gathered.lock().unwrap_or_else(PoisonError::into_inner);
        let some: Vec<_> = gathered.keys().take(WRITTEN_MAX).copied().collect();
        some.iter()
            .filter_map(|whose| gathered.remove(whose))
            .collect()
    }

    /// Takes what was gathered of one source.
    fn take_of(&self, whose: (AccountId, SourceId)) -> Vec<NewRefusals> {
        let mut gathered = self.gathered.lock().unwrap_or_else(PoisonError::into_inner);
        gathered.remove(&whose).into_iter().collect()
    }

    /// Puts back what could not be written.
    fn put_back(&self, refused: Vec<NewRefusals>) {
        let mut gathered = self.gathered.lock().unwrap_or_else(PoisonError::into_inner);
        for of in refused {
            let whose = (of.account, of.source);
            let known = gathered.entry(whose).or_insert_with(|| nothing_of(whose));
            known.requests += of.requests;
            // Those that came first.
            known.refusals.splice(0..0, of.refusals);
            known.refusals.truncate(LISTED_MAX);
        }
    }
}

fn nothing_of((account, source): (AccountId, SourceId)) -> NewRefusals {
    NewRefusals {
        account,
        source,
        requests: 0,
        refusals: Vec::new(),
    }
}

/// A text from elsewhere, on one line and cut.
fn shown(text: &str, bytes_max: usize) -> String {
    let cut = &text[..text.floor_char_boundary(bytes_max)];
    cut.chars()
        .map(|letter| if letter.is_control() { ' ' } else { letter })
        .collect()
}

impl Service {
    /// Remembers that a source has refused a request, unless the same one may be taken in a moment.
    pub(in crate::service) fn note_refusal(&self, source: &OpenSource, error: &Error, body: &[u8]) {
        metrics::counter!("throwbar_source_refusals_total", "code" => error.code()).increment(1);
        if error.is_passing() {
            return;
        }
        self.note(source, (error.code(), &error.for_owner()), body);
    }

    /// Remembers that a source's plugin wanted no event of a request.
    pub(super) fn note_dropped(&self, source: &OpenSource, why: &str, body: &[u8]) {
        metrics::counter!("throwbar_source_drops_total").increment(1);
        self.note(
            source,
            (DROPPED, &format!("the plugin dropped it: {why}")),
            body,
        );
    }

    fn note(&self, source: &OpenSource, (code, why): (&str, &str), body: &[u8]) {
        let excerpt = String::from_utf8_lossy(&body[..body.len().min(EXCERPT_BYTES_MAX)]);
        let refusal = SourceRefusal {
            id: RefusalId::mint(self.inner.clock.now()),
            code: code.to_owned(),
            why: shown(why, SUMMARY_BYTES_MAX),
            excerpt: shown(&excerpt, EXCERPT_BYTES_MAX),
            requests: 1,
        };
        self.inner.ledger.note((source.account, source.id), refusal);
    }

    /// Writes down what was refused, again and again, for as long as it is let.
    pub async fn keep_refusals(&self) -> Infallible {
        let clock = &self.inner.clock;
        loop {
            clock.sleep_until(clock.now().plus_ms(GATHER_MS)).await;
            if let Err(error) = self.write_refusals(self.inner.ledger.take()).await {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "what was refused can't be written down"
                );
            }
        }
    }

    async fn write_refusals(&self, refused: Vec<NewRefusals>) -> Result<(), Error> {
        if refused.is_empty() {
            return Ok(());
        }
        let written = self.inner.store.add_refusals(&refused).await;
        if written.is_err() {
            self.inner.ledger.put_back(refused);
        }
        Ok(written?)
    }

    /// The last refusals of a source, newest first: a hundred at most.
    pub async fn refusals(
        &self,
        who: &Principal<MayRead>,
        id: &str,
    ) -> Result<Listed<RefusalView>, Error> {
        let _turn = self.list_turn(who.account()).await?;
        let row = self.source_row(who.account(), id).await?;
        let fresh = self.inner.ledger.take_of((row.account, row.id));
        self.write_refusals(fresh).await?;
        let rows = self.inner.store.refusals(row.account, row.id).await?;
        Ok(Listed::whole(
            rows.into_iter().map(RefusalView::from).collect(),
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn whose(no: u128) -> (AccountId, SourceId) {
        let id = uuid::Uuid::from_u128(no);
        (AccountId::from_uuid(id), SourceId::from_uuid(id))
    }

    fn refusal(why: &str) -> SourceRefusal {
        SourceRefusal {
            id: RefusalId::mint(Timestamp::from_ms(0)),
            code: "not_genuine".to_owned(),
            why: why.to_owned(),
            excerpt: String::new(),
            requests: 1,
        }
    }

    #[test]
    fn however_many_are_refused_few_are_kept_and_all_counted() {
        let ledger = Ledger::default();
        for no in 0..1_000 {
            ledger.note(whose(1), refusal("the same"));
            ledger.note(whose(1), refusal(&format!("{no}")));
        }
        let taken = ledger.take();
        assert_eq!(taken.len(), 1);
        assert_eq!(
            (taken[0].requests, taken[0].refusals.len()),
            (2_000, LISTED_MAX)
        );
        assert_eq!(taken[0].refusals[0].requests, 1_000);
        assert!(ledger.take().is_empty());
    }

    #[test]
    fn few_sources_at_a_time_are_written_and_not_endlessly_many_gathered() {
        let ledger = Ledger::default();
        for no in 0..2 * GATHERED_MAX as u128 {
            ledger.note(whose(no), refusal("no"));
        }
        let rounds = std::iter::repeat_with(|| ledger.take().len()).take_while(|count| *count > 0);
        let counts: Vec<_> = rounds.collect();
        assert!(counts.iter().all(|count| *count <= WRITTEN_MAX));
        assert_eq!(counts.iter().sum::<usize>(), GATHERED_MAX);
    }

    #[test]
    fn what_could_not_be_written_is_not_lost() {
        let ledger = Ledger::default();
        ledger.note(whose(1), refusal("first"));
        let taken = ledger.take_of(whose(1));
        ledger.note(whose(1), refusal("second"));
        ledger.put_back(taken);
        let taken = ledger.take();
        let why: Vec<_> = taken[0].refusals.iter().map(|it| it.why.as_str()).collect();
        assert_eq!((taken[0].requests, why), (2, vec!["first", "second"]));
    }

    #[test]
    fn what_was_dropped_is_listed_and_not_counted() {
        let ledger = Ledger::default();
        let dropped = SourceRefusal {
            code: DROPPED.to_owned(),
            ..refusal("not for us")
        };
        ledger.note(whose(1), dropped.clone());
        ledger.note(whose(1), dropped);
        ledger.note(whose(1), refusal("no"));
        let taken = ledger.take();
        let requests: Vec<_> = taken[0].refusals.iter().map(|it| it.requests).collect();
        assert_eq!((taken[0].requests, requests), (1, vec![2, 1]));
    }

    #[test]
    fn what_is_shown_is_one_short_line() {
        assert_eq!(shown("a\nb\0c\u{85}", 100), "a b c ");
        assert_eq!(shown("äöü", 3), "ä");
    }
}
