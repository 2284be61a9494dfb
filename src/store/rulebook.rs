//! What accounts have of their own by name: retry policies, failure policies and profiles; and the endpoints that
//! follow them, whose settings change with those. A change raises the account's revision in the same transaction.

use super::row::record;
use super::values::{Columns, Kind, Rows, Shape, args, values};
use super::{Error, Store, account};
use crate::model::limits::NAMED_RULES_PER_ACCOUNT_MAX;
use crate::model::{AccountId, EndpointId, Timestamp, words};

/// What is known by a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RuleKind {
    /// When a failed delivery is tried again.
    RetryPolicy,
    /// When an endpoint is given up.
    FailurePolicy,
    /// How deliveries look, and which policies they follow.
    Profile,
}

words!(RuleKind {
    RetryPolicy = "retry_policy",
    FailurePolicy = "failure_policy",
    Profile = "profile",
});

/// A policy or a profile of an account's own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedRule {
    /// The word of its kind.
    pub kind: String,
    /// Unique among those of its kind.
    pub name: String,
    /// JSON: the policy, or the profile's settings.
    pub says: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
}

/// All of an account, as of one moment.
#[derive(Debug, Clone)]
pub struct Rulebook {
    /// The account's revision.
    pub revision: i64,
    /// The profile of endpoints that name none.
    pub default_profile: String,
    /// Its policies and profiles, by kind and name.
    pub rules: Vec<NamedRule>,
}

/// The account, and one of its rules, if it has any.
struct Line {
    revision: i64,
    default_profile: String,
    kind: Option<String>,
    name: Option<String>,
    says: Option<String>,
    created_at: Option<Timestamp>,
    updated_at: Option<Timestamp>,
}

record!(Line {
    revision: "revision",
    default_profile: "default_profile",
    kind: "kind",
    name: "name",
    says: "says",
    created_at: "created_at_ms",
    updated_at: "updated_at_ms",
});

impl Line {
    fn rule(self) -> Option<NamedRule> {
        Some(NamedRule {
            kind: self.kind?,
            name: self.name?,
            says: self.says?,
            created_at: self.created_at?,
            updated_at: self.updated_at?,
        })
    }
}

/// An endpoint whose settings follow from what has changed.
#[derive(Debug, Clone)]
pub struct Resettled {
    /// Which.
    pub id: EndpointId,
    /// Its settings from now on.
    pub settings: String,
    /// When it succeeded last, if it does not fail and nobody has kept that until now.
    pub succeeded_at: Option<Timestamp>,
}

/// Endpoints that are written by one statement.
const RESETTLED_ROWS_MAX: usize = 500;

const SETTINGS_COLUMNS: Columns = &[
    ("account_id", Kind::Uuid),
    ("id", Kind::Uuid),
    ("settings", Kind::Text),
    ("updated_at_ms", Kind::Int),
];

const SUCCESS_COLUMNS: Columns = &[
    ("account_id", Kind::Uuid),
    ("id", Kind::Uuid),
    ("succeeded_at_ms", Kind::Int),
];

impl Store {
    /// What the account has of its own by name; `None` if there is no such account. One statement, so that all of it is
    /// of the revision.
    pub async fn rulebook(&self, account: AccountId) -> Result<Option<Rulebook>, Error> {
        let lines: Vec<Line> = self
            .fetch(
                "SELECT a.revision, a.default_profile, r.kind, r.name, r.says, r.created_at_ms, r.updated_at_ms
                 FROM accounts a LEFT JOIN named_rules r ON r.account_id = a.id
                 WHERE a.id = $1 ORDER BY r.kind, r.name",
                args![account],
            )
            .await?;
        let head = lines.first();
        let head = head.map(|line| (line.revision, line.default_profile.clone()));
        Ok(head.map(|(revision, default_profile)| Rulebook {
            revision,
            default_profile,
            rules: lines.into_iter().filter_map(Line::rule).collect(),
        }))
    }

    /// Makes a policy or a profile. [`Error::is_taken`] if the account has one of this kind and name.
    pub async fn create_rule(&self, account: AccountId, new: &NamedRule) -> Result<(), Error> {
        let mut tx = self.begin().await?;
        account::raise_revision(&mut tx, account).await?;
        tx.execute(
            "INSERT INTO named_rules (account_id, kind, name, says, created_at_ms, updated_at_ms)
             VALUES ($1, $2, $3, $4, $5, $6)",
            args![
                account,
                new.kind.as_str(),
                new.name.as_str(),
                new.says.as_str(),
                new.created_at,
                new.updated_at
            ],
        )
        .await?;
        let limit = ("policies and profiles", NAMED_RULES_PER_ACCOUNT_MAX);
        let counted = "FROM named_rules WHERE account_id = $1";
        account::check_count(&mut tx, account, counted, limit).await?;
        tx.commit().await
    }

    /// Changes what a policy or a profile says. Whether there is one of this kind and name.
    pub async fn change_rule(&self, account: AccountId, to: &NamedRule) -> Result<bool, Error> {
        let mut tx = self.begin().await?;
        account::raise_revision(&mut tx, account).await?;
        let changed = tx
            .execute(
                "UPDATE named_rules SET says = $4, updated_at_ms = $5
                 WHERE account_id = $1 AND kind = $2 AND name = $3",
                args![
                    account,
                    to.kind.as_str(),
                    to.name.as_str(),
                    to.says.as_str(),
                    to.updated_at
                ],
            )
            .await?;
        tx.commit().await?;
        Ok(changed > 0)
    }

    /// Removes a policy or a profile, whoever follows it. Whether there was one.
    pub async fn delete_rule(
        &self,
        account: AccountId,
        kind: RuleKind,
        name: &str,
    ) -> Result<bool, Error> {
        let mut tx = self.begin().await?;
        account::raise_revision(&mut tx, account).await?;
        let changed = tx
            .execute(
                "DELETE FROM named_rules WHERE account_id = $1 AND kind = $2 AND name = $3",
                args![account, kind.as_str(), name],
            )
            .await?;
        tx.commit().await?;
        Ok(changed > 0)
    }

    /// Has endpoints that name no profile get this one.
    pub async fn set_default_profile(&self, account: AccountId, name: &str) -> Result<(), Error> {
        let mut tx = self.begin().await?;
        account::raise_revision(&mut tx, account).await?;
        tx.execute(
            "UPDATE accounts SET default_profile = $2 WHERE id = $1",
            args![account, name],
        )
        .await?;
        tx.commit().await
    }

    /// Gives endpoints the settings that follow. What is remembered of attempts stays, as with any change of
    /// settings.
    pub async fn resettle_endpoints(
        &self,
        account: AccountId,
        endpoints: &[Resettled],
        now: Timestamp,
    ) -> Result<(), Error> {
        if endpoints.is_empty() {
            return Ok(());
        }
        let mut tx = self.begin().await?;
        account::raise_revision(&mut tx, account).await?;
        for some in endpoints.chunks(RESETTLED_ROWS_MAX) {
            let mut rows = Rows::new(SETTINGS_COLUMNS, some.len());
            let mut succeeded = Rows::new(SUCCESS_COLUMNS, 0);
            for one in some {
                rows.push(values![account, one.id, one.settings.as_str(), now]);
                if let Some(at) = one.succeeded_at {
                    succeeded.push(values![account, one.id, at]);
                }
            }
            let update = |only_if| Shape::Update {
                table: "endpoints",
                key: 2,
                set: "",
                only_if,
            };
            tx.execute_rows(rows, update("")).await?;
            if !succeeded.is_empty() {
                let standing = "endpoints.failing_since_ms IS NULL";
                tx.execute_rows(succeeded, update(standing)).await?;
            }
        }
        tx.commit().await
    }
}
