//! A master key is rotated: everything is sealed anew, and the old key may go.

use serde_json::json;

use super::text;
use crate::support::caller::event_body;
use crate::support::clients::{self, Library, Signed};
use crate::support::node::Home;
use crate::support::receiver::Receiver;
use crate::support::store::Engine;

const OLD: &str = "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=";
const NEW: &str = "AgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgI=";

#[tokio::test]
async fn after_everything_is_sealed_anew_the_old_key_may_go() {
    for engine in Engine::ALL {
        let home = Home::on(engine).await;
        let receiver = Receiver::start().await;
        let node = home.start_with(&[("THROWBAR_MASTER_KEY", OLD)]).await;
        let caller = node.caller();
        let variable = json!({"name": "token", "value": "t0ken-of-theirs", "secret": true});
        caller.post("/v1/variables", &variable).await.expect(201);
        let source = json!({"name": "in", "verification": {"scheme": "github"}});
        caller.post("/v1/sources", &source).await.expect(201);
        let new = json!({
            "url": receiver.url("/"), "headers": {"X-Token": "{{vars.token}}"},
            "signatures": [{"scheme": "standard"}, {"scheme": "body-hmac"}, {"scheme": "rsa"}],
        });
        let made = caller.post("/v1/endpoints", &new).await.expect(201);
        let nothing = json!({});
        let rotated = caller.post("/v1/account/signing-key/rotate", &nothing);
        rotated.await.expect(201);
        let revealed = caller.post("/v1/account/signing-key/reveal", &nothing);
        let keys = revealed.await.expect(200);
        let both = format!("{NEW}\n{OLD}");
        let environment = [("THROWBAR_MASTER_KEY", both.as_str())];
        let told = home.command(&["key", "reseal"], &environment).await;
        assert!(told.contains("1 running node began before"), "{told}");
        node.stop().await;

        // Both keys: the new one seals, and the command has nothing left under the old one.
        home.start_with(&environment).await.stop().await;
        for (wanted, keys) in [
            ("sealed 7 secrets anew; 1 older key", 1),
            ("sealed 0 secrets anew", 0),
        ] {
            let told = home.command(&["key", "reseal"], &environment).await;
            assert!(told.contains(wanted), "{keys}: {told}");
        }
        let alone = [("THROWBAR_MASTER_KEY", OLD)];
        let told = home.command(&["serve"], &alone).await;
        assert!(told.contains("master key"), "{told}");

        let node = home.start_with(&[("THROWBAR_MASTER_KEY", NEW)]).await;
        let caller = node.caller();
        let again = caller.post("/v1/account/signing-key/reveal", &nothing);
        assert_eq!(again.await.expect(200), keys);
        let event = caller.try_post("/v1/events", event_body("deal.won", "{\"n\":1}", None));
        event.await.expect("an answer").expect(202);
        let request = receiver.wait_for(1).await.remove(0);
        assert_eq!(request.header("x-token"), Some("t0ken-of-theirs"));
        assert!(request.header("x-siqsignature").is_some());
        for (scheme, secret) in [
            ("standard", &made["secret"]),
            ("body-hmac", &keys["signing_key"]),
        ] {
            let signed = Signed::under(scheme, &text(secret), &request);
            let said = clients::verify(Library::PyPi, &[signed]).await;
            assert_eq!(said, [Ok(())], "{scheme}");
        }
        node.stop().await;
    }
}
