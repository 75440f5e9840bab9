//! Adding, changing and removing peers.

use futures_util::FutureExt;
use serde_json::{Value, json};

use crate::rig::{Answered, Ask, NOW, Rig, key, wg0};

const PEERS: &str = "/wg/wg0/peers";

async fn add(rig: &Rig, peer: &Value) -> Answered {
    rig.ask("POST", PEERS, &peer.to_string()).await
}

async fn put(rig: &Rig, n: u8, update: &Value) -> Answered {
    rig.ask("PUT", &format!("{PEERS}/{}", key(n)), &update.to_string())
        .await
}

async fn delete(rig: &Rig, n: u8) -> Answered {
    rig.ask("DELETE", &format!("{PEERS}/{}", key(n)), "").await
}

fn find(peers: &[Value], n: u8) -> Value {
    peers
        .iter()
        .find(|peer| peer["public_key"] == key(n))
        .cloned()
        .unwrap_or_default()
}

#[tokio::test]
async fn a_peer_is_added_changed_and_removed() {
    let rig = Rig::new();
    let added = add(
        &rig,
        &json!({
            "public_key": key(1), "allowed_ips": ["10.0.0.5/24", "10.0.0.7/24", "fd00::5"],
            "preshared_key": key(9), "persistent_keepalive": 25, "endpoint": "192.0.2.1:51820",
            "name": "unknown fields are ignored",
        }),
    )
    .await
    .expect_ok();
    assert_eq!(
        added,
        json!({
            "status": "success", "message": "Peer added successfully",
            "peer": {"public_key": key(1), "allowed_ips": ["10.0.0.0/24", "fd00::5/128"]},
        })
    );
    let peer = find(&rig.peers().await, 1);
    assert_eq!(
        peer,
        json!({
            "public_key": key(1), "endpoint": "192.0.2.1:51820",
            "allowed_ips": ["10.0.0.0/24", "fd00::5/128"], "latest_handshake": 0,
            "transfer_rx": 0, "transfer_tx": 0, "persistent_keepalive": 25,
        })
    );
    let update = json!({"allowed_ips": ["10.0.1.2/32"], "persistent_keepalive": 0});
    let updated = put(&rig, 1, &update).await.expect_ok();
    assert_eq!(
        updated,
        json!({"status": "success", "message": "Peer updated successfully"})
    );
    let peer = find(&rig.peers().await, 1);
    assert_eq!(peer["allowed_ips"], json!(["10.0.1.2/32"]));
    assert_eq!(peer["persistent_keepalive"], 0);
    let removed = delete(&rig, 1).await.expect_ok();
    assert_eq!(
        removed,
        json!({"status": "success", "message": "Peer removed successfully"})
    );
    assert!(rig.peers().await.is_empty());
}

#[tokio::test]
async fn adding_what_is_there_already_is_fine_only_if_it_is_the_same() {
    let rig = Rig::new();
    let peer = json!({"public_key": key(1), "allowed_ips": ["10.0.0.1", "10.0.0.2"], "preshared_key": key(9)});
    add(&rig, &peer).await.expect_ok();
    let sets = rig.device_calls().sets;
    let same = json!({"public_key": key(1), "allowed_ips": ["10.0.0.2/32", "10.0.0.1/32"],
        "preshared_key": key(9), "persistent_keepalive": 0, "endpoint": "192.0.2.1:1"});
    add(&rig, &same).await.expect_ok();
    assert_eq!(
        rig.device_calls().sets,
        sets,
        "nothing is written for what holds already"
    );
    for other in [
        json!({"public_key": key(1), "allowed_ips": ["10.0.0.1"], "preshared_key": key(9)}),
        json!({"public_key": key(1), "allowed_ips": ["10.0.0.1", "10.0.0.2"]}),
        json!({"public_key": key(1), "allowed_ips": ["10.0.0.1", "10.0.0.2"], "preshared_key": key(8)}),
        json!({"public_key": key(1), "allowed_ips": ["10.0.0.1", "10.0.0.2"],
            "preshared_key": key(9), "persistent_keepalive": 5}),
    ] {
        add(&rig, &other).await.expect(409, "peer_exists");
    }
}

#[tokio::test]
async fn hostile_17_the_interfaces_own_key() {
    let rig = Rig::new();
    let own = rig.get("/wg/wg0").await.expect_ok()["public_key"].clone();
    add(&rig, &json!({"public_key": own}))
        .await
        .expect(422, "own_key");
}

#[tokio::test]
async fn hostile_19_an_owned_address_stays_with_its_owner() {
    let rig = Rig::new();
    add(
        &rig,
        &json!({"public_key": key(1), "allowed_ips": ["10.0.0.1/32"]}),
    )
    .await
    .expect_ok();
    let thief = json!({"public_key": key(2), "allowed_ips": ["10.0.0.2", "10.0.0.1"]});
    let refused = add(&rig, &thief).await;
    refused.expect(409, "allowed_ip_conflict");
    assert!(
        refused.json()["message"]
            .as_str()
            .is_some_and(|m| m.contains("10.0.0.1/32"))
    );
    assert_eq!(rig.peers().await.len(), 1);
    add(&rig, &json!({"public_key": key(2)})).await.expect_ok();
    let stolen = put(&rig, 2, &json!({"allowed_ips": ["10.0.0.1"]})).await;
    stolen.expect(409, "allowed_ip_conflict");
    assert_eq!(
        find(&rig.peers().await, 1)["allowed_ips"],
        json!(["10.0.0.1/32"])
    );
    put(&rig, 1, &json!({"allowed_ips": []})).await.expect_ok();
    put(
        &rig,
        2,
        &json!({"allowed_ips": ["10.0.0.1/32"], "persistent_keepalive": 1}),
    )
    .await
    .expect_ok();
    assert_eq!(
        find(&rig.peers().await, 2)["allowed_ips"],
        json!(["10.0.0.1/32"])
    );
}

#[tokio::test]
async fn hostile_21_keepalive_absent_zero_and_out_of_range() {
    let rig = Rig::new();
    let peer = json!({"public_key": key(1), "persistent_keepalive": 25});
    add(&rig, &peer).await.expect_ok();
    for bad in [
        json!(-1),
        json!(65536),
        json!("25"),
        json!(1.5),
        json!(null),
    ] {
        let refused = put(&rig, 1, &json!({"persistent_keepalive": bad})).await;
        refused.expect(400, "bad_request");
        assert!(
            refused.json()["message"]
                .as_str()
                .is_some_and(|m| m.contains("persistent_keepalive"))
        );
    }
    put(&rig, 1, &json!({})).await.expect_ok();
    assert_eq!(find(&rig.peers().await, 1)["persistent_keepalive"], 25);
    put(&rig, 1, &json!({"persistent_keepalive": 0}))
        .await
        .expect_ok();
    assert_eq!(find(&rig.peers().await, 1)["persistent_keepalive"], 0);
}

#[tokio::test]
async fn hostile_22_a_peer_that_is_not_there() {
    let rig = Rig::new();
    put(&rig, 1, &json!({"persistent_keepalive": 1}))
        .await
        .expect(404, "peer_not_found");
    delete(&rig, 1).await.expect(404, "peer_not_found");
    assert_eq!(rig.device_calls().sets, 0);
}

#[tokio::test]
async fn hostile_24_a_dump_is_whole_or_an_error() {
    let rig = Rig::new();
    add(&rig, &json!({"public_key": key(1)})).await.expect_ok();
    rig.control.fail_dumps(&wg0(), 1);
    rig.get("/wg/wg0/dump")
        .await
        .expect(503, "kernel_unavailable");
    assert_eq!(rig.peers().await.len(), 1);
}

#[tokio::test]
async fn a_batch_that_stops_half_way_is_told_to_each_as_it_is() {
    let rig = Rig::new();
    rig.peers().await;
    rig.control.fail_set_after(&wg0(), 3);
    let asks = (1..=8u8).map(|n| {
        let peer = json!({"public_key": key(n), "allowed_ips": [format!("10.0.0.{n}")]});
        rig.send(Ask::new("POST", PEERS, peer.to_string()).build())
    });
    for answer in futures_util::future::join_all(asks).await {
        answer.expect_ok();
    }
    assert_eq!(rig.peers().await.len(), 8);
}

#[tokio::test]
async fn requests_that_arrive_together_are_written_together() {
    let rig = Rig::new();
    let asks = (1..=200u8).map(|n| {
        let peer = json!({"public_key": key(n), "allowed_ips": [format!("10.0.0.{n}")]});
        rig.send(Ask::new("POST", PEERS, peer.to_string()).build())
    });
    for answer in futures_util::future::join_all(asks).await {
        answer.expect_ok();
    }
    assert_eq!(rig.peers().await.len(), 200);
    assert!(
        rig.device_calls().sets < 100,
        "{} writes for 200 requests",
        rig.device_calls().sets
    );
}

#[tokio::test]
async fn a_client_that_hangs_up_does_not_take_its_change_back() {
    let rig = Rig::new();
    let peer = json!({"public_key": key(1)}).to_string();
    let asked = rig.send(Ask::new("POST", PEERS, peer).build());
    // Polled once, which takes it past the signature, then dropped.
    assert!(asked.now_or_never().is_none(), "dropped half way");
    rig.service.drained().await;
    assert_eq!(rig.peers().await.len(), 1);
}

#[tokio::test]
async fn hostile_28_changes_behind_the_agents_back_are_seen() {
    use wgfleet_agent::wireguard::{PeerAction, PeerChange};
    let rig = Rig::new();
    add(
        &rig,
        &json!({"public_key": key(1), "allowed_ips": ["10.0.0.1"]}),
    )
    .await
    .expect_ok();
    let remove = PeerChange {
        public_key: key(1).parse().expect("a key"),
        action: PeerAction::Remove,
    };
    rig.control.set_externally(&wg0(), &[remove]);
    assert!(rig.peers().await.is_empty(), "the next dump shows it");
    delete(&rig, 1).await.expect(404, "peer_not_found");
    let taken = json!({"public_key": key(2), "allowed_ips": ["10.0.0.1"]});
    rig.send(
        Ask::new("POST", PEERS, taken.to_string())
            .at(NOW + 1)
            .build(),
    )
    .await
    .expect_ok();
}

#[tokio::test]
async fn an_interface_that_comes_back_is_served_afresh() {
    let rig = Rig::new();
    add(&rig, &json!({"public_key": key(1)})).await.expect_ok();
    rig.control.delete(&wg0());
    delete(&rig, 1).await.expect(404, "interface_not_found");
    rig.get("/wg/wg0/dump")
        .await
        .expect(404, "interface_not_found");
    rig.control.create(&wg0(), 0);
    assert!(rig.peers().await.is_empty());
    let again = Ask::new("POST", PEERS, json!({"public_key": key(1)}).to_string()).at(NOW + 1);
    rig.send(again.build()).await.expect_ok();
    assert_eq!(rig.peers().await.len(), 1);
}

#[tokio::test]
async fn a_deleted_interface_is_noticed_before_word_of_it_comes() {
    let rig = Rig::new();
    let peer = json!({"public_key": key(1), "allowed_ips": ["10.0.0.1"]}).to_string();
    let ask = |second| Ask::new("POST", PEERS, peer.clone()).at(NOW + second);
    rig.send(ask(0).build()).await.expect_ok();
    // Nobody follows links here: all the agent has is what it asks for itself.
    rig.control.delete(&wg0());
    let gone = rig.send(ask(1).build()).await;
    gone.expect(404, "interface_not_found");
    rig.control.create(&wg0(), 0);
    rig.send(ask(2).build()).await.expect_ok();
    assert_eq!(
        rig.peers().await.len(),
        1,
        "made, not only said to be there"
    );
    rig.control.delete(&wg0());
    rig.control.create(&wg0(), 0);
    rig.send(ask(3).build()).await.expect_ok();
    assert_eq!(rig.peers().await.len(), 1, "made again on the new one");
}
