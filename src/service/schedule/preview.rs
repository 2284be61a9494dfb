//! When a schedule would run: nothing is kept of what is asked.

use super::shape::{DstChangeView, PreviewRequest, PreviewView, PreviewedOccurrence};
use crate::cron::{self, Definition, Timing};
use crate::model::Timestamp;
use crate::model::limits::PREVIEW_OCCURRENCES_MAX;
use crate::service::principal::{MayWrite, Principal};
use crate::service::{Error, Service};

/// Occurrences of a preview when no count is asked for.
const OCCURRENCES_DEFAULT: usize = 10;
/// Changes of clocks that are told.
const CHANGES: usize = 2;

/// The field that an error is about.
fn pointer(error: &cron::Error) -> &'static str {
    match error {
        cron::Error::UnknownZone(_) => "/timezone",
        cron::Error::Interval(_) => "/interval/every_s",
        cron::Error::NotOne => "",
        cron::Error::TooLong { .. }
        | cron::Error::Fields { .. }
        | cron::Error::SecondsNotAskedFor
        | cron::Error::Part { .. }
        | cron::Error::Never => "/cron",
    }
}

/// What a definition runs by, if that can be and has an occurrence within five years.
pub(in crate::service) fn timing(
    definition: &Definition,
    from: Timestamp,
) -> Result<Timing, Error> {
    let timing = definition.timing().and_then(|timing| {
        if let Timing::Calendar(calendar) = &timing {
            calendar.check(from)?;
        }
        Ok(timing)
    });
    timing.map_err(|error| Error::field(pointer(&error), error))
}

impl Service {
    /// The next occurrences of a schedule that is not made.
    pub fn preview_schedule(
        &self,
        _who: &Principal<MayWrite>,
        request: &PreviewRequest,
    ) -> Result<PreviewView, Error> {
        let count = request.count.unwrap_or(OCCURRENCES_DEFAULT);
        if !(1..=PREVIEW_OCCURRENCES_MAX).contains(&count) {
            let why = format!("count is {count}: it must be 1 to {PREVIEW_OCCURRENCES_MAX}");
            return Err(Error::field("/count", why));
        }
        let from = request.from.unwrap_or_else(|| self.inner.clock.now());
        let timing = timing(&request.definition(from)?, from)?;
        let data = timing
            .after(from)
            .take(count)
            .map(|next| PreviewedOccurrence {
                nominal: next.nominal.to_string(),
                at: next.at,
            });
        let changes = timing.changes(from, CHANGES).into_iter();
        Ok(PreviewView {
            data: data.collect(),
            words: timing.words(),
            dst_changes: changes
                .map(|change| DstChangeView {
                    at: change.at,
                    kind: DstChangeView::kind(change.direction),
                    from: change.from.to_string(),
                    to: change.to.to_string(),
                    words: change.words,
                })
                .collect(),
        })
    }
}
