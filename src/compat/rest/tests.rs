//! Queries as clients write them: what they keep, and what is refused.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::fault::Fault;
use super::filter::{IN_VALUES_MAX, VALUE_BYTES_MAX};
use super::query::{FILTERS_MAX, Query, ROWS_MAX};
use super::table::{CONFIGURATIONS, LOGS, Row, Table};

fn row(value: Value) -> Row {
    match value {
        Value::Object(row) => row,
        other => panic!("{other} is no row"),
    }
}

fn configuration() -> Row {
    row(json!({
        "id": "ep_1", "organization_id": "org, one", "name": "CRM \"Sync\"", "url": "https://crm.example.com/webhook",
        "events": ["contact.created", "deal.*"], "secret": null, "is_active": true,
        "created_at": "2026-05-04T10:30:00.000Z", "updated_at": "2026-05-04T23:59:59.999Z",
    }))
}

fn attempt() -> Row {
    row(json!({
        "id": "att_1", "webhook_id": "ep_1", "status": "failed", "status_code": null, "attempt": 3,
        "error_class": "timeout", "duration_ms": 15_000, "created_at": "2026-05-04T10:30:00.000Z",
    }))
}

fn parsed(table: Table, text: &str) -> Query {
    Query::parse(table, text).unwrap_or_else(|fault| panic!("{text}: {fault:?}"))
}

fn code(table: Table, text: &str) -> &'static str {
    match Query::parse(table, text) {
        Err(Fault::Own { status, code, .. }) => {
            assert_eq!(status, 400, "{text}");
            code
        }
        other => panic!("{text}: {other:?}"),
    }
}

#[test]
fn filters_keep_what_they_say() {
    for (text, keeps) in [
        ("", true),
        ("is_active=true", true),
        ("is_active=eq.true", true),
        ("is_active=is.true", true),
        ("is_active=not.is.true", false),
        ("is_active=neq.true", false),
        ("is_active=f", false),
        ("id=ep_1", true),
        ("id=eq.ep_1&is_active=eq.false", false),
        ("id=in.(ep_0,ep_1)", true),
        ("id=in.()", false),
        ("id=not.in.(ep_0,ep_1)", false),
        ("organization_id=in.(\"org, one\",x)", true),
        ("organization_id=in.(org, one)", false),
        ("name=eq.CRM \"Sync\"", true),
        (r#"name=in.("CRM \"Sync\"")"#, true),
        ("name=like.CRM*", true),
        ("name=like.crm*", false),
        ("name=ilike.*sync_", true),
        ("name=gt.CRM", true),
        ("name=lt.CRM", false),
        ("secret=is.null", true),
        ("secret=not.is.null", false),
        ("secret=is.not_null", false),
        ("secret=eq.x", false),
        ("secret=neq.x", false),
        ("secret=not.eq.x", false),
        ("events=cs.{contact.created}", true),
        ("events=cs.{contact.created,deal.won}", false),
        ("created_at=gte.2026-05-04T10:30:00Z", true),
        ("created_at=gt.2026-05-04T10:30:00Z", false),
        ("created_at=lte.2026-05-04T12:30:00%2B02:00", true),
        ("created_at=lte.2026-05-04T12:30:00+02:00", true),
        ("created_at=lt.2026-05-04 10:30:01", true),
        ("created_at=gte.2026-05-04", true),
        ("created_at=eq.2026-05-04", false),
        ("created_at=2026-05-04", true),
        ("updated_at=2026-05-04", true),
        ("updated_at=not.lt.2026-05-05", false),
        ("created_at=2026-05-03", false),
        // What begins with no operator is a value.
        ("url=https://crm.example.com/webhook", true),
        ("name=nothing.like.this", false),
    ] {
        assert_eq!(
            parsed(CONFIGURATIONS, text).keeps(&configuration()),
            keeps,
            "{text}"
        );
    }
    for (text, keeps) in [
        ("status=failed&webhook_id=ep_1", true),
        ("status=in.(success)", false),
        ("attempt=gte.3&duration_ms=lt.20000", true),
        ("status_code=gte.500", false),
        ("status_code=is.null", true),
        ("error_class=neq.tls", true),
    ] {
        assert_eq!(parsed(LOGS, text).keeps(&attempt()), keeps, "{text}");
    }
}

#[test]
fn what_cannot_be_read_is_refused_with_the_code_that_clients_know() {
    let long = format!("name=eq.{}", "x".repeat(VALUE_BYTES_MAX));
    let many = format!("id=in.({})", vec!["x"; IN_VALUES_MAX + 1].join(","));
    let filters = vec!["id=eq.x"; FILTERS_MAX + 1].join("&");
    for (text, expected) in [
        ("nmae=eq.x", "42703"),
        ("select=id,nmae", "42703"),
        ("order=nmae.desc", "42703"),
        ("columns=nmae", "PGRST204"),
        ("is_active=maybe", "22P02"),
        ("is_active=eq.", "22P02"),
        ("created_at=gt.yesterday", "22P02"),
        ("created_at=gt.2026-13-01", "22P02"),
        ("is_active=like.t*", "42883"),
        ("events=eq.{a}", "42883"),
        ("events=contact.created", "42883"),
        ("name=fts.x", "42883"),
        ("name=is.true", "PGRST100"),
        ("id=in.ep_1", "PGRST100"),
        ("id=in.(\"ep_1)", "PGRST100"),
        ("id=in.(\"ep_1\"x)", "PGRST100"),
        ("or=(id.eq.1,id.eq.2)", "PGRST100"),
        ("on_conflict=id", "PGRST100"),
        ("select=id,logs(*)", "PGRST100"),
        ("select=id::text", "PGRST100"),
        ("order=id.up", "PGRST100"),
        ("limit=-1", "PGRST100"),
        ("offset=many", "PGRST100"),
        (&long, "PGRST100"),
        (&many, "PGRST100"),
        (&filters, "PGRST100"),
    ] {
        assert_eq!(code(CONFIGURATIONS, text), expected, "{text:.60}");
    }
}

fn numbered(count: usize) -> Vec<Row> {
    let one = |no| {
        row(
            json!({"id": format!("ep_{no:04}"), "name": if no % 3 == 0 { Value::Null } else { json!("n") }}),
        )
    };
    (0..count).map(one).collect()
}

fn ids((count, rows): (usize, Vec<Row>)) -> (usize, Vec<String>) {
    let id = |row: &Row| row["id"].as_str().unwrap_or_default().to_owned();
    (count, rows.iter().map(id).collect())
}

#[test]
fn rows_are_ordered_cut_and_selected() {
    let shown = |text: &str| {
        let (count, ids) = ids(parsed(CONFIGURATIONS, text).answered(numbered(5)));
        (count, ids.join(" "))
    };
    for (text, count, expected) in [
        ("order=id.desc&limit=2", 5, "ep_0004 ep_0003"),
        ("order=id&offset=3", 5, "ep_0003 ep_0004"),
        (
            "order=name,id.desc",
            5,
            "ep_0004 ep_0002 ep_0001 ep_0003 ep_0000",
        ),
        (
            "order=name.nullsfirst,id",
            5,
            "ep_0000 ep_0003 ep_0001 ep_0002 ep_0004",
        ),
        (
            "order=name.desc,id",
            5,
            "ep_0000 ep_0003 ep_0001 ep_0002 ep_0004",
        ),
        ("order=name.desc.nullslast,id&limit=1", 5, "ep_0001"),
        ("name=is.null&order=id", 2, "ep_0000 ep_0003"),
        ("offset=9", 5, ""),
    ] {
        assert_eq!(shown(text), (count, expected.to_owned()), "{text}");
    }
    let query = parsed(CONFIGURATIONS, "select=key:id, is_active");
    let (_, rows) = query.answered(numbered(1));
    assert_eq!(rows, [row(json!({"key": "ep_0000", "is_active": null}))]);
    let (count, rows) = parsed(CONFIGURATIONS, "limit=5000").answered(numbered(ROWS_MAX + 1));
    assert_eq!((count, rows.len()), (ROWS_MAX + 1, ROWS_MAX));
}

#[test]
fn a_range_is_a_limit_and_an_offset() {
    let within = |range: &str| {
        let query = Query::default().within(Some(range)).expect(range);
        ids(query.answered(numbered(5))).1.join(" ")
    };
    assert_eq!(within("1-2"), "ep_0001 ep_0002");
    assert_eq!(within("3-"), "ep_0003 ep_0004");
    for wrong in ["", "-", "2-1", "a-b", "bytes=0-1"] {
        assert!(Query::default().within(Some(wrong)).is_err(), "{wrong}");
    }
}

#[test]
fn what_can_be_sought_is_told() {
    let mut query = parsed(
        LOGS,
        "webhook_id=eq.ep_1&created_at=gte.2026-05-04&created_at=lt.2026-05-05&created_at=not.gt.2026-05-06&organization_id=acme",
    );
    assert_eq!(query.one_of("webhook_id"), Some(vec!["ep_1"]));
    assert_eq!(query.one_of("status"), None);
    let (from, until) = query.span("created_at");
    let texts = [from, until].map(|at| at.map(|at| at.to_string()));
    assert_eq!(texts[0].as_deref(), Some("2026-05-04T00:00:00.000Z"));
    assert_eq!(texts[1].as_deref(), Some("2026-05-05T00:00:00.000Z"));
    assert_eq!(query.take_organization().as_deref(), Some("acme"));
    assert_eq!(query.take_organization(), None);
    let many = parsed(LOGS, "webhook_id=not.eq.ep_1&organization_id=in.(a,b)");
    assert_eq!(many.one_of("webhook_id"), None);
    assert_eq!(many.clone().take_organization(), None);
}

proptest! {
    /// Whatever is sent, it is read or refused, and what is read can be asked.
    #[test]
    fn whatever_a_query_says_it_is_read_or_refused(text in "\\PC{0,200}", row_text in "\\PC{0,20}") {
        for table in [CONFIGURATIONS, LOGS] {
            if let Ok(query) = Query::parse(table, &text) {
                query.answered(vec![row(json!({"id": row_text, "name": row_text}))]);
            }
        }
    }

    #[test]
    fn whatever_a_filter_says_it_is_read_or_refused(
        column in prop::sample::select(vec!["id", "name", "events", "is_active", "created_at", "secret"]),
        operator in prop::sample::select(vec!["eq", "neq", "gt", "gte", "lt", "lte", "in", "like", "ilike", "is", "cs", "not.eq", "not.in", "fts"]),
        value in "[a-z0-9(){},\"\\\\.*%: +-]{0,40}",
    ) {
        let pairs = [(column, format!("{operator}.{value}"))];
        let text = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish();
        if let Ok(query) = Query::parse(CONFIGURATIONS, &text) {
            query.keeps(&configuration());
        }
    }

    #[test]
    fn whatever_a_text_is_it_equals_itself_alone(text in "\\PC{0,30}", other in "\\PC{0,30}") {
        let quoted = text.replace('\\', "\\\\").replace('"', "\\\"");
        for value in [format!("eq.{text}"), format!("in.(\"{quoted}\")")] {
            let query = url::form_urlencoded::Serializer::new(String::new()).append_pair("name", &value).finish();
            let query = parsed(CONFIGURATIONS, &query);
            let [own, theirs] = [&text, &other].map(|name| query.keeps(&row(json!({"name": name}))));
            prop_assert_eq!((own, theirs), (true, text == other));
        }
    }
}
