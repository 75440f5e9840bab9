//! HOSTILE 1, 4, 5, 6 and 9 on the kernel: what is not authentic, or means another peer, changes
//! nothing there.

use serde_json::json;
use wgfleet_integration::{
    agent::Config,
    client::{Request, WireRequest},
    lab_test, wg,
};

use crate::common::{OK, WG0, agent, delete, keys, outcome, post, refused};

fn unauthorized() -> (u16, Option<String>) {
    refused(401, "unauthorized")
}

lab_test! {
    fn hostile_01_without_both_headers_nothing_reaches_the_kernel() {
        let agent = agent();
        let client = agent.client();
        let good = post(&client, 1, 1, &["10.0.0.1/32"]);
        let changed = |change: &dyn Fn(&mut WireRequest)| {
            let mut wire = good.clone();
            change(&mut wire);
            assert_eq!(outcome(&client, &wire), unauthorized(), "{wire:?}");
        };
        for name in ["X-Signature", "X-Timestamp"] {
            changed(&|wire| wire.remove(name));
            changed(&|wire| wire.replace(name, ""));
            changed(&|wire| wire.duplicate(name));
        }
        assert!(wg::show(WG0).peers.is_empty());
        assert_eq!(outcome(&client, &good), OK);
    }
}

lab_test! {
    fn hostile_04_a_bar_can_not_move() {
        let agent = agent();
        let client = agent.client();
        let key = wg::numbered_key(1);
        let mut moved = client.prepare(&Request::new("POST", format!("/wg/{WG0}/peers"))
            .body(format!("|{{\"public_key\":\"{key}\"}}")));
        // The same MAC, cut elsewhere: `POST|/wg/wg0/peers|` + `|{…}|timestamp`.
        moved.target.push('|');
        moved.body.remove(0);
        moved.replace("Content-Length", moved.body.len().to_string());
        assert_eq!(outcome(&client, &moved), refused(400, "bad_request"));
        assert!(wg::show(WG0).peers.is_empty());
    }
}

lab_test! {
    fn hostile_05_only_what_was_signed_is_done() {
        let agent = agent();
        let client = agent.client();
        assert_eq!(outcome(&client, &post(&client, 1, 1, &[])), OK);
        let mut queried = client.prepare(&Request::new("DELETE", format!("/wg/{WG0}/peers/{}", wg::numbered_key(1))));
        queried.target.push_str("?x=1");
        assert_eq!(outcome(&client, &queried), unauthorized());
        let mut swapped = client.prepare(&Request::new("PUT", queried.target.trim_end_matches("?x=1")));
        swapped.method = "DELETE".into();
        assert_eq!(outcome(&client, &swapped), unauthorized());
        let dump = Request::get(format!("/wg/{WG0}/dump"))
            .header("X-HTTP-Method-Override", "DELETE")
            .header("X-Method-Override", "DELETE");
        assert_eq!(client.send(&dump).expect("an answer").status, 200);
        assert_eq!(keys(), [wg::numbered_key(1)]);
    }
}

lab_test! {
    fn hostile_06_no_spelling_reaches_another_peer() {
        let agent = agent();
        let client = agent.client();
        // One with a `/` in it, to be mistaken for a path, and a bystander.
        let slashed = (0..).find(|n| wg::numbered_key(*n).contains('/')).expect("endless");
        let (key, other) = (wg::numbered_key(slashed), wg::numbered_key(100));
        for peer in [slashed, 100] {
            assert_eq!(outcome(&client, &post(&client, peer, peer, &[])), OK);
        }
        let twice = key.replace('/', "%252F");
        for target in [
            format!("//wg/{WG0}/peers/{key}"), format!("/wg//{WG0}/peers/{key}"),
            format!("/wg/{WG0}//peers/{key}"), format!("/wg/{WG0}/peers//{key}"),
            format!("/./wg/{WG0}/peers/{key}"), format!("/wg/{WG0}/peers/./{key}"),
            format!("/wg/{WG0}/peers/x/../{key}"), format!("/wg/{WG0}/peers/%2e%2e/{key}"),
            format!("/wg/{WG0}/peers/{other}/../{key}"), format!("/wg/%2e%2e/wg/{WG0}/peers/{key}"),
            format!("/wg/{WG0}/peers/{twice}"), format!("/wg/{WG0}/peers/{key}/"),
            format!("/wg/{WG0}/peers/{key}%2F"), format!("/wg/{WG0}/peers/{key}%00"),
            format!("/wg/{WG0}/peers/%20{key}"), format!("/wg/{WG0}/peers/{key};x=1"),
            format!("/WG/{WG0}/peers/{key}"), format!("/wg/{WG0}/peers/{}", key.to_lowercase()),
        ] {
            let answer = client.send(&Request::new("DELETE", target.as_str())).expect("an answer");
            assert!(matches!(answer.status, 400 | 404), "{target}: {answer:?}");
        }
        assert_eq!(keys().len(), 2);
        assert_eq!(outcome(&client, &delete(&client, 1, slashed)), OK);
        assert_eq!(keys(), [other]);
    }
}

lab_test! {
    fn hostile_09_a_request_for_one_agent_is_nothing_to_another() {
        wg::add_interface_with_key(WG0);
        let a = Config::kernel().secrets(&["the secret of the agent named A, long enough"]).start();
        let b = Config::kernel().secrets(&["the secret of the agent named B, long enough"]).start();
        let wire = post(&a.client(), 1, 1, &["10.0.0.1/32"]);
        assert_eq!(outcome(&b.client(), &wire), unauthorized());
        assert!(wg::show(WG0).peers.is_empty());
        assert_eq!(outcome(&a.client(), &wire), OK);
        assert_eq!(b.client().dump(WG0)["peers"][0]["public_key"], json!(wg::numbered_key(1)));
    }
}
