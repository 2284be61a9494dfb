//! A chain of transforms at work: each runs on every output of the one before it, one run at a time.

use super::evaluate::{AcceptedEvent, Reached};
use super::evaluation::{BreakingPoint, Evaluation, Output, Outputs};
use super::secret::Secrets;
use super::shown;
use super::snapshot::Compiled;
use super::step::Step;
use super::verdict::Verdict;
use crate::automation::OnError;
use crate::model::limits::OUTPUTS_MAX;
use crate::plugin::{self, Context, Engine, Event, Outcome, Request, RunError};

/// As far as it has come.
#[derive(Debug)]
pub(super) struct Chain {
    evaluation: Evaluation,
    /// Which transform runs.
    transform_no: usize,
    /// What it runs on.
    inputs: Vec<Output>,
    /// On how many of them it has run.
    done: usize,
    /// What it has made of those.
    outputs: Vec<Output>,
    /// Why it has dropped the last one that it dropped.
    dropped: String,
    tells: Tells,
}

/// What the step of a run tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Tells {
    /// What came of it, and what it used.
    Outcome,
    /// Also what went in and what came out.
    Everything,
}

impl Chain {
    /// One that runs on the event.
    pub(super) fn begin(evaluation: Evaluation, event: &AcceptedEvent) -> Self {
        Self {
            evaluation,
            transform_no: 0,
            inputs: vec![payload(event)],
            done: 0,
            outputs: Vec::new(),
            dropped: String::new(),
            tells: Tells::Outcome,
        }
    }

    /// The same, with what goes into each run from now on, and what comes out, in its step: for whoever tries
    /// it, and not for a record.
    pub(super) fn telling_everything(mut self) -> Self {
        self.tells = Tells::Everything;
        self
    }

    /// Makes the next run.
    pub(super) fn go_on(
        mut self,
        automation: &Compiled,
        event: &AcceptedEvent,
        engine: &Engine,
    ) -> Reached {
        let input = &self.inputs[self.done];
        let (mut result, mut step) = run(automation, self.transform_no, event, input, engine);
        if self.tells == Tells::Everything {
            shown::add(&mut step, input, result.as_ref().ok());
        }
        if !automation.secrets.is_empty() {
            hide(&automation.secrets, &mut result, &mut step);
        }
        let misconfigured = matches!(result, Err(Failed::Config(_)));
        let made = match result {
            Ok(Outcome::Emit(made)) => {
                let made: Vec<_> = made
                    .into_iter()
                    .map(|output| carry(input, output))
                    .collect();
                if self.outputs.len() + made.len() > OUTPUTS_MAX {
                    Err(format!("the chain has more than {OUTPUTS_MAX} outputs"))
                } else {
                    Ok(made)
                }
            }
            Ok(Outcome::Drop(reason)) => {
                self.dropped = reason;
                Ok(Vec::new())
            }
            Err(Failed::Here(why) | Failed::Config(why)) => Err(why),
            Err(Failed::Now(why)) => return Reached::NotNow { from: self, why },
        };
        match made {
            Ok(made) => self.outputs.extend(made),
            Err(why) => match automation.transforms[self.transform_no].on_error {
                OnError::Fail => {
                    self.evaluation.step(step);
                    self.evaluation.misconfigured = misconfigured;
                    return self.breaks(automation, event, &why);
                }
                OnError::Skip => {
                    step.why = format!("{why}; it is left out, and what went into it goes on");
                    self.outputs.push(input.clone());
                }
                OnError::Drop => {
                    step.why = format!("{why}; what went into it is dropped");
                    self.dropped = format!("it failed: {why}");
                }
            },
        }
        self.evaluation.step(step);
        self.done += 1;
        if self.done == self.inputs.len() {
            self.next_transform(automation, event)
        } else {
            Reached::Midway(self)
        }
    }

    /// The transform that ran has run on everything.
    fn next_transform(mut self, automation: &Compiled, event: &AcceptedEvent) -> Reached {
        if self.outputs.is_empty() {
            let why = format!(" dropped it: {}", self.dropped);
            return self.ends(automation, Verdict::PluginDropped, &why);
        }
        self.inputs = std::mem::take(&mut self.outputs);
        self.done = 0;
        self.dropped.clear();
        self.transform_no += 1;
        if self.transform_no < automation.transforms.len() {
            return Reached::Midway(self);
        }
        // Unchanged, the payload is referred to and not kept twice.
        if self.inputs != [payload(event)] {
            self.evaluation.outputs = Outputs::Transformed(self.inputs);
        }
        Reached::Verdict(self.evaluation)
    }

    /// Ends here, because the transform failed.
    fn breaks(mut self, automation: &Compiled, event: &AcceptedEvent, why: &str) -> Reached {
        let input = self.inputs.swap_remove(self.done).content;
        self.evaluation.broke_at = Some(BreakingPoint {
            place: self.transform_no,
            input: Some(input).filter(|input| *input != event.payload),
        });
        self.ends(automation, Verdict::PluginError, &format!(": {why}"))
    }

    /// Ends here, with what the transform that ran has done.
    fn ends(mut self, automation: &Compiled, verdict: Verdict, what: &str) -> Reached {
        let plugin = &automation.transforms[self.transform_no].plugin;
        self.evaluation.ends(verdict, format!("{plugin}{what}"));
        Reached::Verdict(self.evaluation)
    }
}

/// The event's payload, as the first transform runs on it.
fn payload(event: &AcceptedEvent) -> Output {
    Output {
        content: event.payload.clone(),
        event_type: None,
        headers: Vec::new(),
    }
}

/// What a later transform does not say stays as an earlier one said it.
fn carry(input: &Output, output: plugin::Output) -> Output {
    let mut headers = input.headers.clone();
    headers.retain(|(name, _)| {
        !output
            .headers
            .iter()
            .any(|(newer, _)| newer.eq_ignore_ascii_case(name))
    });
    headers.extend(output.headers);
    Output {
        content: output.data,
        event_type: output.event_type.or_else(|| input.event_type.clone()),
        headers,
    }
}

/// Takes secrets out of what a run has to say. What it has made stays as it is: it is what is delivered.
fn hide(secrets: &Secrets, result: &mut Result<Outcome, Failed>, step: &mut Step) {
    secrets.hide(&mut step.why);
    secrets.hide_in(&mut step.detail);
    match result {
        Ok(Outcome::Drop(why))
        | Err(Failed::Here(why) | Failed::Config(why) | Failed::Now(why)) => secrets.hide(why),
        Ok(Outcome::Emit(_)) => {}
    }
}

/// Why a run has no outcome.
enum Failed {
    /// With this plugin and this event it never will.
    Here(String),
    /// With its configuration it will for no event.
    Config(String),
    /// The server could not run it this time.
    Now(String),
}

/// One run of the transform at `transform_no`, and the step that it is.
fn run(
    automation: &Compiled,
    transform_no: usize,
    event: &AcceptedEvent,
    input: &Output,
    engine: &Engine,
) -> (Result<Outcome, Failed>, Step) {
    let transform = &automation.transforms[transform_no];
    let mut step = Step {
        kind: "transform".to_owned(),
        what: transform.plugin.clone(),
        digest: Some(transform.digest.clone()),
        outcome: "error".to_owned(),
        why: String::new(),
        detail: serde_json::Value::Null,
    };
    let text = std::str::from_utf8(&input.content).map_err(|error| error.to_string());
    let ready = transform.component.as_ref().map_err(Clone::clone);
    let (component, data) = match ready.and_then(|component| Ok((component, text?))) {
        Ok(ready) => ready,
        Err(why) => {
            step.why.clone_from(&why);
            return (Err(Failed::Here(why)), step);
        }
    };
    let own_type = event.event_type.as_str();
    let run = engine.run(
        component,
        &Request {
            event: &Event {
                id: &event.id.to_string(),
                event_type: input.event_type.as_deref().unwrap_or(own_type),
                timestamp: &event.occurred_at.to_string(),
                source: event.source(),
                data,
            },
            context: &Context {
                automation: &automation.id.to_string(),
                automation_version: u32::try_from(automation.version).unwrap_or(u32::MAX),
                step: transform_no as u32,
                config: transform.config.text(),
            },
        },
    );
    let (outcome, why) = match &run.result {
        Ok(Outcome::Emit(outputs)) => ("emitted", format!("{} output(s)", outputs.len())),
        Ok(Outcome::Drop(reason)) => ("dropped", reason.clone()),
        Err(error) => (error.word(), error.to_string()),
    };
    outcome.clone_into(&mut step.outcome);
    step.why = why;
    step.detail = serde_json::json!({ "usage": run.usage, "log": run.log });
    let result = run.result.map_err(|error| match error {
        RunError::Host(why) => Failed::Now(why),
        error @ RunError::InvalidConfig(_) => Failed::Config(error.to_string()),
        error => Failed::Here(error.to_string()),
    });
    (result, step)
}
