//! Why an automation, or an endpoint's own subscription, did or did not fire for an event: what is on
//! record; or the one sentence that says why there is no record; or, for a version that is asked for, what
//! it says now. Nothing is sent and nothing is stored.

use serde::Serialize;
use utoipa::ToSchema;

use super::absence::{self, Absence, NOT_SUBSCRIBED, unmet_by};
use super::hidden::Shown;
use super::principal::{MayRead, Principal};
use super::{CauseView, Error, EventState, LetterNote, Place, Service, check};
use crate::automation::EventType;
use crate::model::{AccountId, AutomationId, DeadLetterId, EndpointId, EventId, Timestamp};
use crate::pipeline::{Explained, Step, Trial};
use crate::store::{self, PublishedAutomation};

/// Why an automation did or did not fire for an event.
#[derive(Debug, Serialize, ToSchema)]
pub struct Explanation {
    /// The id of the event.
    #[schema(value_type = String)]
    pub event: EventId,
    /// The id of the automation; of an endpoint: of its own subscription, null if it had none.
    #[schema(value_type = Option<String>)]
    pub automation: Option<AutomationId>,
    /// The number of the version that is spoken of; null, if it is none.
    pub version: Option<i64>,
    /// What the verdict rests on.
    pub basis: Basis,
    /// An evaluation's verdict; or `not_subscribed` (the trigger did not name the event's type), `disabled` (it was
    /// switched off or archived), `not_published` (no version was live yet), `made_later` (there was no such automation yet),
    /// `not_evaluated` (the event waits) or `set_aside` (it will not be evaluated).
    pub verdict: &'static str,
    /// A sentence with the values that decided.
    pub summary: String,
    /// The condition and each plugin's run, in their order: what it was, what came of it, and why. Of one that was
    /// run now, a plugin's run has its `input` and `outputs` in its `detail`.
    #[schema(value_type = Vec<Object>)]
    pub steps: Vec<Step>,
    /// What led to the event, if an automation made it; left out, if none did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cause: Option<CauseView>,
    /// The dead letter that the automation's failure left, and whether it was run again; left out, if there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dead_letter: Option<LetterNote>,
}

/// What a verdict rests on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Basis {
    /// The evaluation that was made when the event came.
    Recorded,
    /// There was no evaluation: on what was live when the event came, and where the event stands.
    History,
    /// The version that was asked for, run now.
    RunNow,
}

impl Explanation {
    fn of(event: EventId, basis: Basis, explained: Explained) -> Self {
        Self {
            event,
            automation: Some(explained.automation),
            version: Some(explained.version),
            basis,
            verdict: explained.verdict.as_str(),
            summary: explained.summary,
            steps: explained.steps,
            cause: None,
            dead_letter: None,
        }
    }

    fn of_none(event: EventId, automation: Option<AutomationId>, absence: Absence) -> Self {
        Self {
            event,
            automation,
            version: absence.version,
            basis: Basis::History,
            verdict: absence.verdict,
            summary: absence.summary,
            steps: Vec::new(),
            cause: None,
            dead_letter: None,
        }
    }
}

/// An automation's version at the time of an event.
struct Candidate {
    automation: AutomationId,
    version: i64,
}

impl Service {
    /// Why an automation did or did not fire for an event; with a `version`, what that version says of it
    /// now.
    pub async fn explain_automation(
        &self,
        who: &Principal<MayRead>,
        id: &str,
        event: Option<&str>,
        version: Option<i64>,
    ) -> Result<Explanation, Error> {
        let explained = self.explain_one(who, id, event, version).await?;
        self.with_ties(who.account(), explained).await
    }

    async fn explain_one(
        &self,
        who: &Principal<MayRead>,
        id: &str,
        event: Option<&str>,
        version: Option<i64>,
    ) -> Result<Explanation, Error> {
        let account = who.account();
        let found = self
            .inner
            .store
            .automation(account, check::id(id, "automation")?);
        let automation = found
            .await?
            .filter(|row| row.owner_endpoint.is_none())
            .ok_or(Error::NotFound("automation"))?;
        let event = self.explained_event(account, event).await?;
        if let Some(version) = version {
            return self.run_version(account, automation, version, event).await;
        }
        if event.test.is_some() {
            let absence = absence::test();
            return Ok(Explanation::of_none(event.id, Some(automation.id), absence));
        }
        if let Some(explained) = self.recorded(account, &event, automation.id).await? {
            return Ok(Explanation::of(event.id, Basis::Recorded, explained));
        }
        let absence = match self.inner.store.event_revision(account, event.id).await? {
            None => absence::unrecorded(),
            Some(revision) => self.absence(account, &automation, &event, revision).await?,
        };
        Ok(Explanation::of_none(event.id, Some(automation.id), absence))
    }

    /// Why an endpoint's own subscription did or did not fire for an event. What automations send to the
    /// endpoint is theirs to explain.
    pub async fn explain_endpoint(
        &self,
        who: &Principal<MayRead>,
        id: &str,
        event: Option<&str>,
    ) -> Result<Explanation, Error> {
        let explained = self.explain_subscription(who, id, event).await?;
        self.with_ties(who.account(), explained).await
    }

    /// The same with what led to the event, and what the failure has left.
    async fn with_ties(
        &self,
        account: AccountId,
        explained: Explanation,
    ) -> Result<Explanation, Error> {
        let store = &self.inner.store;
        let event = explained.event;
        let cause = store.cause(account, event).await?;
        let dead_letter = match explained.automation {
            Some(automation) if explained.basis == Basis::Recorded => {
                let accepted_at = self.accepted_at(account, event).await?;
                let id = DeadLetterId::derive(event, accepted_at, automation);
                store.dead_letter(account, id).await?.map(LetterNote::from)
            }
            _ => None,
        };
        let explained = Explanation {
            cause: cause.as_ref().map(CauseView::from),
            dead_letter,
            ..explained
        };
        Ok(explained.without(&self.hidden(account).await?))
    }

    /// When an event was accepted; one that an automation made is read for that.
    async fn accepted_at(&self, account: AccountId, event: EventId) -> Result<Timestamp, Error> {
        if !event.is_derived() {
            return Ok(event.minted_at());
        }
        let found = self.inner.store.event(account, event).await?;
        Ok(found.map_or(event.minted_at(), |row| row.accepted_at()))
    }

    async fn explain_subscription(
        &self,
        who: &Principal<MayRead>,
        id: &str,
        event: Option<&str>,
    ) -> Result<Explanation, Error> {
        let (account, store) = (who.account(), &self.inner.store);
        let endpoint: EndpointId = check::id(id, "endpoint")?;
        let row = store.endpoint(account, endpoint).await?;
        let row = row.ok_or(Error::NotFound("endpoint"))?;
        let event = self.explained_event(account, event).await?;
        if event.test.is_some() {
            return Ok(Explanation::of_none(event.id, None, absence::test()));
        }
        let Some(revision) = store.event_revision(account, event.id).await? else {
            return Ok(Explanation::of_none(event.id, None, absence::unrecorded()));
        };
        let found = store.subscription_at(account, endpoint, revision).await?;
        let Some((automation, version)) = found else {
            let absence = absence::no_subscription(row.created_at, event.accepted_at());
            return Ok(Explanation::of_none(event.id, None, absence));
        };
        if let Some(explained) = self.recorded(account, &event, automation).await? {
            return Ok(Explanation::of(event.id, Basis::Recorded, explained));
        }
        let candidate = Candidate {
            automation,
            version,
        };
        let absence = self.unmet_or_waiting(account, candidate, &event).await?;
        Ok(Explanation::of_none(event.id, Some(automation), absence))
    }

    async fn explained_event(
        &self,
        account: AccountId,
        id: Option<&str>,
    ) -> Result<store::Event, Error> {
        let id = id.ok_or_else(|| Error::Invalid {
            code: "missing_parameter",
            at: Place::Query("event".to_owned()),
            why: "which event is asked about: add event=evt_…".to_owned(),
        })?;
        let found = self.inner.store.event(account, check::id(id, "event")?);
        found.await?.ok_or(Error::NotFound("event"))
    }

    /// Why nothing is on record of an automation for an event as of `revision`.
    async fn absence(
        &self,
        account: AccountId,
        automation: &store::Automation,
        event: &store::Event,
        revision: i64,
    ) -> Result<Absence, Error> {
        let store = &self.inner.store;
        let id = automation.id;
        let Some(last) = store.live_by(account, id, revision).await? else {
            let first = store.first_live_revision(account, id).await?;
            let (made_at, published) = (automation.created_at, automation.published_version);
            let accepted_at = event.accepted_at();
            return Ok(absence::not_live_yet(
                made_at,
                accepted_at,
                published,
                first,
            ));
        };
        if !last.is_live_at(revision) {
            let version = last.version;
            let why = format!(
                "the automation was switched off or archived when the event came; before, version {version} was live"
            );
            return Ok(Absence::new("disabled", why));
        }
        let candidate = Candidate {
            automation: id,
            version: last.version,
        };
        self.unmet_or_waiting(account, candidate, event).await
    }

    /// Why nothing is on record of a version that was live.
    async fn unmet_or_waiting(
        &self,
        account: AccountId,
        candidate: Candidate,
        event: &store::Event,
    ) -> Result<Absence, Error> {
        let Candidate {
            automation,
            version,
        } = candidate;
        let store = &self.inner.store;
        let row = store.automation_version(account, automation, version);
        let row = row.await?.ok_or(Error::NoSuchVersion)?;
        let event_type = event_type(event)?;
        let absence = match unmet_by(&row.definition, &event_type) {
            Some(why) => Absence::new(NOT_SUBSCRIBED, why),
            None => match self.standing(account, event.id).await? {
                (EventState::InInbox, ..) => Absence::new(
                    "not_evaluated",
                    "the event waits to be evaluated: ask again in a moment",
                ),
                (EventState::SetAside, why, _) => {
                    let why = why.unwrap_or_default();
                    Absence::new("set_aside", format!("the event was set aside: {why}"))
                }
                (EventState::Planned | EventState::PayloadExpired, ..) => absence::unrecorded(),
            },
        };
        Ok(Absence {
            version: Some(version),
            ..absence
        })
    }

    /// What a version says of an event now, whether it was live ever or not.
    async fn run_version(
        &self,
        account: AccountId,
        automation: store::Automation,
        version: i64,
        event: store::Event,
    ) -> Result<Explanation, Error> {
        let store = &self.inner.store;
        let row = store.automation_version(account, automation.id, version);
        let row = row.await?.ok_or_else(|| {
            let at = Place::Query("version".to_owned());
            Error::no_version(at, version, automation.latest_version)
        })?;
        if let Some(why) = unmet_by(&row.definition, &event_type(&event)?) {
            let absence = Absence::new(NOT_SUBSCRIBED, why);
            return Ok(Explanation {
                version: Some(version),
                basis: Basis::RunNow,
                ..Explanation::of_none(event.id, Some(automation.id), absence)
            });
        }
        let turn = self.trial_turn(account).await?;
        let trial = Trial {
            account,
            automation: PublishedAutomation {
                id: automation.id,
                name: automation.name,
                owner_endpoint: None,
                version,
                definition: row.definition,
            },
            event: self.accepted(account, event).await?,
            endpoints: None,
            variables: None,
        };
        let id = trial.event.id;
        let tried = self.try_out(turn, trial).await?;
        Ok(Explanation::of(id, Basis::RunNow, tried.explained))
    }
}

fn event_type(event: &store::Event) -> Result<EventType, Error> {
    let read = event.r#type.parse();
    read.map_err(|error| Error::unreadable("the event's type", error))
}
