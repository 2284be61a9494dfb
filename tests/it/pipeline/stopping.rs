//! Stopping and starting again: what is under way is finished or handed back.

use throwbar::pipeline::{AcceptError, Limits};

use crate::support::answers::{Answer, Gate};
use crate::support::app::TestApp;
use crate::support::publishing::settings;
use crate::support::store::{Engine, on_both};

#[tokio::test]
async fn an_orderly_stop_finishes_what_is_under_way() {
    on_both(async |engine| {
        let mut app = TestApp::start(engine).await;
        let gate = Gate::shut();
        app.receiver
            .always("/hook", Answer::status(204).behind(&gate));
        app.subscriber("/hook", &["*"], settings()).await;
        let event = app.send("a.b", "{}").await;
        app.receiver.wait_for(1).await;
        let pipeline = app.pipeline().clone();
        let (stopped, ()) = futures_util::future::join(pipeline.shut_down(), async {
            // It has begun to stop: it takes nothing more, and still waits for the answer.
            let refused = pipeline.accept(vec![app.event("a.b", "2")]).await;
            assert_eq!(
                refused[0].expect_err("it is stopping"),
                AcceptError::Unavailable
            );
            gate.open();
        })
        .await;
        stopped.expect("it stops");
        assert!(!pipeline.is_alive());
        assert_eq!(
            app.outcome(event).await,
            ("delivered".to_owned(), vec!["204".to_owned()])
        );
        app.wake().await;
        app.settle().await;
        assert_eq!(app.receiver.requests().len(), 1, "nothing is left to do");
        app.finish().await;
    })
    .await;
}

#[tokio::test]
async fn what_is_not_finished_in_time_is_handed_back_and_sent_again() {
    on_both(async |engine| {
        let limits = Limits {
            shutdown_ms: 0,
            ..Limits::default()
        };
        let mut app = TestApp::start_with(engine, limits).await;
        app.receiver.next("/hook", Answer::hang());
        app.subscriber("/hook", &["*"], settings()).await;
        let event = app.send("a.b", "{ \"n\": 1 }").await;
        app.receiver.wait_for(1).await;
        app.stop().await;
        assert_eq!(app.delivery(event).await.state, "claimed");

        app.wake().await;
        app.settle().await;
        let words = vec!["interrupted".to_owned(), "204".to_owned()];
        assert_eq!(app.outcome(event).await, ("delivered".to_owned(), words));
        let requests = app.receiver.requests();
        assert_eq!(requests.len(), 2);
        assert_eq!(requests[0].webhook_id(), requests[1].webhook_id());
        assert_eq!(requests[0].body, requests[1].body);
        assert_eq!(
            app.delivery(event).await.attempts_made,
            1,
            "the interrupted one is not counted"
        );
        app.finish().await;
    })
    .await;
}

#[tokio::test]
async fn what_waits_for_its_time_waits_over_a_restart() {
    on_both(async |engine| {
        let mut app = TestApp::start(engine).await;
        app.receiver.next("/hook", Answer::status(500));
        let policy = throwbar::retry::RetryPolicy::own(vec![60_000], 0).expect("within bounds");
        app.subscriber(
            "/hook",
            &["*"],
            crate::support::publishing::retrying(policy),
        )
        .await;
        let event = app.send_and_settle("a.b", "{}").await;
        app.stop().await;
        app.wake().await;
        app.advance(std::time::Duration::from_millis(59_999)).await;
        assert_eq!(app.outcome(event).await.0, "pending");
        app.advance(std::time::Duration::from_millis(1)).await;
        assert_eq!(app.outcome(event).await.0, "delivered");
        app.finish().await;
    })
    .await;
}

/// Has the database refuse to record a 418, whatever is in the row besides.
async fn refuse_teapots(app: &TestApp, engine: Engine) {
    let sql = match engine {
        Engine::Sqlite => {
            "CREATE TRIGGER no_teapots BEFORE INSERT ON attempts WHEN NEW.status_code = 418
             BEGIN SELECT RAISE(ABORT, 'no'); END"
        }
        Engine::Postgres => {
            "ALTER TABLE attempts ADD CONSTRAINT no_teapots CHECK (status_code <> 418)"
        }
    };
    app.place.execute(sql).await;
}

#[tokio::test]
async fn an_attempt_that_can_not_be_recorded_ends_the_incarnation_and_is_made_again() {
    on_both(async |engine| {
        let mut app = TestApp::start(engine).await;
        refuse_teapots(&app, engine).await;
        let teapot = Answer::status(418).body("short and stout");
        app.receiver.next("/hook", teapot);
        app.subscriber("/hook", &["*"], settings()).await;
        let event = app.send("a.b", "{}").await;
        crate::support::before_hanging("the incarnation's end", app.pipeline().ended()).await;
        assert_eq!(app.delivery(event).await.state, "claimed");
        app.stop().await;
        app.wake().await;
        app.settle().await;
        let words = ["interrupted", "204"].map(str::to_owned).to_vec();
        assert_eq!(app.outcome(event).await, ("delivered".to_owned(), words));
        app.finish().await;
    })
    .await;
}
