//! The test of a webhook, sent again by whoever got no answer.

use serde_json::json;
use wgfleet_integration::{
    client::{Client, Response},
    eventually,
};

use crate::{
    fleet::{Fleet, SOON, text},
    receiver::Receiver,
};

#[test]
fn a_test_that_was_cut_short_goes_out_again_as_the_same_ping() {
    let mut fleet = Fleet::new();
    let receiver = Receiver::start(&[]);
    let rest = fleet.controller.rest();
    let hook = json!({"name": "billing", "url": receiver.url(), "kinds": ["peer.deleted"]});
    let hook = rest.create("/webhooks", &hook);
    receiver.knows(&text(&hook["secret"]));
    let path = format!("/webhooks/{}", text(&hook["id"]));

    // It dies while the endpoint has the ping and has not answered.
    receiver.be_silent(true);
    std::thread::scope(|scope| {
        let cut_short = scope.spawn(|| test_once(&fleet, &path).is_none());
        eventually(SOON, "the ping", || {
            (receiver.received().len() == 1).then_some(())
        });
        let pid = rustix::process::Pid::from_raw(fleet.controller.pid().cast_signed());
        let signal = rustix::process::Signal::KILL;
        rustix::process::kill_process(pid.expect("a process"), signal).expect("killed");
        assert!(cut_short.join().expect("a caller"), "it was answered");
    });
    fleet.controller.await_end();
    receiver.be_silent(false);
    fleet.controller.restart();

    let answers = [(); 3].map(|()| test_once(&fleet, &path).expect("an answer"));
    for answer in &answers {
        assert_eq!((answer.status, &answer.body), (200, &answers[0].body));
    }
    assert_eq!(answers[0].json()["outcome"], "delivered");
    let received = receiver.received();
    assert_eq!(received.len(), 2, "{received:?}");
    assert_eq!(received[0].delivery, received[1].delivery);
    assert_eq!(received[0].body, received[1].body);
    assert_eq!(
        answers[0].json()["delivery_id"],
        json!(received[0].delivery)
    );

    let rest = fleet.controller.rest();
    let log = rest.read(&format!("{path}/deliveries"));
    assert_eq!(log["total"], 1, "{log}");
    let other = rest.post(&format!("{path}/test"), &json!({}));
    assert_eq!(other.status, 200);
    let received = receiver.received();
    assert_ne!(received[1].delivery, received[2].delivery, "another test");
}

fn test_once(fleet: &Fleet, path: &str) -> Option<Response> {
    let rest = fleet.controller.rest();
    let mut wire = rest.wire("POST", &format!("{path}/test"), Some(&json!({})));
    wire.add("Idempotency-Key", "one test");
    let client = Client::new(fleet.controller.address().clone(), "").timeout(SOON);
    client.send_wire(&wire).ok()
}
