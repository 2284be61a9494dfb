//! Jobs that another node calls off while this one waits for a turn.

use super::*;
use crate::model::{ApiKeyId, Backtest, Job, JobId, JobSubject, PinnedVersion, Reach};
use crate::store::{Author, NewJob};

impl House {
    /// A backtest of one event.
    async fn backtest(&self, pipeline: &Pipeline) -> JobId {
        self.accepted(pipeline).await;
        let draft = PinnedVersion {
            version: 1,
            definition: r#"{"trigger":{"events":["*"]},"actions":[]}"#.to_owned(),
        };
        let asked = Job::Backtest(Backtest {
            name: "an automation".to_owned(),
            published: None,
            draft,
            saved: false,
            reach: Reach::Newest {
                events: 1,
                before: EventId::mint(NOW.plus_ms(1)),
            },
        });
        let new = NewJob {
            id: JobId::mint(NOW),
            kind: asked.kind(),
            subject: JobSubject::Automation(AutomationId::mint(NOW)),
            request: serde_json::to_string(&asked).expect("plain"),
            result: serde_json::to_string(&crate::model::BacktestTally::default()).expect("plain"),
            author: Author {
                key: ApiKeyId::mint(NOW),
                name: "a key".to_owned(),
            },
            created_at: NOW,
        };
        let given = self.parts.store.create_job(self.account, &new).await;
        given.expect("it is new");
        new.id
    }
}

#[tokio::test]
async fn one_that_another_node_has_called_off_gives_its_place_back() {
    let house = House::open().await;
    let pipeline = house.start().await;
    // Its turn does not come.
    pipeline.node.workers.pause();
    let id = house.backtest(&pipeline).await;
    pipeline.look_for_jobs();
    let store = &house.parts.store;
    loop {
        let row = store.job(house.account, id).await.expect("read");
        if row.is_some_and(|row| row.lives == 1) {
            break;
        }
        tokio::task::yield_now().await;
    }
    // This node is told nothing of it.
    let off = store.cancel_job(house.account, id, NOW).await;
    assert!(off.expect("written"));
    pipeline.settle().await;
    pipeline.shut_down().await.expect("it stops");
}
