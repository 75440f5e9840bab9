//! Webhooks over https, and whose certificates they believe.

use serde_json::{Value, json};
use wgfleet_integration::{eventually, tls::Authority};

use crate::{
    fleet::{Fleet, SOON, text},
    receiver::Receiver,
};

#[test]
fn an_endpoint_is_believed_by_the_authority_that_was_given() {
    let fleet = Fleet::new();
    let (own, other) = (Authority::new(), Authority::new());
    let receiver = Receiver::over_tls(&own.issue());
    let rest = fleet.controller.rest();
    let hook = json!({
        "name": "billing", "url": receiver.url(), "kinds": ["peer.deleted"],
        "tls_ca_pem": own.pem(),
    });
    let hook = rest.create("/webhooks", &hook);
    receiver.knows(&text(&hook["secret"]));
    let path = format!("/webhooks/{}", text(&hook["id"]));
    let test = || {
        let answer = rest.post(&format!("{path}/test"), &json!({}));
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.json()
    };
    let told = |count: usize| {
        eventually(SOON, "it is told", || {
            (receiver.received().len() == count).then_some(())
        });
    };

    assert_eq!(test()["outcome"], "delivered");
    let delete_one = || {
        let peer = rest.create("/peers", &json!({"name": "p"}));
        let deleted = rest.delete(&format!("/peers/{}", text(&peer["id"])));
        assert_eq!(deleted.status, 200);
    };
    delete_one();
    told(2);
    assert_eq!(receiver.received()[1].event, "peer.deleted");
    assert!(receiver.received().iter().all(|it| it.answered == 200));

    // Another authority's word is not good enough, nor is the system's, who know nothing of it.
    for trusted in [json!(other.pem()), Value::Null] {
        let changed = rest.patch(&path, &json!({ "tls_ca_pem": trusted }));
        assert_eq!(changed.status, 200, "{changed:?}");
        let failed = test();
        assert_eq!(failed["outcome"], "failed", "{failed}");
        assert_eq!(failed["http_status"], Value::Null, "{failed}");
        assert!(text(&failed["error"]).contains("certificate"), "{failed}");
    }
    delete_one();
    let error = eventually(SOON, "a failure in the log", || {
        let log = rest.read(&format!("{path}/deliveries"));
        let last = &log["items"][0];
        (last["kind"] == "peer.deleted" && last["outcome"] == "failed")
            .then(|| text(&last["error"]))
    });
    assert!(error.contains("certificate"), "{error}");
    assert_eq!(receiver.received().len(), 2, "nobody heard of it");

    // What waited comes once the endpoint is believed again.
    let both = format!("{}{}", other.pem(), own.pem());
    assert_eq!(
        rest.patch(&path, &json!({ "tls_ca_pem": both })).status,
        200
    );
    told(3);
    let refused = rest.patch(&path, &json!({ "tls_ca_pem": "no certificate" }));
    assert_eq!(
        (refused.status, &refused.json()["field"]),
        (400, &json!("tls_ca_pem"))
    );
}
