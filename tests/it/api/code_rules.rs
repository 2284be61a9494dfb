//! Policies and profiles as code: in a file with the endpoints that name them, and followed by those that are not in it.

use axum::body::Body;
use axum::http::Request;
use serde_json::{Value, json};

use super::{Answer, Doors, OPERATOR};
use crate::support::store::on_both;

const FILE: &str = "throwbar: 1

variables:
  - name: tier
    value: gold

retry_policies:
  - name: patient
    policy:
      delays_ms:
        - 60000
        - 3600000

failure_policies:
  - name: strict
    policy:
      consecutive: 5

profiles:
  - name: partners
    from: event-envelope
    retry_policy: patient
    failure_policy: strict
    headers:
      x-tier: \"{{vars.tier}}\"

endpoints:
  - name: CRM
    url: https://crm.example/in
    profile: partners
    timeout_ms: 5000
  - name: Warehouse
    url: https://warehouse.example/in
    retry_policy: patient
";

async fn apply(doors: &Doors, query: &str, file: &str) -> Answer {
    let request = Request::post(format!("/v1/automations/apply{query}"))
        .header("authorization", format!("Bearer {OPERATOR}"))
        .header("content-type", "application/yaml")
        .body(Body::from(file.to_owned()));
    doors.request(request.expect("a request")).await
}

/// The account's endpoint of this name.
async fn endpoint(doors: &Doors, name: &str) -> Value {
    let listed = doors.get("/v1/endpoints").await.is(200).body;
    let mut rows = listed["data"].as_array().expect("a list").iter();
    rows.find(|row| row["name"] == name).expect(name).clone()
}

#[tokio::test]
async fn a_file_has_policies_and_profiles_and_comes_back_as_it_was() {
    on_both(async |engine| {
        let doors = Doors::open(engine).await;
        let applied = apply(&doors, "", FILE).await.is(200);
        assert_eq!(applied.body["changes"], 6, "{}", applied.body);
        assert_eq!(doors.export(OPERATOR, "").await, FILE);
        let again = apply(&doors, "", FILE).await.is(200);
        assert_eq!(again.body["changes"], 0, "{}", again.body);
        let crm = endpoint(&doors, "CRM").await;
        assert_eq!(
            (&crm["retry_policy"], &crm["overrides"]),
            (&json!("patient"), &json!(["timeout_ms"]))
        );
        assert_eq!(crm["headers"], json!({"x-tier": "{{vars.tier}}"}));

        // Which profile one has that names none is not in the file: there it is said.
        let default = |name: &str| json!({"default_profile": name});
        doors
            .patch("/v1/account", default("partners"))
            .await
            .is(200);
        let told = FILE.replace("in\n    retry", "in\n    profile: standard\n    retry");
        assert_eq!(doors.export(OPERATOR, "").await, told);
        doors
            .patch("/v1/account", default("standard"))
            .await
            .is(200);

        // One that no file names follows what a file changes.
        let new =
            json!({"url": "https://other.example/in", "name": "Other", "profile": "partners"});
        doors.post("/v1/endpoints", new).await.is(201);
        let changed = FILE
            .replace("- 3600000", "- 7200000")
            .replace("x-tier", "x-rank");
        let applied = apply(&doors, "", &changed).await.is(200);
        assert_eq!(applied.body["changes"], 2, "{}", applied.body);
        for name in ["CRM", "Other", "Warehouse"] {
            let row = endpoint(&doors, name).await;
            assert_eq!(
                row["retry_schedule"], "at once, then after 1 min, 2 h",
                "{name}"
            );
            assert_eq!(
                row["headers"].get("x-rank").is_some(),
                name != "Warehouse",
                "{name}"
            );
        }
        // What somebody has changed since is put back.
        let other = json!({"policy": {"delays_ms": [1]}});
        doors
            .patch("/v1/retry-policies/patient", other)
            .await
            .is(200);
        let back = apply(&doors, "", &changed).await.is(200);
        assert_eq!(back.body["changes"], 1, "{}", back.body);
        let row = endpoint(&doors, "Warehouse").await;
        assert_eq!(row["retry_schedule"], "at once, then after 1 min, 2 h");
    })
    .await;
}

#[tokio::test]
async fn what_is_used_is_not_pruned_and_what_is_wrong_is_told_with_its_place() {
    on_both(async |engine| {
        let doors = Doors::open(engine).await;
        apply(&doors, "", FILE).await.is(200);
        let without = |section: &str| {
            let from = FILE.find(section).expect("a section");
            let rest = &FILE[from + section.len()..];
            let next = rest.find("\nprofiles:").expect("the next section");
            format!("{}{}", &FILE[..from], &rest[next + 1..])
        };
        let file = without("failure_policies:");
        let used = apply(&doors, "?prune=true", &file).await.is(409);
        assert!(
            used.text("/detail").contains("the profile 'partners'"),
            "{}",
            used.body
        );
        let unused = file.replace("    failure_policy: strict\n", "");
        let pruned = apply(&doors, "?prune=true", &unused).await.is(200);
        assert_eq!(pruned.body["changes"], 2, "{}", pruned.body);
        doors.get("/v1/failure-policies/strict").await.is(404);
        assert_eq!(endpoint(&doors, "CRM").await["failure_policy"], "five-days");

        for (from, to, place) in [
            ("name: partners", "name: standard", "/profiles/0/name"),
            ("from: event-envelope", "from: nowhere", "/profiles/0/from"),
            (
                "retry_policy: patient",
                "retry_policy: nowhere",
                "/profiles/0/retry_policy",
            ),
            (
                "profile: partners",
                "profile: nowhere",
                "/endpoints/0/profile",
            ),
            ("vars.tier", "vars.nowhere", "/profiles/0/headers/x-tier"),
        ] {
            let wrong = apply(&doors, "", &FILE.replacen(from, to, 1)).await.is(422);
            assert_eq!(wrong.body["pointer"], place, "{}", wrong.body);
        }
    })
    .await;
}
