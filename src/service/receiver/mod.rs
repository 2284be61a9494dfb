//! Receivers: URLs of this server that keep what is sent to them and answer as they are told, so that deliveries can
//! be looked at before there is anybody who takes them. What comes to one can be followed as it comes, and answered
//! by whoever follows: so deliveries reach a developer's own machine.

mod door;
mod forwarded;
mod own;
mod shape;
mod signature;
mod stream;

pub use door::{Received, ReceiverArrival, ReceiverDoor};
pub use forwarded::{ForwardedAnswer, ForwardedError, ForwardedRefusal};
pub use shape::{
    AnswerRequest, NewReceiver, ReceiverPatch, ReceiverRequestView, ReceiverVerification,
    ReceiverView,
};
pub use signature::{FindingView, SignatureCheckView};
pub use stream::Followed;

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use sha2::{Digest, Sha256};
use tokio::sync::broadcast;
use url::Url;

use super::hidden::Shown as _;
use super::pace::Pace;
use super::principal::{MayRead, MayWrite, Principal};
use super::{Error, Listed, PageRequest, Service, check};
use crate::model::{AccountId, EventId, ReceiverId, ReceiverRequestId, Shares, Timestamp};
use crate::pipeline::sealing;
use crate::signing::Scheme;
use crate::store::{self, Hint, Receiver};
use crate::vault::random;
use shape::{Sealed, Settings, answers};
use signature::Verifier;

/// What the last part of a receiver's URL begins with, so that people and secret scanners know it.
const TOKEN_PREFIX: &str = "r_";
/// Where the URLs of receivers begin.
const PATH: &str = "/r/";
/// How many requests an account's receivers take in a minute, at each node.
const PER_MINUTE_MAX: u32 = 600;
/// How many of an account's requests wait for their answer at a time, at each node.
const WAITING_MAX: usize = 64;
/// How many streams an account follows at a time, at each node.
const STREAMS_MAX: usize = 16;
/// Where the server is, as long as nobody has said.
const ORIGIN_DEFAULT: &str = "http://127.0.0.1:8080";

/// What receivers need beside the store.
#[derive(Debug)]
pub(super) struct Receivers {
    /// Where the server is for those who send to it.
    origin: arc_swap::ArcSwapOption<Url>,
    /// Rung when something has come to a receiver, or was answered.
    bell: broadcast::Sender<ReceiverId>,
    pace: Pace,
    waiting: Shares<AccountId>,
    streams: Shares<AccountId>,
}

impl Default for Receivers {
    fn default() -> Self {
        Self {
            origin: arc_swap::ArcSwapOption::empty(),
            bell: broadcast::Sender::new(1024),
            pace: Pace::new(PER_MINUTE_MAX),
            waiting: Shares::new(WAITING_MAX),
            streams: Shares::new(STREAMS_MAX),
        }
    }
}

impl Receivers {
    /// Something has come to the receiver, or was answered. Nobody may be listening.
    pub(super) fn ring(&self, receiver: ReceiverId) {
        let _nobody_listens = self.bell.send(receiver);
    }
}

fn token_hash(token: &str) -> [u8; 32] {
    Sha256::digest(token.as_bytes()).into()
}

impl Service {
    /// Makes a receiver, with a URL that nobody can guess.
    pub async fn create_receiver(
        &self,
        who: &Principal<MayWrite>,
        new: NewReceiver,
    ) -> Result<ReceiverView, Error> {
        let (account, now) = (who.account(), self.inner.clock.now());
        let name = new.name.unwrap_or_else(|| "receiver".to_owned());
        check::name(&name, "/name")?;
        let (scheme, secret) = verification(new.verification)?;
        let settings = Settings {
            answers: answers(new.answer, new.answers)?
                .unwrap_or_else(|| vec![AnswerRequest::default()]),
            forward: new.forward,
            scheme,
        };
        let token = URL_SAFE_NO_PAD.encode(random::bytes::<32>()?);
        let sealed = Sealed {
            token: format!("{TOKEN_PREFIX}{token}"),
            secret,
        };
        let id = ReceiverId::mint(now);
        let row = Receiver {
            account,
            id,
            name,
            sealed: self.seal_receiver(account, id, &sealed)?,
            settings: settings.text()?,
            received: 0,
            forwarded_until: None,
            created_at: now,
            updated_at: now,
        };
        let store = &self.inner.store;
        store
            .create_receiver(&row, token_hash(&sealed.token))
            .await?;
        tracing::info!(account.id = %account, key.id = %who.key(), receiver.id = %id, "a receiver was made");
        self.receiver_view(row)
    }

    fn seal_receiver(
        &self,
        account: AccountId,
        id: ReceiverId,
        sealed: &Sealed,
    ) -> Result<Vec<u8>, Error> {
        let text = serde_json::to_string(sealed)
            .map_err(|error| Error::unreadable("the receiver", error))?;
        let context = sealing::receiver(account, id);
        Ok(self.inner.vault.seal(text.as_bytes(), &context)?)
    }

    fn opened_receiver(&self, row: &Receiver) -> Result<Sealed, Error> {
        let context = sealing::receiver(row.account, row.id);
        let plain = self.inner.vault.open(&row.sealed, &context)?;
        serde_json::from_slice(&plain).map_err(|error| Error::unreadable("the receiver", error))
    }

    fn receiver_view(&self, row: Receiver) -> Result<ReceiverView, Error> {
        let settings = Settings::read(&row)?;
        let sealed = self.opened_receiver(&row)?;
        let now = self.inner.clock.now();
        Ok(ReceiverView {
            url: format!("{}{PATH}{}", self.origin_text(), sealed.token),
            scheme: settings.scheme.as_ref().map(Scheme::as_str),
            forwarded: settings.forward && row.forwarded_until.is_some_and(|until| until > now),
            id: row.id,
            name: row.name,
            answers: settings.answers,
            forward: settings.forward,
            received: row.received,
            created_at: row.created_at,
            updated_at: row.updated_at,
        })
    }

    /// A page of the account's receivers.
    pub async fn receivers(
        &self,
        who: &Principal<MayRead>,
        page: &PageRequest,
    ) -> Result<Listed<ReceiverView>, Error> {
        let _turn = self.list_turn(who.account()).await?;
        let (after, limit) = (page.after()?, page.limit()?);
        let found = self.inner.store.receivers(who.account(), after, limit);
        Listed::try_of(found.await?, |row| self.receiver_view(row))
    }

    /// The receiver with this id.
    pub async fn receiver(
        &self,
        who: &Principal<MayRead>,
        id: &str,
    ) -> Result<ReceiverView, Error> {
        let row = self.receiver_row(who.account(), id).await?;
        self.receiver_view(row)
    }

    async fn receiver_row(&self, account: AccountId, id: &str) -> Result<Receiver, Error> {
        let id: ReceiverId = check::id(id, "receiver")?;
        let found = self.inner.store.receiver(account, id).await?;
        found.ok_or(Error::NotFound("receiver"))
    }

    /// Changes a receiver. Other answers begin with the first.
    pub async fn change_receiver(
        &self,
        who: &Principal<MayWrite>,
        id: &str,
        patch: ReceiverPatch,
    ) -> Result<ReceiverView, Error> {
        if let Some(name) = &patch.name {
            check::name(name, "/name")?;
        }
        let wanted = answers(patch.answer, patch.answers)?;
        let given = patch.verification.map(verification).transpose()?;
        let mut merges = self.merges(who.account());
        loop {
            let from = self.receiver_row(who.account(), id).await?;
            let mut settings = Settings::read(&from)?;
            let mut to = from.clone();
            if let Some((scheme, secret)) = given.clone() {
                settings.scheme = scheme;
                let token = self.opened_receiver(&from)?.token;
                to.sealed = self.seal_receiver(from.account, from.id, &Sealed { token, secret })?;
            }
            settings.answers = wanted.clone().unwrap_or(settings.answers);
            settings.forward = patch.forward.unwrap_or(settings.forward);
            to.settings = settings.text()?;
            to.name = patch.name.clone().unwrap_or(to.name);
            to.updated_at = self.inner.clock.now();
            let done = match self.inner.store.change_receiver(&from, &to).await {
                Ok(true) => self.receiver_view(to),
                Ok(false) => Err(Error::NotFound("receiver")),
                Err(error) => Err(error.into()),
            };
            if !merges.go_on(&done).await {
                return done;
            }
        }
    }

    /// Removes a receiver with what came to it.
    pub async fn delete_receiver(&self, who: &Principal<MayWrite>, id: &str) -> Result<(), Error> {
        let id: ReceiverId = check::id(id, "receiver")?;
        if !self.inner.store.delete_receiver(who.account(), id).await? {
            return Err(Error::NotFound("receiver"));
        }
        self.ring_for(id);
        tracing::info!(account.id = %who.account(), key.id = %who.key(), receiver.id = %id, "a receiver was removed");
        Ok(())
    }

    /// A page of what came to a receiver, newest first.
    pub async fn receiver_requests(
        &self,
        who: &Principal<MayRead>,
        id: &str,
        page: &PageRequest,
    ) -> Result<Listed<ReceiverRequestView>, Error> {
        let account = who.account();
        let _turn = self.list_turn(account).await?;
        let row = self.receiver_row(account, id).await?;
        let (after, limit) = (page.after()?, page.limit()?);
        let found = self
            .inner
            .store
            .receiver_requests((account, row.id), after, limit);
        let found = found.await?;
        let verifier = self.verifier(&row).await?;
        let hidden = self.hidden(account).await?;
        Listed::try_of(found, |request| {
            Ok(request_view(request, &verifier)?.without(&hidden))
        })
    }

    /// Keeps what a request was answered by whoever forwards it.
    pub async fn answer_received(
        &self,
        who: &Principal<MayWrite>,
        (id, request): (&str, &str),
        answer: &ForwardedAnswer,
    ) -> Result<(), Error> {
        let row = self.receiver_row(who.account(), id).await?;
        let request: ReceiverRequestId = check::id(request, "request")?;
        let (which, store) = ((row.account, row.id), &self.inner.store);
        let text = answer.text()?;
        if store.answer_received(which, request, &text).await? {
            self.ring_for(row.id);
            return Ok(());
        }
        match store.receiver_request(which, request).await? {
            None => Err(Error::NotFound("request")),
            Some(_) => Err(Error::Conflict {
                code: "answered",
                why: "the request was answered before, or nobody waits for its answer any more"
                    .to_owned(),
            }),
        }
    }

    /// Tells all nodes that something has come to a receiver, or was answered.
    fn ring_for(&self, receiver: ReceiverId) {
        self.inner.receivers.ring(receiver);
        self.inner.store.tell(Hint::Received(receiver));
    }

    /// Where the server is, without a slash at the end.
    fn origin_text(&self) -> String {
        let origin = self.inner.receivers.origin.load();
        let text = origin.as_deref().map_or(ORIGIN_DEFAULT, Url::as_str);
        text.trim_end_matches('/').to_owned()
    }
}

/// The scheme and the secret of a verification that can be used.
fn verification(
    given: Option<ReceiverVerification>,
) -> Result<(Option<Scheme>, Option<String>), Error> {
    let Some(given) = given else {
        return Ok((None, None));
    };
    if given.secret.is_empty() || given.secret.len() > 8 * 1024 {
        let why = "a secret has 1 to 8192 bytes";
        return Err(Error::field("/verification/secret", why));
    }
    let of_secret = Scheme::of_secret(&given.secret);
    let word = given.scheme.as_deref().unwrap_or(of_secret.as_str());
    let scheme = Scheme::from_words(word, given.header.as_deref())
        .map_err(|error| Error::field("/verification/scheme", error))?;
    Ok((Some(scheme), Some(given.secret)))
}

/// When a request came.
fn came_at(id: ReceiverRequestId) -> Timestamp {
    EventId::from_uuid(id.uuid()).minted_at()
}

fn request_view(
    row: store::ReceiverRequest,
    verifier: &Verifier,
) -> Result<ReceiverRequestView, Error> {
    let pairs: Vec<(String, String)> = serde_json::from_str(&row.headers)
        .map_err(|error| Error::unreadable("the headers of a request", error))?;
    let signature = verifier.check(&pairs, &row.body, came_at(row.id));
    let mut headers = BTreeMap::<String, String>::new();
    for (name, value) in pairs {
        let known = headers.entry(name);
        known
            .and_modify(|known| *known = format!("{known}, {value}"))
            .or_insert(value);
    }
    let answer = row.answer.as_deref().map(serde_json::from_str).transpose();
    let answer = answer.map_err(|error| Error::unreadable("the answer to a request", error))?;
    let (body, body_base64) = match String::from_utf8(row.body) {
        Ok(text) => (Some(text), None),
        Err(bytes) => (None, Some(STANDARD.encode(bytes.as_bytes()))),
    };
    Ok(ReceiverRequestView {
        id: row.id,
        method: row.method,
        path: row.path,
        query: row.query,
        headers,
        body,
        body_base64,
        answer,
        signature,
        at: came_at(row.id),
    })
}
