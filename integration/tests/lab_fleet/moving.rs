//! A peer moves from one node to the other while its client talks.

use std::sync::{
    atomic::{AtomicBool, Ordering},
    mpsc,
};

use serde_json::{Value, json};
use wgfleet_integration::{StopOnDrop, eventually, lab_test, netns, wg};

use crate::{
    client::{add_client, bring_up, connect_client, endpoint, talk},
    fleet::{Fleet, Host, SOON, WG0, limits, text, texts},
};

fn has(namespace: &str, key: &str) -> bool {
    netns::inside(namespace, || wg::peer(WG0, key)).is_some()
}

fn service(host: &Host, port: u16) -> std::net::SocketAddr {
    format!("{}1:{port}", host.prefixes[0])
        .parse()
        .expect("an address")
}

fn configure(fleet: &Fleet, path: &str) {
    let config = fleet.rest.get(&format!("{path}/config"));
    assert_eq!(config.status, 200, "{config:?}");
    bring_up(&String::from_utf8(config.body).expect("a text"));
}

fn moved(fleet: &Fleet, path: &str, to: usize) -> Value {
    let answer = fleet.rest.patch(path, &json!({"node_id": fleet.nodes[to]}));
    assert_eq!(answer.status, 200, "{answer:?}");
    let peer = answer.json();
    assert_eq!(peer["client_needs_config"], true, "{peer}");
    assert_eq!(peer["node_id"], json!(fleet.nodes[to]), "{peer}");
    let ours = |ip: &String| {
        fleet.hosts[to]
            .prefixes
            .iter()
            .any(|prefix| ip.starts_with(prefix))
    };
    assert!(texts(&peer["allowed_ips"]).iter().all(ours), "{peer}");
    peer
}

/// Does `work` and goes on until the peer is on the target alone; at no moment it was on none.
fn never_on_none(source: &str, target: &str, key: &str, work: impl FnOnce()) {
    // In this order: what has left the source by now must be on the target after it.
    let look = || assert!(has(source, key) || has(target, key), "it is nowhere");
    let stop = AtomicBool::new(false);
    let (watching, watched) = mpsc::channel();
    std::thread::scope(|scope| {
        let (look, stop) = (&look, &stop);
        // It owns its end of the channel: should it fail at once, the wait below ends too.
        let watch = scope.spawn(move || {
            look();
            watching.send(()).expect("it is waited for");
            while !stop.load(Ordering::Relaxed) {
                look();
            }
        });
        let stopping = StopOnDrop(stop);
        watched.recv().expect("the peer was there at first");
        work();
        eventually(SOON, "gone from the source", || {
            (!has(source, key)).then_some(())
        });
        look();
        drop(stopping);
        watch.join().expect("it was always somewhere");
    });
    assert!(has(target, key));
}

lab_test! {
    fn a_peer_is_on_its_new_node_before_it_leaves_the_old_one() with (limits()) {
        let mut fleet = Fleet::new();
        let of_second = json!({"endpoint": endpoint(1)});
        let node = format!("/nodes/{}", fleet.nodes[1]);
        assert_eq!(fleet.rest.patch(&node, &of_second).status, 200);
        add_client();
        [0, 1].into_iter().for_each(connect_client);
        let peer = fleet.peer("laptop", Some(0));
        let (key, path) = (text(&peer["public_key"]), format!("/peers/{}", text(&peer["id"])));
        configure(&fleet, &path);
        talk("n1", service(&fleet.hosts[0], 7000));
        let counted = eventually(SOON, "the traffic is counted", || {
            let total = fleet.rest.read(&path)["rx_bytes_total"].as_u64()?;
            (total > 0).then_some(total)
        });
        let preshared = fleet.hosts[0].shown()[&key].1.clone();
        assert!(preshared.is_some());

        // Its new node does not answer: it stays where it is, and its client is served as before.
        fleet.hosts[1].agent.kill();
        fleet.await_status(1, "offline");
        let waiting = moved(&fleet, &path, 1);
        assert_eq!(waiting["sync"]["state"], "pending", "{waiting}");
        fleet.polls_pass(0);
        assert_eq!(fleet.hosts[0].shown()[&key].0, texts(&peer["allowed_ips"]));
        talk("n1", service(&fleet.hosts[0], 7001));

        let [n1, n2] = fleet.hosts.each_ref().map(|host| host.namespace);
        let returning = &mut fleet.hosts[1].agent;
        never_on_none(n1, n2, &key, || returning.restart());
        let [first, second] = &fleet.hosts;
        assert_eq!(second.shown()[&key], (texts(&waiting["allowed_ips"]), preshared.clone()));
        eventually(SOON, "it is applied", || {
            (fleet.rest.read(&path)["sync"]["state"] == "applied").then_some(())
        });
        configure(&fleet, &path);
        talk("n2", service(second, 7000));

        // And back, with both nodes there.
        never_on_none(n2, n1, &key, || drop(moved(&fleet, &path, 0)));
        let back = fleet.rest.read(&path);
        assert_eq!(first.shown()[&key], (texts(&back["allowed_ips"]), preshared));
        configure(&fleet, &path);
        talk("n1", service(first, 7002));
        assert!(fleet.agrees(0) && fleet.agrees(1));
        assert!(back["rx_bytes_total"].as_u64() >= Some(counted), "{back}");
    }
}
