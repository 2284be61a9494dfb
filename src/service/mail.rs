//! Mails: what was told to whom, and what the mail server said.

use serde::Serialize;
use utoipa::ToSchema;

use super::principal::{MayRead, Principal};
use super::{Error, Listed, PageRequest, Place, Service};
use crate::model::{EndpointId, MailId, Timestamp};
use crate::store::{self, MailFilter, MailState};

/// Which mails are wanted, as it was asked for.
#[derive(Debug, Clone, Default)]
pub struct MailQuery {
    /// Only about the endpoint with this id.
    pub endpoint: Option<String>,
    /// Only in this state.
    pub state: Option<String>,
}

/// A mail: about one matter, to one address.
#[derive(Debug, Serialize, ToSchema)]
pub struct MailView {
    /// The mail's id. Its `Message-ID` is made of it.
    #[schema(value_type = String, example = "mail_0198c1f0a3b27c4d8e5f60718293a4b5")]
    pub id: MailId,
    /// What it is about: the type of an operational event.
    #[schema(example = "throwbar.endpoint.disabled")]
    pub topic: String,
    /// The id of the endpoint that it is about.
    #[schema(value_type = String)]
    pub endpoint: EndpointId,
    /// To whom.
    #[schema(example = "ops@example.com")]
    pub to: String,
    /// Where it stands: `collecting` (it waits for its time, and counts what happens until then), `sending`, `waiting`
    /// (the mail server could not take it, and it is tried again), `sent`, `bounced` (it was refused for good) or
    /// `given_up`.
    pub state: String,
    /// How often it has happened what it is about.
    pub occurrences: i64,
    /// When that was first, RFC 3339.
    #[schema(value_type = String, format = DateTime)]
    pub first_at: Timestamp,
    /// When that was last, RFC 3339.
    #[schema(value_type = String, format = DateTime)]
    pub last_at: Timestamp,
    /// When it is sent, or tried again, RFC 3339; null, if it is not.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub due_at: Option<Timestamp>,
    /// How often it was tried.
    pub tries: i64,
    /// What the mail server said last, or why it could not be asked; null, if it was not tried yet.
    pub answer: Option<String>,
    /// When it was sent, bounced or given up, RFC 3339; null, if it was not yet.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub settled_at: Option<Timestamp>,
}

impl From<store::Mail> for MailView {
    fn from(row: store::Mail) -> Self {
        Self {
            id: row.id,
            topic: row.topic,
            endpoint: row.endpoint,
            to: row.address,
            state: row.state,
            occurrences: row.occurrences,
            first_at: row.first_at,
            last_at: row.last_at,
            due_at: row.due_at,
            tries: row.tries,
            answer: row.answer,
            settled_at: row.settled_at,
        }
    }
}

impl Service {
    /// A page of the account's mails, newest first.
    pub async fn mails(
        &self,
        who: &Principal<MayRead>,
        query: &MailQuery,
        page: &PageRequest,
    ) -> Result<Listed<MailView>, Error> {
        let _turn = self.list_turn(who.account()).await?;
        let filter = filter(query)?;
        let store = &self.inner.store;
        let rows = store
            .mails(who.account(), &filter, page.after()?, page.limit()?)
            .await?;
        Ok(Listed::of(rows, MailView::from))
    }
}

fn filter(query: &MailQuery) -> Result<MailFilter, Error> {
    let invalid = |name: &str, why: String| Error::Invalid {
        code: "invalid_parameter",
        at: Place::Query(name.to_owned()),
        why,
    };
    let endpoint = query.endpoint.as_deref().map(str::parse).transpose();
    let state = query.state.as_deref().map(|word| {
        MailState::from_word(word).ok_or_else(|| {
            let states: Vec<&str> = MailState::ALL.iter().map(|state| state.as_str()).collect();
            invalid("state", format!("it must be one of {}", states.join(", ")))
        })
    });
    Ok(MailFilter {
        endpoint: endpoint
            .map_err(|error: crate::model::IdError| invalid("endpoint", error.to_string()))?,
        state: state.transpose()?,
    })
}
