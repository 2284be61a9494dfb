//! What becomes of the policies and profiles of a file, and of endpoints that follow them and are not in it.

use std::collections::HashSet;

use super::Section;
use super::content::Content;
use super::decision::{Decision, Meant, Write};
use super::present::Row;
use crate::failure::FailurePolicy;
use crate::model::AccountId;
use crate::retry::RetryPolicy;
use crate::service::rule_change::Follower;
use crate::service::rulebook::Rulebook;
use crate::service::{Error, NewFailurePolicy, NewProfile, NewRetryPolicy, Service};
use crate::store::NamedRule;

impl Service {
    /// What becomes of the policies and profiles among these, and all that there will be.
    pub(super) async fn decide_rules(
        &self,
        account: AccountId,
        all: &[Meant<'_>],
    ) -> Result<(Rulebook, Vec<Decision>), Error> {
        let mut book = self.rulebook(account).await?;
        let mut decisions = Vec::new();
        // In the order of their sections: profiles name policies.
        for meant in all.iter().filter(|it| it.entry.section.is_of_rules()) {
            let decided = self.decide_rule(account, &book, meant).await;
            let decision = decided.map_err(|error| meant.entry.within(error))?;
            if let Some(Write::NewRule(row) | Write::Rule(row)) = &decision.write {
                book = book.with([(**row).clone()])?;
            }
            decisions.push(decision);
        }
        Ok((book, decisions))
    }

    async fn decide_rule(
        &self,
        account: AccountId,
        book: &Rulebook,
        meant: &Meant<'_>,
    ) -> Result<Decision, Error> {
        if let Some(stays) = meant.stays()? {
            return Ok(stays);
        }
        let mut row = self.drafted_rule(account, book, meant).await?;
        let content = Content::rule(&row)?;
        let name = row.name.clone();
        let write = match meant.known.map(|(_, known)| &known.row) {
            Some(Row::Rule(known)) => {
                row.created_at = known.created_at;
                Write::Rule(Box::new(row))
            }
            _ => Write::NewRule(Box::new(row)),
        };
        Ok(meant.comes_to(name, content, write))
    }

    async fn drafted_rule(
        &self,
        account: AccountId,
        book: &Rulebook,
        meant: &Meant<'_>,
    ) -> Result<NamedRule, Error> {
        match meant.entry.section {
            Section::RetryPolicies => {
                let new: NewRetryPolicy = meant.entry.read()?;
                self.drafted_policy::<RetryPolicy>((&new.name, &new.policy))
            }
            Section::FailurePolicies => {
                let new: NewFailurePolicy = meant.entry.read()?;
                self.drafted_policy::<FailurePolicy>((&new.name, &new.policy))
            }
            _ => {
                let new: NewProfile = meant.entry.read()?;
                self.drafted_profile(account, book, &new).await
            }
        }
    }

    /// The endpoints that nothing of the file is written to, and whose settings change all the same.
    pub(super) async fn other_followers(
        &self,
        account: AccountId,
        book: &Rulebook,
        decisions: &[Decision],
    ) -> Result<Vec<Follower>, Error> {
        let mut writes = decisions.iter().filter_map(|it| it.write.as_ref());
        if !writes.any(|write| matches!(write, Write::Rule(_))) {
            return Ok(Vec::new());
        }
        let written: HashSet<String> = decisions
            .iter()
            .filter(|it| it.section == Section::Endpoints && it.write.is_some())
            .map(|it| it.object.clone())
            .collect();
        let mut followers = self.followers(account, book).await?;
        followers.retain(|it| !written.contains(&it.id().to_string()));
        Ok(followers)
    }
}
