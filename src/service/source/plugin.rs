//! Sources whose requests become events by a plugin: how it is pinned, what it is given, and what it may make.
//!
//! It runs as transforms do: on their threads, in the same sandbox, within the same limits, once the request is
//! proved. What it says of its failures is for the source's owner; the sender is told only that it failed.

use std::borrow::Cow;
use std::slice;
use std::sync::Arc;

use bytes::Bytes;
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;
use tokio::sync::OnceCell;

use super::look::{Making, OpenSource};
use super::request::Received;
use super::sender::Came;
use super::shape::{MappingPlugin, Settings, SourceMapping};
use crate::automation::canonical;
use crate::model::{AccountId, MappedBy, Origin, counted};
use crate::pipeline::{Full, Mapper, MapperRun, components};
use crate::plugin::{Digest, Outcome};
use crate::service::definition::TransformRequest;
use crate::service::intake::NewEvent;
use crate::service::json::read_object;
use crate::service::{Error, Place, Service, check};

/// How long a request may wait for its plugin, once its turn has come.
const MAPPING_MS: i64 = 10_000;

/// A source's plugin, made ready when the first request that is genuine comes.
#[derive(Debug)]
pub(in crate::service) struct OpenPlugin {
    pinned: MappingPlugin,
    ready: OnceCell<Arc<Mapper>>,
}

/// The event as a plugin puts it out.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct MappedEvent<'a> {
    /// Its type; the output's own, if left out.
    #[serde(borrow, default, rename = "type")]
    event_type: Option<Cow<'a, str>>,
    #[serde(borrow)]
    data: &'a RawValue,
    #[serde(default)]
    id: Option<String>,
    #[serde(default)]
    timestamp: Option<String>,
}

impl OpenPlugin {
    pub(in crate::service) fn new(pinned: MappingPlugin) -> Self {
        Self {
            pinned,
            ready: OnceCell::new(),
        }
    }

    /// What was made of a request, for whoever may not see secrets.
    pub(in crate::service) fn hidden(&self, made: Bytes) -> Bytes {
        match self.ready.get() {
            Some(mapper) => mapper.hidden(made),
            None => made,
        }
    }

    /// Why there is no event. The plugin is to blame, or its configuration: not the sender, who is not told.
    fn unmapped(&self, why: &str) -> Error {
        Error::Unmapped {
            why: format!("{}: {why}", self.pinned.plugin),
        }
    }
}

impl Service {
    /// Settings with another mapping, which is checked. A plugin is pinned as a transform's is.
    pub(in crate::service) async fn mapped(
        &self,
        account: AccountId,
        settings: Settings,
        mapping: SourceMapping,
    ) -> Result<Settings, Error> {
        let SourceMapping {
            event_type,
            id,
            plugin,
            config,
        } = mapping;
        let Some(plugin) = plugin else {
            if config.is_some() {
                let why = "a configuration is a plugin's: name the plugin, too, or leave this out";
                return Err(Error::field("/mapping/config", why));
            }
            return settings.mapped(event_type, id);
        };
        for (pointer, given) in [("/mapping/type", event_type), ("/mapping/id", id)] {
            if given.is_some() {
                let why = "the plugin says what the event is: leave this out, or the plugin";
                return Err(Error::field(pointer, why));
            }
        }
        let request = TransformRequest {
            plugin: Some(plugin),
            config,
            on_error: None,
            javascript: None,
        };
        let variables = self
            .variables_of(account, slice::from_ref(&request))
            .await?;
        let pinned = self.transform((account, &variables), request, "/mapping");
        let pinned = pinned.await?;
        let config = canonical(pinned.config.get());
        Ok(Settings {
            event_type: None,
            id: None,
            plugin: Some(MappingPlugin {
                plugin: pinned.plugin,
                digest: pinned.digest,
                config: config.map_err(|error| Error::unreadable("the configuration", error))?,
            }),
            ..settings
        })
    }

    /// What the source's plugin makes of a request; what it used, logged and put out is added to `makings`.
    pub(in crate::service) async fn map_by_plugin(
        &self,
        (source, plugin): (&OpenSource, &OpenPlugin),
        request: &Received,
        makings: &mut Vec<Making>,
    ) -> Result<Came, Error> {
        // Before anything is made ready: what waits has only its body in memory.
        let turns = &self.inner.mappings;
        let turn = turns.turn(&self.inner.clock, source.account).await;
        let _turn = turn.map_err(Error::Mapping)?;
        let tell = |came: Result<String, String>, detail: Value| Making {
            step: "plugin",
            came,
            detail,
        };
        let run = match self.run_mapper((source, plugin), request).await {
            Ok(run) => run,
            Err(error) => {
                if !error.is_passing() {
                    makings.push(tell(Err(error.for_owner()), Value::Null));
                }
                return Err(error);
            }
        };
        let MapperRun { came, detail } = run;
        let named = &plugin.pinned.plugin;
        let came = came
            .map_err(|why| plugin.unmapped(&why))
            .and_then(|outcome| self.read_mapped((source, plugin), outcome));
        let told = match &came {
            Ok(Came::Event(event)) => {
                let bytes = counted(event.payload.len(), "byte");
                Ok(format!(
                    "`{named}` has made an event of the type {} with {bytes} of data.",
                    event.event_type
                ))
            }
            Ok(Came::Dropped(why)) => Ok(format!("`{named}` drops it: {why}")),
            Err(error) => Err(error.for_owner()),
        };
        makings.push(tell(told, detail));
        came
    }

    async fn run_mapper(
        &self,
        (source, plugin): (&OpenSource, &OpenPlugin),
        request: &Received,
    ) -> Result<MapperRun, Error> {
        let text = request.for_plugin(self.inner.rules.payload_bytes_max)?;
        let mapper = self.mapper(source, plugin).await?;
        let pipeline = self.pipeline().ok_or(Error::Unavailable)?;
        let clock = &self.inner.clock;
        let until = clock.now().plus_ms(MAPPING_MS);
        let run = tokio::select! {
            biased;
            run = pipeline.map(mapper, text, request.at) => run,
            () = clock.sleep_until(until) => return Err(Error::Mapping(Full::Server)),
        };
        run.map_err(|error| {
            let error = &error as &dyn std::error::Error;
            tracing::warn!(error, account.id = %source.account, source.id = %source.id, "a source's plugin can't run");
            Error::Unavailable
        })
    }

    async fn mapper(&self, source: &OpenSource, plugin: &OpenPlugin) -> Result<Arc<Mapper>, Error> {
        let make = || self.ready_mapper(source, plugin);
        plugin.ready.get_or_try_init(make).await.cloned()
    }

    /// The plugin loaded, its configuration filled with what the variables are now.
    async fn ready_mapper(
        &self,
        source: &OpenSource,
        plugin: &OpenPlugin,
    ) -> Result<Arc<Mapper>, Error> {
        let MappingPlugin { digest, config, .. } = &plugin.pinned;
        let digest: Digest = digest
            .parse()
            .map_err(|error| Error::unreadable("the source's plugin", error))?;
        let loaded = self.inner.components.load(source.account, digest).await;
        let component = loaded.map_err(|error: components::Error| {
            if error.is_lasting() {
                return plugin.unmapped(&error.to_string());
            }
            let error = &error as &dyn std::error::Error;
            tracing::warn!(error, account.id = %source.account, source.id = %source.id, "a source's plugin can't be loaded");
            Error::Unavailable
        })?;
        let variables = self.variables_in(source.account, config).await?;
        let filled = variables.fill_config(config);
        let config = filled.map_err(|error| plugin.unmapped(&error.to_string()))?;
        let origin = Origin::of_source(&source.name);
        Ok(Arc::new(Mapper {
            account: source.account,
            source: source.id,
            origin: origin.source().unwrap_or_default().to_owned(),
            component,
            config,
        }))
    }

    /// The event in what the plugin decided.
    fn read_mapped(
        &self,
        (source, plugin): (&OpenSource, &OpenPlugin),
        outcome: Outcome,
    ) -> Result<Came, Error> {
        let outputs = match outcome {
            Outcome::Drop(why) => return Ok(Came::Dropped(why)),
            Outcome::Emit(outputs) => outputs,
        };
        let count = outputs.len();
        let mut outputs = outputs.into_iter();
        let (output, more) = (outputs.next(), outputs.next());
        let Some(output) = output else {
            return Ok(Came::Dropped("it has put nothing out".to_owned()));
        };
        if more.is_some() {
            let why = format!("it has put out {count} events: a request is one event, or none");
            return Err(plugin.unmapped(&why));
        }
        let event = self.mapped_event(source, &output.data, output.event_type.as_deref());
        let event = event.map_err(|error| {
            let at = error.place().map_or_else(String::new, |at| format!(" {at}:"));
            let why = format!(
                "what it has put out is no event, which has type, data and, if it has them, id and timestamp:\
                 {at} {error}"
            );
            plugin.unmapped(&why)
        })?;
        let MappingPlugin {
            plugin: named,
            digest,
            ..
        } = &plugin.pinned;
        let by = MappedBy {
            plugin: named.clone(),
            digest: digest.clone(),
        };
        let origin = Origin::of_source(&source.name).mapped_by(by);
        Ok(Came::Event(Box::new(crate::store::NewEvent {
            origin: Some(origin.into()),
            ..event
        })))
    }

    fn mapped_event(
        &self,
        source: &OpenSource,
        output: &Bytes,
        own_type: Option<&str>,
    ) -> Result<crate::store::NewEvent, Error> {
        let mapped: MappedEvent<'_> = read_object(output)?;
        let missing = || Error::field("/type", "the event has no type: add it");
        let event_type = mapped.event_type.as_deref().or(own_type);
        let event_type = event_type.ok_or_else(missing)?;
        if let Some(id) = &mapped.id {
            check::client_key(id, Place::body("/id"))?;
        }
        let known_as = mapped.id.map(|id| source.known_as(&id));
        let envelope = NewEvent::of(event_type, mapped.data, (known_as, mapped.timestamp));
        self.incoming(source.account, output, envelope, None)
    }
}
