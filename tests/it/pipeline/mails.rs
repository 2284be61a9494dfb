//! Mails about endpoints, by the clock and through a real mail server: to whom they go and when, what a burst comes to,
//! and what the mail server's answers mean.

use std::time::Duration;

use throwbar::alert::{Alerts, Smtp, SmtpSettings};
use throwbar::failure::FailurePolicy;
use throwbar::model::{Clock, EndpointId};
use throwbar::pipeline::EndpointSettings;
use throwbar::store::{EndpointChange, Mail, MailFilter, Store};

use crate::support::answers::Answer;
use crate::support::app::TestApp;
use crate::support::before_hanging;
use crate::support::mailbox::{Mailbox, Received};
use crate::support::publishing::settings;
use crate::support::store::ok;

/// In milliseconds, as all waits here.
pub(super) const HOUR: u64 = 3_600_000;
const OWNER: &str = "owner@customer.test";
pub(super) const DEV: &str = "dev@customer.test";

/// Alerts over this store, through this mail server.
pub(super) fn alerts_over(store: Store, app: &TestApp, mailbox: &Mailbox) -> Alerts {
    let clock = Clock::Manual(app.clock.clone());
    Alerts::new(store, clock, Some(smtp(mailbox)))
}

fn smtp(mailbox: &Mailbox) -> Smtp {
    let settings = SmtpSettings::parse(&mailbox.url(), "Throwbar <alerts@throwbar.test>");
    let smtp = Smtp::new(&settings.expect("a mail server")).expect("a way to it");
    smtp.with_patience(Duration::from_mins(1))
}

/// Alerts of the app's own node.
pub(super) fn alerts(app: &TestApp, mailbox: &Mailbox) -> Alerts {
    alerts_over(app.store.clone(), app, mailbox)
}

pub(super) async fn round(alerts: &Alerts) {
    before_hanging("a round", alerts.round())
        .await
        .expect("it goes well");
}

/// An endpoint under this policy whose mails go to these.
pub(super) async fn subscriber(
    app: &TestApp,
    failure_policy: FailurePolicy,
    notify: &[&str],
) -> EndpointId {
    let settings = EndpointSettings {
        failure_policy,
        notify: Some(notify.iter().map(|&to| to.to_owned()).collect()),
        ..settings()
    };
    app.subscriber("/hook", &["a.b"], settings).await
}

/// So much later one delivery is tried once, and answered so.
pub(super) async fn after(app: &TestApp, wait_ms: u64, status: u16) {
    app.advance(Duration::from_millis(wait_ms)).await;
    app.receiver.always("/hook", Answer::status(status));
    app.send_and_settle("a.b", "{}").await;
}

pub(super) async fn mails(app: &TestApp) -> Vec<Mail> {
    let all = MailFilter::default();
    ok(app.store.mails(app.account, &all, None, 1000))
        .await
        .rows
}

/// The state of the only mail to this address, how often it was tried, and what was answered.
pub(super) async fn fate(app: &TestApp, to: &str) -> (String, i64, String) {
    let mut mails = mails(app).await;
    mails.retain(|mail| mail.address == to);
    assert_eq!(mails.len(), 1, "{mails:?}");
    let mail = mails.remove(0);
    (mail.state, mail.tries, mail.answer.unwrap_or_default())
}

/// An endpoint goes up the whole ladder. The mails of each step, two at a time.
async fn climb(app: &TestApp, alerts: &Alerts, mailbox: &mut Mailbox) -> Vec<Received> {
    let mut seen = Vec::new();
    for (wait, status, subject) in [
        (0, 500, None),
        (1, 503, Some("warning 1 of 2")),
        (HOUR - 1, 500, None),
        (1, 500, Some("warning 2 of 2")),
        (HOUR, 500, Some("switched off, its deliveries kept failing")),
    ] {
        after(app, wait, status).await;
        round(alerts).await;
        let Some(subject) = subject else {
            continue;
        };
        // Beside those that count what was given up in an hour.
        let so_far = seen.len();
        while seen.len() < so_far + 2 {
            let mail = mailbox.next().await;
            let about = mail.header("subject");
            if !about.ends_with(" given up") {
                assert!(about.contains(subject), "{about}");
                seen.push(mail);
            }
        }
    }
    seen
}

#[tokio::test]
async fn the_whole_ladder_is_mailed_to_whom_it_concerns() {
    TestApp::on_both(async |app| {
        let mut mailbox = Mailbox::open().await;
        let alerts = alerts(app, &mailbox);
        ok(app.store.change_owner_mail(app.account, Some(OWNER))).await;
        let own = subscriber(app, FailurePolicy::Ladder, &[DEV]).await;
        let seen = climb(app, &alerts, &mut mailbox).await;
        for pair in seen.chunks(2) {
            let mut to = [pair[0].to.as_str(), &pair[1].to];
            to.sort_unstable();
            assert_eq!(to, [DEV, OWNER]);
        }
        // Each is its own, in one thread, and of a machine.
        let mut ids: Vec<&str> = seen.iter().map(|mail| mail.header("message-id")).collect();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), 6);
        for mail in &seen {
            assert_eq!(mail.from, "alerts@throwbar.test");
            assert_eq!(mail.header("references"), format!("<{own}@throwbar.test>"));
            assert_eq!(mail.header("auto-submitted"), "auto-generated");
            assert!(mail.header("list-id").contains(&app.account.to_string()));
            let form = mail.header("content-type");
            assert!(form.starts_with("multipart/alternative"), "{form}");
            for part in [&mail.text, &mail.html] {
                assert!(part.contains("127.0.0.1"), "{part}");
                assert!(part.contains("HTTP 500"), "{part}");
            }
        }
        let [first, second, last] = [0, 2, 4].map(|place| &seen[place].text);
        assert!(first.contains("a second warning comes"), "{first}");
        let words = "it is switched off at a failed attempt from";
        assert!(second.contains(words), "{second}");
        let enable = format!("curl -X POST \"$THROWBAR_URL/v1/endpoints/{own}/enable\"");
        assert!(last.contains(&enable), "{last}");
        assert!(last.contains("You are reminded on "), "{last}");
    })
    .await;
}

#[tokio::test]
async fn a_burst_of_failures_is_one_mail_with_a_count() {
    TestApp::on_both(async |app| {
        let mut mailbox = Mailbox::open().await;
        let alerts = alerts(app, &mailbox);
        subscriber(app, FailurePolicy::Never, &[DEV]).await;
        app.receiver.always("/hook", Answer::status(500));
        for minute in 0..10 {
            let burst = (0..200).map(|_| app.event("a.b", "{}")).collect();
            for accepted in app.accept(burst).await {
                accepted.expect("accepted");
            }
            app.settle().await;
            round(&alerts).await;
            let collecting = mails(app).await;
            let failed = collecting
                .iter()
                .filter(|mail| mail.topic.ends_with("delivery.failed"));
            let counts: Vec<i64> = failed.map(|mail| mail.occurrences).collect();
            assert_eq!(counts, [200 * (minute + 1)]);
            app.advance(Duration::from_mins(1)).await;
        }
        // That it fails at all is another matter, told after a minute.
        let failing = mailbox.next().await;
        assert!(
            failing
                .header("subject")
                .ends_with("deliveries are failing")
        );
        app.advance(Duration::from_millis(HOUR)).await;
        round(&alerts).await;
        let mail = mailbox.next().await;
        assert!(
            mail.header("subject")
                .ends_with(": 2000 deliveries given up"),
            "{}",
            mail.header("subject")
        );
        // What comes then is the next hour's.
        after(app, 1, 500).await;
        round(&alerts).await;
        let mut counts = mails(app).await;
        counts.retain(|mail| mail.topic.ends_with("delivery.failed"));
        let counts: Vec<_> = counts
            .iter()
            .map(|mail| (mail.occurrences, mail.state.as_str()))
            .collect();
        assert_eq!(counts, [(1, "collecting"), (2000, "sent")]);
    })
    .await;
}

#[tokio::test]
async fn what_the_mail_server_says_is_kept_and_only_some_of_it_is_final() {
    TestApp::on_both(async |app| {
        let mut mailbox = Mailbox::open().await;
        let clock = Clock::Manual(app.clock.clone());
        let hurried = smtp(&mailbox).with_patience(Duration::from_secs(2));
        let alerts = Alerts::new(app.store.clone(), clock, Some(hurried));
        let all = ["bounce@a.test", "busy@a.test", "cut@a.test", "hang@a.test"];
        subscriber(app, FailurePolicy::Ladder, &all).await;
        after(app, 0, 410).await;
        round(&alerts).await;
        let mut told = Vec::new();
        for _ in all {
            told.push(mailbox.recipient().await);
        }
        told.sort_unstable();
        assert_eq!(told, all);
        let (state, tries, answer) = fate(app, "bounce@a.test").await;
        assert_eq!((state.as_str(), tries), ("bounced", 1));
        assert!(
            answer.contains("550") && answer.contains("no such user"),
            "{answer}"
        );
        for (to, words) in [
            ("busy@a.test", "451"),
            ("cut@a.test", ""),
            ("hang@a.test", "no end after 2 s"),
        ] {
            let (state, tries, answer) = fate(app, to).await;
            assert_eq!((state.as_str(), tries), ("waiting", 1), "{to}: {answer}");
            assert!(answer.contains(words), "{to}: {answer}");
        }
        // Not before its time, and then with the same id.
        round(&alerts).await;
        assert_eq!(fate(app, "busy@a.test").await.1, 1);
        mailbox.let_go().await;
        app.advance(Duration::from_mins(1)).await;
        round(&alerts).await;
        for to in ["busy@a.test", "cut@a.test", "hang@a.test"] {
            let (state, tries, answer) = fate(app, to).await;
            assert_eq!((state.as_str(), tries), ("sent", 2), "{to}: {answer}");
            assert!(answer.starts_with("250"), "{to}: {answer}");
        }
        assert_eq!(
            fate(app, "bounce@a.test").await.1,
            1,
            "it is not tried again"
        );
    })
    .await;
}

#[tokio::test]
async fn a_mail_whose_sending_broke_off_is_sent_again_with_the_same_id() {
    TestApp::on_both(async |app| {
        let mut mailbox = Mailbox::open().await;
        let first = alerts(app, &mailbox);
        subscriber(app, FailurePolicy::Ladder, &["hang@a.test"]).await;
        after(app, 0, 410).await;
        // It has the mail, and whose life that was does not hear of it.
        let cut_off = tokio::select! {
            done = first.round() => panic!("nobody has answered: {done:?}"),
            mail = mailbox.next() => mail,
        };
        assert_eq!(fate(app, "hang@a.test").await.0, "sending");
        mailbox.let_go().await;
        let next = alerts(app, &mailbox);
        round(&next).await;
        let again = mailbox.next().await;
        assert_eq!(cut_off.header("message-id"), again.header("message-id"));
        assert_eq!(fate(app, "hang@a.test").await.1, 2);
        round(&next).await;
        assert_eq!(
            fate(app, "hang@a.test").await,
            ("sent".to_owned(), 2, "250 2.0.0 taken as 1".to_owned())
        );
    })
    .await;
}

#[tokio::test]
async fn names_stay_names_in_headers_and_nobody_else_is_written_to() {
    TestApp::on_both(async |app| {
        let mut mailbox = Mailbox::open().await;
        let alerts = alerts(app, &mailbox);
        let own = subscriber(app, FailurePolicy::Ladder, &[DEV]).await;
        let change = EndpointChange {
            name: Some("Zoë\r\nBcc: spy@a.test\r\n\r\n<img src=//spy.test>".to_owned()),
            ..EndpointChange::default()
        };
        ok(app
            .store
            .change_endpoint(app.account, own, &change, app.clock.now()))
        .await;
        after(app, 1, 410).await;
        round(&alerts).await;
        let mail = mailbox.next().await;
        assert_eq!(mail.to, DEV);
        assert!(
            !mail
                .header_names()
                .iter()
                .any(|name| name.eq_ignore_ascii_case("bcc"))
        );
        let about: Vec<&str> = mail.header("subject").split_whitespace().collect();
        assert!(about.join(" ").contains("Zoë Bcc: spy@a.test"), "{about:?}");
        assert!(!mail.html.contains("<img"), "{}", mail.html);
        assert!(
            mail.header("content-type")
                .starts_with("multipart/alternative")
        );
    })
    .await;
}
