//! CloudEvents of either form, taken apart.

use super::*;

const PLAIN: &str = r#""specversion":"1.0","id":"A-1","source":"/crm","type":"deal.won""#;

fn structured(more: &str) -> Result<Parts, Error> {
    let body = Bytes::from(format!("{{{PLAIN}{more}}}"));
    let parts = read_structured(&body, &body)?;
    parts.form.check(&parts.attributes)?;
    Ok(parts)
}

fn binary(kind: Option<&str>, body: &'static [u8]) -> Parts {
    let mut attributes = vec![
        ("specversion".to_owned(), "1.0".to_owned()),
        ("id".to_owned(), "A-1".to_owned()),
    ];
    attributes.extend(kind.map(|kind| (KIND.to_owned(), kind.to_owned())));
    Parts::of_binary(attributes, Bytes::from_static(body)).expect("its parts")
}

/// The payload, and whether it is marked as base64.
fn payload_of(parts: Parts) -> Result<(String, bool), Error> {
    let kind = text(&parts.attributes, KIND).map(str::to_owned);
    let (payload, is_base64) = payload(parts.form, parts.content, kind.as_deref())?;
    assert!(data(&payload).is_ok(), "payloads are JSON");
    Ok((
        String::from_utf8(payload.to_vec()).expect("text"),
        is_base64,
    ))
}

#[test]
fn what_a_structured_event_carries_is_the_payload_as_it_came() {
    for (more, wanted, is_base64) in [
        ("", "null", false),
        (r#","data":null"#, "null", false),
        (
            r#","data": {"a" : 1e999, "a":2}"#,
            r#"{"a" : 1e999, "a":2}"#,
            false,
        ),
        (
            r#","data":"text","datacontenttype":"text/plain""#,
            r#""text""#,
            false,
        ),
        // {"a":1} and 0xff 0xfe
        (r#","data_base64":"eyJhIjoxfQ==""#, r#"{"a":1}"#, false),
        (
            r#","data_base64":"eyJhIjoxfQ==","datacontenttype":"application/vnd.x+json; v=1""#,
            r#"{"a":1}"#,
            false,
        ),
        (r#","data_base64":"//4=""#, r#""//4=""#, true),
        (
            r#","data_base64":"eyJhIjoxfQ==","datacontenttype":"image/png""#,
            r#""eyJhIjoxfQ==""#,
            true,
        ),
    ] {
        let parts = structured(more).expect(more);
        let found = payload_of(parts).expect(more);
        assert_eq!(found, (wanted.to_owned(), is_base64), "{more}");
    }
}

#[test]
fn the_body_of_a_binary_event_is_the_payload() {
    for (kind, body, wanted, is_base64) in [
        (None, &b""[..], "null", false),
        (
            Some("application/json"),
            b" {\"a\" :1}\n",
            "{\"a\" :1}",
            false,
        ),
        (None, b"[1]", "[1]", false),
        (None, b"hello", "\"hello\"", false),
        (Some("text/plain"), b"[1]", "\"[1]\"", false),
        (
            Some("application/xml"),
            b"<a b=\"c\"/>",
            r#""<a b=\"c\"/>""#,
            false,
        ),
        (Some("image/png"), b"\xff\xfe", "\"//4=\"", true),
    ] {
        let found = payload_of(binary(kind, body)).expect("a payload");
        assert_eq!(found, (wanted.to_owned(), is_base64), "{kind:?}");
    }
}

#[test]
fn what_is_not_of_the_kind_that_it_says_is_refused_by_its_name() {
    for (parts, place, wanted) in [
        (
            structured(r#","data_base64":"aGVsbG8=","datacontenttype":"application/json""#),
            Place::body("/data_base64"),
            "not JSON",
        ),
        (
            structured(r#","data_base64":"???""#),
            Place::body("/data_base64"),
            "not standard base64",
        ),
        (
            Ok(binary(Some("application/json"), b"hello")),
            Place::body(""),
            "not JSON",
        ),
    ] {
        let error = payload_of(parts.expect("its parts")).expect_err(wanted);
        assert_eq!(error.place(), Some(&place), "{error}");
        assert!(error.to_string().contains(wanted), "{error}");
    }
}

#[test]
fn attributes_are_refused_by_their_names() {
    for (more, code, place) in [
        (r#","id":"B""#, "duplicate_field", "/id"),
        (
            r#","data":1,"data_base64":"MQ==""#,
            "invalid_attribute",
            "/data_base64",
        ),
        (r#","data_base64":7"#, "invalid_attribute", "/data_base64"),
        (r#","subject":"""#, "invalid_attribute", "/subject"),
        (r#","subject":7"#, "invalid_attribute", "/subject"),
        (r#","partOf":"x""#, "invalid_attribute", "/partOf"),
        (r#","part_of":"x""#, "invalid_attribute", "/part_of"),
        (r#","partof":{"a":1}"#, "invalid_attribute", "/partof"),
        (r#","partof":1.5"#, "invalid_attribute", "/partof"),
        (r#","partof":"a\u0000""#, "invalid_attribute", "/partof"),
    ] {
        let error = structured(more)
            .err()
            .unwrap_or_else(|| panic!("{more} is fine"));
        assert_eq!(error.code(), code, "{more}: {error}");
        assert_eq!(error.place(), Some(&Place::body(place)), "{more}: {error}");
    }
    for more in [
        r#","partof":1,"sampled":true,"traceparent":"00-x""#,
        r#","subject":null"#,
    ] {
        assert!(structured(more).is_ok(), "{more}");
    }
    for (whole, code, place) in [
        ("{}", "missing_attribute", "/specversion"),
        (
            r#"{"specversion":"1.0","id":"a","source":"b"}"#,
            "missing_attribute",
            "/type",
        ),
        (
            r#"{"specversion":"0.3","id":"a","source":"b","type":"c"}"#,
            "invalid_attribute",
            "/specversion",
        ),
        (
            r#"{"specversion":"1.0","id":"a","source":"b c","type":"c"}"#,
            "invalid_attribute",
            "/source",
        ),
        (
            r#"{"specversion":"1.0","id":7,"source":"b","type":"c"}"#,
            "invalid_attribute",
            "/id",
        ),
    ] {
        let body = Bytes::from_static(whole.as_bytes());
        let parts = read_structured(&body, &body).expect("an object");
        let error = parts.form.check(&parts.attributes).expect_err(whole);
        assert_eq!(
            (error.code(), error.place()),
            (code, Some(&Place::body(place))),
            "{error}"
        );
    }
}

#[test]
fn what_is_wrong_with_the_event_is_told_by_the_attribute() {
    for (form, at, place, words) in [
        (
            Form::Structured,
            "/type",
            Place::body("/type"),
            "the attribute type: no",
        ),
        (
            Form::Structured,
            "/timestamp",
            Place::body("/time"),
            "the attribute time: no",
        ),
        (Form::Structured, "/data", Place::body("/data"), "no"),
        (
            Form::Binary,
            "/type",
            Place::Header("ce-type"),
            "the attribute type: no",
        ),
        (
            Form::Binary,
            "/timestamp",
            Place::Header("ce-time"),
            "the attribute time: no",
        ),
        (Form::Binary, "/data", Place::body(""), "no"),
    ] {
        let told = form.told(Error::field(at, "no"));
        assert_eq!(
            (told.place(), told.to_string().as_str()),
            (Some(&place), words)
        );
    }
    assert_eq!(Form::Binary.told(Error::Unavailable).code(), "unavailable");
}

#[test]
fn the_pair_of_source_and_id_is_one_name() {
    assert_eq!(pair("/crm", "A-1"), "/crm A-1");
    assert_ne!(pair("/crm", "A 1"), pair("/crmA", "1"));
    let (one, other) = (pair(&"s".repeat(300), "1"), pair(&"s".repeat(300), "2"));
    assert!(one.len() <= CLIENT_KEY_BYTES_MAX && one != other, "{one}");
}

#[test]
fn an_attribute_twice_in_headers_is_refused() {
    let twice = vec![
        ("id".to_owned(), "a".to_owned()),
        ("id".to_owned(), "b".to_owned()),
    ];
    let error = Parts::of_binary(twice, Bytes::new())
        .err()
        .expect("refused");
    assert_eq!(error.place(), Some(&Place::Header("ce-id")));
}

proptest::proptest! {
    #[test]
    fn whatever_a_cloudevent_says_it_is_read_or_refused(
        whole in "\\PC{0,120}",
        more in "(,\"(data|data_base64|datacontenttype|time|subject|a1|B)\":(null|-?[0-9]{1,20}|\"[ -!#-\\[\\]-~]{0,40}\"|\\{\"a\":\\[1,\\{\\}\\]\\})){0,5}",
    ) {
        let body = Bytes::from(whole);
        let _read_or_refused = read_structured(&body, &body);
        if let Ok(parts) = structured(&more) {
            let _read_or_refused = payload_of(parts);
        }
    }
}
