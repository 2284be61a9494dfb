//! What is sent under each scheme, against other people's values.

use serde_json::Value;

use super::*;
use crate::signing::{
    AccountKey, EndpointSecret, KeyKind, KeyPair, OwnSecret, PublicKey, SigningKey,
};

const TYPE: HeaderValue = HeaderValue::from_static("contact.created");

fn vectors() -> Value {
    let text = include_str!("../../tests/vectors/signatures.json");
    serde_json::from_str(text).expect("the vectors are JSON")
}

fn signed(scheme: &Scheme, keys: impl Into<Keys>, message: &Message<'_>) -> HeaderMap {
    let mut headers = HeaderMap::new();
    sign(scheme, &keys.into(), message, &mut headers).expect("keys that fit");
    headers
}

/// In the order of their names.
fn shown(headers: &HeaderMap) -> Vec<(&str, &str)> {
    let mut shown: Vec<_> = headers
        .iter()
        .map(|(name, value)| (name.as_str(), value.to_str().expect("visible")))
        .collect();
    shown.sort_unstable();
    shown
}

#[test]
fn standard_signs_like_the_public_libraries_under_both_names() {
    let vector = &vectors()["standard_v1"];
    let text = |name: &str| vector[name].as_str().expect("a text");
    let secret = EndpointSecret::parse(text("secret")).expect("valid");
    let message = Message {
        id: &MessageId::parse(text("id")).expect("valid"),
        at: Timestamp::from_ms(vector["timestamp"].as_i64().expect("a number") * 1000 + 999),
        event_type: &TYPE,
        body: text("body").as_bytes(),
    };
    let headers = signed(&Scheme::Standard, secret.signing_key(), &message);
    let wanted = [
        ("svix-id", text("id")),
        ("svix-signature", text("signature")),
        ("svix-timestamp", "1614265330"),
        ("webhook-id", text("id")),
        ("webhook-signature", text("signature")),
        ("webhook-timestamp", "1614265330"),
    ];
    assert_eq!(shown(&headers), wanted);
}

#[test]
fn body_hmac_signs_like_the_vector_in_the_header_that_was_chosen() {
    let vector = &vectors()["body_hmac"];
    let text = |name: &str| vector[name].as_str().expect("a text");
    let key = AccountKey::parse(text("account_key")).expect("valid");
    let message = Message {
        id: &MessageId::parse("evt_1").expect("valid"),
        at: Timestamp::from_ms(0),
        event_type: &TYPE,
        body: text("body").as_bytes(),
    };
    for (chosen, name) in [(None, "x-signature"), (Some("X-Acme"), "x-acme")] {
        let scheme = Scheme::from_words("body-hmac", chosen).expect("valid");
        let headers = signed(&scheme, key.signing_key(), &message);
        assert_eq!(shown(&headers), [(name, text("X-Signature"))]);
    }
}

#[test]
fn during_a_rotation_standard_carries_both_and_body_hmac_the_old_one() {
    let [old, new] = [1, 2].map(|byte| EndpointSecret::from_random([byte; 32]).signing_key());
    let both = SigningKeys::new(vec![old.clone(), new.clone()]).expect("two");
    let id = MessageId::parse("evt_1").expect("valid");
    let message = Message {
        id: &id,
        at: Timestamp::from_ms(1_000),
        event_type: &TYPE,
        body: b"{}",
    };
    let signature = |scheme: &Scheme, keys: &SigningKeys| {
        let headers = signed(scheme, keys.clone(), &message);
        let found = headers
            .iter()
            .find(|(name, _)| name.as_str().ends_with("-signature"));
        let (_, value) = found.expect("signed");
        value.to_str().expect("visible").to_owned()
    };
    let (old, new) = (SigningKeys::from(old), SigningKeys::from(new));
    assert_eq!(
        signature(&Scheme::Standard, &both),
        format!(
            "{} {}",
            signature(&Scheme::Standard, &old),
            signature(&Scheme::Standard, &new)
        )
    );
    let body_hmac = Scheme::from_words("body-hmac", None).expect("valid");
    assert_eq!(signature(&body_hmac, &both), signature(&body_hmac, &old));
    assert_ne!(signature(&body_hmac, &both), signature(&body_hmac, &new));
}

#[test]
fn message_ids_are_plain() {
    let minted = EventId::mint(Timestamp::from_ms(1_790_000_000_000));
    assert_eq!(
        MessageId::from(minted).as_bytes(),
        minted.to_string().as_bytes()
    );
    for wrong in ["", "a.b", "a b", "a\r\nb", "ä", &"x".repeat(257)] {
        assert_eq!(MessageId::parse(wrong), Err(Error::MessageId), "{wrong:?}");
    }
}

#[test]
fn texts_sign_like_the_vectors() {
    let vectors = vectors();
    for (name, header, wanted) in [
        ("event_header", "x-webhook-signature", "X-Webhook-Signature"),
        ("github", "x-hub-signature-256", "X-Hub-Signature-256"),
    ] {
        let vector = &vectors[name];
        let text = |name: &str| vector[name].as_str().expect("a text");
        let scheme = Scheme::from_words(&name.replace('_', "-"), None).expect("valid");
        let keys = OwnSecret::stored(text("secret")).expect("valid").keys();
        let key = keys.of(&scheme).expect("a key").clone();
        let message = Message {
            id: &MessageId::parse("evt_1").expect("valid"),
            at: Timestamp::from_ms(1_790_000_000_123),
            event_type: &TYPE,
            body: text("body").as_bytes(),
        };
        let headers = signed(&scheme, key, &message);
        assert!(shown(&headers).contains(&(header, text(wanted))));
        if name == "event_header" {
            let told = [
                ("x-webhook-event", "contact.created"),
                ("x-webhook-timestamp", "2026-09-21T14:13:20.123Z"),
            ];
            assert_eq!(shown(&signed(&scheme, Keys::None, &message)), told);
            assert_eq!(headers.len(), 3);
        }
    }
}

#[test]
fn stripe_style_signs_the_time_with_each_key() {
    let keys: Vec<_> = ["one", "two"]
        .map(|text| OwnSecret::stored(text).expect("a text").keys())
        .iter()
        .map(|keys| keys.of(&Scheme::Stripe).expect("a key").clone())
        .collect();
    let message = Message {
        id: &MessageId::parse("evt_1").expect("valid"),
        at: Timestamp::from_ms(1_790_000_000_999),
        event_type: &TYPE,
        body: b"{}",
    };
    let mac =
        |key: &str| hex::encode(SigningKey::from_bytes(key.as_bytes()).mac(&[b"1790000000.{}"]));
    let both = SigningKeys::new(keys).expect("two");
    let wanted = format!("t=1790000000,v1={},v1={}", mac("one"), mac("two"));
    assert_eq!(
        shown(&signed(&Scheme::Stripe, both, &message)),
        [("stripe-signature", wanted.as_str())]
    );
}

#[test]
fn key_pairs_sign_like_the_vectors() {
    let vectors = vectors();
    let vector = &vectors["standard_v1a"];
    let text = |name: &str| vector[name].as_str().expect("a text");
    let pair = KeyPair::import(KeyKind::Ed25519, text("secret")).expect("whsk_");
    let public = pair.public().expect("public").standard_text();
    assert_eq!(public.as_deref(), Some(text("public")));
    let message = Message {
        id: &MessageId::parse(text("id")).expect("valid"),
        at: Timestamp::from_ms(vector["timestamp"].as_i64().expect("a number") * 1000),
        event_type: &TYPE,
        body: text("body").as_bytes(),
    };
    let pairs = KeyPairs::new(vec![pair]).expect("one");
    let by_pair = signed(
        &Scheme::StandardEd25519,
        Keys::Pairs(pairs.clone()),
        &message,
    );
    assert!(shown(&by_pair).contains(&("webhook-signature", text("signature"))));
    assert_eq!(by_pair.len(), 6);

    // Beside a signature of the other kind, in whichever order they are asked for.
    let secret = EndpointSecret::from_random([1; 32]).signing_key();
    let keys = [Keys::from(secret), Keys::Pairs(pairs)];
    let schemes = [Scheme::Standard, Scheme::StandardEd25519];
    let mut both = HeaderMap::new();
    for (scheme, keys) in schemes.iter().zip(&keys) {
        sign(scheme, keys, &message, &mut both).expect("keys that fit");
    }
    for name in ["webhook-signature", "svix-signature"] {
        let value = both[name].to_str().expect("visible");
        let (v1, v1a) = value.split_once(' ').expect("two");
        assert!(v1.starts_with("v1,") && v1a == text("signature"), "{value}");
    }

    // The vector's private half is not known: its public half must accept what it says.
    let vector = &vectors["rsa_sha256_pkcs1v15"];
    let text = |name: &str| vector[name].as_str().expect("a text");
    let public = PublicKey::parse(KeyKind::Rsa, text("public_key_pem")).expect("PEM");
    let signature = STANDARD.decode(text("x-siqsignature")).expect("base64");
    assert!(public.verifies(text("body").as_bytes(), &signature));
    assert!(!public.verifies(b"{}", &signature));
}

#[test]
fn keys_of_another_kind_sign_nothing() {
    let id = MessageId::parse("evt_1").expect("valid");
    let message = Message {
        id: &id,
        at: Timestamp::from_ms(0),
        event_type: &TYPE,
        body: b"{}",
    };
    let rsa = Scheme::from_words("rsa", None).expect("valid");
    let key = Keys::from(EndpointSecret::from_random([1; 32]).signing_key());
    for (scheme, keys) in [(&rsa, &key), (&Scheme::Standard, &Keys::None)] {
        let mut headers = HeaderMap::new();
        let done = sign(scheme, keys, &message, &mut headers);
        assert_eq!((done, headers.len()), (Err(Error::NoKey), 0));
    }
}
