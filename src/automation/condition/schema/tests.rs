//! What is found in a condition, and where; and what is not.

#![expect(clippy::too_many_lines, reason = "a table of cases is one story")]

use serde_json::{Value, json};

use super::check;

fn schema() -> Value {
    json!({
        "type": "object",
        "properties": {
            "amount": {"type": "number"},
            "count": {"type": ["integer", "null"]},
            "stage": {"$ref": "#/$defs/stage"},
            "vip": {"type": "boolean"},
            "closed_at": {"type": "string", "format": "date-time"},
            "owner": {"type": "object", "properties": {"name": {"type": "string"}}, "additionalProperties": false},
            "tags": {"type": "array", "items": {"enum": ["new", "eu"]}},
            "lines": {"type": "array", "items": {"properties": {"sku": {"type": "string"}, "price": {"type": "number"}}}},
            "either": {"oneOf": [{"type": "string"}, {"type": "object", "properties": {"id": {"type": "string"}}}]},
            "any": true,
            "open": {"type": "object", "properties": {"a": {}}, "additionalProperties": {"type": "string"}},
            "a-b": {"type": "number"},
        },
        "$defs": {"stage": {"type": "string", "enum": ["Open", "Won", "Lost"]}},
    })
}

/// What is found: kind, line, column, length, suggestion.
fn found(source: &str) -> Vec<(&'static str, usize, usize, usize, Option<String>)> {
    let schema = schema();
    let found = check(source, &[("deal.updated", &schema)]);
    let told = found.into_iter().map(|one| {
        assert!(
            one.message.contains("the schema of deal.updated"),
            "{}",
            one.message
        );
        (
            one.kind.as_str(),
            one.at.line,
            one.at.column,
            one.length,
            one.suggestion,
        )
    });
    told.collect()
}

#[test]
fn what_the_schema_does_not_have_is_found_with_its_place() {
    for (source, kind, column, length, suggestion) in [
        (
            "event.data.amout > 1",
            "unknown_field",
            12,
            5,
            Some("amount"),
        ),
        (
            "has(event.data.amout) && event.data.amout > 1",
            "unknown_field",
            16,
            5,
            Some("amount"),
        ),
        ("event.data.zzz == 1", "unknown_field", 12, 3, None),
        (
            "event.data . amout > 1",
            "unknown_field",
            14,
            5,
            Some("amount"),
        ),
        (
            "event.data['amout'] > 1",
            "unknown_field",
            12,
            7,
            Some("amount"),
        ),
        (
            "event.data.owner.nam == 'a'",
            "unknown_field",
            18,
            3,
            Some("name"),
        ),
        ("event.data.amount.net > 1", "not_an_object", 19, 3, None),
        ("event.data.lines.price > 1", "not_an_object", 18, 5, None),
        (
            "event.data.lines[0].prize > 1",
            "unknown_field",
            21,
            5,
            Some("price"),
        ),
        (
            "event.data.lines.exists(x, x.prize > 1)",
            "unknown_field",
            30,
            5,
            Some("price"),
        ),
        (
            "event.data.lines.filter(x, x.price > 1).all(y, y.skuu == 'a')",
            "unknown_field",
            50,
            4,
            Some("sku"),
        ),
        (
            "event.data.amount == '1000'",
            "wrong_kind",
            22,
            6,
            Some("1000"),
        ),
        (
            "'1000' == event.data.amount",
            "wrong_kind",
            1,
            6,
            Some("1000"),
        ),
        ("event.data.amount > 'a'", "wrong_kind", 21, 3, None),
        (
            "event.data.closed_at == 5",
            "wrong_kind",
            25,
            1,
            Some("\"5\""),
        ),
        (
            "event.data.vip == 'true'",
            "wrong_kind",
            19,
            6,
            Some("true"),
        ),
        ("event.data.amount != null", "wrong_kind", 22, 4, None),
        (
            "event.data.stage == 'Wom'",
            "unknown_value",
            21,
            5,
            Some("\"Won\""),
        ),
        (
            "event.data.stage in ['Won', 'Lots']",
            "unknown_value",
            29,
            6,
            Some("\"Lost\""),
        ),
        (
            "'nwe' in event.data.tags",
            "unknown_value",
            1,
            5,
            Some("\"new\""),
        ),
        (
            "event.data.tags.exists(t, t == 'ue')",
            "unknown_value",
            32,
            4,
            Some("\"eu\""),
        ),
        (
            "event.data.amount.startsWith('1')",
            "wrong_kind",
            12,
            6,
            None,
        ),
        ("event.data.tags.contains('eu')", "wrong_kind", 12, 4, None),
        ("'a' in event.data.amount", "wrong_kind", 19, 6, None),
        ("event.data.amount.all(x, x > 1)", "wrong_kind", 12, 6, None),
        (
            "event.data.closed_at < timestamp('2026-01-01T00:00:00Z')",
            "wrong_kind",
            12,
            9,
            Some("timestamp(event.data.closed_at)"),
        ),
        (
            "event.data.either.idd == 'a'",
            "unknown_field",
            19,
            3,
            Some("id"),
        ),
    ] {
        let suggestion = suggestion.map(str::to_owned);
        assert_eq!(
            found(source),
            [(kind, 1, column, length, suggestion)],
            "{source}"
        );
    }
    let second = found("event.data.closed_at == 'ü'\n  && event.data.amuont > 1");
    assert_eq!(
        second,
        [("unknown_field", 2, 17, 6, Some("amount".to_owned()))]
    );
    let after = found("event.data.closed_at == 'ü' && event.data.amuont > 1");
    assert_eq!(
        after,
        [("unknown_field", 1, 43, 6, Some("amount".to_owned()))]
    );
}

#[test]
fn what_may_be_is_fine() {
    for source in [
        "event.data.amount > 1000 && event.data.stage == 'Won' && event.data.vip",
        "event.data.count == null || event.data.count > 1.5",
        "event.data.either == 'a' || event.data.either.id == 'b'",
        "event.data.any.thing == 1 && event.data.any == 'x'",
        "event.data.open.a == 1 && event.data.open.b == 'x'",
        "event.data['a-b'] == 1",
        "event.data.lines.all(x, x.price * 2 > 1) && size(event.data.tags) == 1",
        "timestamp(event.data.closed_at) < timestamp('2026-01-01T00:00:00Z')",
        "event.type == 'deal.updated' && event.id != ''",
        "event.data.owner.name.lowerAscii().contains('ada')",
        "event.data.tags == ['new'] && event.data.amount == -1",
        "event.data.lines.map(x, x.sku).exists(s, s.anything == 1)",
        "event.data.stage < 'Z'",
    ] {
        assert_eq!(found(source), [], "{source}");
    }
    assert_eq!(check("event.data.a == 1", &[]), []);
    for open in [
        json!(true),
        json!({}),
        json!({"type": "object"}),
        json!({"$ref": "https://a.example/b"}),
    ] {
        assert_eq!(check("event.data.a == 1", &[("a", &open)]), [], "{open}");
    }
}

#[test]
fn of_several_types_one_is_enough() {
    let named = |name: &str| json!({"properties": {name: {"type": "number"}}});
    let (first, second) = (named("amount"), named("total"));
    let schemas = [("deal.created", &first), ("deal.updated", &second)];
    assert_eq!(
        check("event.data.amount > 1 || event.data.total > 1", &schemas),
        []
    );
    let found = check("event.data.totl > 1", &schemas);
    assert_eq!(found.len(), 1);
    assert!(
        found[0].message.contains("any of the 2 event types"),
        "{}",
        found[0].message
    );
}

#[test]
fn a_schema_that_refers_to_itself_comes_to_an_end() {
    let endless = json!({
        "$ref": "#", "allOf": [{"$ref": "#"}], "properties": {"next": {"$ref": "#"}}, "anyOf": [{"$ref": "#"}],
    });
    let found = check("event.data.next.next.nxt == 1", &[("a", &endless)]);
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].suggestion.as_deref(), Some("next"));
}
