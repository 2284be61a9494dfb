//! What events are called: each way in has names of its own, and only a name that was signed counts.

use axum::body::Body;
use axum::http::Request;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::json;
use sha2::Sha256;

use super::schedule::{MINUTE, every_minute, ledger, pass};
use super::source::{ledger as refusals, make, send};
use super::{Doors, OPERATOR};
use crate::support::store::on_both;

const KEY: &[u8] = b"a key of thirty-two bytes, about";

#[tokio::test]
async fn a_name_of_one_way_in_is_none_of_another() {
    on_both(async |engine| {
        let doors = Doors::open(engine).await;
        let source = json!({
            "name": "s", "verification": {"scheme": "none"}, "mapping": {"type": "'a'", "id": "body.id"},
        });
        let source = make(&doors, source).await;
        let path = format!("/v1/schedules/{}", {
            let made = doors.post("/v1/schedules", every_minute()).await.is(201);
            made.id()
        });
        let native = async |id: &str| {
            let event = json!({"type": "a", "data": {"id": "c"}, "id": id});
            doors.post("/v1/events", event).await.is(202).id()
        };
        let cloudevent = async || {
            let event = json!({
                "specversion": "1.0", "type": "a", "source": "b", "id": "c", "data": {"id": "c"},
            });
            let request = Request::post("/v1/events")
                .header("authorization", format!("Bearer {OPERATOR}"))
                .header("content-type", "application/cloudevents+json")
                .body(Body::from(event.to_string()));
            doors.request(request.expect("a request")).await.is(202).id()
        };
        let by_source = async || send(&doors, &source.path, &[], r#"{"id":"c"}"#).await.is(202).id();
        let next = doors.get(&path).await.is(200).text("/next_at");
        let schedule = path.trim_start_matches("/v1/schedules/");
        let called_so = [
            native("b c").await,
            cloudevent().await,
            native(&format!("{} c", source.id)).await,
            by_source().await,
            native(&format!("{schedule}@{next}")).await,
        ];
        for (no, event) in called_so.iter().enumerate() {
            assert!(!called_so[..no].contains(event), "{called_so:?}");
        }
        // Each is known by its own name, and shown with it.
        assert_eq!(native("b c").await, called_so[0]);
        assert_eq!(cloudevent().await, called_so[1]);
        assert_eq!(by_source().await, called_so[3]);
        for (event, name) in [(1, "b c".to_owned()), (3, format!("{} c", source.id))] {
            let event = format!("/v1/events/{}", called_so[event]);
            assert_eq!(doors.get(&event).await.is(200).text("/client_id"), name);
        }
        // Nobody takes an occurrence's place.
        pass(&doors, MINUTE).await;
        let listed = ledger(&doors, &path).await;
        assert!(listed[0].ends_with(" fired"), "{listed:?}");
    })
    .await;
}

#[tokio::test]
async fn a_name_that_nobody_signed_makes_no_second_event() {
    on_both(async |engine| {
        let doors = Doors::open(engine).await;
        let secret = format!("whsec_{}", STANDARD.encode(KEY));
        let source = json!({"name": "s", "verification": {"scheme": "standard"}, "secret": secret});
        let source = make(&doors, source).await;
        let signed = |family: &str, id: &str| {
            let mut mac = Hmac::<Sha256>::new_from_slice(KEY).expect("any key");
            mac.update(format!("{id}.1790000000.{{}}").as_bytes());
            let signature = format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()));
            vec![
                (format!("{family}-id"), id.to_owned()),
                (format!("{family}-timestamp"), "1790000000".to_owned()),
                (format!("{family}-signature"), signature),
            ]
        };
        let sent = async |headers: Vec<(String, String)>| {
            let named = headers
                .iter()
                .map(|(name, value)| (name.as_str(), value.clone()));
            let named: Vec<_> = named.collect();
            send(&doors, &source.path, &named, "{}").await
        };
        let event = sent(signed("svix", "m-1")).await.is(202).id();
        for (family, other) in [("svix", "webhook"), ("webhook", "svix")] {
            let mut evil = signed(family, "m-1");
            evil.push((format!("{other}-id"), "EVIL".to_owned()));
            sent(evil).await.is(403).refuses("not_genuine", "nowhere");
        }
        let mut both = signed("svix", "m-1");
        both.extend(signed("webhook", "m-1"));
        assert_eq!(sent(both).await.is(202).id(), event);
        assert_eq!(sent(signed("webhook", "m-1")).await.is(202).id(), event);
        assert_eq!(doors.place.number("SELECT COUNT(*) FROM events").await, 1);
        // Each with its own reason.
        let refused = ("not_genuine".to_owned(), 1);
        assert_eq!(refusals(&doors, &source).await, [refused.clone(), refused]);
    })
    .await;
}
