//! Requests of each kind of sender, genuine and not, told case by case. The vectors are those that the
//! senders' own libraries are tested with.

use http::HeaderValue;
use serde_json::Value;

use super::*;
use crate::signing::Outcome;

const VECTORS: &str = include_str!("../../tests/vectors/signatures.json");

fn vector(pointer: &str) -> Value {
    let vectors: Value = serde_json::from_str(VECTORS).expect("JSON");
    vectors.pointer(pointer).expect(pointer).clone()
}

fn text(vector: &Value, field: &str) -> String {
    vector[field].as_str().expect(field).to_owned()
}

/// A request, and what its receiver knows.
struct Received {
    proof: SenderProof,
    secrets: Vec<String>,
    headers: HeaderMap,
    body: String,
    at_s: i64,
}

impl Received {
    fn new(proof: &str, secret: &str, body: &str) -> Self {
        Self {
            proof: serde_json::from_str(proof).expect(proof),
            secrets: vec![secret.to_owned()],
            headers: HeaderMap::new(),
            body: body.to_owned(),
            at_s: 1_614_265_330,
        }
    }

    fn with(mut self, name: &str, value: &str) -> Self {
        let name = HeaderName::try_from(name).expect("a name");
        let value = HeaderValue::from_str(value).expect("a value");
        self.headers.append(name, value);
        self
    }

    fn standard(family: &str) -> Self {
        let vector = vector("/standard_v1");
        let new = Self::new(
            r#"{"scheme":"standard"}"#,
            &text(&vector, "secret"),
            &text(&vector, "body"),
        );
        new.with(&format!("{family}-id"), &text(&vector, "id"))
            .with(&format!("{family}-timestamp"), "1614265330")
            .with(&format!("{family}-signature"), &text(&vector, "signature"))
    }

    fn github() -> Self {
        let vector = vector("/github");
        let new = Self::new(
            r#"{"scheme":"github"}"#,
            &text(&vector, "secret"),
            &text(&vector, "body"),
        );
        let name = "X-Hub-Signature-256";
        new.with(name, &text(&vector, name))
    }

    /// Stripe's is `t.body`, as this project's own keys make it: its vector stands in `stripes_own`.
    fn stripe(secret: &str, body: &str) -> Self {
        let mac = SigningKey::from_bytes(secret.as_bytes()).mac(&[b"1614265330.", body.as_bytes()]);
        let value = format!("t=1614265330,v1={},v0=00", hex::encode(mac));
        Self::new(r#"{"scheme":"stripe"}"#, secret, body).with("Stripe-Signature", &value)
    }

    fn report(&self) -> Report {
        let key = |secret: &String| self.proof.key(secret).expect("a secret");
        let keys: Vec<_> = self.secrets.iter().map(key).collect();
        self.proof.look(
            &keys,
            &Sent {
                headers: &self.headers,
                body: self.body.as_bytes(),
                at: Timestamp::from_ms(self.at_s * 1000),
            },
        )
    }

    #[track_caller]
    fn is_genuine(&self) {
        let report = self.report();
        assert!(report.is_genuine(), "{report:?}");
    }

    /// It is refused, and this is the first thing that is said.
    #[track_caller]
    fn is_refused(&self, wanted: &str) {
        let report = self.report();
        assert!(!report.is_genuine(), "{report:?}");
        let failed = |finding: &&crate::signing::Finding| finding.outcome == Outcome::Failed;
        let said = report.findings.iter().find(failed).expect("a reason");
        assert!(said.text.contains(wanted), "{wanted}: {report:?}");
    }
}

#[test]
fn the_vectors_of_every_sender_are_genuine() {
    Received::standard("webhook").is_genuine();
    Received::standard("svix").is_genuine();
    Received::github().is_genuine();
    for (pointer, header) in [
        ("/event_header", "X-Webhook-Signature"),
        ("/body_hmac", "X-Signature"),
    ] {
        let vector = vector(pointer);
        let secret = vector.get("secret").or(vector.get("account_key"));
        let secret = secret.and_then(Value::as_str).expect("a secret");
        let proof = format!(r#"{{"scheme":"hmac","header":"{header}"}}"#);
        let new = Received::new(&proof, secret, &text(&vector, "body"));
        new.with(header, &text(&vector, header)).is_genuine();
        let new = Received::new(&proof, secret, &text(&vector, "body"));
        let digits = text(&vector, header).to_uppercase();
        new.with(header, &format!("sha256={digits}")).is_genuine();
    }
    Received::new(r#"{"scheme":"none"}"#, "x", "anything").is_genuine();
}

#[test]
fn stripes_own_way_is_the_timestamped_body() {
    // The same form under another version's name, from another sender's documents.
    let vector = vector("/timestamped_hex_v0");
    let value = text(&vector, "header").replace("v0=", "v1=");
    let mut received = Received::new(
        r#"{"scheme":"stripe","tolerance_s":60}"#,
        &text(&vector, "secret"),
        &text(&vector, "body"),
    )
    .with("stripe-signature", &value);
    received.at_s = 1_636_936_200;
    received.is_genuine();
    Received::stripe("whsec_of_stripe", r#"{"id":"evt_1"}"#).is_genuine();
}

#[test]
fn a_changed_byte_a_strange_secret_and_a_missing_header_are_refused() {
    for make in [
        || Received::standard("webhook"),
        || Received::standard("svix"),
        Received::github,
        || Received::stripe("s", "{}"),
    ] {
        let mut changed = make();
        changed.body.push(' ');
        changed.is_refused("does not match");
        let mut strange = make();
        strange.secrets = vec![strange.proof.make_secret([7; 32]).to_string()];
        strange.is_refused("does not match");
        let mut without = make();
        without.headers.clear();
        without.is_refused("signature");
        let mut no_secret = make();
        no_secret.secrets.clear();
        no_secret.is_refused("no secret");
    }
}

#[test]
fn what_is_not_signed_says_nothing_else() {
    for (signed, other) in [("webhook", "svix"), ("svix", "webhook")] {
        let id = text(&vector("/standard_v1"), "id");
        let with = |part: &str, value: &str| {
            Received::standard(signed).with(&format!("{other}-{part}"), value)
        };
        with("id", &id)
            .with(&format!("{other}-timestamp"), "1614265330")
            .is_genuine();
        let wanted = format!("{other}-id is not signed");
        with("id", "EVIL").is_refused(&wanted);
        with("id", &id)
            .with(&format!("{other}-id"), &id)
            .is_refused(&wanted);
        with("timestamp", "1614265331").is_refused(&format!("{other}-timestamp is not signed"));
    }
}

#[test]
fn one_of_several_signatures_or_secrets_is_enough() {
    let mut several = Received::standard("webhook");
    let right = several.headers["webhook-signature"]
        .to_str()
        .expect("text")
        .to_owned();
    let value = format!("v1a,AAAA v1,AAAA {right}");
    several.headers.insert(
        "webhook-signature",
        HeaderValue::from_str(&value).expect("text"),
    );
    several.is_genuine();
    for mut received in [Received::github(), Received::stripe("s", "{}"), several] {
        let other = received.proof.make_secret([7; 32]).to_string();
        received.secrets.insert(0, other);
        received.is_genuine();
    }
    let two = Received::stripe("s", "{}");
    let value = two.headers["stripe-signature"].to_str().expect("text");
    let value = value.replace(",v1=", &format!(",v1={},v1=", "00".repeat(32)));
    Received::new(r#"{"scheme":"stripe"}"#, "s", "{}")
        .with("stripe-signature", &value)
        .is_genuine();
}

#[test]
fn times_beyond_the_tolerance_are_refused_both_ways() {
    for make in [
        || Received::standard("webhook"),
        || Received::stripe("s", "{}"),
    ] {
        for (by_s, wanted) in [(301, Some("Signed 301 s ago")), (-301, Some("301 s ahead"))] {
            let mut received = make();
            received.at_s += by_s;
            received.is_refused(wanted.unwrap_or_default());
        }
        for by_s in [300, -300] {
            let mut received = make();
            received.at_s += by_s;
            received.is_genuine();
        }
    }
}

#[test]
fn what_is_not_of_the_senders_form_is_told() {
    let github = |value: &str| {
        Received::new(r#"{"scheme":"github"}"#, "s", "{}").with("x-hub-signature-256", value)
    };
    github("sha1=00").is_refused("does not begin with 'sha256='");
    github("sha256=zz").is_refused("not hexadecimal");
    github("sha256=00").is_refused("does not match");
    github("sha256=00")
        .with("x-hub-signature-256", "sha256=00")
        .is_refused("more than once");
    let stripe = |value: &str| {
        Received::new(r#"{"scheme":"stripe"}"#, "s", "{}").with("stripe-signature", value)
    };
    stripe("v1=00").is_refused("does not have one time");
    stripe("t=1,t=1614265330,v1=00").is_refused("does not have one time");
    stripe("t=1614265330").is_refused("no signature v1");
    stripe("t=soon,v1=00").is_refused("not a number of seconds");
    let mut standard = Received::standard("webhook");
    standard.headers.remove("webhook-id");
    standard.is_refused("webhook-id is missing");
    let mut bare = Received::standard("webhook");
    let value = bare.headers["webhook-signature"].to_str().expect("text")[3..].to_owned();
    let value = format!("v1,AAAA {value}");
    bare.headers.insert(
        "webhook-signature",
        HeaderValue::from_str(&value).expect("text"),
    );
    let hinted = bare
        .report()
        .findings
        .iter()
        .any(|found| found.text.contains("lacks 'v1,'"));
    assert!(hinted);
}

#[test]
fn nobody_is_told_the_signature_that_would_have_been_right() {
    let mut received = Received::github();
    let right = received.headers["x-hub-signature-256"]
        .to_str()
        .expect("text")[7..]
        .to_owned();
    received
        .headers
        .insert(GITHUB, HeaderValue::from_static("sha256=00"));
    assert!(!format!("{:?}", received.report()).contains(&right));
    let mut received = Received::standard("webhook");
    let right = received.headers["webhook-signature"]
        .to_str()
        .expect("text")[3..]
        .to_owned();
    let wrong = HeaderValue::from_static("v1,AAAA");
    received.headers.insert("webhook-signature", wrong);
    assert!(!format!("{:?}", received.report()).contains(&right));
}

#[test]
fn proofs_as_users_write_them() {
    for (written, shown) in [
        (
            r#"{"scheme":"standard"}"#,
            r#"{"scheme":"standard","tolerance_s":300}"#,
        ),
        (
            r#"{"scheme":"stripe","tolerance_s":60}"#,
            r#"{"scheme":"stripe","tolerance_s":60}"#,
        ),
        (r#"{"scheme":"github"}"#, r#"{"scheme":"github"}"#),
        (
            r#"{"scheme":"hmac"}"#,
            r#"{"scheme":"hmac","header":"x-signature"}"#,
        ),
        (
            r#"{"scheme":"hmac","header":"X-Sig"}"#,
            r#"{"scheme":"hmac","header":"x-sig"}"#,
        ),
        (r#"{"scheme":"none"}"#, r#"{"scheme":"none"}"#),
    ] {
        let proof: SenderProof = serde_json::from_str(written).expect(written);
        assert_eq!(serde_json::to_string(&proof).expect("plain"), shown);
    }
    for (written, wanted) in [
        (r#"{"scheme":"rsa"}"#, "no verification 'rsa'"),
        (
            r#"{"scheme":"github","header":"x"}"#,
            "'github' has no 'header'",
        ),
        (
            r#"{"scheme":"none","tolerance_s":1}"#,
            "'none' has no 'tolerance_s'",
        ),
        (
            r#"{"scheme":"stripe","tolerance_s":0}"#,
            "must be 1 to 3600",
        ),
        (
            r#"{"scheme":"hmac","header":"Host"}"#,
            "'Host' is not a header name",
        ),
        (
            r#"{"scheme":"hmac","header":"a b"}"#,
            "'a b' is not a header name",
        ),
        (
            r#"{"scheme":"hmac","algorithm":"md5"}"#,
            "unknown field `algorithm`",
        ),
    ] {
        let error = serde_json::from_str::<SenderProof>(written).expect_err(written);
        assert!(error.to_string().contains(wanted), "{error}");
    }
}

#[test]
fn secrets_are_what_the_scheme_reads() {
    let [standard, github]: [SenderProof; 2] =
        [r#"{"scheme":"standard"}"#, r#"{"scheme":"github"}"#]
            .map(|text| serde_json::from_str(text).expect(text));
    assert!(standard.key("hunter2").is_err());
    assert!(github.key("hunter2").is_ok());
    for wrong in ["", "a\nb", &"x".repeat(SECRET_BYTES_MAX + 1)] {
        assert_eq!(github.key(wrong).expect_err("refused"), Error::SenderSecret);
    }
    for proof in [standard, github] {
        assert!(proof.key(&proof.make_secret([3; 32])).is_ok());
    }
}
