//! Floor 4: what may be asked, by whom, and what is valid, once for all doors.
//!
//! One file per noun. Every function takes a [`Principal`]: the proof that whoever asks has the
//! right that the function needs, and for which account. A principal is only made from a key that
//! works ([`Service::authenticate`], [`Identity::grant`]), so a door can't forget the check.
//!
//! What a function takes is what a user wrote; what it returns is what a user reads. Everything
//! that is wrong with the one is an [`Error`] with a code, a place and a remedy, and nothing is
//! stored half. Account boundaries are kept by the store's methods, which all take the
//! principal's account: what belongs to another one is not found.
//!
//! Length: half of it is the list of what the room lets out.

mod absence;
mod account;
mod account_key;
mod api_key;
mod automation;
mod automation_shape;
mod automation_state;
mod chain;
mod check;
mod cloudevent;
mod cloudevent_form;
mod code;
mod condition;
mod condition_shape;
mod connection;
mod dead_letter;
mod definition;
mod delivery;
mod draft;
mod egress;
mod endpoint;
mod endpoint_patch;
mod endpoint_shape;
mod endpoint_url;
mod endpoint_validation;
mod envelopes;
mod error;
mod event;
mod event_type;
mod expiry;
mod explain;
mod first_start;
mod flow;
mod handshake;
mod health;
mod hidden;
mod intake;
mod intake_lines;
mod intake_rules;
mod job;
mod json;
mod kept_test;
mod kept_test_shape;
mod key_pair;
mod mail;
mod merge;
mod operator_key;
mod operator_rules;
mod own_headers;
mod own_policy;
mod own_profile;
mod pace;
mod page;
mod payload;
mod place;
mod plugin;
mod policy;
mod policy_ref;
mod principal;
mod profile;
mod publication;
mod receiver;
mod recorded;
mod reply;
mod reseal;
mod retention;
mod room;
mod rule_change;
mod rulebook;
mod schedule;
mod secret;
mod signature;
mod source;
mod stored_event;
mod strict;
mod subscribe;
mod subscription;
mod supposed;
mod test_event;
mod trial;
mod turns;
mod upkeep;
mod variable;
mod variable_use;
mod version;
mod vetting;
mod webhook;
mod webhook_log;

use std::sync::Arc;

use arc_swap::ArcSwapOption;
use ipnet::IpNet;

pub use crate::store::{AttemptWalk, Shelf};
pub use account::{AccountPatch, AccountView, NewAccount, OwnAccountView};
pub use account_key::{SigningKeyRotation, SigningKeyView};
pub use api_key::{ApiKeyView, NewApiKey, NewApiKeyView};
pub use automation_shape::{AutomationPatch, AutomationView, NewAutomation};
pub use cloudevent::CloudEvent;
pub use code::{
    CodeFile, CodeVariable, DriftView, ExportFormat, ExportRequest, ObjectView, OthersView,
    PlanView, Prune, StepView, Wishes,
};
pub use condition_shape::{
    ConditionProblemView, ConditionRequest, ConditionToCheck, ConditionToConvert, ConditionView,
    PositionView,
};
pub use connection::{
    AccountConnectionRequest, AccountConnectionView, CertificateView, OwnCertificateView,
};
pub use dead_letter::{
    DeadLetterQuery, DeadLetterView, InputOf, LetterNote, LetterRerunNote, LetterRerunRequest,
    LetterRerunState, LetterRerunView, LetterRerunsView, WholeDeadLetterView,
};
pub use definition::{
    ActionRequest, EmitRequest, TransformRequest, TriggerRequest, WebhookRequest,
};
pub use delivery::{AttemptQuery, AttemptView, DeliveryQuery, DeliveryView, WholeAttemptView};
pub use egress::{EgressView, HasKey};
pub use endpoint_shape::{
    EndpointPatch, EndpointView, NewEndpoint, NewEndpointView, Switch, UrlWarningView,
};
pub use endpoint_validation::{
    EndpointToValidate, EndpointValidationView, PingView, ValidationProblemView,
};
pub use error::Error;
pub use event::{
    BranchView, CauseView, EvaluationView, Evaluations, EventQuery, EventState, EventSummary,
    EventView, LinkView, LogExport, LogQuery, MisfitView,
};
pub use event_type::{
    CatalogueView, EventTypePatch, EventTypeVersionView, EventTypeView, Import, ImportOutcome,
    ImportView, ImportedView, NewEventType, WholeCatalogueView,
};
pub use explain::{Basis, Explanation};
pub use first_start::FirstStart;
pub use handshake::ValidationKind;
pub use health::{
    EndpointHealthView, FiguresView, HealthQuery, HealthStepView, HourView, LastAttemptView,
    OverviewView,
};
pub use intake::NewEvent;
pub use intake_lines::LineOutcome;
pub use intake_rules::{UnknownTypes, Validation};
pub use job::{
    BacktestMoveView, BacktestResultView, BacktestSideView, DifferenceBody, DifferenceChange,
    DifferenceExcerpt, DifferenceSide, DifferenceView, GivenView, JobResultView, JobView,
    NewBacktest, NewRecovery, NewRerun, RecoveredState, RecoveryResultView, RerunAs,
    RerunProblemView, RerunResultView,
};
pub use json::read_kept;
pub use kept_test_shape::{
    CameView, ExpectationRequest, Override, TestEventRequest, TestRequest, TestView, TestsView,
};
pub use key_pair::{KeyPairRequest, KeyPairView, KeySetView};
pub use mail::{MailQuery, MailView};
pub use operator_key::{make_operator_key, operator_keys, revoke_operator_key};
pub use operator_rules::{Rules, Schemes};
pub use own_policy::{
    FailurePolicyPatch, FailurePolicyView, NewFailurePolicy, NewRetryPolicy, RetryPolicyPatch,
    RetryPolicyView,
};
pub use own_profile::{NewProfile, ProfilePatch, ProfileView};
pub use page::{Listed, PageRequest};
pub use place::Place;
pub use plugin::{PluginVersionView, PluginView};
pub use policy::{PlannedAttemptView, RetryPreviewRequest, RetryPreviewView};
pub use policy_ref::{FailurePolicyRef, PolicyRef, RetryPolicyRef};
pub use principal::{
    Identity, MayAdminister, MayOperate, MayRead, MayReadCatalogue, MaySend, MayWrite,
    MayWriteCatalogue, Principal, Right, Scope,
};
pub use publication::{Archival, PublicationView, Publish, PublishedView, Rollback};
pub use receiver::{
    AnswerRequest, FindingView, Followed, ForwardedAnswer, ForwardedError, ForwardedRefusal,
    NewReceiver, Received, ReceiverArrival, ReceiverDoor, ReceiverPatch, ReceiverRequestView,
    ReceiverVerification, ReceiverView, SignatureCheckView,
};
pub use reply::{ReplySlot, Started};
pub use reseal::{Resealed, reseal};
pub use retention::{RetentionPatch, RetentionView, Round};
pub use room::{BodyRoom, UploadTurn};
pub use schedule::{
    DstChangeView, NewSchedule, OccurrenceView, PreviewRequest, PreviewView, PreviewedOccurrence,
    SchedulePatch, ScheduleView, TriggerSchedule,
};
pub use secret::{Rotation, SecretView, WholeSecretView};
pub use signature::SignatureRequest;
pub use source::{
    Arrival, NewSource, NewSourceView, RefusalView, SourceDoor, SourceEventView, SourceMapping,
    SourceMappingView, SourcePatch, SourceRotation, SourceStepView, SourceTrial, SourceTrialView,
    SourceView,
};
pub use subscribe::Subscribe;
pub use test_event::{LeftOutView, MadeFrom, TestEventView, TestEventsRequest, TestEventsView};
pub use trial::{MadeView, NewTrial, RequestView, TrialEvent, TrialView};
pub use variable::{NewVariable, VariablePatch, VariableView};
pub use version::{AuthorView, ChangeView, DiffView, VersionView, WholeVersionView};
pub use webhook::{NewWebhook, WEBHOOKS_WRITTEN_MAX, WebhookPatch, WebhookView};
pub use webhook_log::WebhookLogView;

use crate::model::{AccountId, Clock, EndpointId, Shares};
use crate::outbound::{Client, EgressGuard};
use crate::pipeline::Pipeline;
use crate::pipeline::components::Components;
use crate::store::{Hint, Store};
use crate::vault::Vault;
use merge::Merges;
use pace::Pace;
use principal::Known;
use receiver::Receivers;
use room::Rooms;
use source::{Doors, Ledger};
use turns::Turns;
use vetting::Vetting;

/// What a service works with.
#[derive(Debug)]
pub struct Parts {
    /// Where everything is kept.
    pub store: Store,
    /// Seals and opens secrets.
    pub vault: Arc<Vault>,
    /// Loaded plugins.
    pub components: Components,
    /// Where the time comes from.
    pub clock: Clock,
    /// Which addresses may be saved.
    pub guard: EgressGuard,
    /// Sees whether somebody answers at a URL.
    pub client: Client,
    /// From where requests leave, as the operator says.
    pub egress_addresses: Vec<IpNet>,
    /// What the operator has decided.
    pub rules: Rules,
}

struct Inner {
    store: Store,
    vault: Arc<Vault>,
    components: Components,
    clock: Clock,
    guard: EgressGuard,
    client: Client,
    egress_addresses: Vec<IpNet>,
    rules: Rules,
    pipeline: ArcSwapOption<Pipeline>,
    known: Known,
    uploads: Turns,
    lists: Turns,
    exports: Turns,
    trials: Turns,
    schemas: Turns,
    key_pairs: Turns,
    key_sets: Turns,
    mappings: Turns,
    validations: Turns,
    /// How often URLs are validated.
    pace: Pace,
    /// How often examples are sent.
    test_pace: Pace,
    /// Where changes wait that others were faster than.
    merging: Shares<AccountId>,
    rooms: Rooms,
    bell: Arc<tokio::sync::Notify>,
    doors: Doors,
    ledger: Ledger,
    receivers: Receivers,
    vetting: Vetting,
}

/// Everything that can be asked of a node. Clones are the same one.
#[derive(Clone)]
pub struct Service {
    inner: Arc<Inner>,
}

impl Service {
    /// A service without a pipeline: it takes no events until one is attached.
    pub fn new(parts: Parts) -> Self {
        Self {
            inner: Arc::new(Inner {
                store: parts.store,
                vault: parts.vault,
                components: parts.components,
                clock: parts.clock,
                guard: parts.guard,
                client: parts.client,
                egress_addresses: parts.egress_addresses,
                rules: parts.rules,
                pipeline: ArcSwapOption::empty(),
                known: Known::default(),
                uploads: Turns::new(turns::UPLOADS),
                lists: Turns::new(turns::LISTS),
                exports: Turns::new(turns::EXPORTS),
                trials: Turns::new(turns::TRIALS),
                schemas: Turns::new(turns::SCHEMAS),
                key_pairs: Turns::new(turns::KEY_PAIRS),
                key_sets: Turns::new(turns::KEY_SETS),
                mappings: Turns::new(turns::MAPPINGS),
                validations: Turns::new(turns::VALIDATIONS),
                pace: Pace::new(endpoint_validation::PER_MINUTE_MAX),
                test_pace: Pace::new(test_event::PER_MINUTE_MAX),
                merging: Shares::new(merge::AGAIN_MAX),
                rooms: Rooms::new(&parts.rules),
                bell: Arc::default(),
                doors: Doors::default(),
                ledger: Ledger::default(),
                receivers: Receivers::default(),
                vetting: Vetting::default(),
            }),
        }
    }

    /// From now on events go to this pipeline; `None`: they are refused as not storable now.
    pub fn attach(&self, pipeline: Option<Pipeline>) {
        self.inner.pipeline.store(pipeline.map(Arc::new));
    }

    /// The pipeline that events go to.
    pub fn pipeline(&self) -> Option<Pipeline> {
        self.inner.pipeline.load().as_deref().cloned()
    }

    /// What the operator has decided.
    pub fn rules(&self) -> Rules {
        self.inner.rules
    }

    /// Whether events can be taken: the database answers and a pipeline works.
    pub async fn ready(&self) -> Result<(), Error> {
        self.inner.store.ping().await?;
        match self.pipeline() {
            Some(pipeline) if pipeline.is_alive() => Ok(()),
            _ => Err(Error::Unavailable),
        }
    }

    /// Another node has told something; so may this one have.
    pub async fn heard(&self, hint: Hint) {
        match hint {
            Hint::Revision(account, revision) => {
                self.inner.doors.forget(account);
                self.inner.store.heard_of(account, revision);
            }
            Hint::Revoked(key) => self.inner.known.revoke(key),
            Hint::Failing(account, automation) => {
                if let Some(pipeline) = self.pipeline() {
                    pipeline.note_failing(account, automation);
                }
            }
            Hint::Catalogue(account) => self.inner.vetting.forget(account),
            Hint::Received(receiver) => self.inner.receivers.ring(receiver),
            Hint::Look => {
                // What was missed may have been about anybody's event types.
                self.inner.vetting.forget(principal::NO_ACCOUNT);
                if let Some(pipeline) = self.pipeline() {
                    pipeline.look().await;
                }
            }
        }
    }

    /// Tells the pipeline that something of an endpoint's may be due, or held, or cancelled, as soon as
    /// what was written is durable.
    async fn wake(&self, account: AccountId, endpoint: EndpointId) {
        let service = self.clone();
        let told = async move { service.wake_now(account, endpoint) };
        self.inner.store.once_durable(told).await;
    }

    fn wake_now(&self, account: AccountId, endpoint: EndpointId) {
        if let Some(pipeline) = self.pipeline() {
            pipeline.wake(account, endpoint, self.inner.clock.now());
        }
    }
}

impl std::fmt::Debug for Service {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Service")
            .field("rules", &self.inner.rules)
            .finish_non_exhaustive()
    }
}
