//! What goes on behind flow control, at once or later: from the transforms to a plan of its own, by the
//! version that accepted it. Its event is the one whose delivery it is, so that planning it twice names the
//! same deliveries.

use std::collections::HashSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use tokio::sync::OwnedSemaphorePermit;

use super::chain::Chain;
use super::dues::DueTurn;
use super::evaluate::{AcceptedEvent, Reached, evaluate, evaluate_late};
use super::evaluation::{Evaluation, Output, Outputs};
use super::node::{BrokeOff, Hand, Node};
use super::permit::Permit;
use super::plan::Draft;
use super::queue::PlanEntry;
use super::snapshot::Compiled;
use super::standing::Standing;
use super::verdict::Verdict;
use super::workers::Run;
use crate::automation::flow::{self, Ask, Entry, FlowVerdict, Then};
use crate::model::{AccountId, AutomationId, EventId};
use crate::store::{Consequences, Gated, Health};

/// What an event's plan leaves to flow control.
#[derive(Debug)]
pub(super) struct Gate {
    pub(super) event: AcceptedEvent,
    pub(super) automations: Vec<Arc<Compiled>>,
}

/// What a late output is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Carries {
    /// The event's own payload, which is stored.
    Payload,
    /// The digest that stands in the payload's place.
    Digest,
}

impl Carries {
    /// What a version goes on with if an event goes on alone: a digest of it, if that is asked for, has taken its
    /// payload's place.
    pub(super) fn alone(automation: AutomationId, event: &mut AcceptedEvent, ask: &Ask) -> Self {
        let Then::Digest { key, .. } = &ask.then else {
            return Self::Payload;
        };
        let entry = Entry {
            id: event.id,
            event_type: event.event_type.clone(),
            occurred_at: event.occurred_at,
            payload: event.payload.clone(),
        };
        event.payload = flow::digest(automation, key, &[entry]);
        Self::Digest
    }

    /// A digest is stored as an output, also if no transform has touched it.
    pub(super) fn keep(self, evaluation: &mut Evaluation, event: &AcceptedEvent) {
        evaluation.carried = (self == Self::Digest).then(|| event.payload.clone());
        if self == Self::Digest && matches!(evaluation.outputs, Outputs::Payload) {
            evaluation.outputs = Outputs::Transformed(vec![Output {
                content: event.payload.clone(),
                event_type: None,
                headers: Vec::new(),
            }]);
        }
    }
}

/// Something that goes on.
#[derive(Debug)]
pub(super) struct Late {
    pub(super) account: AccountId,
    pub(super) automation: Arc<Compiled>,
    pub(super) event: AcceptedEvent,
    pub(super) carries: Carries,
    pub(super) standing: Arc<Standing>,
    pub(super) permit: Permit,
    /// Its account's turn, if it has waited.
    pub(super) turn: Option<Arc<DueTurn>>,
    /// The place that others go behind, until it is evaluated.
    pub(super) place: Option<OwnedSemaphorePermit>,
    /// Why nothing comes of it, if that is known.
    pub(super) ends: Option<(Verdict, String)>,
    pub(super) chain: Option<Chain>,
}

impl Node {
    /// Goes on with it: on the spot, or on the workers' threads if it runs plugins.
    pub(super) fn go_late(self: &Arc<Self>, late: Late) {
        if late.automation.runs_plugins() && late.ends.is_none() {
            self.go_late_in_turns(late);
        } else if let Some(late) = self.look_late(late) {
            self.go_late_in_turns(late);
        }
    }

    fn go_late_in_turns(self: &Arc<Self>, late: Late) {
        let (account, node) = (late.account, self.clone());
        self.workers
            .submit(account, Box::new(LateTurns { node, late }));
    }

    /// Looks at it up to the next run of a plugin. What comes back has more to do.
    fn look_late(self: &Arc<Self>, mut late: Late) -> Option<Late> {
        let (automation, event) = (&late.automation, &late.event);
        let reached = match (late.ends.take(), late.chain.take()) {
            (Some((verdict, why)), _) => {
                let mut evaluation = Evaluation::begin(automation);
                evaluation.ends(verdict, why);
                Reached::Verdict(evaluation)
            }
            (None, None) => evaluate_late(automation, event),
            (None, from) => {
                let engine = self.components.engine();
                evaluate(automation, event, &event.view(), engine, from)
            }
        };
        match reached {
            Reached::Verdict(evaluation) => self.plan_late(late, evaluation),
            Reached::Midway(chain) => {
                late.chain = Some(chain);
                return Some(late);
            }
            Reached::NotNow { from, why } => {
                tracing::warn!(why, event.id = %late.event.id, "what has waited goes on later");
                late.chain = Some(from);
                let node = self.clone();
                self.spawn(async move {
                    node.pause().await;
                    node.go_late_in_turns(late);
                });
            }
        }
        None
    }

    fn plan_late(self: &Arc<Self>, late: Late, mut evaluation: Evaluation) {
        let Late {
            account,
            automation,
            event,
            carries,
            standing,
            mut permit,
            turn,
            place,
            ..
        } = late;
        let now = self.clock.now();
        if evaluation.verdict == Verdict::Fired {
            evaluation.ends(Verdict::Fired, format!("it went at {now}"));
        }
        carries.keep(&mut evaluation, &event);
        let mut draft = Draft::new(event.id);
        let verdict = draft.add(&automation, &event, &standing.last_loaded(), evaluation);
        if verdict.shows_health()
            && !event.is_operational()
            && standing.failing.works(automation.id)
        {
            draft.fares(automation.id, Health::Works);
        }
        draft.close(&event);
        metrics::counter!("throwbar_late_evaluations_total", "verdict" => verdict.as_str())
            .increment(1);
        let mut plan = draft.finish(account, 0, now);
        plan.rows.late = Some(automation.id);
        permit.grow(plan.bytes);
        self.queue_plan(
            plan,
            Hand {
                standing,
                permit,
                gate: None,
                turn,
            },
        );
        drop(place);
    }
}

/// What goes on now behind flow control.
pub(super) type GoesOn = HashSet<(EventId, AutomationId)>;

/// Counts what flow control has said, and notes what waits because of it.
pub(super) fn gated(node: &Arc<Node>, gated: &[Gated]) -> GoesOn {
    let mut goes_on = GoesOn::new();
    for one in gated {
        metrics::counter!("throwbar_evaluations_total", "verdict" => one.verdict.as_str())
            .increment(1);
        if one.verdict == FlowVerdict::LimitExceeded {
            let standing = node.snapshots.follow(one.account);
            standing.failing.note(&[one.automation]);
        }
        if one.goes_on {
            goes_on.insert((one.event, one.automation));
        }
        if let Some(due_at) = one.due_at {
            node.dues.waits(one.account, due_at);
        }
    }
    goes_on
}

/// Goes on with what flow control lets.
pub(super) fn go_on(
    node: &Arc<Node>,
    account: AccountId,
    hand: (Gate, Arc<Standing>),
    goes_on: &GoesOn,
) {
    let (gate, standing) = hand;
    for automation in gate.automations {
        if goes_on.contains(&(gate.event.id, automation.id)) {
            node.go_late(Late {
                account,
                automation,
                event: gate.event.clone(),
                carries: Carries::Payload,
                standing: standing.clone(),
                permit: node.permits.take_over(account, gate.event.payload.len()),
                turn: None,
                place: None,
                ends: None,
                chain: None,
            });
        }
    }
}

/// Nothing comes of what has waited: without outputs there is nothing left that could be refused. Whether
/// there were any.
pub(super) fn poisoned(node: &Arc<Node>, mut plan: PlanEntry) -> bool {
    let rows = Arc::make_mut(&mut plan.rows);
    let Ok(mut evaluations) = serde_json::from_slice::<Vec<Evaluation>>(&rows.verdicts) else {
        return false;
    };
    if rows.deliveries.is_empty() && rows.bodies.is_empty() && rows.consequences.is_empty() {
        tracing::error!(account.id = %rows.account, event.id = %rows.event, "what has waited can't be ended");
        return false;
    }
    for evaluation in &mut evaluations {
        evaluation.ends(
            Verdict::EvaluationError,
            "its plan can't be stored".to_owned(),
        );
    }
    rows.verdicts = serde_json::to_vec(&evaluations).unwrap_or_default().into();
    rows.deliveries.clear();
    rows.bodies.clear();
    rows.consequences = Consequences::default();
    plan.contents.clear();
    plan.slots.clear();
    node.queue.plan(plan);
    true
}

/// A late output on the workers' threads.
struct LateTurns {
    node: Arc<Node>,
    late: Late,
}

impl Run for LateTurns {
    fn turn(self: Box<Self>) -> Option<Box<dyn Run>> {
        let Self { node, late } = *self;
        let turn = AssertUnwindSafe(|| node.look_late(late));
        let left = catch_unwind(turn).unwrap_or_else(|_| {
            node.end(&BrokeOff);
            None
        });
        left.map(|late| Box::new(Self { node, late }) as Box<dyn Run>)
    }
}
