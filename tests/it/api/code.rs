//! An account as code: exported, planned, applied, moved to another account, and what somebody has changed in
//! between.

use axum::body::Body;
use axum::http::Request;
use serde_json::{Value, json};
use tower::ServiceExt;

use super::{Answer, Doors, OPERATOR, component};
use crate::support::store::on_both;

const GUIDE: &str = include_str!("../../../docs/as-code.md");

/// The file that the guide shows.
pub fn example() -> &'static str {
    let (_, rest) = GUIDE.split_once("```yaml\n").expect("an example");
    rest.split_once("```").expect("its end").0
}

impl Doors {
    /// Sends a file.
    pub async fn file(&self, key: &str, path: &str, file: &str) -> Answer {
        let request = Request::post(format!("/v1/automations/{path}"))
            .header("authorization", format!("Bearer {key}"))
            .header("content-type", "application/yaml")
            .body(Body::from(file.to_owned()));
        self.request(request.expect("a request")).await
    }

    pub async fn plan(&self, file: &str) -> Answer {
        self.file(OPERATOR, "plan", file).await
    }

    pub async fn apply(&self, file: &str) -> Answer {
        self.file(OPERATOR, "apply", file).await
    }

    /// The account as a file.
    pub async fn export(&self, key: &str, query: &str) -> String {
        let request = Request::get(format!("/v1/automations/export{query}"))
            .header("authorization", format!("Bearer {key}"))
            .body(Body::empty());
        let router = self.router.clone();
        let answer = router.oneshot(request.expect("a request")).await;
        let (parts, body) = answer.expect("infallible").into_parts();
        let body = axum::body::to_bytes(body, usize::MAX)
            .await
            .expect("a body");
        let text = String::from_utf8(body.to_vec()).expect("text");
        assert_eq!(parts.status.as_u16(), 200, "{text}");
        text
    }

    async fn secret(&self, key: &str, name: &str) {
        let new = json!({"name": name, "value": "s3cret-token", "secret": true});
        self.call(key, "POST", "/v1/variables", Some(new))
            .await
            .is(201);
    }
}

/// What is done in an answer: section, name and action of each step that is one.
pub fn done(answer: &Answer) -> Vec<String> {
    let steps = answer.body["steps"].as_array().expect("steps").iter();
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    steps
        .filter(|step| step["action"] != "unchanged")
        .map(|step| {
            let [action, section, name] = ["action", "section", "name"].map(|it| text(&step[it]));
            format!("{action} {section} {name}")
        })
        .collect()
}

/// What in the database is written with every change: versions, revisions, and what was applied.
async fn written(doors: &Doors) -> [i64; 4] {
    let place = &doors.place;
    [
        place
            .number("SELECT COUNT(*) FROM automation_versions")
            .await,
        place
            .number("SELECT CAST(SUM(revision) AS BIGINT) FROM accounts")
            .await,
        place.number("SELECT COUNT(*) FROM applied").await,
        place
            .number("SELECT CAST(SUM(updated_at_ms) AS BIGINT) FROM schedules")
            .await,
    ]
}

#[tokio::test]
async fn the_guide_s_file_is_applied_exported_and_moved() {
    on_both(async |engine| {
        let doors = Doors::open(engine).await;
        doors
            .plan(example())
            .await
            .is(422)
            .refuses("missing_secret", "/variables/0");
        doors.has_none("/v1/endpoints").await;
        doors.secret(OPERATOR, "crm_token").await;
        let planned = doors.plan(example()).await.is(200);
        assert_eq!(planned.body["summary"], "7 to create, 1 unchanged");
        assert_eq!(planned.body["applied"], false);
        doors.has_none("/v1/endpoints").await;

        let plan = planned.text("/plan");
        let applied = doors
            .file(OPERATOR, &format!("apply?plan={plan}"), example())
            .await
            .is(200);
        assert_eq!(applied.body["summary"], "7 created, 1 unchanged");
        assert_eq!(done(&applied), done(&planned));
        assert!(
            !applied.body.to_string().contains("whsec_"),
            "secrets are not told"
        );
        let crm = &doors.get("/v1/endpoints").await.body["data"];
        let crm = crm
            .as_array()
            .expect("a list")
            .iter()
            .find(|it| it["name"] == "CRM");
        let crm = crm.expect("it was made")["id"]
            .as_str()
            .expect("an id")
            .to_owned();
        let secrets = doors
            .get(&format!("/v1/endpoints/{crm}/secrets"))
            .await
            .is(200);
        assert_eq!(secrets.body["data"].as_array().map(Vec::len), Some(1));

        let before = written(&doors).await;
        let again = doors.apply(example()).await.is(200);
        assert_eq!(again.body["summary"], "nothing to do, 8 unchanged");
        assert_eq!(written(&doors).await, before, "nothing is written");
        let exported = doors.export(OPERATOR, "").await;
        assert_eq!(exported, example(), "what was written is what is exported");
        assert_eq!(doors.apply(&exported).await.is(200).body["changes"], 0);
        assert_eq!(doors.export(OPERATOR, "").await, exported);

        let json = doors.export(OPERATOR, "?format=json").await;
        assert!(json.starts_with(r#"{"throwbar":1,"#), "{json}");
        assert_eq!(doors.plan(&json).await.is(200).body["changes"], 0);

        let other = doors.other_account("production").await;
        doors
            .file(&other, "apply", &exported)
            .await
            .is(422)
            .refuses("missing_secret", "/variables/0");
        doors.secret(&other, "crm_token").await;
        doors.file(&other, "apply", &exported).await.is(200);
        assert_eq!(doors.export(&other, "").await, exported, "byte for byte");
        let theirs = doors.call(&other, "GET", "/v1/automations", None).await;
        assert_eq!(theirs.body["data"].as_array().map(Vec::len), Some(2));
        doors.pipeline.settle().await;
    })
    .await;
}

#[tokio::test]
async fn one_automation_is_exported_with_what_it_needs() {
    on_both(async |engine| {
        let doors = Doors::open(engine).await;
        doors.secret(OPERATOR, "crm_token").await;
        doors.apply(example()).await.is(200);
        let big = doors.export(OPERATOR, "?automation=Big%20deals").await;
        for (wanted, is_there) in [
            ("deal.stage.changed", true),
            ("crm_token", true),
            ("minimum", true),
            ("name: CRM", true),
            ("Warehouse", false),
            ("nightly", false),
            ("Report", false),
        ] {
            assert_eq!(big.contains(wanted), is_there, "{wanted}: {big}");
        }
        assert_eq!(doors.plan(&big).await.is(200).body["changes"], 0);
        let other = doors.other_account("other").await;
        doors.secret(&other, "crm_token").await;
        doors.file(&other, "apply", &big).await.is(200);
        assert_eq!(doors.export(&other, "").await, big);
        let unknown = doors.get("/v1/automations/export?automation=nobody").await;
        unknown.is(422).refuses("invalid_parameter", "automation");
    })
    .await;
}

#[tokio::test]
#[expect(clippy::too_many_lines, reason = "one story")]
async fn a_plan_tells_what_changes_and_what_somebody_has_changed() {
    on_both(async |engine| {
        let doors = Doors::open(engine).await;
        doors.secret(OPERATOR, "crm_token").await;
        doors.apply(example()).await.is(200);
        let list = doors.get("/v1/automations").await.body["data"].clone();
        let id = |name: &str| {
            let found = list
                .as_array()
                .expect("a list")
                .iter()
                .find(|it| it["name"] == name);
            found.expect(name)["id"].as_str().expect("an id").to_owned()
        };
        let big = id("Big deals");
        let condition = "event.data.amount > 7";
        let by_hand = json!({"condition": condition});
        doors
            .patch(&format!("/v1/automations/{big}"), by_hand)
            .await
            .is(200);
        doors
            .delete(&format!("/v1/automations/{}", id("Report")))
            .await
            .is(204);
        let new = json!({"name": "by hand", "url": "https://hand.example"});
        doors.post("/v1/endpoints", new).await.is(201);

        let file = example().replace("three-step", "eight-step");
        let plan = doors.plan(&file).await.is(200);
        assert_eq!(
            done(&plan),
            [
                "change endpoints CRM",
                "change automations Big deals",
                "create automations Report"
            ]
        );
        let steps = plan.body["steps"].as_array().expect("steps");
        let of = |name: &str| {
            steps
                .iter()
                .find(|step| step["name"] == name)
                .expect("a step")
        };
        let retries = json!([
            {"pointer": "/retry_policy", "before": "three-step", "after": "eight-step"},
        ]);
        assert_eq!(of("CRM")["changes"], retries);
        assert_eq!(of("CRM")["drift"], Value::Null);
        let drift = &of("Big deals")["drift"];
        assert_eq!(
            (&drift["removed"], &drift["by"]["name"]),
            (&json!(false), &json!("bootstrap"))
        );
        assert_eq!(drift["changes"][0]["pointer"], "/condition");
        assert_eq!(drift["changes"][0]["after"], condition);
        assert_eq!(of("Big deals")["changes"][0]["before"], condition);
        assert_eq!(of("Report")["drift"]["removed"], true);
        assert_eq!(
            plan.body["others"],
            json!([{"section": "endpoints", "count": 1}])
        );

        doors.apply(&file).await.is(200);
        let after = doors.plan(&file).await.is(200);
        assert_eq!(
            (
                &after.body["changes"],
                after.body.to_string().contains("applied_at")
            ),
            (&json!(0), false)
        );
        let now = doors.get(&format!("/v1/automations/{big}")).await.is(200);
        assert!(now.text("/condition").contains("vars.minimum"));
        assert_eq!(now.body["version"], 3);
    })
    .await;
}

#[tokio::test]
async fn only_what_a_file_had_is_pruned_and_only_when_nothing_uses_it() {
    on_both(async |engine| {
        let doors = Doors::open(engine).await;
        doors.secret(OPERATOR, "crm_token").await;
        doors.apply(example()).await.is(200);
        let list = doors.get("/v1/endpoints").await.body["data"].clone();
        let list = list.as_array().expect("a list");
        let crm = list.iter().find(|it| it["name"] == "CRM").expect("it was made")["id"].clone();
        let by_hand = json!({
            "name": "by hand", "trigger": {"events": ["a"]}, "condition": "event.data.a > vars.minimum",
            "actions": [{"webhook": {"endpoint": crm}}],
        });
        let id = doors.post("/v1/automations", by_hand).await.is(201).id();

        let little = "throwbar: 1\nvariables:\n  - name: minimum\n    value: 1000\n";
        let kept = doors.plan(little).await.is(200);
        assert_eq!(kept.body["changes"], 0);
        assert_eq!(kept.body["left"].as_array().map(Vec::len), Some(7), "{}", kept.body);
        for path in ["plan?prune=true", "apply?prune=true"] {
            let refused = doors.file(OPERATOR, path, little).await.is(409);
            refused.refuses("in_use", "nowhere");
            let told = refused.text("/detail");
            assert!(told.contains("'CRM'") && told.contains(&id), "{told}");
        }
        let patch = json!({"actions": [{"emit": {"type": "b"}}]});
        doors.patch(&format!("/v1/automations/{id}"), patch).await.is(200);
        let none = "throwbar: 1\n";
        let refused = doors.file(OPERATOR, "plan?prune=true", none).await.is(409);
        assert!(refused.text("/detail").contains("'minimum'"), "{}", refused.body);
        let pruned = doors.file(OPERATOR, "apply?prune=true", little).await.is(200);
        assert_eq!(pruned.body["summary"], "7 removed, 1 unchanged");
        doors.has_none("/v1/endpoints").await;
        doors.has_none("/v1/schedules").await;
        doors.has_none("/v1/event-types").await;
        let left = doors.get("/v1/automations").await.is(200);
        assert_eq!(left.body["data"].as_array().map(Vec::len), Some(1));
        assert_eq!(left.body["data"][0]["name"], "by hand");
        let after = doors.file(OPERATOR, "plan?prune=true", little).await.is(200);
        assert_eq!((&after.body["changes"], &after.body["gone"]), (&json!(0), &json!([])));
        doors.pipeline.settle().await;
    })
    .await;
}

#[tokio::test]
async fn drafts_switches_and_plugins_are_as_the_file_says() {
    on_both(async |engine| {
        let doors = Doors::open(engine).await;
        doors.upload(component("redact"), "").await.is(201);
        let file = |more: &str, mask: &str| {
            format!(
                "throwbar: 1\n\nautomations:\n  - name: a\n{more}    trigger:\n      events:\n        - a\n\
                 \x20   transforms:\n      - plugin: redact@1.0.0\n        config:\n          mask:\n            - {mask}\n\
                 \x20   actions:\n      - emit:\n          type: b\n"
            )
        };
        let steps = [
            (file("    draft: true\n", "/x"), (1, None, false)),
            (file("", "/x"), (1, Some(1), true)),
            (file("    enabled: false\n", "/x"), (1, Some(1), false)),
            (file("    draft: true\n", "/y"), (2, Some(1), true)),
            (file("    enabled: false\n", "/z"), (3, Some(3), false)),
            (file("", "/z"), (3, Some(3), true)),
        ];
        for (file, (latest, live, enabled)) in steps {
            doors.apply(&file).await.is(200);
            assert_eq!(doors.plan(&file).await.is(200).body["changes"], 0, "{file}");
            assert_eq!(doors.export(OPERATOR, "").await, file);
            let list = doors.get("/v1/automations").await.is(200);
            let shown = &list.body["data"][0];
            assert_eq!(shown["version"], latest, "{file}");
            assert_eq!(shown["published_version"], json!(live), "{file}");
            assert_eq!(shown["enabled"], enabled, "{file}");
        }
    })
    .await;
}
