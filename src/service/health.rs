//! How endpoints do: what their tallies say. A few seconds behind, since attempts are counted up every two seconds; the
//! last attempts themselves are shown as they are on record.

use std::collections::{BTreeMap, HashMap};
use std::convert::Infallible;

use serde::Serialize;
use utoipa::ToSchema;

use super::principal::{MayAdminister, MayRead, Principal};
use super::{Error, Listed, PageRequest, Place, Service, check};
use crate::model::{AttemptId, DeliveryId, EndpointId, Timestamp};
use crate::store::{self, TallyRow};
use crate::tally::{Span, SuccessRateAlert, Tally};

/// How often what was attempted is counted up.
const LOOK_MS: i64 = 2_000;
/// The pause while there is more.
const PAUSE_MS: i64 = 25;
/// How many hours the overview has.
const OVERVIEW_HOURS: i64 = 24;
/// Steps of a series, if nothing is said.
const STEPS_DEFAULT: i64 = 60;

/// Which series of an endpoint's health is wanted, as it was asked for.
#[derive(Debug, Clone, Default)]
pub struct HealthQuery {
    /// `minute` or `hour`.
    pub step: Option<String>,
    /// How many of them, up to now.
    pub steps: Option<i64>,
}

/// What attempts came to.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct FiguresView {
    /// How many were made.
    pub attempts: u64,
    /// How many succeeded.
    pub succeeded: u64,
    /// How many failed.
    pub failed: u64,
    /// The part that succeeded, 0 to 1; null, if none was made.
    pub success_rate: Option<f64>,
    /// How long answers took, whatever they were: the average in milliseconds; null, if none came.
    pub average_ms: Option<i64>,
    /// Half of the answers took so long at most, within 10 %.
    pub p50_ms: Option<i64>,
    /// 95 of 100 answers took so long at most, within 10 %.
    pub p95_ms: Option<i64>,
    /// 99 of 100 answers took so long at most, within 10 %.
    pub p99_ms: Option<i64>,
    /// How many failed, by class: `status` (an answer that is no success), `dns`, `connect`, `tls`, `timeout`,
    /// `too_large` or `egress`.
    #[schema(example = json!({"status": 3, "timeout": 1}))]
    pub failures: BTreeMap<String, u64>,
}

/// One minute or hour of a series.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct HealthStepView {
    /// When it began, RFC 3339.
    #[schema(value_type = String, format = DateTime)]
    pub from: Timestamp,
    /// What the attempts that ended in it came to.
    #[serde(flatten)]
    pub figures: FiguresView,
}

/// One of the last attempts.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct LastAttemptView {
    /// The attempt's id.
    #[schema(value_type = String)]
    pub id: AttemptId,
    /// The id of its delivery.
    #[schema(value_type = String)]
    pub delivery: DeliveryId,
    /// When it began, RFC 3339.
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    /// Whether it succeeded.
    pub succeeded: bool,
    /// The answer's HTTP status; null, if there was no answer.
    pub status_code: Option<i64>,
    /// Why there was no answer; null, if there was one.
    pub error_class: Option<String>,
    /// How long it took, in milliseconds.
    pub duration_ms: i64,
}

/// How an endpoint does.
#[derive(Debug, Serialize, ToSchema)]
pub struct EndpointHealthView {
    /// The endpoint's id.
    #[schema(value_type = String)]
    pub endpoint: EndpointId,
    /// Whether deliveries go out: `enabled` or `disabled`.
    pub state: String,
    /// When it first failed since it last took a delivery, RFC 3339; null, if it does not fail.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub failing_since: Option<Timestamp>,
    /// When it was told that too few of its attempts succeed, RFC 3339; null, if it was not, or enough do again.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub success_rate_dropped_at: Option<Timestamp>,
    /// `minute` or `hour`.
    pub step: &'static str,
    /// All that the series has, together.
    pub total: FiguresView,
    /// Step by step, oldest first; the last one is not over yet.
    pub series: Vec<HealthStepView>,
    /// The last attempts, newest first: up to 20, of the 50 deliveries that were made last.
    pub last: Vec<LastAttemptView>,
}

/// How an endpoint does, in short.
#[derive(Debug, Serialize, ToSchema)]
pub struct OverviewView {
    /// The endpoint's id.
    #[schema(value_type = String)]
    pub endpoint: EndpointId,
    /// What it is called.
    pub name: String,
    /// Whether deliveries go out: `enabled` or `disabled`.
    pub state: String,
    /// Why it is disabled; null, if it is not.
    pub disabled_why: Option<String>,
    /// When it first failed since it last took a delivery, RFC 3339; null, if it does not fail.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub failing_since: Option<Timestamp>,
    /// What its attempts came to in this hour and the 23 before.
    pub day: FiguresView,
    /// Those of these hours in which there were attempts, oldest first.
    pub hours: Vec<HourView>,
}

/// One hour, in short.
#[derive(Debug, Serialize, ToSchema)]
pub struct HourView {
    /// When it began, RFC 3339.
    #[schema(value_type = String, format = DateTime)]
    pub from: Timestamp,
    /// How many attempts ended in it.
    pub attempts: u64,
    /// How many of them succeeded.
    pub succeeded: u64,
}

impl From<&Tally> for FiguresView {
    fn from(tally: &Tally) -> Self {
        Self {
            attempts: tally.attempts(),
            succeeded: tally.succeeded,
            failed: tally.failed(),
            success_rate: tally.success_rate(),
            average_ms: tally.average_ms(),
            p50_ms: tally.answered.quantile_ms(500),
            p95_ms: tally.answered.quantile_ms(950),
            p99_ms: tally.answered.quantile_ms(990),
            failures: tally.failures.clone(),
        }
    }
}

impl From<store::LastAttempt> for LastAttemptView {
    fn from(row: store::LastAttempt) -> Self {
        Self {
            id: row.id,
            delivery: row.delivery,
            at: row.started_at,
            succeeded: row
                .status_code
                .is_some_and(|code| (200..300).contains(&code)),
            status_code: row.status_code,
            error_class: row.error_class,
            duration_ms: row.duration_ms,
        }
    }
}

impl HealthQuery {
    /// Of which span, and how many.
    fn series(&self) -> Result<(Span, &'static str, i64), Error> {
        let (span, word) = match self.step.as_deref() {
            None | Some("minute") => (Span::Minute, "minute"),
            Some("hour") => (Span::Hour, "hour"),
            Some(_) => {
                return Err(wrong(
                    "step",
                    "there is no such step: take minute or hour".to_owned(),
                ));
            }
        };
        let steps = self.steps.unwrap_or(STEPS_DEFAULT);
        if !(1..=span.kept()).contains(&steps) {
            let why = format!(
                "steps is {steps}: by the {word} it must be 1 to {}, which are kept",
                span.kept()
            );
            return Err(wrong("steps", why));
        }
        Ok((span, word, steps))
    }
}

fn wrong(name: &str, why: String) -> Error {
    Error::Invalid {
        code: "invalid_parameter",
        at: Place::Query(name.to_owned()),
        why,
    }
}

/// A whole series and its sum: what nobody has counted is nothing.
fn series(
    rows: &[TallyRow],
    (span, first): (Span, Timestamp),
    steps: i64,
) -> (Tally, Vec<HealthStepView>) {
    let known: HashMap<Timestamp, &Tally> = rows.iter().map(|row| (row.from, &row.tally)).collect();
    let (mut total, none) = (Tally::default(), Tally::default());
    let step = |no: i64| {
        let from = first.plus_ms(no * span.ms());
        let tally = known.get(&from).copied().unwrap_or(&none);
        total.add(tally);
        HealthStepView {
            from,
            figures: tally.into(),
        }
    };
    let series = (0..steps).map(step).collect();
    (total, series)
}

/// What an account says, as it is stored; what can't be read says nothing.
pub(super) fn alert_of(stored: Option<&str>) -> SuccessRateAlert {
    stored
        .and_then(|text| serde_json::from_str(text).ok())
        .unwrap_or(SuccessRateAlert::Off)
}

impl Service {
    /// Counts up what was attempted, for as long as it is let.
    pub(super) async fn keep_tallies(&self) -> Infallible {
        let clock = &self.inner.clock;
        loop {
            let more = self.count_up().await.unwrap_or_else(|error| {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "what was attempted can't be counted up"
                );
                false
            });
            let pause_ms = if more { PAUSE_MS } else { LOOK_MS };
            clock.sleep_until(clock.now().plus_ms(pause_ms)).await;
        }
    }

    /// Counts up some of what was attempted on any node. Whether there is more.
    pub async fn count_up(&self) -> Result<bool, Error> {
        let now = self.inner.clock.now();
        match self.inner.store.fold_tallies(now).await {
            // Another node was at the same rows.
            Err(store::Error::Raced) => Ok(true),
            folded => Ok(folded?),
        }
    }

    /// How an endpoint does.
    pub async fn endpoint_health(
        &self,
        who: &Principal<MayRead>,
        id: &str,
        query: &HealthQuery,
    ) -> Result<EndpointHealthView, Error> {
        let (span, step, steps) = query.series()?;
        let _turn = self.list_turn(who.account()).await?;
        let row = self
            .endpoint_row(who.account(), check::id(id, "endpoint")?)
            .await?;
        let (store, now) = (&self.inner.store, self.inner.clock.now());
        let first = span.from(now).plus_ms(-(steps - 1) * span.ms());
        let rows = store.tallies(who.account(), row.id, (span, first)).await?;
        let (total, series) = series(&rows, (span, first), steps);
        let last = store.last_attempts(who.account(), row.id).await?;
        Ok(EndpointHealthView {
            endpoint: row.id,
            success_rate_dropped_at: store.rate_dropped_at(who.account(), row.id).await?,
            state: row.state,
            failing_since: row.failing_since,
            step,
            total: (&total).into(),
            series,
            last: last.into_iter().map(LastAttemptView::from).collect(),
        })
    }

    /// How the account's endpoints do, a page of them.
    pub async fn endpoints_health(
        &self,
        who: &Principal<MayRead>,
        page: &PageRequest,
    ) -> Result<Listed<OverviewView>, Error> {
        let _turn = self.list_turn(who.account()).await?;
        let (store, now) = (&self.inner.store, self.inner.clock.now());
        let rows = store
            .endpoints(who.account(), page.after()?, page.limit()?)
            .await?;
        let first = Span::Hour
            .from(now)
            .plus_ms(-(OVERVIEW_HOURS - 1) * Span::Hour.ms());
        let endpoints: Vec<EndpointId> = rows.rows.iter().map(|row| row.id).collect();
        let mut hours: HashMap<EndpointId, Vec<TallyRow>> = HashMap::new();
        for row in store.hours(who.account(), &endpoints, first).await? {
            hours.entry(row.endpoint).or_default().push(row);
        }
        Ok(Listed::of(rows, |row| {
            let of_hours = hours.remove(&row.id).unwrap_or_default();
            OverviewView::of(row, &of_hours)
        }))
    }

    /// Has the endpoints of the account that say nothing of their own do as this says.
    pub(super) async fn change_success_rate_alert(
        &self,
        who: &Principal<MayAdminister>,
        alert: SuccessRateAlert,
    ) -> Result<(), Error> {
        if alert.is_account() {
            let why = "this is the account: say off, or below which rate it is told";
            return Err(Error::field("/success_rate_alert", why));
        }
        let text =
            serde_json::to_string(&alert).map_err(|error| Error::unreadable("the alert", error))?;
        let store = &self.inner.store;
        store
            .change_success_rate_alert(who.account(), Some(text))
            .await?;
        Ok(())
    }
}

impl OverviewView {
    fn of(row: store::Endpoint, hours: &[TallyRow]) -> Self {
        let mut day = Tally::default();
        for hour in hours {
            day.add(&hour.tally);
        }
        let hour = |hour: &TallyRow| HourView {
            from: hour.from,
            attempts: hour.tally.attempts(),
            succeeded: hour.tally.succeeded,
        };
        Self {
            endpoint: row.id,
            name: row.name,
            state: row.state,
            disabled_why: row.disabled_why,
            failing_since: row.failing_since,
            day: (&day).into(),
            hours: hours.iter().map(hour).collect(),
        }
    }
}
