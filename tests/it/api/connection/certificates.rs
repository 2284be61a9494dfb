//! Authorities of an account's own, and certificates that deliveries prove themselves with.

use serde_json::{Value, json};

use super::{CONNECTION, Doors, ENDPOINTS, OPERATOR};
use crate::support::authority::{Authority, Proof};
use crate::support::receiver::Receiver;
use crate::support::store::on_both;

fn text(pem: Vec<u8>) -> String {
    String::from_utf8(pem).expect("PEM is text")
}

impl Doors {
    async fn trust(&self, authority: &Authority) {
        let to = json!({"certificate_authorities": text(authority.pem())});
        self.call(OPERATOR, "PUT", CONNECTION, Some(to))
            .await
            .is(200);
    }
}

#[tokio::test]
async fn what_one_account_trusts_no_other_account_does() {
    on_both(async |engine| {
        let doors = Doors::open(engine).await;
        let authority = Authority::new("Of the house");
        let receiver = Receiver::start_proving(authority.acceptor(Proof::Good)).await;
        let new = json!({"url": receiver.url("/hook"), "retry_policy": {"delays_ms": []}});
        let theirs = doors.other_account("other").await;
        let made = doors
            .call(&theirs, "POST", ENDPOINTS, Some(new.clone()))
            .await;
        made.is(201);
        doors.subscriber(new).await;
        doors
            .fails("tls", "not signed by a trusted authority")
            .await;
        assert_eq!(
            doors.get(CONNECTION).await.is(200).body["authorities"],
            json!([])
        );
        doors.trust(&authority).await;
        let shown = doors.get(CONNECTION).await.is(200);
        assert_eq!(shown.body["authorities"][0]["subject"], "CN=Of the house");
        assert!(shown.body["authorities"][0]["expires_at"].is_string());
        doors.delivers().await;
        // The connection is kept alive: the other account does not get it.
        let attempt = doors.attempt_as(&theirs).await;
        assert_eq!(attempt["error_class"], "tls", "{attempt}");
        let asked = json!({"url": receiver.url("/hook")});
        let validate = "/v1/endpoints/validate";
        let found = doors.post(validate, asked.clone()).await.is(200);
        assert_eq!(found.body["reached"], true, "{}", found.body);
        let found = doors.call(&theirs, "POST", validate, Some(asked)).await;
        assert_eq!(found.is(200).body["problem"]["tls"], "unknown_issuer");
        let none = doors
            .call(OPERATOR, "PUT", CONNECTION, Some(json!({})))
            .await;
        assert_eq!(none.is(200).body["certificate_authorities"], Value::Null);
        doors
            .fails("tls", "not signed by a trusted authority")
            .await;
    })
    .await;
}

#[tokio::test]
async fn what_is_no_authority_is_not_trusted() {
    on_both(async |engine| {
        let doors = Doors::open(engine).await;
        let authority = Authority::new("Of the house");
        let (certificate, key) = authority.client("a");
        for pem in [
            "nonsense".to_owned(),
            format!("{certificate}{key}"),
            certificate.repeat(51),
        ] {
            let to = json!({"certificate_authorities": pem});
            let refused = doors
                .call(OPERATOR, "PUT", CONNECTION, Some(to))
                .await
                .is(422);
            refused.refuses("invalid_field", "/certificate_authorities");
        }
        let reader = doors.key(&["read", "author"]).await;
        let put = doors
            .call(&reader, "PUT", CONNECTION, Some(json!({})))
            .await;
        put.is(403);
        doors.call(&reader, "GET", CONNECTION, None).await.is(200);
    })
    .await;
}

#[tokio::test]
async fn who_is_asked_for_a_certificate_shows_its_own() {
    on_both(async |engine| {
        let doors = Doors::open(engine).await;
        let authority = Authority::new("Of the house");
        doors.trust(&authority).await;
        let receiver = Receiver::start_proving(authority.acceptor(Proof::Mutual)).await;
        let path = doors
            .subscriber(json!({"url": receiver.url("/hook")}))
            .await;
        doors.fails("tls", "requires a client certificate").await;
        let own = async |name: &str, (certificate, key): (String, String)| {
            doors.secret_variable(name, &key).await;
            json!({"certificate": certificate, "key": format!("{{{{vars.{name}}}}}")})
        };
        let stranger = Authority::new("A stranger").client("me");
        let stranger = own("stranger", stranger).await;
        let first = own("first", authority.client("first")).await;
        let second = own("second", authority.client("second")).await;
        let put = async |own: &Value| doors.patch(&path, json!({"client_certificate": own})).await;
        put(&stranger).await.is(200);
        doors
            .fails("tls", "does not take the endpoint's client certificate")
            .await;
        assert_eq!(receiver.count(), 0);

        let shown = put(&first).await.is(200);
        let facts = &shown.body["client_certificate"];
        assert_eq!(facts["subject"], "CN=first");
        assert_eq!(facts["expires_at"], "2100-01-01T00:00:00.000Z");
        assert!(!shown.body.to_string().contains("PRIVATE KEY"));
        doors.delivers().await;
        put(&second).await.is(200);
        doors.delivers().await;

        let crossed = json!({"certificate": first["certificate"], "key": second["key"]});
        let expired = own("expired", authority.expired_client()).await;
        let literal = json!({"certificate": first["certificate"], "key": authority.client("a").1});
        for (own, place) in [
            (&crossed, "/client_certificate"),
            (&expired, "/client_certificate"),
            (&literal, "/client_certificate/key"),
            (
                &json!({"certificate": "a", "key": "{{vars.first}}"}),
                "/client_certificate/certificate",
            ),
        ] {
            put(own).await.is(422).refuses("invalid_field", place);
        }
        doors.delivers().await;
        // A validation goes the same way.
        doors.patch(&path, json!({"validate": true})).await.is(200);
        doors
            .patch(&path, json!({"client_certificate": null}))
            .await
            .is(200);
        doors.fails("tls", "requires a client certificate").await;
        let refused = doors.patch(&path, json!({"validate": true})).await;
        refused.is(422).refuses("endpoint_unreachable", "/validate");
    })
    .await;
}
