//! The API without a socket: requests to the router, over a real store on either engine and a real
//! pipeline.

mod account_key;
mod attempt;
mod automation;
mod backtest;
mod backtest_flow;
mod bodies;
mod boundary;
mod cloudevent;
mod cloudevent_out;
mod code;
mod code_refusals;
mod code_round_trip;
mod code_rules;
mod condition;
mod connection;
mod dead_letter;
mod endpoint;
mod endpoint_options;
mod endpoint_validation;
mod event;
mod event_type;
mod event_type_import;
mod explain;
mod explain_agrees;
mod failing;
mod flow;
mod guides;
mod health;
mod hidden;
mod kept_test;
mod key_pair;
mod log;
mod mail;
mod manners;
mod merges;
mod names;
mod own_policy;
mod own_schedule;
mod plugin;
mod policy;
mod preview;
mod profile;
mod publication;
mod receiver;
mod receiver_stream;
mod recovery;
mod recovery_held;
mod recovery_unsubscribed;
mod replies;
mod rerun;
mod rerun_waits;
mod resend;
mod rest;
mod retention;
mod run_now;
mod schedule;
mod schedule_clock;
mod signature;
mod source;
mod source_plugin;
mod source_refusals;
mod test_event;
mod texts;
mod trial;
mod validation;
mod variable;
mod variable_use;
mod version;

use std::sync::Arc;

use axum::body::Body;
use axum::http::{Method, Request};
use serde_json::{Value, json};
use throwbar::app::doors;
use throwbar::model::{Clock, ManualClock, Timestamp};
use throwbar::outbound::{self, Client, EgressGuard};
use throwbar::pipeline::{Limits, Pipeline};
use throwbar::service::{self, Rules, Service};
use tower::ServiceExt;

use crate::support::app;
use crate::support::store::{Engine, TestStore};

const OPERATOR: &str = "tb_operator-of-these-tests-only";

/// An answer: its status, its body as JSON (or null), and its headers.
struct Answer {
    status: u16,
    body: Value,
    headers: axum::http::HeaderMap,
}

impl Answer {
    fn text(&self, pointer: &str) -> String {
        let found = self.body.pointer(pointer).and_then(Value::as_str);
        found
            .unwrap_or_else(|| panic!("no text at {pointer}: {}", self.body))
            .to_owned()
    }

    fn id(&self) -> String {
        self.text("/id")
    }

    #[track_caller]
    fn is(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{}", self.body);
        if status >= 400 {
            assert_eq!(self.headers["content-type"], "application/problem+json");
            assert_eq!(self.body["status"], status);
            assert!(
                self.body["detail"]
                    .as_str()
                    .is_some_and(|text| text.len() > 10),
                "{}",
                self.body
            );
        }
        self
    }

    /// It is a problem with this code at this place.
    #[track_caller]
    fn refuses(&self, code: &str, place: &str) {
        assert_eq!(self.body["code"], code, "{}", self.body);
        let fields = ["pointer", "parameter", "header"];
        let found = fields
            .iter()
            .find_map(|field| self.body.get(field))
            .and_then(Value::as_str);
        assert_eq!(found.unwrap_or("nowhere"), place, "{}", self.body);
    }
}

/// A server without a socket: two accounts, and an operator's key that acts for the first.
struct Doors {
    router: axum::Router,
    service: Service,
    pipeline: Pipeline,
    clock: ManualClock,
    place: TestStore,
}

impl Doors {
    async fn open(engine: Engine) -> Self {
        Self::open_within(engine, Limits::default()).await
    }

    async fn open_within(engine: Engine, limits: Limits) -> Self {
        Self::open_with(engine, limits, None).await
    }

    /// One whose requests go out like this.
    async fn open_dialling(engine: Engine, settings: outbound::Settings) -> Self {
        let client = Client::new(settings).expect("a client");
        Self::open_with(engine, Limits::default(), Some(client)).await
    }

    async fn open_with(engine: Engine, limits: Limits, client: Option<Client>) -> Self {
        let place = TestStore::open(engine).await;
        let clock = ManualClock::new(Timestamp::from_ms(1_790_000_000_000));
        let mut parts = app::parts(place.store.clone(), &clock, limits);
        parts.client = client.unwrap_or(parts.client);
        let service = Service::new(service::Parts {
            store: parts.store.clone(),
            vault: parts.vault.clone(),
            components: parts.components.clone(),
            clock: Clock::Manual(clock.clone()),
            guard: EgressGuard::new(vec!["127.0.0.0/8".parse().expect("a network")]),
            client: parts.client.clone(),
            egress_addresses: vec!["203.0.113.7/32".parse().expect("an address")],
            rules: Rules::default(),
        });
        let made = service.set_up(Some(OPERATOR)).await.expect("set up");
        assert!(made.account().is_some() && made.operator_key().is_none());
        let pipeline = Pipeline::start(parts).await.expect("a pipeline");
        service.attach(Some(pipeline.clone()));
        let figures = || "throwbar_figure 1\n".to_owned();
        Self {
            router: doors(service.clone(), Arc::new(figures)),
            service,
            pipeline,
            clock,
            place,
        }
    }

    async fn request(&self, request: Request<Body>) -> Answer {
        let response = self
            .router
            .clone()
            .oneshot(request)
            .await
            .expect("infallible");
        let (parts, body) = response.into_parts();
        let body = axum::body::to_bytes(body, usize::MAX)
            .await
            .expect("a body");
        Answer {
            status: parts.status.as_u16(),
            body: serde_json::from_slice(&body).unwrap_or(Value::Null),
            headers: parts.headers,
        }
    }

    async fn call(&self, key: &str, method: &str, path: &str, body: Option<Value>) -> Answer {
        let body = body.map_or_else(Body::empty, |body| Body::from(body.to_string()));
        let request = Request::builder()
            .method(Method::from_bytes(method.as_bytes()).expect("a method"))
            .uri(path)
            .header("content-type", "application/json")
            .header("authorization", format!("Bearer {key}"))
            .body(body);
        self.request(request.expect("a request")).await
    }

    async fn post(&self, path: &str, body: Value) -> Answer {
        self.call(OPERATOR, "POST", path, Some(body)).await
    }

    async fn patch(&self, path: &str, body: Value) -> Answer {
        self.call(OPERATOR, "PATCH", path, Some(body)).await
    }

    async fn get(&self, path: &str) -> Answer {
        self.call(OPERATOR, "GET", path, None).await
    }

    /// This list is empty.
    async fn has_none(&self, path: &str) {
        let listed = self.get(path).await.is(200);
        assert_eq!(listed.body["data"], json!([]));
    }

    async fn delete(&self, path: &str) -> Answer {
        self.call(OPERATOR, "DELETE", path, None).await
    }

    /// A key of the first account with these scopes: its text.
    async fn key(&self, scopes: &[&str]) -> String {
        let new = json!({"name": "of a test", "scopes": scopes});
        self.post("/v1/api-keys", new).await.is(201).text("/key")
    }

    /// An admin key of a further account.
    async fn other_account(&self, uid: &str) -> String {
        self.post("/v1/accounts", json!({"name": uid, "uid": uid}))
            .await
            .is(201);
        let request = Request::post("/v1/api-keys")
            .header("authorization", format!("Bearer {OPERATOR}"))
            .header("throwbar-account", uid)
            .body(Body::from(
                json!({"name": "theirs", "scopes": ["admin"]}).to_string(),
            ));
        self.request(request.expect("a request"))
            .await
            .is(201)
            .text("/key")
    }

    async fn upload(&self, wasm: Vec<u8>, query: &str) -> Answer {
        let request = Request::post(format!("/v1/plugins{query}"))
            .header("authorization", format!("Bearer {OPERATOR}"))
            .header("content-type", "application/wasm")
            .body(Body::from(wasm));
        self.request(request.expect("a request")).await
    }
}

/// A ready-made plugin.
fn component(name: &str) -> Vec<u8> {
    let path = format!(
        "{}/plugins/components/{name}.wasm",
        env!("CARGO_MANIFEST_DIR")
    );
    std::fs::read(path).expect("a ready-made component")
}

/// A URL where nobody listens.
async fn nobody() -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
        .await
        .expect("a port");
    let address = listener.local_addr().expect("an address");
    format!("http://{address}/hook")
}
