//! What two versions say, side by side.

use serde_json::{Value, json};

use super::*;

fn said(contents: &[&str]) -> Said {
    let output = |content: &&str| Output {
        content: Bytes::copy_from_slice(content.as_bytes()),
        event_type: None,
        headers: Vec::new(),
    };
    Said {
        verdict: "fired",
        summary: "s".to_owned(),
        untold: None,
        outputs: contents.iter().map(output).collect(),
        to: vec!["ep_1".to_owned()],
    }
}

fn compared(published: &Said, draft: &Said) -> Value {
    let at = Timestamp::from_ms(1_790_000_000_000);
    let which = Which {
        secrets: &Secrets::default(),
        event: EventId::mint(at),
        event_type: "deal.won".to_owned(),
        occurred_at: at,
    };
    let told = told(&which, published, draft).expect("plain");
    serde_json::from_slice(&told).expect("JSON")
}

#[test]
fn what_follows_is_compared_and_not_how_it_is_explained() {
    let one = said(&[r#"{"a":1}"#]);
    let alike = Said {
        summary: "another".to_owned(),
        ..said(&[r#"{"a":1}"#])
    };
    assert!(one.is_like(&alike));
    let elsewhere = Said {
        to: vec!["ep_2".to_owned()],
        ..said(&[r#"{"a":1}"#])
    };
    let mut marked = said(&[r#"{"a":1}"#]);
    marked.outputs[0].headers = vec![("x-a".to_owned(), "1".to_owned())];
    for other in [
        elsewhere,
        marked,
        said(&[r#"{"a":2}"#]),
        said(&[r#"{"a": 1}"#]),
        said(&[]),
        Said::nothing(),
        Said::unpublished(),
    ] {
        assert!(!one.is_like(&other), "{other:?}");
    }
}

#[test]
fn bodies_are_told_field_by_field_or_by_their_beginning() {
    let long = format!("\"{}\"", "x".repeat(2 * EXCERPT_BYTES_MAX));
    for (before, after, changes, excerpts) in [
        (
            r#"{"a":1,"b":2}"#,
            r#"{"a":1,"b":3,"c":null}"#,
            json!([{"pointer": "/body/b", "before": 2, "after": 3},
                {"pointer": "/body/c", "after": null}]),
            false,
        ),
        (r#"{"a":1}"#, r#"{ "a": 1 }"#, json!([]), true),
        ("no json", "no json either", json!([]), true),
    ] {
        let told = compared(&said(&[before]), &said(&[after]));
        let body = &told["bodies"][0];
        assert_eq!(body["changes"], changes, "{before} to {after}");
        assert_eq!(body.get("before").is_some(), excerpts, "{body}");
    }
    let told = compared(&said(&["1", "2"]), &said(&["1", &long, "3"]));
    let bodies = told["bodies"].as_array().expect("bodies");
    assert_eq!(bodies.len(), 2, "the first is the same");
    let cut = bodies[0]["changes"][0]["after"].as_str().expect("text");
    assert!(cut.ends_with('…') && cut.len() < 300, "{cut}");
    assert_eq!(bodies[1]["after"]["text"], "3");
    assert_eq!(bodies[1].get("before"), None);
}

#[test]
fn what_is_told_is_bounded() {
    let many = |from: usize| {
        let fields = (0..100).map(|no| format!("\"{no}\":{}", from + no));
        format!("{{{}}}", fields.collect::<Vec<_>>().join(","))
    };
    let (one, other) = (many(0), many(1));
    let told = compared(&said(&[one.as_str(); 16]), &said(&[other.as_str(); 16]));
    assert_eq!(told["bodies"].as_array().map(Vec::len), Some(4));
    assert_eq!(told["bodies_left_out"], 12);
    let body = &told["bodies"][0];
    assert_eq!(body["changes"].as_array().map(Vec::len), Some(20));
    assert_eq!(body["changes_left_out"], 80);
}

#[test]
fn a_header_and_a_type_are_told_beside_the_body() {
    let mut after = said(&["1"]);
    after.outputs[0].headers = vec![("x-a".to_owned(), "1".to_owned())];
    after.outputs[0].event_type = Some("deal.lost".to_owned());
    let told = compared(&said(&["1"]), &after);
    assert_eq!(
        told["bodies"][0]["changes"],
        json!([{"pointer": "/headers/x-a", "after": "1"},
            {"pointer": "/type", "before": null, "after": "deal.lost"}])
    );
}
