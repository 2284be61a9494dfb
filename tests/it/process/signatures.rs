//! Deliveries in the styles of others, taken by the libraries of those whose style it is.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use tokio::process::Command;

use super::text;
use crate::support::before_hanging;
use crate::support::caller::event_body;
use crate::support::clients::{self, Library, Signed};
use crate::support::node::Home;
use crate::support::receiver::{Receiver, Request};
use crate::support::store::Engine;

const TEXT: &str = "It's a Secret to Everybody";
const OTHER: &str = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
const BODY: &str = r#"{"id":"7d2c","first_name":"Zoë","amount":1.0}"#;

/// A scheme, the secret that is given for it, and whose libraries know it.
const STYLES: [(&str, Option<&str>, &[Library]); 6] = [
    ("standard", None, &[Library::Npm, Library::PyPi]),
    (
        "github",
        Some(TEXT),
        &[Library::Npm, Library::PyPi, Library::Php],
    ),
    ("github", None, &[Library::Npm, Library::PyPi]),
    (
        "stripe",
        Some("whsec_test_1"),
        &[Library::Npm, Library::PyPi],
    ),
    (
        "event-header",
        Some("your-secret-key"),
        &[Library::PyPi, Library::Php],
    ),
    (
        "body-hmac",
        None,
        &[Library::Npm, Library::PyPi, Library::Php],
    ),
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

#[tokio::test]
async fn what_key_pairs_sign_is_verified_by_openssl_and_by_whoever_has_the_key_set() {
    let home = Home::on(Engine::Sqlite).await;
    let receiver = Receiver::start().await;
    let node = home.start().await;
    let caller = node.caller();
    let signatures =
        json!([{"scheme": "rsa"}, {"scheme": "standard-ed25519"}, {"scheme": "standard"}]);
    let new = json!({"url": receiver.url("/"), "signatures": signatures});
    let made = caller.post("/v1/endpoints", &new).await.expect(201);
    let path = format!("/v1/endpoints/{}/keys", text(&made["id"]));
    let pairs = caller.get(&path).await.expect(200)["data"].clone();
    let account = text(&caller.get("/v1/account").await.expect(200)["id"]);
    let set = caller
        .get(&format!("/jwks/{account}.json"))
        .await
        .expect(200);
    let event = caller.try_post("/v1/events", event_body("contact.created", BODY, None));
    event.await.expect("an answer").expect(202);
    let request = receiver.wait_for(1).await.remove(0);

    let header = |name: &str| request.header(name).expect(name).to_owned();
    let entry = header("webhook-signature")
        .split(' ')
        .find_map(|entry| entry.strip_prefix("v1a,").map(str::to_owned))
        .expect("a v1a signature");
    let standard = format!(
        "{}.{}.{BODY}",
        header("webhook-id"),
        header("webhook-timestamp")
    );
    for (kind, scheme, signed, signature) in [
        ("rsa", "rsa", BODY.to_owned(), header("x-siqsignature")),
        ("ed25519", "standard-ed25519", standard, entry),
    ] {
        let of_kind = |pair: &&Value| pair["kind"] == kind;
        let mut known = pairs.as_array().expect("a list").iter();
        let pair = known.find(of_kind).expect("a pair");
        let pem = text(&pair["public_key"]);
        assert!(
            openssl_verifies(kind, &pem, signed.as_bytes(), &signature).await,
            "{kind}"
        );
        assert!(
            !openssl_verifies(kind, &pem, b"{}", &signature).await,
            "{kind}"
        );

        let mut published = set["keys"].as_array().expect("a set").iter();
        let jwk = published
            .find(|jwk| jwk["kid"] == pair["id"])
            .expect("its key");
        by_key_set(scheme, jwk, &request).await;
    }
    let genuine = Signed::under("standard", &text(&made["secret"]), &request);
    for library in [Library::Npm, Library::PyPi] {
        let said = clients::verify(library, std::slice::from_ref(&genuine)).await;
        assert_eq!(said, [Ok(())], "beside v1a");
    }
    node.stop().await;
}

/// Node's crypto accepts it by this JSON Web Key, and nothing else by it.
async fn by_key_set(scheme: &'static str, jwk: &Value, request: &Request) {
    let genuine = Signed::under(scheme, &jwk.to_string(), request);
    let mut forged = genuine.clone();
    forged.body_base64 = STANDARD.encode("{}");
    let said = clients::verify(Library::Npm, &[genuine, forged]).await;
    assert_eq!(said[0], Ok(()), "{scheme}");
    assert!(said[1].is_err(), "{scheme}");
}

/// What `openssl` says of a signature in base64.
async fn openssl_verifies(kind: &str, pem: &str, signed: &[u8], signature: &str) -> bool {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let file = |name: &str, content: &[u8]| {
        let path = dir.path().join(name);
        std::fs::write(&path, content).expect("written");
        path
    };
    let key = file("key.pem", pem.as_bytes());
    let message = file("message", signed);
    let signature = file("signature", &STANDARD.decode(signature).expect("base64"));
    let mut openssl = Command::new("openssl");
    if kind == "rsa" {
        openssl.args(["dgst", "-sha256", "-verify"]).arg(key);
        openssl.arg("-signature").arg(signature).arg(message);
    } else {
        openssl.args(["pkeyutl", "-verify", "-pubin", "-rawin", "-inkey"]);
        openssl.arg(key).arg("-sigfile").arg(signature);
        openssl.arg("-in").arg(message);
    }
    let said = before_hanging("openssl", openssl.output()).await;
    said.expect("openssl runs").status.success()
}
