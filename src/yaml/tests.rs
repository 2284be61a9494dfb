//! What is written is read as the same; what is dangerous is refused at its place.

use proptest::prelude::*;

use super::{Error, Node, read, write};

fn read_json(yaml: &str) -> String {
    read(yaml).expect(yaml).0.to_json()
}

#[test]
fn a_document_is_read_as_its_json() {
    for (yaml, json) in [
        ("", "null"),
        ("# nothing\n", "null"),
        (
            "a: 1\nb: [x, 'y', \"z\\n\"]\n",
            r#"{"a":1,"b":["x","y","z\n"]}"#,
        ),
        (
            "a: 12345678901234567890123\nb: 1e999\nc: -0.0",
            r#"{"a":12345678901234567890123,"b":1e999,"c":-0.0}"#,
        ),
        (
            "a: yes\nb: 2026-01-01\nc: 1.2.3\nd: ~",
            r#"{"a":"yes","b":"2026-01-01","c":"1.2.3","d":null}"#,
        ),
        (
            "a: |-\n  x >\n    1\nb: >\n  c\n  d\n",
            r#"{"a":"x >\n  1","b":"c d\n"}"#,
        ),
        ("{\"a\": {\"b\": [true, {}]}}", r#"{"a":{"b":[true,{}]}}"#),
        ("---\na: ''\n...\n", r#"{"a":""}"#),
    ] {
        assert_eq!(read_json(yaml), json, "{yaml}");
    }
}

#[test]
fn what_may_mean_something_else_is_refused_at_its_place() {
    let deep = "[".repeat(200);
    let bomb = "a: &a [x, x]\nb: &b [*a, *a]\nc: [*b, *b]\n";
    for (yaml, place, words) in [
        (bomb, (1, 4), "aliases"),
        ("a: 1\nb: *a", (2, 4), ""),
        ("x:\n  <<: {a: 1}\n", (2, 3), "merge keys"),
        ("a: 1\nb: 2\na: 3\n", (3, 1), "'a' stands there twice"),
        ("a: !!str 1\n", (1, 4), "tags"),
        ("a: 1\n---\nb: 2\n", (2, 1), "second document"),
        ("? [a]\n: b\n", (1, 3), "a name is a text"),
        ("a: 0x1F", (1, 4), "JSON does not know"),
        ("a: 007", (1, 4), "JSON does not know"),
        ("a: .5", (1, 4), "JSON does not know"),
        ("a: [1,", (1, 7), ""),
        (&deep, (1, 102), "deeper than 100"),
    ] {
        match read(yaml) {
            Err(Error::Yaml { line, column, why }) => {
                assert!(why.contains(words), "{yaml}: {why}");
                if !words.is_empty() {
                    assert_eq!((line, column), place, "{yaml}: {why}");
                }
            }
            other => panic!("{yaml}: {other:?}"),
        }
    }
}

#[test]
fn everything_has_its_place() {
    let yaml = "throwbar: 1\nautomations:\n  - name: a\n    actions:\n      - emit: {type: x}\n  - name: b\n";
    let (_, places) = read(yaml).expect("YAML");
    for (pointer, place) in [
        ("", (1, 1)),
        ("/automations", (2, 1)),
        ("/automations/0/name", (3, 5)),
        ("/automations/0/actions/0/emit/type", (5, 16)),
        ("/automations/0/actions/0/emit/missing", (5, 9)),
        ("/automations/1", (6, 5)),
        ("/automations/1/trigger/events/0", (6, 5)),
    ] {
        assert_eq!(places.of(pointer), Some(place), "{pointer}");
    }
}

#[test]
fn what_is_written_is_pleasant_to_read() {
    let json = r#"{"throwbar":1,"automations":[{"name":"Große Deals","trigger":{"events":["deal.*","*"]},
        "condition":"event.data.amount > 1000\n  && event.data.stage == \"Won\"","note":"yes","tests":[],
        "list":[[1,2],[]],"a b":"c: d","text":"x\n"}]}"#;
    let yaml = write(&Node::from_json(json).expect("JSON"));
    let wanted = r#"throwbar: 1

automations:
  - name: Große Deals
    trigger:
      events:
        - deal.*
        - "*"
    condition: |-
      event.data.amount > 1000
        && event.data.stage == "Won"
    note: "yes"
    tests: []
    list:
      - - 1
        - 2
      - []
    a b: "c: d"
    text: |
      x
"#;
    assert_eq!(yaml, wanted);
}

fn text() -> impl Strategy<Value = String> {
    let pieces = prop_oneof![
        "[ -~]{0,8}",
        ".{0,4}",
        Just("\n".to_owned()),
        Just(": ".to_owned()),
        Just(" #".to_owned()),
        Just("\t".to_owned()),
        Just("\u{85}\u{2028}\u{feff}\u{7f}".to_owned()),
        Just("- ".to_owned()),
        Just("---\n...".to_owned()),
    ];
    prop::collection::vec(pieces, 0..5).prop_map(|pieces| pieces.concat())
}

fn node() -> impl Strategy<Value = Node> {
    let leaf = prop_oneof![
        Just(Node::Null),
        any::<bool>().prop_map(Node::Bool),
        any::<i64>().prop_map(|number| Node::Number(number.to_string())),
        any::<i8>().prop_map(|number| Node::Number(format!("{number}.50e+3"))),
        text().prop_map(Node::Text),
    ];
    leaf.prop_recursive(4, 40, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Node::List),
            prop::collection::btree_map(text(), inner, 0..4)
                .prop_map(|members| Node::Map(members.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn what_is_written_is_read_as_the_same(one in node()) {
        let yaml = write(&one);
        let (again, _) = read(&yaml).map_err(|error| TestCaseError::fail(format!("{error}: {yaml}")))?;
        prop_assert_eq!(&again, &one, "{}", yaml);
        prop_assert_eq!(Node::from_json(&one.to_json()).expect("JSON"), one);
    }

    #[test]
    fn whatever_is_read_is_read_or_refused(text in text()) {
        if let Ok((node, _)) = read(&text) {
            prop_assert_eq!(read(&write(&node)).expect("it was written here").0, node);
        }
    }
}
