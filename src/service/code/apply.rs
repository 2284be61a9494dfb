//! A file planned, and a file applied: everything decided first, then written in one commit on the condition that
//! the account is still what was looked at. Who is overtaken looks again.

use std::collections::BTreeMap;

use super::decision::{AutomationWrite, Decided, EndpointWrite, Write};
use super::file::File;
use super::present::{Known, Row};
use super::view::PlanView;
use super::{Section, Wishes};
use crate::model::{EndpointId, Timestamp};
use crate::service::automation_state::Change;
use crate::service::endpoint::signatures_of;
use crate::service::principal::{MayWrite, Principal};
use crate::service::schedule::name_taken;
use crate::service::{Error, Place, Service, check};
use crate::store::{
    self, Applied, Authorship, AutomationChange, EventTypeWrite, NewEndpoint, NewKeyPair, Removal,
    RuleKind,
};

/// The key pairs that endpoints get.
type Pairs = BTreeMap<EndpointId, Vec<NewKeyPair>>;

/// How often it is decided anew, because somebody has changed something meanwhile.
const APPLIES_MAX: u32 = 5;

impl Service {
    /// Says what applying a file would do.
    pub async fn plan_code(
        &self,
        who: &Principal<MayWrite>,
        file: &[u8],
        wishes: Wishes,
    ) -> Result<PlanView, Error> {
        check_reason(&wishes)?;
        let file = File::read(file)?;
        let decided = Box::pin(self.decide(who, &file, &wishes)).await;
        let decided = decided.map_err(|error| file.placed(error))?;
        let mut view = decided.view(&file)?;
        if let Some(events) = wishes.backtest {
            self.compare(who, (&decided, &mut view), events).await?;
        }
        Ok(view)
    }

    /// Applies a file: all of it, or nothing.
    pub async fn apply_code(
        &self,
        who: &Principal<MayWrite>,
        file: &[u8],
        wishes: Wishes,
    ) -> Result<PlanView, Error> {
        check_reason(&wishes)?;
        let file = File::read(file)?;
        for _ in 0..APPLIES_MAX {
            let done = Box::pin(self.try_to_apply(who, &file, &wishes)).await;
            match done {
                Err(error) if is_overtaken(&error) => {}
                done => return done.map_err(|error| file.placed(error)),
            }
        }
        Err(Error::Conflict {
            code: "changed_meanwhile",
            why: "somebody else changes this account again and again while the file is checked, and nothing of it \
                  was applied: plan it again in a moment"
                .to_owned(),
        })
    }

    async fn try_to_apply(
        &self,
        who: &Principal<MayWrite>,
        file: &File,
        wishes: &Wishes,
    ) -> Result<PlanView, Error> {
        let decided = Box::pin(self.decide(who, file, wishes)).await?;
        let view = decided.view(file)?;
        if wishes.plan.as_ref().is_some_and(|plan| *plan != view.plan) {
            return Err(Error::Conflict {
                code: "plan_outdated",
                why: format!(
                    "something has changed since it was planned, and nothing was applied: now it is {}: plan it again",
                    view.summary
                ),
            });
        }
        let notes = self.notes(who, &decided);
        if view.changes > 0 || !notes.is_empty() {
            let pairs = self.pairs(who, &decided).await?;
            let keys = self.pairs_for(who.account(), &decided.followers).await?;
            let written = Box::pin(async {
                let written = self.write(who, &decided, (&notes, &pairs));
                written.await?;
                let followers = (&decided.followers[..], &keys[..]);
                self.write_followers(who.account(), followers).await
            });
            self.inner.store.in_one(written).await?;
        }
        Ok(decided.done(view))
    }

    /// What is to be written down of it.
    fn notes(&self, who: &Principal<MayWrite>, decided: &Decided) -> Notes {
        let (author, now) = (who.author(), self.inner.clock.now());
        let applied = &decided.present.applied;
        let mut notes = Notes::default();
        for decision in &decided.decisions {
            let known = applied.get(&(decision.section, decision.object.clone()));
            let is_so = known.is_some_and(|known| {
                known.content == decision.content.text && known.name == decision.name
            });
            if !is_so {
                notes.applied.push(Applied {
                    section: decision.section.as_str().to_owned(),
                    object: decision.object.clone(),
                    name: decision.name.clone(),
                    content: decision.content.text.clone(),
                    applied_at: now,
                    author_key: Some(author.key),
                    author_name: Some(author.name.clone()),
                });
            }
        }
        let is_there = |section: Section, object: &str| {
            let mut decisions = decided.decisions.iter();
            decisions.any(|it| it.section == section && it.object == object)
        };
        for (section, missing) in decided.present.missing() {
            if !is_there(section, &missing.object) {
                let key = (section.as_str().to_owned(), missing.object.clone());
                notes.forgotten.push(key);
            }
        }
        for place in &decided.removed {
            let known = &decided.present.known[*place];
            let key = (known.section.as_str().to_owned(), known.object.clone());
            notes.forgotten.push(key);
        }
        notes
    }

    /// Writes all of it. What is new comes before what asks for it, and what goes after what has asked for it.
    async fn write(
        &self,
        who: &Principal<MayWrite>,
        decided: &Decided,
        (notes, pairs): (&Notes, &Pairs),
    ) -> Result<(), Error> {
        let (account, store) = (who.account(), &self.inner.store);
        store
            .hold_revision(account, decided.present.revision)
            .await?;
        let writes: Vec<&Write> = decided
            .decisions
            .iter()
            .filter_map(|it| it.write.as_ref())
            .collect();
        let of_catalogue = writes.iter().filter_map(|write| match write {
            Write::EventType(write) => Some((**write).clone()),
            _ => None,
        });
        let of_catalogue: Vec<EventTypeWrite> = of_catalogue.collect();
        if !of_catalogue.is_empty() {
            let by = self.by(who, None);
            store.write_event_types(account, &of_catalogue, &by).await?;
            self.catalogue_changed(account).await;
        }
        for write in &writes {
            self.write_one(who, write, pairs).await?;
        }
        let mut removed: Vec<&Known> = decided
            .removed
            .iter()
            .map(|place| &decided.present.known[*place])
            .collect();
        removed.sort_by_key(|known| std::cmp::Reverse(known.section));
        let (mut first, last): (Vec<_>, Vec<_>) = removed
            .into_iter()
            .partition(|known| known.section.has_ids());
        for known in first.drain(..) {
            self.remove(who, known).await?;
        }
        // By now nothing asks for them in the way that it did.
        for write in &writes {
            if let Write::Variable(row, value) = write {
                self.put_variable(account, row, value.as_ref()).await?;
            }
        }
        for known in last {
            self.remove(who, known).await?;
        }
        store
            .note_applied(account, &notes.applied, &notes.forgotten)
            .await?;
        Ok(())
    }

    /// The key pairs that endpoints of the file need and have not, made before anything is written.
    async fn pairs(&self, who: &Principal<MayWrite>, decided: &Decided) -> Result<Pairs, Error> {
        let mut pairs = Pairs::new();
        for write in decided.decisions.iter().filter_map(|it| it.write.as_ref()) {
            let (endpoint, schemes) = match write {
                Write::NewEndpoint(new) => (new.id, signatures_of(new)?),
                Write::Endpoint(write) => (write.id, write.signatures.clone().unwrap_or_default()),
                _ => continue,
            };
            let missing = self.missing_pairs((who.account(), endpoint), &schemes);
            pairs.insert(endpoint, missing.await?);
        }
        Ok(pairs)
    }

    async fn write_one(
        &self,
        who: &Principal<MayWrite>,
        write: &Write,
        pairs: &Pairs,
    ) -> Result<(), Error> {
        let (account, store) = (who.account(), &self.inner.store);
        match write {
            Write::EventType(_) | Write::Variable(..) => {}
            Write::NewVariable(row) => store.create_variable(account, row).await?,
            Write::NewRule(row) => store.create_rule(account, row).await?,
            Write::Rule(row) => {
                if !store.change_rule(account, row).await? {
                    return Err(store::Error::Raced.into());
                }
            }
            Write::NewEndpoint(new) => {
                let new = NewEndpoint {
                    key_pairs: pairs.get(&new.id).cloned().unwrap_or_default(),
                    ..(**new).clone()
                };
                store.create_endpoint(account, &new).await?;
                store.note_editor(account, new.id, who.key()).await?;
            }
            Write::Endpoint(write) => {
                self.write_endpoint(who, write).await?;
                let pairs = pairs.get(&write.id).map_or(&[][..], Vec::as_slice);
                self.keep_pairs((account, write.id), pairs).await?;
            }
            Write::NewSchedule(new) => {
                let made = store.create_schedule(new).await;
                made.map_err(|error| taken(error, &new.name))?;
                self.ring().await;
            }
            Write::Schedule(change) => {
                let (from, to) = &**change;
                let changed = store.change_schedule(from, to).await;
                if !changed.map_err(|error| taken(error, &to.name))? {
                    return Err(store::Error::Raced.into());
                }
                self.ring().await;
            }
            Write::NewAutomation(new) => {
                store.create_automation(account, new).await?;
            }
            Write::Automation(write) => self.write_automation(who, write).await?,
        }
        Ok(())
    }

    async fn write_endpoint(
        &self,
        who: &Principal<MayWrite>,
        write: &EndpointWrite,
    ) -> Result<(), Error> {
        let account = who.account();
        if let Some(schemes) = &write.signatures {
            self.see_to_secret((account, write.id), schemes).await?;
        }
        let now = self.inner.clock.now();
        let changed = self
            .inner
            .store
            .change_endpoint(account, write.id, &write.change, now);
        changed.await?.ok_or(store::Error::Raced)?;
        let noted = self.inner.store.note_editor(account, write.id, who.key());
        noted.await?;
        self.wake(account, write.id).await;
        Ok(())
    }

    async fn write_automation(
        &self,
        who: &Principal<MayWrite>,
        write: &AutomationWrite,
    ) -> Result<(), Error> {
        let (account, store) = (who.account(), &self.inner.store);
        if let Some(version) = &write.version {
            let saved = store.save_version(account, version, &write.standing);
            saved.await?.ok_or(store::Error::Raced)?;
            if let Some(course) = write.course {
                let row = self.open_row(account, write.id).await?;
                let change = Change {
                    override_reason: write.override_reason.clone(),
                    ..Change::to(course)
                };
                self.change_row(who, &row, change).await?;
            }
        } else if write.name.is_some() || write.course.is_some() {
            let change = AutomationChange {
                name: write.name.clone(),
                course: write.course,
                by: self.by(who, write.override_reason.clone()),
            };
            let changed = store.change_automation(account, write.id, &change, &write.standing);
            changed.await?.ok_or(store::Error::Raced)?;
        }
        Ok(())
    }

    async fn remove(&self, who: &Principal<MayWrite>, known: &Known) -> Result<(), Error> {
        let (account, store) = (who.account(), &self.inner.store);
        let now: Timestamp = self.inner.clock.now();
        let raced = || Error::Store(store::Error::Raced);
        let was_there = match &known.row {
            Row::Automation(row, _) => {
                let gone = store.delete_automation(account, row.id, now).await?;
                for endpoint in gone.ok_or_else(raced)? {
                    self.cancel_deliveries(account, endpoint).await;
                }
                true
            }
            Row::Endpoint(row) => {
                let was_there = store.delete_endpoint(account, row.id, now).await?;
                self.cancel_deliveries(account, row.id).await;
                was_there
            }
            Row::Schedule(row) => store.delete_schedule(account, row.id).await?,
            Row::Rule(row) => match RuleKind::from_word(&row.kind) {
                Some(kind) => store.delete_rule(account, kind, &row.name).await?,
                None => false,
            },
            Row::Variable(row) => match store.delete_variable(account, &row.name).await? {
                Removal::Removed => true,
                // Somebody asks for it since it was decided.
                Removal::Missing | Removal::InUse(_) => false,
            },
            Row::EventType(row) => {
                self.catalogue_changed(account).await;
                store.delete_event_type(account, &row.name).await?
            }
        };
        if was_there { Ok(()) } else { Err(raced()) }
    }

    fn by(&self, who: &Principal<MayWrite>, override_reason: Option<String>) -> Authorship {
        Authorship {
            author: Some(who.author()),
            at: self.inner.clock.now(),
            override_reason,
        }
    }
}

fn check_reason(wishes: &Wishes) -> Result<(), Error> {
    let Some(reason) = &wishes.override_reason else {
        return Ok(());
    };
    check::note(reason, "").map_err(|error| Error::Invalid {
        code: "invalid_parameter",
        at: Place::Query("override".to_owned()),
        why: error.to_string(),
    })
}

/// What is written down of an apply.
#[derive(Debug, Default)]
struct Notes {
    applied: Vec<Applied>,
    /// By section and what it is known by.
    forgotten: Vec<(String, String)>,
}

impl Notes {
    fn is_empty(&self) -> bool {
        self.applied.is_empty() && self.forgotten.is_empty()
    }
}

/// Whether somebody has changed something since it was decided.
fn is_overtaken(error: &Error) -> bool {
    match error {
        Error::Store(store::Error::Raced) => true,
        Error::Store(error) => error.is_taken(),
        _ => false,
    }
}

/// A name that another schedule has, which this file does not name.
fn taken(error: store::Error, name: &str) -> Error {
    if error.is_taken() {
        return name_taken(name);
    }
    error.into()
}
