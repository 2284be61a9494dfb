//! Automations whose plugin refuses its configuration are switched off: no event would go through them. What was
//! tried is kept as a dead letter before, in the commit of its plan; so whoever is stopped in between only leaves
//! it to the next event to switch it off.

use std::sync::Arc;

use super::node::Node;
use super::standing::Standing;
use crate::store::{NewPlan, Pause};

/// Switches those off that a plan has shown to be so. Call it after the commit.
pub(super) fn pause(node: &Arc<Node>, standing: &Arc<Standing>, plan: &NewPlan) {
    for automation in &plan.consequences.misconfigured {
        let mut letters = plan.consequences.letters.iter();
        let Some(letter) = letters.find(|letter| letter.automation == *automation) else {
            continue;
        };
        if !standing.failing.begins_pause(*automation) {
            continue;
        }
        let pause = Pause {
            account: plan.account,
            automation: *automation,
            version: letter.version,
            event: plan.event,
            why: letter.summary.clone(),
            at: node.clock.now(),
        };
        let (own, standing, held) = (node.clone(), standing.clone(), node.busy.hold());
        node.spawn(async move {
            match own.store.pause_automation(own.holder, &pause).await {
                Ok(true) => tracing::warn!(
                    account.id = %pause.account, automation.id = %pause.automation,
                    "an automation was paused: a plugin refuses its configuration"
                ),
                // Somebody was faster, or has mended it.
                Ok(false) => {}
                Err(error) => tracing::warn!(
                    error = &error as &dyn std::error::Error, account.id = %pause.account,
                    automation.id = %pause.automation, "an automation can't be paused at the moment"
                ),
            }
            standing.failing.ends_pause(pause.automation);
            drop(held);
        });
    }
}
