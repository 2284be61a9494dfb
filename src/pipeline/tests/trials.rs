//! Trials: in their account's turn, and over with whoever waits for them and with the node.

use futures_util::FutureExt as _;

use super::*;
use crate::store::PublishedAutomation;

impl House {
    fn trial(&self) -> Trial {
        let event = self.event();
        Trial {
            account: self.account,
            automation: PublishedAutomation {
                id: AutomationId::mint(NOW),
                name: "an automation".to_owned(),
                owner_endpoint: None,
                version: 1,
                definition: r#"{"trigger":{"events":["*"]},"actions":[]}"#.to_owned(),
            },
            event: AcceptedEvent {
                id: event.id,
                event_type: event.event_type,
                occurred_at: NOW,
                payload: event.payload,
                cause: None,
                origin: None,
            },
            endpoints: None,
            variables: None,
        }
    }
}

#[tokio::test]
async fn a_trial_waits_for_its_turn_and_nobody_for_one_that_was_given_up() {
    let house = House::open().await;
    let pipeline = house.start().await;
    pipeline.node.workers.pause();
    let mut given_up = Box::pin(pipeline.try_out(house.trial()));
    assert!((&mut given_up).now_or_never().is_none());
    let mut waits = Box::pin(pipeline.try_out(house.trial()));
    assert!((&mut waits).now_or_never().is_none());
    drop(given_up);
    pipeline.node.workers.go_on();
    let tried = waits.await.expect("its turn");
    assert_eq!(tried.explained.verdict, Verdict::Fired);
    assert!(tried.requests.is_empty(), "none were wanted");
    pipeline.shut_down().await.expect("it stops");
}

#[tokio::test]
async fn a_trial_that_a_stop_overtakes_is_told_so() {
    let house = House::open().await;
    let pipeline = house.start().await;
    pipeline.node.workers.pause();
    let mut waits = Box::pin(pipeline.try_out(house.trial()));
    assert!((&mut waits).now_or_never().is_none());
    pipeline.shut_down().await.expect("it stops");
    assert!(matches!(waits.await, Err(TrialError::Stopped)));
    let late = pipeline.try_out(house.trial()).await;
    assert!(matches!(late, Err(TrialError::Stopped)));
}
