//! HOSTILE 26, and changes that arrive together.

use std::{
    collections::HashSet,
    sync::atomic::{AtomicBool, AtomicU32, Ordering},
    thread,
    time::Duration,
};

use serde_json::json;
use wgfleet_integration::{
    StopOnDrop,
    client::{Client, WireRequest},
    lab::Limits,
    lab_test, poll, wg,
};

use crate::common::{
    OK, WG0, agent, answers, delete, keys, outcome, post, put, refused, send_together,
};

const MANY: Limits = Limits {
    time: Duration::from_secs(180),
    memory_mib: 1024,
};

/// What a request leaves behind when it is the last: the peer's keepalive, or no peer.
type Leaves = Option<u16>;

/// The `n`th of many changes of one peer.
fn change(client: &Client, n: u32) -> (WireRequest, Leaves) {
    let keepalive = u16::try_from(n).expect("few") + 1;
    match n % 5 {
        0 => (post(client, n, 1, &[]), Some(0)),
        1 => (delete(client, n, 1), None),
        _ => (
            put(client, n, 1, &json!({"persistent_keepalive": keepalive})),
            Some(keepalive),
        ),
    }
}

lab_test! {
    fn hostile_26_the_last_accepted_of_500_changes_holds() with (MANY) {
        let agent = agent();
        let client = agent.client().timeout(Duration::from_secs(60));
        assert_eq!(outcome(&client, &post(&client, 9_999, 1, &[])), OK);
        let changes: Vec<_> = (0..500).map(|n| change(&client, n)).collect();
        let accepted = AtomicU32::new(0);
        thread::scope(|scope| {
            for share in changes.chunks(10) {
                let (agent, accepted) = (&agent, &accepted);
                scope.spawn(move || {
                    let client = agent.client().timeout(Duration::from_secs(60)).keep_alive();
                    for (wire, _) in share {
                        let (status, code) = outcome(&client, wire);
                        let expected = matches!((status, code.as_deref()),
                            (200, None) | (404, Some("peer_not_found")) | (409, Some("peer_exists")));
                        assert!(expected, "{status} {code:?}");
                        accepted.fetch_add(u32::from(status == 200), Ordering::Relaxed);
                    }
                });
            }
        });
        assert!(accepted.into_inner() > 10);
        // The one that is answered again is the last accepted one; there is no other.
        let (mut last, mut others) = (Vec::new(), 0);
        for (wire, leaves) in &changes {
            let answer = outcome(&client, wire);
            if answer == OK {
                last.push(*leaves);
            } else {
                assert_eq!(answer, refused(409, "replayed"));
                others += 1;
            }
        }
        assert_eq!((last.len(), others), (1, 499));
        let peers = wg::show(WG0).peers;
        let holds = peers.first().map(|peer| peer.persistent_keepalive);
        assert_eq!((holds, peers.len()), (last[0], usize::from(last[0].is_some())));
    }
}

lab_test! {
    fn hostile_26_a_thousand_dumps_during_writes_are_whole() with (MANY) {
        wg::add_interface(WG0);
        wg::setconf(WG0, &wg::configuration(300));
        let agent = wgfleet_integration::agent::Config::kernel().start();
        let (stop, writes) = (AtomicBool::new(false), AtomicU32::new(0));
        let settled: HashSet<_> = (0..300).map(wg::numbered_key).collect();
        thread::scope(|scope| {
            scope.spawn(|| {
                let client = agent.client().keep_alive();
                for n in 0.. {
                    // Peers come and go beside those that stay, 50 a second.
                    let peer = 1_000 + n / 2 % 40;
                    let wire = if n % 2 == 0 { post(&client, n, peer, &[]) } else { delete(&client, n, peer) };
                    assert_eq!(outcome(&client, &wire), OK);
                    writes.fetch_add(1, Ordering::Relaxed);
                    let stopped = || stop.load(Ordering::Relaxed).then_some(());
                    if poll(Duration::from_millis(20), stopped).is_some() {
                        return;
                    }
                }
            });
            // Stops the writer however this ends.
            let _stop = StopOnDrop(&stop);
            let client = agent.client().keep_alive();
            for _ in 0..1_000 {
                assert_whole(&client, &settled);
            }
        });
        let writes = writes.into_inner();
        assert!(writes > 20, "only {writes} writes meanwhile");
    }
}

/// Every peer that stays is there, and none twice.
fn assert_whole(client: &Client, settled: &HashSet<String>) {
    let dump = client.dump(WG0);
    let keys: Vec<_> = dump["peers"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|peer| peer["public_key"].as_str().expect("text"))
        .collect();
    let distinct: HashSet<_> = keys.iter().copied().collect();
    assert_eq!(distinct.len(), keys.len(), "a peer is there twice");
    assert!(
        settled.iter().all(|key| distinct.contains(key.as_str())),
        "a peer is missing"
    );
}

lab_test! {
    fn dumps_are_whole_while_wg_writes() with (MANY) {
        wg::add_interface(WG0);
        wg::setconf(WG0, &wg::configuration(300));
        let agent = wgfleet_integration::agent::Config::kernel().start();
        let settled: HashSet<_> = (0..300).map(wg::numbered_key).collect();
        thread::scope(|scope| {
            scope.spawn(|| for n in 0..60 {
                wg::set_peer(WG0, &wg::numbered_key(1_000 + n), &[]);
                wg::remove_peer(WG0, &wg::numbered_key(1_000 + n));
            });
            let client = agent.client().keep_alive();
            for _ in 0..200 {
                assert_whole(&client, &settled);
            }
        });
    }
}

lab_test! {
    fn changes_in_flight_together_are_all_made() {
        let agent = agent();
        let client = agent.client();
        let posts: Vec<_> = (0..64).map(|n| post(&client, n, n, &[&wg::numbered_address(n)])).collect();
        for answer in answers(send_together(&client, &posts)) {
            assert_eq!(answer.expect("an answer").status, 200);
        }
        assert_eq!(keys().len(), 64);
        // A mixture, several of one peer among it, and some that must be refused beside the others.
        let mixed: Vec<_> = (0..64).map(|n| match n % 4 {
            0 => delete(&client, 100 + n, n),
            1 => put(&client, 100 + n, n, &json!({"persistent_keepalive": n})),
            2 => post(&client, 100 + n, 200 + n, &[&wg::numbered_address(n)]),
            _ => post(&client, 100 + n, 200 + n, &[&wg::numbered_address(1_000 + n)]),
        }).collect();
        for (n, answer) in answers(send_together(&client, &mixed)).into_iter().enumerate() {
            let answer = answer.expect("an answer");
            let expected = if n % 4 == 2 { (409, Some("allowed_ip_conflict".to_owned())) } else { OK };
            assert_eq!((answer.status, answer.error_code()), expected, "{n}");
        }
        for n in 0..64 {
            let peer = wg::peer(WG0, &wg::numbered_key(n));
            assert_eq!(peer.is_some(), n % 4 != 0, "{n}");
            assert_eq!(wg::peer(WG0, &wg::numbered_key(200 + n)).is_some(), n % 4 == 3, "{n}");
            if n % 4 == 1 {
                assert_eq!(peer.map(|peer| u32::from(peer.persistent_keepalive)), Some(n));
            }
        }
    }
}

lab_test! {
    fn an_address_asked_for_by_many_at_once_goes_to_one() {
        let agent = agent();
        let client = agent.client();
        let posts: Vec<_> = (0..32).map(|n| post(&client, n, n, &["10.0.0.1/32"])).collect();
        let statuses: Vec<_> = answers(send_together(&client, &posts)).into_iter()
            .map(|answer| answer.expect("an answer").status).collect();
        assert_eq!(statuses.iter().filter(|status| **status == 200).count(), 1, "{statuses:?}");
        assert_eq!(statuses.iter().filter(|status| **status == 409).count(), 31, "{statuses:?}");
        let peers = wg::show(WG0).peers;
        assert_eq!(peers.len(), 1);
        assert_eq!(peers[0].allowed_ips, ["10.0.0.1/32"]);
    }
}
