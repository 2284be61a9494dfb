//! Settings that follow from profiles and from what is laid over them.

use super::*;

fn book() -> Rulebook {
    let nothing = crate::store::Rulebook {
        revision: 1,
        default_profile: STANDARD.to_owned(),
        rules: Vec::new(),
    };
    Rulebook::of(nothing).expect("nothing in it")
}

fn signature(scheme: &str, header: Option<&str>, secret: Option<&str>) -> SignatureRequest {
    let owned = |text: Option<&str>| text.map(str::to_owned);
    SignatureRequest {
        scheme: scheme.to_owned(),
        header: owned(header),
        secret: owned(secret),
    }
}

#[test]
fn an_endpoint_with_nothing_but_a_url_is_standard() {
    let (settings, secret) = Overrides::default().apply(None, &book()).expect("defaults");
    let shown = serde_json::to_value(&settings).expect("plain");
    assert_eq!(
        shown,
        serde_json::json!({
            "profile": "standard", "envelope": "raw", "signatures": [{"scheme": "standard"}],
            "retry_policy": "eight-step", "failure_policy": "five-days", "timeout_ms": 15000,
            "subscribe": ["*"], "follows": {"overrides": []},
        })
    );
    assert!(secret.is_none() && needs_secret(&settings));
    let bare = ready_made(ACCOUNT_SIGNED).expect("ready-made");
    assert_eq!(bare.retry_policy, RetryPolicy::ThreeStep);
    assert_eq!(bare.envelope, Envelope::Compact);
    assert!(!needs_secret(&bare));
}

#[test]
fn a_part_is_overridden_alone_and_a_new_profile_keeps_the_subscription() {
    let none = Overrides {
        subscribe: Some(Subscribe::None),
        ..Overrides::default()
    };
    let (known, _) = none.apply(None, &book()).expect("valid");
    let faster = Overrides {
        timeout_ms: Some(500),
        ..Overrides::default()
    };
    let (faster, _) = faster.apply(Some(known.clone()), &book()).expect("valid");
    let mut wanted = EndpointSettings {
        timeout_ms: 500,
        ..known
    };
    wanted.own(Part::TimeoutMs);
    assert_eq!(faster, wanted);
    let other = Overrides {
        profile: Some(ACCOUNT_SIGNED.to_owned()),
        ..Overrides::default()
    };
    let (other, _) = other.apply(Some(faster.clone()), &book()).expect("valid");
    assert_eq!((other.timeout_ms, other.overrides().count()), (15_000, 0));
    assert_eq!(other.subscribe, None);
    let back = Overrides {
        own_parts: Some(vec![Part::Method]),
        ..Overrides::default()
    };
    let (back, _) = back.apply(Some(faster), &book()).expect("valid");
    assert_eq!(back.timeout_ms, 15_000, "it is the profile's again");
    assert!(back.has_own(Part::Method));
}

#[test]
fn what_was_stored_before_has_what_is_not_usual_for_its_own() {
    let standard = ready_made(STANDARD).expect("ready-made");
    let stored = EndpointSettings {
        timeout_ms: 500,
        follows: Follows::default(),
        ..standard.clone()
    };
    let read = with_overrides(stored);
    assert_eq!(read.overrides().collect::<Vec<_>>(), [Part::TimeoutMs]);
    let of_nobody = EndpointSettings {
        profile: "of-nobody".to_owned(),
        follows: Follows::default(),
        ..standard
    };
    assert_eq!(
        with_overrides(of_nobody).overrides().count(),
        Part::ALL.len()
    );
}

#[test]
#[expect(clippy::too_many_lines, reason = "one table of cases")]
fn what_is_wrong_is_told_with_its_place() {
    let whsec = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    let signed = |signatures| Overrides {
        signatures: Some(signatures),
        ..Overrides::default()
    };
    let profile = |name: &str| Overrides {
        profile: Some(name.to_owned()),
        ..Overrides::default()
    };
    let headed = |name: &str, value: &str| Overrides {
        headers: Some([(name.to_owned(), value.to_owned())].into()),
        ..Overrides::default()
    };
    for (overrides, at, words) in [
        (
            headed("Content-Type", "a"),
            "/headers/Content-Type",
            "another use",
        ),
        (
            headed("webhook-id", "a"),
            "/headers/webhook-id",
            "another use",
        ),
        (
            headed("X-HTTP-Method-Override", "DELETE"),
            "/headers/X-HTTP-Method-Override",
            "another use",
        ),
        (headed("Via", "1.1 a"), "/headers/Via", "another use"),
        (
            headed("X-Hub-Signature", "a"),
            "/headers/X-Hub-Signature",
            "another use",
        ),
        (headed("a/b", "a"), "/headers/a~1b", "not the name"),
        (profile("nope"), "/profile", "no profile 'nope'"),
        (
            Overrides {
                timeout_ms: Some(0),
                ..Overrides::default()
            },
            "/timeout_ms",
            "timeout_ms is 0",
        ),
        (signed(vec![]), "/signatures", "give 1 to 4"),
        (
            signed(vec![signature("rsa", None, Some("x"))]),
            "/signatures/0/secret",
            "leave the secret out",
        ),
        (
            signed(vec![signature("body-hmac", Some("Host"), None)]),
            "/signatures/0/header",
            "another use",
        ),
        (
            signed(vec![signature("standard", None, Some("x"))]),
            "/signatures/0/secret",
            "whsec_",
        ),
        (
            signed(vec![signature("body-hmac", None, Some(whsec))]),
            "/signatures/0/secret",
            "leave the secret out",
        ),
        (
            signed(vec![
                signature("standard", None, None),
                signature("standard", None, None),
            ]),
            "/signatures/1",
            "twice",
        ),
        (
            signed(vec![
                signature("github", None, None),
                signature("rsa", Some("X-Hub-Signature-256"), None),
            ]),
            "/signatures/1/header",
            "room for one",
        ),
        (
            Overrides {
                headers: Some([("x-mine".to_owned(), "a".to_owned())].into()),
                ..signed(vec![signature("rsa", Some("X-Mine"), None)])
            },
            "/headers/x-mine",
            "a signature goes in this header",
        ),
    ] {
        let error = overrides.apply(None, &book()).expect_err(words);
        assert!(error.to_string().contains(words), "{error}");
        assert_eq!(
            error.place().map(ToString::to_string).as_deref(),
            Some(at),
            "{error}"
        );
    }
}
