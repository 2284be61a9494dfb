//! Deliveries in the styles of others, taken by the libraries of those whose style it is.

use serde_json::json;

use super::text;
use crate::support::caller::event_body;
use crate::support::clients::{self, Library, Signed};
use crate::support::node::Home;
use crate::support::receiver::Receiver;
use crate::support::store::Engine;

const TEXT: &str = "It's a Secret to Everybody";
const OTHER: &str = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
const BODY: &str = r#"{"id":"7d2c","first_name":"Zoë","amount":1.0}"#;

/// A scheme, the secret that is given for it, and whose libraries know it.
const STYLES: [(&str, Option<&str>, &[Library]); 6] = [
    ("standard", None, &[Library::Npm, Library::PyPi]),
    ("github", Some(TEXT), &[Library::Npm, Library::PyPi]),
    ("github", None, &[Library::Npm, Library::PyPi]),
    (
        "stripe",
        Some("whsec_test_1"),
        &[Library::Npm, Library::PyPi],
    ),
    ("event-header", Some("your-secret-key"), &[Library::PyPi]),
    ("body-hmac", None, &[Library::PyPi]),
];

#[tokio::test]
async fn each_style_is_taken_by_those_whose_it_is() {
    let home = Home::on(Engine::Sqlite).await;
    let receiver = Receiver::start().await;
    let node = home.start().await;
    let caller = node.caller();
    let mut secrets = Vec::new();
    for (no, (scheme, secret, _)) in STYLES.iter().enumerate() {
        let mut signature = json!({"scheme": scheme});
        if let Some(secret) = secret {
            signature["secret"] = json!(secret);
        }
        let new = json!({"url": receiver.url(&format!("/{no}")), "signatures": [signature]});
        let made = caller.post("/v1/endpoints", &new).await.expect(201);
        let made = if *scheme == "body-hmac" {
            let revealed = caller
                .post("/v1/account/signing-key/reveal", &json!({}))
                .await;
            revealed.expect(200)["signing_key"].clone()
        } else {
            made["secret"].clone()
        };
        assert!(secret.is_none_or(|given| made == given), "{scheme}: {made}");
        secrets.push(text(&made));
    }
    let event = caller.try_post("/v1/events", event_body("contact.created", BODY, None));
    event.await.expect("an answer").expect(202);
    let requests = receiver.wait_for(STYLES.len()).await;
    for request in requests {
        assert_eq!(request.body, BODY);
        let no: usize = request.target[1..].parse().expect("a number");
        let (scheme, _, libraries) = STYLES[no];
        let genuine = Signed::under(scheme, &secrets[no], &request);
        let mut forged = genuine.clone();
        OTHER.clone_into(&mut forged.secret);
        for library in libraries {
            let said = clients::verify(*library, &[genuine.clone(), forged.clone()]).await;
            assert_eq!(said[0], Ok(()), "{scheme} {library:?}: {genuine:?}");
            assert!(said[1].is_err(), "{scheme} {library:?}");
        }
    }
    node.stop().await;
}
