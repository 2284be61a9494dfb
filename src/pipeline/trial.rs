//! A trial: one version of an automation looked at for one event, now and for whoever asks, up to the
//! requests that would leave. It is the same [`evaluate`] as for events that come in, on the plugins'
//! threads in the account's turns and within the same limits; the requests are made and signed as an
//! attempt makes them. Nothing is sent, nothing is stored, and nothing of it is kept in memory.

use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::oneshot;

use super::chain::Chain;
use super::evaluate::{Reached, evaluate};
use super::plan::Draft;
use super::request::Letter;
use super::snapshot::Compiled;
use super::standing::Current;
use super::variables::HIDDEN;
use super::workers::Run;
use super::{AcceptedEvent, Evaluation, Pipeline, SnapshotError, shown};
use crate::model::{AccountId, EndpointId, Timestamp};
use crate::plugin::Engine;
use crate::store::{NewDelivery, PublishedAutomation, SnapshotRows};
use crate::vault::Vault;

/// Most bytes of all bodies together that are shown of one trial's requests: four of the largest payloads.
const BODIES_BYTES_MAX: usize = 1024 * 1024;

/// What is tried.
#[derive(Debug)]
pub struct Trial {
    /// Whose turn it takes, and whose plugins.
    pub account: AccountId,
    /// The version, whether it is stored or not, published or not.
    pub automation: PublishedAutomation,
    /// The event, whether it is stored or not.
    pub event: AcceptedEvent,
    /// How the automation's endpoints stand, of which those may be that are not stored; `None`: no requests
    /// are wanted.
    pub endpoints: Option<Addressees>,
}

/// Where a trial's requests would go, and what signs them.
#[derive(Debug)]
pub struct Addressees {
    /// The account with the endpoints and their secrets. No automations.
    pub rows: SnapshotRows,
    /// Opens the secrets.
    pub vault: Arc<Vault>,
    /// When the requests would leave.
    pub now: Timestamp,
}

/// What came of a trial.
#[derive(Debug)]
pub struct Tried {
    /// The verdict, with steps that tell what went into each run and what came out.
    pub evaluation: Evaluation,
    /// What it put out, before any envelope and without secrets.
    pub outputs: Vec<Bytes>,
    /// What would leave, if it fired and requests were wanted.
    pub requests: Vec<TriedRequest>,
}

/// A request that would leave.
#[derive(Debug)]
pub struct TriedRequest {
    /// Where to.
    pub endpoint: EndpointId,
    /// Its URL; nothing, if the endpoint can't be read.
    pub url: String,
    /// The headers, signatures among them. What HTTP itself needs is added when it is sent.
    pub headers: Vec<(String, String)>,
    /// The body, byte for byte as it is signed unless it is cut, or has a secret variable's value, which is
    /// hidden.
    pub body: String,
    /// That the body is cut, if it is.
    pub cut: Option<String>,
    /// Why it would not leave now, or can't be made, if so.
    pub held: Option<String>,
}

/// Why a trial has no answer: the server failed, not the automation.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A plugin could not be loaded.
    #[error("the automation can't be made ready at the moment")]
    Snapshot(#[source] SnapshotError),
    /// The sandbox could not run it this time.
    #[error("the automation can't be evaluated at the moment: {0}")]
    NotNow(String),
    /// The node is stopping.
    #[error("the node is stopping")]
    Stopped,
}

impl Pipeline {
    /// Tries it, as soon as the account's turn comes. Whoever stops waiting ends it after the run that is
    /// under way. Whether the trigger names the event's type is the caller's to see.
    pub async fn try_out(&self, trial: Trial) -> Result<Tried, Error> {
        let node = &self.node;
        let automation = node
            .snapshots
            .compile_apart(trial.account, &trial.automation)
            .await
            .map_err(Error::Snapshot)?;
        let (reply, answer) = oneshot::channel();
        let course = Course {
            automation,
            trial: Box::new(trial),
            engine: node.components.engine().clone(),
            chain: None,
            reply,
        };
        let account = course.trial.account;
        node.workers.submit(account, Box::new(course));
        // What waits when the node stops is let go, and its sender with it.
        answer.await.unwrap_or(Err(Error::Stopped))
    }
}

/// A trial on the workers' threads, as far as it has come: one run of a plugin a turn.
struct Course {
    automation: Arc<Compiled>,
    trial: Box<Trial>,
    engine: Engine,
    chain: Option<Chain>,
    reply: oneshot::Sender<Result<Tried, Error>>,
}

impl Run for Course {
    fn turn(self: Box<Self>) -> Option<Box<dyn Run>> {
        let mut course = *self;
        if course.reply.is_closed() {
            return None;
        }
        let event = &course.trial.event;
        let from = course.chain.take();
        let reached = evaluate(
            &course.automation,
            event,
            &event.view(),
            &course.engine,
            from,
        );
        let answer = match reached {
            Reached::Midway(chain) => {
                course.chain = Some(chain.telling_everything());
                return Some(Box::new(course));
            }
            Reached::Verdict(evaluation) => Ok(Tried {
                requests: course.requests(&evaluation),
                outputs: course.outputs(&evaluation),
                evaluation,
            }),
            Reached::NotNow { why, .. } => Err(Error::NotNow(why)),
        };
        // Nobody may be waiting for it any more.
        drop(course.reply.send(answer));
        None
    }
}

impl Course {
    fn outputs(&self, evaluation: &Evaluation) -> Vec<Bytes> {
        let outputs = evaluation.outputs.clone().each(&self.trial.event.payload);
        let secrets = &self.automation.secrets;
        let shown = |content: Bytes| {
            if secrets.is_empty() {
                return content;
            }
            let mut text = String::from_utf8_lossy(&content).into_owned();
            secrets.hide(&mut text);
            text.into()
        };
        let contents = outputs.into_iter().map(|output| output.content);
        contents.map(shown).collect()
    }

    /// What follows, as a plan has it, signed.
    fn requests(&mut self, evaluation: &Evaluation) -> Vec<TriedRequest> {
        let Some(Addressees { rows, vault, now }) = self.trial.endpoints.take() else {
            return Vec::new();
        };
        let event = &self.trial.event;
        let current = Current::of(rows, &vault);
        let mut draft = Draft::new(event.id);
        draft.add(&self.automation, event, &current, evaluation.clone());
        let plan = draft.finish(self.trial.account, 0, now);
        let mut left_bytes = BODIES_BYTES_MAX;
        let mut requests = Vec::with_capacity(plan.contents.len());
        for (delivery, content) in plan.rows.deliveries.iter().zip(&plan.contents) {
            let letter = Letter {
                envelope: delivery.envelope,
                webhook_id: &delivery.webhook_id,
                content,
            };
            let mut request = request(&letter, delivery, (&current, now), left_bytes);
            self.automation.secrets.hide(&mut request.body);
            left_bytes = left_bytes.saturating_sub(request.body.len());
            requests.push(request);
        }
        requests
    }
}

/// The request of one delivery, with as much of its body as there is room for.
fn request(
    letter: &Letter<'_>,
    delivery: &NewDelivery,
    stands: (&Current, Timestamp),
    bytes_max: usize,
) -> TriedRequest {
    let (current, now) = stands;
    let endpoint = delivery.endpoint;
    let mut request = TriedRequest {
        endpoint,
        url: String::new(),
        headers: Vec::new(),
        body: String::new(),
        cut: None,
        held: None,
    };
    let view = match current.endpoint(endpoint) {
        None => {
            request.held = Some("its endpoint was removed".to_owned());
            return request;
        }
        Some(Err(unreadable)) => {
            request.held = Some(format!("its endpoint can't be read: {}", unreadable.why));
            return request;
        }
        Some(Ok(view)) => view,
    };
    view.target.as_str().clone_into(&mut request.url);
    if !current.is_open(endpoint) {
        let why = "it would be held: its endpoint, or the account, is switched off";
        request.held = Some(why.to_owned());
    }
    match letter.signed(view, now) {
        Ok((headers, body)) => {
            let text = |value: &http::HeaderValue| {
                if value.is_sensitive() {
                    return HIDDEN.to_owned();
                }
                String::from_utf8_lossy(value.as_bytes()).into_owned()
            };
            let headers = headers.iter();
            request.headers = headers
                .map(|(name, value)| (name.as_str().to_owned(), text(value)))
                .collect();
            (request.body, request.cut) = shown::text(&body, bytes_max);
        }
        Err(why) => request.held = Some(format!("it can't be signed, and would wait: {why}")),
    }
    request
}
