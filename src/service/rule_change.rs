//! Policies and profiles of an account's own, made, changed and removed: with everything that follows them, in one
//! commit, on the condition that the account is still what was looked at.

use super::endpoint_shape::{settings_text, stored_settings};
use super::rulebook::{Rulebook, names};
use super::{Error, Service, endpoint_url, profile};
use crate::model::limits::ENDPOINTS_PER_ACCOUNT_MAX;
use crate::model::{AccountId, EndpointId};
use crate::pipeline::EndpointSettings;
use crate::retry::RetryPolicy;
use crate::signing::Scheme;
use crate::store::{self, NamedRule, NewKeyPair, Resettled, RuleKind};

/// Longest name of a policy or a profile.
const NAME_BYTES_MAX: usize = 64;
/// Most users that a sentence names.
const USERS_NAMED_MAX: usize = 5;
/// Most endpoints that a change has signed otherwise: each is seen to have a secret that can.
const SIGNED_ANEW_MAX: usize = 1_000;
/// Most endpoints for which a change makes key pairs: each takes its time.
const PAIRED_ANEW_MAX: usize = 50;

/// One of a kind, in a sentence.
pub(super) const fn noun(kind: RuleKind) -> &'static str {
    match kind {
        RuleKind::RetryPolicy => "retry policy",
        RuleKind::FailurePolicy => "failure policy",
        RuleKind::Profile => "profile",
    }
}

/// An endpoint whose settings change with what it follows.
#[derive(Debug)]
pub(super) struct Follower {
    row: store::Endpoint,
    known: EndpointSettings,
    settings: EndpointSettings,
}

impl Follower {
    fn is_signed_anew(&self) -> bool {
        self.settings.signatures != self.known.signatures
    }

    /// Which endpoint.
    pub(super) fn id(&self) -> EndpointId {
        self.row.id
    }

    /// As a sentence names it.
    fn called(&self) -> String {
        format!("the endpoint '{}' ({})", self.row.name, self.row.id)
    }
}

/// Sees that a policy or a profile may have this name.
pub(super) fn check_name(kind: RuleKind, name: &str, reserved: &[&str]) -> Result<(), Error> {
    let noun = noun(kind);
    let fits =
        |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-_".contains(&byte);
    let begins = name
        .bytes()
        .next()
        .is_some_and(|byte| byte.is_ascii_lowercase());
    if !begins || name.len() > NAME_BYTES_MAX || !name.bytes().all(fits) {
        let why = format!(
            "the name of a {noun} is of lower-case ASCII letters, digits, '-' and '_', begins with a letter, and has \
             {NAME_BYTES_MAX} bytes at most"
        );
        return Err(Error::field("/name", why));
    }
    if reserved.contains(&name) {
        let why = format!("'{name}' is ready-made, or kept for this server: choose another name");
        return Err(Error::field("/name", why));
    }
    Ok(())
}

/// That a policy or a profile is not the account's to change.
pub(super) fn is_ready_made(kind: RuleKind, name: &str) -> Error {
    let noun = noun(kind);
    Error::Conflict {
        code: "ready_made",
        why: format!(
            "the {noun} '{name}' is ready-made, and stays as it is: make one of your own under another name"
        ),
    }
}

impl Service {
    /// Makes a policy or a profile. Nobody follows it yet.
    pub(super) async fn make_rule(
        &self,
        account: AccountId,
        (book, new): (&Rulebook, &NamedRule),
    ) -> Result<(), Error> {
        let store = &self.inner.store;
        let made = async { Ok(store.create_rule(account, new).await?) };
        match self.by_rulebook(account, book, made).await {
            Err(Error::Store(error)) if error.is_taken() => Err(Error::Conflict {
                code: "name_taken",
                why: format!("'{}' is there already: PATCH it", new.name),
            }),
            done => done,
        }
    }

    /// Changes a policy or a profile, and everything that follows it. The next attempt sees it.
    pub(super) async fn change_rule(
        &self,
        account: AccountId,
        (book, to): (&Rulebook, NamedRule),
    ) -> Result<(), Error> {
        let after = book.with([to.clone()])?;
        let followers = self.followers(account, &after).await?;
        let pairs = self.pairs_for(account, &followers).await?;
        let store = &self.inner.store;
        let changed = Box::pin(async {
            if !store.change_rule(account, &to).await? {
                return Err(store::Error::Raced.into());
            }
            self.write_followers(account, (&followers, &pairs)).await
        });
        self.by_rulebook(account, book, changed).await
    }

    /// Removes a policy or a profile that nothing names.
    pub(super) async fn remove_rule(
        &self,
        account: AccountId,
        book: &Rulebook,
        (kind, name): (RuleKind, &str),
    ) -> Result<(), Error> {
        let users = self.users(account, book, (kind, name)).await?;
        if !users.is_empty() {
            let told = users[..users.len().min(USERS_NAMED_MAX)].join(", ");
            let more = match users.len().saturating_sub(USERS_NAMED_MAX) {
                0 => String::new(),
                more => format!(" and {more} more"),
            };
            let noun = noun(kind);
            return Err(Error::Conflict {
                code: "in_use",
                why: format!("this {noun} is used by {told}{more}: change that first"),
            });
        }
        let store = &self.inner.store;
        let removed = async {
            if store.delete_rule(account, kind, name).await? {
                Ok(())
            } else {
                Err(store::Error::Raced.into())
            }
        };
        self.by_rulebook(account, book, removed).await
    }

    /// What names a policy or a profile, as a sentence says it.
    async fn users(
        &self,
        account: AccountId,
        book: &Rulebook,
        (kind, name): (RuleKind, &str),
    ) -> Result<Vec<String>, Error> {
        let mut users = Vec::new();
        if kind == RuleKind::Profile && book.default_profile == name {
            users.push("the account, as its default_profile".to_owned());
        }
        for rule in book.of_kind(RuleKind::Profile) {
            let settings = book.own_profile(&rule.name);
            if kind != RuleKind::Profile && settings.is_some_and(|it| names(it, kind, name)) {
                users.push(format!("the profile '{}'", rule.name));
            }
        }
        for row in self.all_endpoints(account).await? {
            if names(&stored_settings(&row)?, kind, name) {
                users.push(format!("the endpoint '{}' ({})", row.name, row.id));
            }
        }
        Ok(users)
    }

    async fn all_endpoints(&self, account: AccountId) -> Result<Vec<store::Endpoint>, Error> {
        let _turn = self.list_turn(account).await?;
        let all = self
            .inner
            .store
            .endpoints(account, None, ENDPOINTS_PER_ACCOUNT_MAX);
        Ok(all.await?.rows)
    }

    /// The endpoints whose settings are others by this rulebook, and may be.
    pub(super) async fn followers(
        &self,
        account: AccountId,
        after: &Rulebook,
    ) -> Result<Vec<Follower>, Error> {
        let mut followers = Vec::new();
        // Many follow one.
        let mut policies: Vec<RetryPolicy> = Vec::new();
        for row in self.all_endpoints(account).await? {
            let known = stored_settings(&row)?;
            let mut settings = known.clone();
            after.settle(&mut settings)?;
            if settings == known {
                continue;
            }
            let follower = Follower {
                row,
                known,
                settings,
            };
            let may = endpoint_url::check_change(
                &follower.row.url,
                None,
                &follower.known,
                &follower.settings,
            );
            may.map_err(|error| told_of(&follower, error))?;
            let policy = &follower.settings.retry_policy;
            if *policy != follower.known.retry_policy && !policies.contains(policy) {
                let spans = self.check_span(account, policy).await;
                spans.map_err(|error| told_of(&follower, error))?;
                policies.push(policy.clone());
            }
            followers.push(follower);
        }
        Ok(followers)
    }

    /// The key pairs that each follower needs from now on and has not, made but not kept yet: that takes its time, which
    /// no transaction waits for.
    pub(super) async fn pairs_for(
        &self,
        account: AccountId,
        followers: &[Follower],
    ) -> Result<Vec<Vec<NewKeyPair>>, Error> {
        let signed_anew = followers.iter().filter(|it| it.is_signed_anew()).count();
        if signed_anew > SIGNED_ANEW_MAX {
            let why = format!(
                "{signed_anew} endpoints that follow this would be signed otherwise: {SIGNED_ANEW_MAX} at most at a \
                 time: give some of them signatures of their own before"
            );
            return Err(Error::field("/signatures", why));
        }
        let mut paired = 0;
        let mut pairs = Vec::with_capacity(followers.len());
        for follower in followers {
            if !follower.is_signed_anew() {
                pairs.push(Vec::new());
                continue;
            }
            let schemes = &follower.settings.signatures;
            let needs = |scheme: &Scheme| scheme.needs_key_pair().is_some();
            paired += usize::from(schemes.iter().any(needs));
            if paired > PAIRED_ANEW_MAX {
                let why = format!(
                    "more than {PAIRED_ANEW_MAX} endpoints that follow this would need a key pair: change their own \
                     signatures first, some at a time"
                );
                return Err(Error::field("/signatures", why));
            }
            pairs.push(
                self.missing_pairs((account, follower.row.id), schemes)
                    .await?,
            );
        }
        Ok(pairs)
    }

    /// Gives the followers their settings, and what they are signed with. A part of a whole.
    pub(super) async fn write_followers(
        &self,
        account: AccountId,
        (followers, pairs): (&[Follower], &[Vec<NewKeyPair>]),
    ) -> Result<(), Error> {
        let now = self.inner.clock.now();
        let mut rows = Vec::with_capacity(followers.len());
        for (follower, pairs) in followers.iter().zip(pairs) {
            let Follower {
                row,
                known,
                settings,
            } = follower;
            if follower.is_signed_anew() {
                let sees = self.see_to_secret((account, row.id), &settings.signatures);
                sees.await.map_err(|error| told_of(follower, error))?;
                self.keep_pairs((account, row.id), pairs).await?;
            }
            rows.push(Resettled {
                id: row.id,
                settings: settings_text(settings)?,
                succeeded_at: profile::assumed_success(known, settings, now),
            });
        }
        let store = &self.inner.store;
        store.resettle_endpoints(account, &rows, now).await?;
        Ok(())
    }
}

/// What stands in the way of a change at an endpoint that follows it.
fn told_of(follower: &Follower, error: Error) -> Error {
    match error {
        Error::Invalid { code, at, why } => Error::Invalid {
            code,
            at,
            why: format!("{}, which follows this: {why}", follower.called()),
        },
        other => other,
    }
}
