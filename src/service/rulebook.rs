//! What an account has of its own by name, and what settings come to that go by it. Pure but for reading it.
//!
//! An endpoint's settings are stored as they are in force, so that whoever sends needs nothing else; beside them stands
//! what of them is its own. What follows a profile or a policy is settled anew when that changes.

use std::collections::BTreeMap;

use super::policy_ref::{Policy, PolicyRef, unknown};
use super::profile::{self, READY_MADE};
use super::{Error, Service, Subscribe};
use crate::failure::FailurePolicy;
use crate::model::AccountId;
use crate::pipeline::{EndpointSettings, Part};
use crate::retry::RetryPolicy;
use crate::store::{self, NamedRule, RuleKind};

/// What an account has of its own by name.
#[derive(Debug, Clone)]
pub(super) struct Rulebook {
    pub(super) revision: i64,
    /// The profile of endpoints that name none.
    pub(super) default_profile: String,
    pub(super) rules: Vec<NamedRule>,
    retry_policies: BTreeMap<String, RetryPolicy>,
    failure_policies: BTreeMap<String, FailurePolicy>,
    /// As those who follow them get them.
    profiles: BTreeMap<String, EndpointSettings>,
}

impl Rulebook {
    pub(super) fn of(stored: store::Rulebook) -> Result<Self, Error> {
        let mut book = Self {
            revision: stored.revision,
            default_profile: stored.default_profile,
            retry_policies: read(&stored.rules, RuleKind::RetryPolicy)?,
            failure_policies: read(&stored.rules, RuleKind::FailurePolicy)?,
            profiles: BTreeMap::new(),
            rules: stored.rules,
        };
        let profiles: BTreeMap<String, EndpointSettings> = read(&book.rules, RuleKind::Profile)?;
        for (name, mut settings) in profiles {
            book.settle(&mut settings)?;
            book.profiles.insert(name, settings);
        }
        Ok(book)
    }

    /// The same with these rules in place of those of their kinds and names.
    pub(super) fn with(&self, rules: impl IntoIterator<Item = NamedRule>) -> Result<Self, Error> {
        let mut all = self.rules.clone();
        for rule in rules {
            all.retain(|known| (&known.kind, &known.name) != (&rule.kind, &rule.name));
            all.push(rule);
        }
        Self::of(store::Rulebook {
            revision: self.revision,
            default_profile: self.default_profile.clone(),
            rules: all,
        })
    }

    /// What is stored under this name.
    pub(super) fn rule(&self, kind: RuleKind, name: &str) -> Option<&NamedRule> {
        let mut rules = self.rules.iter();
        rules.find(|rule| rule.kind == kind.as_str() && rule.name == name)
    }

    /// All of a kind, by name.
    pub(super) fn of_kind(&self, kind: RuleKind) -> impl Iterator<Item = &NamedRule> {
        let mut rules: Vec<&NamedRule> = self.rules.iter().collect();
        rules.retain(|rule| rule.kind == kind.as_str());
        rules.sort_by(|a, b| a.name.cmp(&b.name));
        rules.into_iter()
    }

    /// The settings of a profile of the account's own, as it is stored: with what it is made from.
    pub(super) fn own_profile(&self, name: &str) -> Option<&EndpointSettings> {
        self.profiles.get(name)
    }

    /// The settings of who follows the profile of this name in everything, subscribed to everything. `at`: where it is
    /// named.
    pub(super) fn profile(&self, name: &str, at: &str) -> Result<EndpointSettings, Error> {
        if let Some(settings) = profile::ready_made(name) {
            return Ok(settings);
        }
        let found = self.profiles.get(name).ok_or_else(|| {
            let shown: String = name.chars().take(80).collect();
            let ready_made = READY_MADE.join(", ");
            let why = format!(
                "there is no profile '{shown}': take {ready_made}, or one of the account's own"
            );
            Error::field(at, why)
        })?;
        let mut settings = EndpointSettings {
            subscribe: Subscribe::All.stored(),
            ..found.clone()
        };
        name.clone_into(&mut settings.profile);
        settings.follows.overrides = Some([].into());
        Ok(settings)
    }

    /// The retry policy, and its name if it goes by one.
    pub(super) fn retry_policy(
        &self,
        asked: PolicyRef<RetryPolicy>,
        at: &str,
    ) -> Result<(RetryPolicy, Option<String>), Error> {
        found(&self.retry_policies, asked, at)
    }

    /// The failure policy, and its name if it goes by one.
    pub(super) fn failure_policy(
        &self,
        asked: PolicyRef<FailurePolicy>,
        at: &str,
    ) -> Result<(FailurePolicy, Option<String>), Error> {
        found(&self.failure_policies, asked, at)
    }

    /// Gives settings what follows for them: of each part that is not their own, what their profile says; of a policy
    /// that they name, what that says.
    pub(super) fn settle(&self, settings: &mut EndpointSettings) -> Result<(), Error> {
        let mut inherited = Part::ALL.to_vec();
        inherited.retain(|part| !settings.has_own(*part));
        if !inherited.is_empty() {
            let from = self.profile(&settings.profile, "/profile")?;
            for part in inherited {
                settings.take(part, &from);
            }
        }
        if let Some(name) = &settings.follows.retry_policy {
            let asked = PolicyRef::Named(name.clone());
            settings.retry_policy = self.retry_policy(asked, "/retry_policy")?.0;
        }
        if let Some(name) = &settings.follows.failure_policy {
            let asked = PolicyRef::Named(name.clone());
            settings.failure_policy = self.failure_policy(asked, "/failure_policy")?.0;
        }
        Ok(())
    }
}

fn read<T: serde::de::DeserializeOwned>(
    rules: &[NamedRule],
    kind: RuleKind,
) -> Result<BTreeMap<String, T>, Error> {
    let of_kind = rules.iter().filter(|rule| rule.kind == kind.as_str());
    let read = of_kind.map(|rule| {
        let says = serde_json::from_str(&rule.says);
        let says = says.map_err(|error| Error::unreadable("a policy or a profile", error))?;
        Ok((rule.name.clone(), says))
    });
    read.collect()
}

fn found<P: Policy>(
    own: &BTreeMap<String, P>,
    asked: PolicyRef<P>,
    at: &str,
) -> Result<(P, Option<String>), Error> {
    match asked {
        PolicyRef::Written(policy) => Ok((policy, None)),
        PolicyRef::Named(name) => match own.get(&name) {
            Some(policy) => Ok((policy.clone(), Some(name))),
            None => Err(unknown::<P>(&name, at)),
        },
    }
}

/// Whether settings name this policy, or this profile, themselves.
pub(super) fn names(settings: &EndpointSettings, kind: RuleKind, name: &str) -> bool {
    let follows = &settings.follows;
    match kind {
        RuleKind::Profile => settings.profile == name,
        RuleKind::RetryPolicy => {
            settings.has_own(Part::RetryPolicy) && follows.retry_policy.as_deref() == Some(name)
        }
        RuleKind::FailurePolicy => {
            settings.has_own(Part::FailurePolicy) && follows.failure_policy.as_deref() == Some(name)
        }
    }
}

impl Service {
    /// What the account has of its own by name.
    pub(super) async fn rulebook(&self, account: AccountId) -> Result<Rulebook, Error> {
        let stored = self.inner.store.rulebook(account).await?;
        Rulebook::of(stored.ok_or(Error::NotFound("account"))?)
    }

    /// Does a piece of work that was decided by a rulebook, as one whole; [`store::Error::Raced`] if that may be
    /// another one by now.
    pub(super) async fn by_rulebook<T>(
        &self,
        account: AccountId,
        book: &Rulebook,
        work: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, Error> {
        let store = &self.inner.store;
        let held = async {
            if !book.rules.is_empty() {
                store.hold_revision(account, book.revision).await?;
            }
            work.await
        };
        store.in_one(held).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Timestamp;

    const NOW: Timestamp = Timestamp::from_ms(1_790_000_000_000);

    fn rule(kind: RuleKind, name: &str, says: &str) -> NamedRule {
        NamedRule {
            kind: kind.as_str().to_owned(),
            name: name.to_owned(),
            says: says.to_owned(),
            created_at: NOW,
            updated_at: NOW,
        }
    }

    fn book(rules: Vec<NamedRule>) -> Rulebook {
        let stored = store::Rulebook {
            revision: 7,
            default_profile: "standard".to_owned(),
            rules,
        };
        Rulebook::of(stored).expect("valid")
    }

    /// A profile made from `standard` that names a retry policy, as it was stored when that said something else.
    fn partners() -> NamedRule {
        let mut settings = profile::ready_made("standard").expect("ready-made");
        settings.follows.retry_policy = Some("nightly".to_owned());
        settings.own(Part::RetryPolicy);
        settings.timeout_ms = 700;
        settings.own(Part::TimeoutMs);
        let says = serde_json::to_string(&settings).expect("plain");
        rule(RuleKind::Profile, "partners", &says)
    }

    #[test]
    fn what_is_followed_is_what_is_said_now() {
        let nightly = |says| rule(RuleKind::RetryPolicy, "nightly", says);
        let before = book(vec![partners(), nightly(r#"{"delays_ms":[1]}"#)]);
        let mut follows = before.profile("partners", "").expect("it is there");
        assert_eq!(
            (follows.profile.as_str(), follows.timeout_ms),
            ("partners", 700)
        );
        assert_eq!(follows.retry_policy.delays().collect::<Vec<_>>(), [1]);
        assert_eq!(follows.overrides().count(), 0);
        assert!(follows.subscribe.is_some());
        assert!(names(&follows, RuleKind::Profile, "partners"));
        let named = names(&follows, RuleKind::RetryPolicy, "nightly");
        assert!(!named, "its profile names it");

        let after = before
            .with([nightly(r#"{"delays_ms":[2,3]}"#)])
            .expect("valid");
        let mut own = follows.clone();
        own.own(Part::TimeoutMs);
        own.timeout_ms = 900;
        for settings in [&mut follows, &mut own] {
            after.settle(settings).expect("settled");
            assert_eq!(settings.retry_policy.delays().collect::<Vec<_>>(), [2, 3]);
            assert_eq!(settings.follows.retry_policy.as_deref(), Some("nightly"));
        }
        assert_eq!((follows.timeout_ms, own.timeout_ms), (700, 900));

        own.profile = "standard".to_owned();
        after.settle(&mut own).expect("settled");
        assert_eq!(own.retry_policy, RetryPolicy::EightStep);
        assert_eq!(own.follows.retry_policy, None);
    }

    #[test]
    fn what_is_not_there_is_told_with_its_place() {
        let book = book(Vec::new());
        let named = || PolicyRef::Named("nightly".to_owned());
        let places = [
            book.profile("partners", "/profile").expect_err("unknown"),
            book.retry_policy(named(), "/retry_policy")
                .expect_err("unknown"),
        ];
        let places = places.map(|error| error.place().map(ToString::to_string));
        assert_eq!(
            places,
            ["/profile", "/retry_policy"].map(|at| Some(at.to_owned()))
        );
    }
}
