//! What deliveries prove themselves with: a user and a password, a token, or a token that is fetched.

use serde_json::{Value, json};

use super::{Doors, ENDPOINTS};
use crate::support::answers::{Answer, Gate};
use crate::support::receiver::Receiver;
use crate::support::store::on_both;

const SECRET: &str = "s3cret of the crm";

fn token(text: &str, expires_in: u64) -> Answer {
    let body = json!({"access_token": text, "token_type": "Bearer", "expires_in": expires_in});
    Answer::status(200)
        .header("content-type", "application/json")
        .body(body.to_string())
}

/// What the requests to this path had in a header.
fn had(receiver: &Receiver, path: &str, name: &str) -> Vec<String> {
    let requests = receiver.requests().into_iter();
    let of_path = requests.filter(|request| request.target == path);
    of_path
        .map(|request| request.header(name).unwrap_or("nothing").to_owned())
        .collect()
}

fn oauth2(receiver: &Receiver) -> Value {
    json!({"oauth2": {
        "token_url": receiver.url("/token"), "client_id": "throwbar", "client_secret": "{{vars.crm}}",
        "scopes": ["hooks.write"], "audience": "crm",
    }})
}

#[tokio::test]
async fn a_user_or_a_token_goes_along_and_is_shown_to_nobody() {
    on_both(async |engine| {
        let doors = Doors::open(engine).await;
        let receiver = Receiver::start().await;
        doors.secret_variable("crm", SECRET).await;
        let basic = json!({"basic": {"username": "me", "password": "{{vars.crm}}"}});
        let path = doors
            .subscriber(json!({"url": receiver.url("/hook"), "auth": basic}))
            .await;
        doors.delivers().await;
        let shown = doors.get(&path).await.is(200);
        assert_eq!(shown.body["auth"], basic);
        assert!(!shown.body.to_string().contains(SECRET), "{}", shown.body);
        let in_use = doors.delete("/v1/variables/crm").await.is(409);
        assert!(in_use.text("/detail").contains("auth"));
        let plain = json!({"value": "not secret any more", "secret": false});
        let refused = doors.patch("/v1/variables/crm", plain).await.is(409);
        refused.refuses("variable_in_use", "nowhere");

        let bearer = json!({"bearer": {"token": "{{vars.crm}}"}});
        doors.patch(&path, json!({"auth": bearer})).await.is(200);
        doors.delivers().await;
        // What the variable is now, the next one has along.
        let rotated = json!({"value": "another s3cret"});
        doors.patch("/v1/variables/crm", rotated).await.is(200);
        doors.delivers().await;
        doors.patch(&path, json!({"auth": null})).await.is(200);
        doors.delivers().await;
        let expected = [
            "Basic bWU6czNjcmV0IG9mIHRoZSBjcm0=",
            "Bearer s3cret of the crm",
            "Bearer another s3cret",
            "nothing",
        ];
        assert_eq!(had(&receiver, "/hook", "authorization"), expected);
    })
    .await;
}

#[tokio::test]
async fn what_can_not_be_proved_with_is_not_saved() {
    on_both(async |engine| {
        let doors = Doors::open(engine).await;
        doors.secret_variable("crm", SECRET).await;
        let plain = json!({"name": "plain", "value": "not secret"});
        doors.post("/v1/variables", plain).await.is(201);
        let oauth2 = |field: &str, value: Value| {
            let mut auth = json!({
                "token_url": "https://login.example/token", "client_id": "a", "client_secret": "{{vars.crm}}",
            });
            auth[field] = value;
            json!({"auth": {"oauth2": auth}})
        };
        let basic = |user: &str, password: &str| {
            json!({"auth": {"basic": {"username": user, "password": password}}})
        };
        for (mut new, place) in [
            (basic("me", "a literal"), "/auth/basic/password"),
            (basic("me", "{{vars.plain}}"), "/auth/basic/password"),
            (basic("me", "{{vars.none}}"), "/auth/basic/password"),
            (basic("m:e", "{{vars.crm}}"), "/auth/basic/username"),
            (json!({"auth": {"bearer": {"token": "a literal"}}}), "/auth/bearer/token"),
            (oauth2("client_secret", json!("a literal")), "/auth/oauth2/client_secret"),
            (oauth2("token_url", json!("http://10.0.0.1/")), "/auth/oauth2/token_url"),
            (oauth2("token_url", json!("ftp://a.example/")), "/auth/oauth2/token_url"),
            (oauth2("scopes", json!(["a", "b c"])), "/auth/oauth2/scopes/1"),
            (oauth2("client_id", json!("")), "/auth/oauth2/client_id"),
            (
                json!({"auth": {"bearer": {"token": "{{vars.crm}}"}}, "headers": {"Authorization": "a"}}),
                "/headers/authorization",
            ),
        ] {
            new["url"] = json!("https://a.example/");
            let refused = doors.post(ENDPOINTS, new).await.is(422);
            refused.refuses("invalid_field", place);
        }
        doors.has_none(ENDPOINTS).await;
    })
    .await;
}

#[tokio::test]
async fn a_token_is_fetched_once_and_used_until_it_is_not_taken_any_more() {
    on_both(async |engine| {
        let doors = Doors::open(engine).await;
        let receiver = Receiver::start().await;
        doors.secret_variable("crm", SECRET).await;
        let gate = Gate::shut();
        receiver.next("/token", token("one", 3600).behind(&gate));
        let new = json!({"url": receiver.url("/hook"), "auth": oauth2(&receiver)});
        doors.subscriber(new).await;
        for no in 0..5 {
            let event = json!({"type": "deal.won", "data": {"no": no}});
            doors.post("/v1/events", event).await.is(202);
        }
        receiver.wait_for(1).await;
        gate.open();
        receiver.wait_for(6).await;
        doors.pipeline.settle().await;
        assert_eq!(
            had(&receiver, "/token", "host").len(),
            1,
            "one fetch for all"
        );
        assert_eq!(
            had(&receiver, "/hook", "authorization"),
            ["Bearer one"; 5].map(str::to_owned)
        );
        let asked = receiver.requests().remove(0);
        assert_eq!(
            asked.body,
            "grant_type=client_credentials&scope=hooks.write&audience=crm"
        );
        assert_eq!(
            asked.header("authorization"),
            Some("Basic dGhyb3diYXI6czNjcmV0K29mK3RoZStjcm0=")
        );

        // Taken back before its time: the attempt goes out once more, with a new one.
        receiver.next("/hook", Answer::status(401));
        receiver.next("/token", token("two", 3600));
        doors.delivers().await;
        let seen = had(&receiver, "/hook", "authorization");
        assert_eq!(seen[5..], ["Bearer one", "Bearer two"]);
        // Who does not take a new one either is believed.
        receiver.always("/hook", Answer::status(401));
        receiver.next("/token", token("three", 3600));
        let attempt = doors.attempt().await;
        assert_eq!(attempt["status_code"], 401, "{attempt}");
        assert_eq!(had(&receiver, "/hook", "authorization").len(), 9);
    })
    .await;
}

#[tokio::test]
async fn a_token_that_does_not_last_is_fetched_anew() {
    on_both(async |engine| {
        let doors = Doors::open(engine).await;
        let receiver = Receiver::start().await;
        doors.secret_variable("crm", SECRET).await;
        for text in ["one", "two"] {
            receiver.next("/token", token(text, 0));
        }
        let new = json!({"url": receiver.url("/hook"), "auth": oauth2(&receiver)});
        doors.subscriber(new).await;
        doors.delivers().await;
        doors.delivers().await;
        let seen = had(&receiver, "/hook", "authorization");
        assert_eq!(seen, ["Bearer one", "Bearer two"]);
    })
    .await;
}

#[tokio::test]
async fn why_there_is_no_token_is_on_the_attempt_and_nothing_is_sent() {
    on_both(async |engine| {
        let doors = Doors::open(engine).await;
        let receiver = Receiver::start().await;
        doors.secret_variable("crm", SECRET).await;
        let path = doors
            .subscriber(json!({"url": receiver.url("/hook"), "auth": oauth2(&receiver)}))
            .await;
        let denied = json!({"error": "invalid_client", "error_description": SECRET});
        receiver.next("/token", Answer::status(401).body(denied.to_string()));
        let says = "the token endpoint answered 401 (invalid_client)";
        doors.fails("authorization", says).await;
        receiver.next("/token", Answer::status(200).body("<html>"));
        doors.fails("authorization", "not JSON").await;
        receiver.next("/token", Answer::reset());
        doors
            .fails("authorization", "no access token: the receiver")
            .await;
        assert!(had(&receiver, "/hook", "host").is_empty());
        // The same is found before anything is saved.
        receiver.next("/token", Answer::status(401).body(denied.to_string()));
        receiver.next("/token", Answer::status(401).body(denied.to_string()));
        let refused = doors.patch(&path, json!({"validate": true})).await.is(422);
        refused.refuses("endpoint_unreachable", "/validate");
        assert!(refused.text("/detail").contains("invalid_client"));
        assert!(!refused.text("/detail").contains(SECRET));
        // What failed is not kept.
        receiver.always("/token", token("good", 60));
        doors.delivers().await;
    })
    .await;
}
