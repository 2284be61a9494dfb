//! Mails of real processes, through a real mail server: to whom they go by what the API was told, and what becomes of
//! one whose node is killed while the mail server has it in hand.

use serde_json::json;

use crate::support::answers::Answer;
use crate::support::caller::Caller;
use crate::support::mailbox::Mailbox;
use crate::support::node::Home;
use crate::support::receiver::Receiver;
use crate::support::store::on_both;

/// An endpoint of this key's, switched off by its receiver's 410.
async fn gone(caller: &Caller, key: &str) -> (Receiver, String) {
    let receiver = Receiver::start().await;
    receiver.always("/", Answer::status(410));
    let new = json!({"name": "CRM", "url": receiver.url("/")});
    let endpoint = caller.with_key(key).post("/v1/endpoints", &new).await.id();
    caller.send_event("deal.won", "{}").await;
    (receiver, endpoint)
}

async fn key_of(caller: &Caller, mail: &str) -> String {
    let new = json!({"name": "dev", "scopes": ["author"], "owner_mail": mail});
    let made = caller.post("/v1/api-keys", &new).await.expect(201);
    made["key"].as_str().expect("a key").to_owned()
}

#[tokio::test]
async fn who_made_an_endpoint_and_the_owner_hear_that_it_is_switched_off() {
    on_both(async |engine| {
        let mut mailbox = Mailbox::open().await;
        let home = Home::on(engine).await;
        let url = mailbox.url();
        let smtp = [
            ("THROWBAR_SMTP_URL", url.as_str()),
            ("THROWBAR_SMTP_FROM", "Throwbar <alerts@throwbar.test>"),
        ];
        let node = home.start_with(&smtp).await;
        let caller = node.caller();
        let owner = json!({"owner_mail": "owner@customer.test"});
        caller.patch("/v1/account", &owner).await.expect(200);
        let key = key_of(caller, "dev@customer.test").await;
        let (_receiver, endpoint) = gone(caller, &key).await;
        let mut to = Vec::new();
        for _ in 0..2 {
            let mail = mailbox.next().await;
            assert_eq!(
                mail.header("subject"),
                "[Throwbar] CRM: switched off, it answered 410 Gone"
            );
            assert!(mail.text.contains("HTTP 410"), "{}", mail.text);
            to.push(mail.to);
        }
        to.sort_unstable();
        assert_eq!(to, ["dev@customer.test", "owner@customer.test"]);
        home.until("SELECT COUNT(*) FROM mails WHERE state = 'sent'", 2)
            .await;
        let listed = caller
            .list(&format!("/v1/mails?endpoint={endpoint}&state=sent"))
            .await;
        assert_eq!(listed.len(), 2);
        assert_eq!(listed[0]["answer"], "250 2.0.0 taken as 1");
        node.stop().await;
    })
    .await;
}

#[tokio::test]
async fn a_mail_whose_node_is_killed_is_sent_by_the_next_life() {
    on_both(async |engine| {
        let mut mailbox = Mailbox::open().await;
        let home = Home::on(engine).await;
        let url = mailbox.url();
        let smtp = [
            ("THROWBAR_SMTP_URL", url.as_str()),
            ("THROWBAR_SMTP_FROM", "alerts@throwbar.test"),
        ];
        let node = home.start_with(&smtp).await;
        let key = key_of(node.caller(), "hang@customer.test").await;
        let (_receiver, _) = gone(node.caller(), &key).await;
        let first = mailbox.next().await;
        // It has the mail, and has not said so.
        node.kill().await;
        mailbox.let_go().await;
        let node = home.start_with(&smtp).await;
        let again = mailbox.next().await;
        assert_eq!(first.header("message-id"), again.header("message-id"));
        home.until(
            "SELECT COUNT(*) FROM mails WHERE state = 'sent' AND tries = 2",
            1,
        )
        .await;
        let said = home
            .command(&["mail", "test", "--to", "me@operator.test"], &smtp)
            .await;
        assert!(said.contains("the mail server has taken it: 250"), "{said}");
        assert_eq!(mailbox.next().await.to, "me@operator.test");
        let said = home
            .command(&["mail", "test", "--to", "bounce@operator.test"], &smtp)
            .await;
        assert!(said.contains("550"), "{said}");
        node.stop().await;
    })
    .await;
}
