//! What automations make of an event: verdicts with sentences, as of the revision the event was
//! accepted at.

use throwbar::model::EventId;
use throwbar::pipeline::{Limits, Verdict};
use throwbar::store::{NewEvent, Publication};

use crate::support::app::TestApp;
use crate::support::batch;
use crate::support::making;
use crate::support::publishing::{automation, settings};
use crate::support::store::{ok, on_both};

#[tokio::test]
async fn a_condition_says_yes_no_or_why_it_can_not_say() {
    TestApp::on_both(async |app| {
        let endpoint = app.endpoint("/hook", settings()).await;
        let mut definition = automation(&["deal.*"], &[endpoint]);
        definition.condition = Some("event.data.amount >= 1000".to_owned());
        app.publish(&definition).await;
        for (payload, verdict, says) in [
            ("{\"amount\": 1000}", Verdict::Fired, ""),
            ("{\"amount\": 900}", Verdict::Filtered, ""),
            ("{}", Verdict::ConditionError, "amount"),
            ("{\"amount\": \"much\"}", Verdict::ConditionError, "amount"),
        ] {
            let event = app.send_and_settle("deal.won", payload).await;
            let verdicts = app.verdicts(event).await;
            assert_eq!(verdicts.len(), 1);
            assert_eq!(
                verdicts[0].verdict, verdict,
                "{payload}: {}",
                verdicts[0].summary
            );
            assert!(
                verdicts[0].summary.contains(says),
                "{payload}: {}",
                verdicts[0].summary
            );
            let sent = usize::from(verdict == Verdict::Fired);
            assert_eq!(app.deliveries(event).await.len(), sent, "{payload}");
            assert!(
                verdicts[0].steps.is_empty(),
                "what it was asked is told when somebody asks"
            );
        }
        assert_eq!(app.receiver.requests().len(), 1);
    })
    .await;
}

#[tokio::test]
async fn what_is_published_between_acceptance_and_evaluation_does_not_count() {
    on_both(async |engine| {
        let mut app = TestApp::prepare(engine, Limits::default()).await;
        let (before, after) = (
            app.endpoint("/before", settings()).await,
            app.endpoint("/after", settings()).await,
        );
        let published = app.publish(&automation(&["*"], &[before])).await;
        // A node that dies between the commit and the evaluation.
        let dead = ok(app.store.begin_life(app.clock.now())).await;
        let event = app.event("a.b", "{\"kept\": true}");
        let accepts = vec![event.clone()];
        ok(app.store.write(dead.id(), &batch::accepts(accepts))).await;
        app.publish_again(published, &automation(&["*"], &[after]))
            .await;
        app.publish(&automation(&["*"], &[after])).await;
        ok(app.store.end_life(dead, app.clock.now())).await;

        app.wake().await;
        app.settle().await;
        let verdicts = app.verdicts(event.id).await;
        assert_eq!(
            verdicts
                .iter()
                .map(|verdict| verdict.version)
                .collect::<Vec<_>>(),
            [1]
        );
        assert_eq!(app.delivery(event.id).await.endpoint, before);
        let requests = app.receiver.requests();
        assert_eq!(
            (requests.len(), requests[0].target.as_str()),
            (1, "/before")
        );
        assert_eq!(requests[0].body, "{\"kept\": true}");

        app.send_and_settle("a.b", "{}").await;
        let targets: Vec<_> = app.receiver.requests()[1..]
            .iter()
            .map(|one| one.target.clone())
            .collect();
        assert_eq!(
            targets,
            ["/after", "/after"],
            "the next event sees what is published now"
        );
        app.finish().await;
    })
    .await;
}

#[tokio::test]
async fn an_automation_that_is_switched_off_is_no_candidate() {
    TestApp::on_both(async |app| {
        let endpoint = app.endpoint("/hook", settings()).await;
        let id = app.publish(&automation(&["*"], &[endpoint])).await;
        for (publication, candidates) in [(Publication::Off, 0), (Publication::Live, 1)] {
            assert!(ok(making::switch(&app.store, app.account, id, publication)).await);
            let event = app.send_and_settle("a.b", "{}").await;
            assert_eq!(app.verdicts(event).await.len(), candidates);
        }
    })
    .await;
}

/// Lives end one after the other, each before it has planned what it took over. In the last ones the
/// evaluation of `deadly` had begun.
async fn die_again_and_again(app: &TestApp, events: Vec<NewEvent>, deadly: EventId) {
    let mut dead = ok(app.store.begin_life(app.clock.now())).await;
    ok(app.store.write(dead.id(), &batch::accepts(events))).await;
    for takeover in 1..=5 {
        let ended = dead.id();
        ok(app.store.end_life(dead, app.clock.now())).await;
        dead = ok(app.store.begin_life(app.clock.now())).await;
        ok(app.store.take_over_inbox(ended, dead.id(), 10)).await;
        let suspect = takeover > 2;
        if suspect {
            let begun = app.store.begin_alone(app.account, deadly, dead.id());
            assert!(ok(begun).await);
        }
    }
    ok(app.store.end_life(dead, app.clock.now())).await;
}

#[tokio::test]
async fn an_event_whose_evaluation_ended_three_nodes_is_set_aside_alone() {
    on_both(async |engine| {
        let mut app = TestApp::prepare(engine, Limits::default()).await;
        app.subscriber("/hook", &["*"], settings()).await;
        let events: Vec<_> = (0..5).map(|no| app.event("a.b", format!("{no}"))).collect();
        let deadly = events[2].id;
        die_again_and_again(&app, events.clone(), deadly).await;

        app.wake().await;
        app.settle().await;
        let aside = ok(app.store.inbox_state(app.account, deadly)).await;
        let why = "its evaluation ended a node three times".to_owned();
        assert_eq!(aside, Some(Some(why)));
        assert!(app.deliveries(deadly).await.is_empty());
        for calm in events.iter().map(|event| event.id) {
            if calm != deadly {
                let (state, _) = app.outcome(calm).await;
                assert_eq!(state, "delivered", "its neighbours go on");
            }
        }

        // The cause is mended: as the operator's guide says.
        app.stop().await;
        app.place
            .execute("UPDATE inbox SET set_aside = NULL, takeovers = 0")
            .await;
        app.wake().await;
        app.settle().await;
        assert_eq!(app.outcome(deadly).await.0, "delivered");
        app.finish().await;
    })
    .await;
}

#[tokio::test]
async fn an_event_without_its_payload_is_set_aside_before_all_has_settled() {
    on_both(async |engine| {
        let mut app = TestApp::prepare(engine, Limits::default()).await;
        let event = app.event("a.b", "1");
        let dead = ok(app.store.begin_life(app.clock.now())).await;
        let accepts = batch::accepts(vec![event.clone()]);
        ok(app.store.write(dead.id(), &accepts)).await;
        ok(app.store.end_life(dead, app.clock.now())).await;
        app.place.execute("DELETE FROM events").await;
        app.wake().await;
        app.settle().await;
        let aside = ok(app.store.inbox_state(app.account, event.id)).await;
        assert_eq!(aside, Some(Some("its payload is missing".to_owned())));
        app.finish().await;
    })
    .await;
}

#[tokio::test]
async fn a_poisoned_event_is_refused_and_its_neighbours_are_accepted() {
    TestApp::on_both(async |app| {
        app.subscriber("/hook", &["*"], settings()).await;
        let mut events: Vec<_> = (0..7).map(|no| app.event("a.b", format!("{no}"))).collect();
        // No two events have one id: the database sees to it.
        let known = app.event("a.b", "7");
        events[3].id = known.id;
        assert!(app.accept(vec![known]).await.iter().all(Result::is_ok));
        let answers = app.accept(events).await;
        for (place, answer) in answers.iter().enumerate() {
            match answer {
                Ok(_) => assert_ne!(place, 3),
                Err(error) => assert_eq!(
                    (place, *error),
                    (3, throwbar::pipeline::AcceptError::Refused)
                ),
            }
        }
        app.settle().await;
        let mut bodies: Vec<_> = app
            .receiver
            .requests()
            .into_iter()
            .map(|request| request.body)
            .collect();
        bodies.sort();
        assert_eq!(bodies, ["0", "1", "2", "4", "5", "6", "7"]);
    })
    .await;
}
