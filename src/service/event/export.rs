//! What is on record, line by line: events, deliveries and attempts as their lists have them, events with their
//! payloads. One answer has a bounded part of it and says where the next one begins. It is read page by page as it is
//! taken, and what comes in meanwhile is before its beginning: no row is told twice, none is left out.

use bytes::Bytes;
use serde::Serialize;
use serde_json::value::RawValue;

use super::search::finds;
use super::{EventQuery, EventSummary};
use crate::model::AccountId;
use crate::pipeline::Secrets;
use crate::search::Query;
use crate::service::delivery::{AttemptQuery, AttemptView, DeliveryQuery, DeliveryView};
use crate::service::hidden::Shown;
use crate::service::page::cursor_text;
use crate::service::principal::{MayRead, Principal};
use crate::service::turns::Turn;
use crate::service::{Error, PageRequest, Service};
use crate::store::{self, AttemptFilter, Cursor, DeliveryFilter, EventFilter, Page};

/// Most rows of one answer.
pub const EXPORT_ROWS_MAX: usize = 10_000;
/// Most pages that are read for one answer: with filters they may be empty.
const PAGES_MAX: usize = 500;
/// Events in one page: their payloads are in memory.
const EVENTS_OF_PAGE: usize = 32;
/// Other rows in one page.
const ROWS_OF_PAGE: usize = 250;

/// What is exported.
#[derive(Debug, Clone)]
pub enum LogQuery {
    /// These events.
    Events(EventQuery),
    /// These deliveries.
    Deliveries(DeliveryQuery),
    /// These attempts.
    Attempts(AttemptQuery),
}

enum Filter {
    Events(EventFilter, Option<Query>),
    Deliveries(DeliveryFilter),
    Attempts(AttemptFilter),
}

/// An export under way.
pub struct LogExport {
    service: Service,
    account: AccountId,
    filter: Filter,
    hidden: Secrets,
    rows_left: usize,
    pages_left: usize,
    next: Next,
    _turn: Turn,
}

/// What is told next.
enum Next {
    /// A page of rows.
    Rows(Option<Cursor>),
    /// Where the next answer begins.
    Last(LastLine),
    /// All is told.
    Nothing,
}

/// The last line of an answer.
#[derive(Serialize)]
struct LastLine {
    /// What to send as `cursor` for what follows; null, if nothing does.
    next_cursor: Option<String>,
    /// Why the answer ends early; left out, if it does not.
    #[serde(skip_serializing_if = "Option::is_none")]
    broken_off: Option<String>,
}

/// An event with its payload.
#[derive(Serialize)]
struct EventLine {
    #[serde(flatten)]
    head: EventSummary,
    data: Box<RawValue>,
}

impl Service {
    /// Begins to export what is asked for, from the cursor of an earlier answer, or from the newest.
    pub async fn export_log(
        &self,
        who: &Principal<MayRead>,
        query: &LogQuery,
        cursor: Option<String>,
    ) -> Result<LogExport, Error> {
        let page = PageRequest {
            limit: None,
            cursor,
        };
        let account = who.account();
        let filter = match query {
            LogQuery::Events(query) => Filter::Events(query.filter()?, query.sought()?),
            LogQuery::Deliveries(query) => Filter::Deliveries(query.filter()?),
            LogQuery::Attempts(query) => Filter::Attempts(query.filter()?),
        };
        let next = Next::Rows(page.after()?);
        Ok(LogExport {
            _turn: self.export_turn(account).await?,
            hidden: self.hidden(account).await?,
            service: self.clone(),
            account,
            filter,
            rows_left: EXPORT_ROWS_MAX,
            pages_left: PAGES_MAX,
            next,
        })
    }
}

impl LogExport {
    /// The next lines; `None`, once all are told.
    pub async fn lines(&mut self) -> Option<Bytes> {
        match std::mem::replace(&mut self.next, Next::Nothing) {
            Next::Nothing => None,
            Next::Last(line) => Some(text([line])),
            Next::Rows(after) => {
                let lines = match self.page(after).await {
                    Ok((lines, rows, next)) => {
                        self.rows_left = self.rows_left.saturating_sub(rows);
                        self.pages_left -= 1;
                        self.goes_on(next);
                        lines
                    }
                    Err(error) => {
                        // Null would say that all is told.
                        let here = after.unwrap_or_else(Cursor::max);
                        self.next = Next::Last(LastLine {
                            next_cursor: Some(cursor_text(here)),
                            broken_off: Some(error.to_string()),
                        });
                        Bytes::new()
                    }
                };
                Some(lines)
            }
        }
    }

    fn goes_on(&mut self, next: Option<Cursor>) {
        self.next = match next {
            Some(after) if self.rows_left > 0 && self.pages_left > 0 => Next::Rows(Some(after)),
            last => Next::Last(LastLine {
                next_cursor: last.map(cursor_text),
                broken_off: None,
            }),
        };
    }

    /// The lines of one page, how many they are, and where the next one begins.
    async fn page(&self, after: Option<Cursor>) -> Result<(Bytes, usize, Option<Cursor>), Error> {
        let _turn = self.service.list_turn(self.account).await?;
        let store = &self.service.inner.store;
        let account = self.account;
        let limit = ROWS_OF_PAGE.min(self.rows_left);
        Ok(match &self.filter {
            Filter::Events(filter, sought) => {
                let limit = EVENTS_OF_PAGE.min(self.rows_left);
                let mut page = store.whole_events(account, filter, after, limit).await?;
                if let Some(sought) = sought {
                    page.rows.retain(|row| finds(sought, row, &self.hidden));
                }
                told(page, |row| self.event(row))
            }
            Filter::Deliveries(filter) => {
                let page = store.deliveries(account, filter, after, limit).await?;
                told(page, DeliveryView::from)
            }
            Filter::Attempts(filter) => {
                let page = store.attempts_of(account, filter, after, limit).await?;
                told(page, |row| AttemptView::from(row).without(&self.hidden))
            }
        })
    }

    fn event(&self, row: store::Event) -> EventLine {
        let payload = String::from_utf8(row.payload).ok();
        let data = payload.and_then(|text| RawValue::from_string(text).ok());
        // One that can't be read is told without what can't be read of it.
        let mut data = data.unwrap_or_else(|| RawValue::NULL.to_owned());
        self.hidden.hide_in_json(&mut data);
        EventLine {
            head: EventSummary {
                id: row.id,
                event_type: row.r#type,
                timestamp: row.occurred_at,
                client_id: row.client_id,
                accepted_at: row.id.accepted_at(row.occurred_at),
                test: row.test.is_some(),
            },
            data,
        }
    }
}

fn told<R, T: Serialize>(
    page: Page<R>,
    view: impl FnMut(R) -> T,
) -> (Bytes, usize, Option<Cursor>) {
    let rows = page.rows.len();
    (text(page.rows.into_iter().map(view)), rows, page.next)
}

/// One line each.
fn text<T: Serialize>(rows: impl IntoIterator<Item = T>) -> Bytes {
    let mut lines = Vec::new();
    for row in rows {
        serde_json::to_writer(&mut lines, &row).expect("a row can be written as JSON");
        lines.push(b'\n');
    }
    lines.into()
}

impl std::fmt::Debug for LogExport {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LogExport")
            .field("account", &self.account)
            .finish_non_exhaustive()
    }
}
