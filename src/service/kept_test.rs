//! Tests that are kept with an automation's versions: written by its author, run before a version is published,
//! and whenever somebody wants to see them run. A version whose tests fail is published only by who says why.

use serde_json::value::RawValue;

use super::absence::{NOT_SUBSCRIBED, unmet};
use super::kept_test_shape::{CameView, Override, TestView, TestsView};
use super::principal::{MayWrite, Principal};
use super::schedule::own::may_meet;
use super::trial::TRIAL_MS;
use super::{Error, Service, check};
use crate::automation::{Definition, Test, TestEvent};
use crate::model::{AccountId, AutomationId, EventId, counted};
use crate::pipeline::{AcceptedEvent, Trial};
use crate::store::{self, PublishedAutomation};

/// Most tests that a sentence names.
const NAMED_MAX: usize = 3;

impl Service {
    /// Runs the tests of a version. Nothing is sent or stored.
    pub async fn run_tests(
        &self,
        who: &Principal<MayWrite>,
        (id, version): (&str, &str),
    ) -> Result<TestsView, Error> {
        let account = who.account();
        let id: AutomationId = check::id(id, "automation")?;
        let row = self.automation_row(account, id).await?;
        let number = check::known_by(version, Error::NoSuchVersion)?;
        let saved = self.saved(account, id, number).await?;
        let definition = saved.definition()?;
        let version = PublishedAutomation {
            id,
            name: row.name,
            owner_endpoint: None,
            version: number,
            definition: saved.text,
        };
        let data = self.tested(account, &version, &definition).await?;
        Ok(TestsView {
            version: number,
            passed: data.iter().all(|test| test.passed),
            data,
        })
    }

    /// Sees that the tests of a version pass that is published. Why it is although they don't, if somebody says
    /// so.
    pub(super) async fn pass_tests(
        &self,
        account: AccountId,
        version: &PublishedAutomation,
        definition: &Definition,
        overriding: Option<&Override>,
    ) -> Result<Option<String>, Error> {
        let mut tests = self.tested(account, version, definition).await?;
        let count = tests.len();
        tests.retain(|test| !test.passed);
        match overriding {
            _ if tests.is_empty() => Ok(None),
            Some(overriding) => Ok(Some(overriding.reason.clone())),
            None => Err(Error::TestsFailed {
                why: told(&tests, count),
                failed: tests,
            }),
        }
    }

    /// The same of a version that is saved already.
    pub(super) async fn pass_saved(
        &self,
        who: &Principal<MayWrite>,
        row: &store::Automation,
        number: i64,
        overriding: Option<&Override>,
    ) -> Result<Option<String>, Error> {
        let saved = self.saved(who.account(), row.id, number).await?;
        let definition = saved.definition()?;
        let version = PublishedAutomation {
            id: row.id,
            name: row.name.clone(),
            owner_endpoint: None,
            version: number,
            definition: saved.text,
        };
        self.pass_tests(who.account(), &version, &definition, overriding)
            .await
    }

    /// The same of the published version, when it is switched on: what was live before goes back as it is, as with
    /// a rollback, whatever was said when it was published.
    pub(super) async fn pass_again(
        &self,
        who: &Principal<MayWrite>,
        row: &store::Automation,
        (number, overriding): (i64, Option<&Override>),
    ) -> Result<Option<String>, Error> {
        let store = &self.inner.store;
        if store.was_live(who.account(), row.id, number).await? {
            return Ok(None);
        }
        self.pass_saved(who, row, number, overriding).await
    }

    /// What comes of each of the definition's tests, one after the other and not for ever.
    async fn tested(
        &self,
        account: AccountId,
        version: &PublishedAutomation,
        definition: &Definition,
    ) -> Result<Vec<TestView>, Error> {
        let mut tested = Vec::with_capacity(definition.tests.len());
        if definition.tests.is_empty() {
            return Ok(tested);
        }
        let turn = self.trial_turn(account).await?;
        let clock = &self.inner.clock;
        let until = clock.now().plus_ms(TRIAL_MS);
        for test in &definition.tests {
            let run = self.run_test(account, version, definition, test);
            tested.push(tokio::select! {
                biased;
                came = run => came?,
                () = clock.sleep_until(until) => return Err(Error::TrialOverdue { s: TRIAL_MS / 1000 }),
            });
        }
        drop(turn);
        Ok(tested)
    }

    async fn run_test(
        &self,
        account: AccountId,
        version: &PublishedAutomation,
        definition: &Definition,
        test: &Test,
    ) -> Result<TestView, Error> {
        let TestEvent {
            event_type,
            data,
            timestamp,
        } = &test.event;
        let now = self.inner.clock.now();
        let trigger = &definition.trigger;
        let (verdict, summary, outputs) = if may_meet(trigger, event_type) {
            let trial = Trial {
                account,
                automation: version.clone(),
                event: AcceptedEvent {
                    id: EventId::mint(now),
                    event_type: event_type.clone(),
                    occurred_at: timestamp.unwrap_or(now),
                    payload: data.get().to_owned().into(),
                    cause: None,
                    origin: None,
                },
                endpoints: None,
                variables: Some(self.variables_in(account, &version.definition).await?),
            };
            let tried = self.try_now(trial).await?;
            let explained = tried.explained;
            (explained.verdict.as_str(), explained.summary, tried.outputs)
        } else {
            let summary = unmet(trigger, event_type);
            (NOT_SUBSCRIBED, summary, Vec::new())
        };
        let outputs = outputs.iter().map(|output| text(output));
        let outputs: Vec<String> = outputs.collect();
        Ok(TestView {
            name: test.name.clone(),
            passed: test.expect.is_met(verdict, &outputs),
            expected: test.expect.clone(),
            came: CameView {
                verdict,
                summary,
                outputs: outputs.iter().map(|output| shown(output)).collect(),
            },
        })
    }
}

fn text(output: &[u8]) -> String {
    String::from_utf8_lossy(output).into_owned()
}

/// A body as it is; as text, if it is no JSON.
fn shown(output: &str) -> Box<RawValue> {
    let quoted = |text: &str| serde_json::value::to_raw_value(text);
    RawValue::from_string(output.to_owned())
        .or_else(|_| quoted(output))
        .unwrap_or_else(|_| RawValue::NULL.to_owned())
}

/// What failed, and what to do.
fn told(failed: &[TestView], count: usize) -> String {
    let each = failed.iter().take(NAMED_MAX).map(|test| {
        let (wanted, came) = (&test.expected.verdict, test.came.verdict);
        if wanted == came {
            format!("'{}' expects other outputs than came", test.name)
        } else {
            format!(
                "'{}' expects {wanted}, and {came} came ({})",
                test.name, test.came.summary
            )
        }
    });
    let each = each.collect::<Vec<_>>().join("; ");
    let more = match failed.len().saturating_sub(NAMED_MAX) {
        0 => String::new(),
        more => format!("; and {more} more"),
    };
    format!(
        "{} of {} failed: {each}{more}. Mend the automation or its tests, or publish it all the same with \
         override and a reason",
        failed.len(),
        counted(count, "test")
    )
}
