//! A source's plugin at work on a request: one run on the plugins' threads, in its account's turn and within the
//! limits of every run. It tells what the plugin has made; what becomes of that is its caller's affair. Nothing
//! is stored, and no secret is in what is told.

use std::sync::Arc;

use bytes::Bytes;
use serde_json::{Value, json};
use tokio::sync::oneshot;

use super::workers::Run;
use super::{Filled, Pipeline, shown};
use crate::model::{AccountId, SourceId, Timestamp};
use crate::plugin::{Component, Context, Engine, Event, Outcome, Request, RunError};

/// What a request is called, as long as nobody has said which event it is.
const REQUEST_TYPE: &str = "webhook.received";

/// A source's plugin, ready to run.
#[derive(Debug)]
pub struct Mapper {
    /// Whose source.
    pub account: AccountId,
    /// Which source.
    pub source: SourceId,
    /// What `event.source` says.
    pub origin: String,
    /// What runs.
    pub component: Component,
    /// How it is set up.
    pub config: Filled,
}

/// What came of a run.
#[derive(Debug)]
pub struct MapperRun {
    /// What the plugin decided, or why it did not.
    pub came: Result<Outcome, String>,
    /// Its use against limits, its log, and what it has put out.
    pub detail: Value,
}

/// Why there was no run: the server failed, not the plugin.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The sandbox could not run it this time.
    #[error("the plugin can't be run at the moment: {0}")]
    NotNow(String),
    /// The node is stopping.
    #[error("the node is stopping")]
    Stopped,
}

impl Pipeline {
    /// Runs the plugin on a request, JSON that came at `at`, as soon as the account's turn comes. Whoever stops
    /// waiting before it has begun ends it.
    pub async fn map(
        &self,
        mapper: Arc<Mapper>,
        request: String,
        at: Timestamp,
    ) -> Result<MapperRun, Error> {
        let (reply, answer) = oneshot::channel();
        let account = mapper.account;
        let course = Course {
            mapper,
            request,
            at,
            engine: self.node.components.engine().clone(),
            reply,
        };
        self.node.workers.submit(account, Box::new(course));
        // What waits when the node stops is let go, and its sender with it.
        answer.await.unwrap_or(Err(Error::Stopped))
    }
}

/// A run that waits for its turn.
struct Course {
    mapper: Arc<Mapper>,
    request: String,
    at: Timestamp,
    engine: Engine,
    reply: oneshot::Sender<Result<MapperRun, Error>>,
}

impl Run for Course {
    fn turn(self: Box<Self>) -> Option<Box<dyn Run>> {
        let course = *self;
        if !course.reply.is_closed() {
            let came = course.mapper.run(&course);
            // Nobody may be waiting for it any more.
            drop(course.reply.send(came));
        }
        None
    }
}

impl Mapper {
    fn run(&self, course: &Course) -> Result<MapperRun, Error> {
        let run = course.engine.run(
            &self.component,
            &Request {
                event: &Event {
                    // It is no event yet.
                    id: "",
                    event_type: REQUEST_TYPE,
                    timestamp: &course.at.to_string(),
                    source: &self.origin,
                    data: &course.request,
                },
                context: &Context {
                    automation: &self.source.to_string(),
                    automation_version: 1,
                    step: 0,
                    config: self.config.text(),
                },
            },
        );
        let mut detail = json!({ "usage": run.usage, "log": run.log });
        if let Ok(outcome) = &run.result {
            detail["outputs"] = shown::outputs(outcome);
        }
        let secrets = &self.config.secrets;
        secrets.hide_in(&mut detail);
        let came = match run.result {
            Ok(Outcome::Drop(mut why)) => {
                secrets.hide(&mut why);
                Ok(Outcome::Drop(why))
            }
            Ok(made) => Ok(made),
            Err(RunError::Host(why)) => return Err(Error::NotNow(why)),
            Err(error) => {
                let mut why = error.to_string();
                secrets.hide(&mut why);
                Err(why)
            }
        };
        Ok(MapperRun { came, detail })
    }

    /// What was made, or a text about it, for whoever may not see secrets.
    pub fn hidden(&self, made: Bytes) -> Bytes {
        self.config.secrets.hide_in_body(made)
    }
}
