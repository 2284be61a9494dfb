//! What mails are made of: what became of endpoints, written in the transaction in which it is told.
//!
//! A mail is about one matter, that is one topic at one endpoint, to one address. It collects what happens until it
//! is sent for the first time; what happens from then on is another mail's. A burst of ten thousand failures is one
//! row with a count.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;

use serde_json::Value as Json;

use super::backend::Tx;
use super::mail::MailState;
use super::operational::Topic;
use super::row::record;
use super::values::{Columns, Kind, Rows, Shape, values};
use super::{Error, Store, addressee};
use crate::model::limits::MAILS_OPEN_PER_ACCOUNT_MAX;
use crate::model::{AccountId, EndpointId, MailId, Timestamp};

const MINUTE_MS: i64 = 60 * 1_000;
const HOUR_MS: i64 = 60 * MINUTE_MS;

/// Whether mails are made of what a transaction tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mailing {
    On,
    Off,
}

/// Something about an endpoint that is mailed.
#[derive(Debug)]
pub(super) struct Happened {
    pub(super) account: AccountId,
    pub(super) endpoint: EndpointId,
    pub(super) topic: Topic,
    pub(super) at: Timestamp,
    /// A JSON object.
    pub(super) says: Json,
}

/// When a matter is mailed.
struct Cadence {
    /// For how long after the first time it collects.
    collects_ms: i64,
    /// How long after a mail the next one of the same matter is sent at the earliest.
    quiet_ms: i64,
}

impl Cadence {
    /// `None`: no mail is made of it.
    const fn of(topic: Topic) -> Option<Self> {
        let (collects_ms, quiet_ms) = match topic {
            // What happens seldom, by itself.
            Topic::EndpointDisabled | Topic::EndpointStillDisabled | Topic::EndpointWarned => {
                (0, 0)
            }
            // What may go to and fro.
            Topic::EndpointFailing
            | Topic::EndpointRecovered
            | Topic::SuccessRateDropped
            | Topic::SuccessRateRecovered => (0, HOUR_MS),
            // What comes in thousands.
            Topic::DeliveryFailed => (HOUR_MS, 0),
            Topic::EndpointEnabled
            | Topic::AutomationFailing
            | Topic::AutomationRecovered
            | Topic::AutomationPaused => return None,
        };
        Some(Self {
            collects_ms,
            quiet_ms,
        })
    }

    fn due_at(&self, first_at: Timestamp, told_at: Option<Timestamp>) -> Timestamp {
        let collected = first_at.plus_ms(self.collects_ms);
        told_at.map_or(collected, |told| collected.max(told.plus_ms(self.quiet_ms)))
    }
}

/// One topic at one endpoint.
type Matter = (AccountId, EndpointId, &'static str);

/// What has happened of it in one transaction.
struct Collected {
    cadence: Cadence,
    occurrences: i64,
    first_at: Timestamp,
    last_at: Timestamp,
    says: Json,
}

/// A matter as it is known: to whom its mails go, and when the last one did.
struct Known {
    account: AccountId,
    endpoint: EndpointId,
    topic: String,
    owner_mail: Option<String>,
    editor_mail: Option<String>,
    settings: String,
    told_at: Option<Timestamp>,
    open: i64,
}

record!(Known {
    account: "account_id",
    endpoint: "endpoint_id",
    topic: "topic",
    owner_mail: "owner_mail",
    editor_mail: "editor_mail",
    settings: "settings",
    told_at: "told_at_ms",
    open: "open_mails",
});

const MATTER_COLUMNS: Columns = &[
    ("account_id", Kind::Uuid),
    ("endpoint_id", Kind::Uuid),
    ("topic", Kind::Text),
];

const KNOWN_SQL: &str = "
    SELECT v.account_id, v.endpoint_id, v.topic, a.owner_mail, k.owner_mail AS editor_mail, e.settings,
      (SELECT COALESCE(m.settled_at_ms, m.last_at_ms) FROM mails m
       WHERE m.account_id = v.account_id AND m.endpoint_id = v.endpoint_id AND m.topic = v.topic
       ORDER BY m.id DESC LIMIT 1) AS told_at_ms,
      (SELECT COUNT(*) FROM mails o WHERE o.account_id = v.account_id AND o.settled_at_ms IS NULL) AS open_mails
    FROM v JOIN accounts a ON a.id = v.account_id
    JOIN endpoints e ON e.account_id = v.account_id AND e.id = v.endpoint_id
    LEFT JOIN api_keys k ON k.id = e.edited_by AND k.revoked_at_ms IS NULL
    WHERE e.deleted_at_ms IS NULL";

const MAIL_COLUMNS: Columns = &[
    ("account_id", Kind::Uuid),
    ("endpoint_id", Kind::Uuid),
    ("topic", Kind::Text),
    ("address", Kind::Text),
    ("id", Kind::Uuid),
    ("state", Kind::Text),
    ("occurrences", Kind::Int),
    ("says", Kind::Text),
    ("first_at_ms", Kind::Int),
    ("last_at_ms", Kind::Int),
    ("due_at_ms", Kind::Int),
];

/// Has mails tell what has happened, if there is anybody to be told.
pub(super) async fn note(
    tx: &mut Tx,
    happened: impl Iterator<Item = Happened>,
) -> Result<(), Error> {
    if tx.mailing == Mailing::Off {
        return Ok(());
    }
    let mut matters = collected(happened);
    if matters.is_empty() {
        return Ok(());
    }
    let mut asked = Rows::new(MATTER_COLUMNS, matters.len());
    for (account, endpoint, topic) in matters.keys() {
        asked.push(values![*account, *endpoint, *topic]);
    }
    let mut known: Vec<Known> = tx.fetch_rows(asked, Shape::Query(KNOWN_SQL)).await?;
    // Rows of one matter are changed by all nodes: in one order.
    known.sort_by(|a, b| {
        let key = |one: &Known| (one.account, one.endpoint);
        (key(a), &a.topic).cmp(&(key(b), &b.topic))
    });
    let mut rows = Rows::new(MAIL_COLUMNS, known.len());
    for one in known {
        let Some((topic, collected)) = Topic::from_word(&one.topic).and_then(|topic| {
            let matter = (one.account, one.endpoint, topic.as_str());
            Some((topic, matters.remove(&matter)?))
        }) else {
            continue;
        };
        if one.open >= MAILS_OPEN_PER_ACCOUNT_MAX as i64 {
            tracing::warn!(account.id = %one.account, topic = topic.as_str(), "no mail is made: too many wait");
            continue;
        }
        let due_at = collected.cadence.due_at(collected.first_at, one.told_at);
        for address in addressee::of(
            one.owner_mail.as_deref(),
            one.editor_mail.as_deref(),
            &one.settings,
        ) {
            rows.push(values![
                one.account,
                one.endpoint,
                topic.as_str(),
                address,
                MailId::mint(collected.first_at),
                MailState::Collecting.as_str(),
                collected.occurrences,
                collected.says.to_string(),
                collected.first_at,
                collected.last_at,
                due_at
            ]);
        }
    }
    if rows.is_empty() {
        return Ok(());
    }
    let collect = Shape::Insert {
        into: "mails",
        tail: "ON CONFLICT (account_id, endpoint_id, topic, address) WHERE state = 'collecting'
               DO UPDATE SET occurrences = mails.occurrences + excluded.occurrences, says = excluded.says,
                 last_at_ms = excluded.last_at_ms",
    };
    tx.execute_rows(rows, collect).await
}

fn collected(happened: impl Iterator<Item = Happened>) -> BTreeMap<Matter, Collected> {
    let mut matters: BTreeMap<Matter, Collected> = BTreeMap::new();
    for one in happened {
        let Some(cadence) = Cadence::of(one.topic) else {
            continue;
        };
        let matter = (one.account, one.endpoint, one.topic.as_str());
        let known = matters.entry(matter).or_insert(Collected {
            cadence,
            occurrences: 0,
            first_at: one.at,
            last_at: one.at,
            says: Json::Null,
        });
        known.occurrences += 1;
        known.first_at = known.first_at.min(one.at);
        if one.at >= known.last_at {
            known.last_at = one.at;
            known.says = one.says;
        }
    }
    matters
}

impl Store {
    /// From now on mails are made of what this process tells. Until then none are: what nobody sends shall not wait.
    pub fn make_mails(&self) {
        self.mailing.store(true, Ordering::SeqCst);
    }

    /// Whether they are.
    pub(super) fn mails_made(&self) -> Mailing {
        if self.mailing.load(Ordering::SeqCst) {
            Mailing::On
        } else {
            Mailing::Off
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_in_thousands_collects_and_what_goes_to_and_fro_is_kept_apart() {
        let at = Timestamp::from_ms(1_790_000_000_000);
        let after = |ms| Some(at.plus_ms(ms));
        for (topic, told_at, expected) in [
            (Topic::EndpointWarned, None, after(0)),
            (Topic::EndpointWarned, after(-1), after(0)),
            (Topic::EndpointDisabled, after(-1), after(0)),
            (Topic::EndpointFailing, None, after(0)),
            (
                Topic::EndpointFailing,
                after(-MINUTE_MS),
                after(59 * MINUTE_MS),
            ),
            (Topic::EndpointRecovered, after(-HOUR_MS), after(0)),
            (Topic::DeliveryFailed, None, after(HOUR_MS)),
            (Topic::DeliveryFailed, after(-1), after(HOUR_MS)),
            (Topic::EndpointEnabled, None, None),
            (Topic::AutomationPaused, None, None),
        ] {
            let due_at = Cadence::of(topic).map(|cadence| cadence.due_at(at, told_at));
            assert_eq!(due_at, expected, "{topic:?}");
        }
    }
}
