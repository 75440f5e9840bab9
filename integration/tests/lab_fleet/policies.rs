//! What becomes of peers that nobody declared, where the node's policy is not to ignore them.

use serde_json::{Value, json};
use wgfleet_integration::{eventually, lab_test, wg};

use crate::{
    client::{add_client, bring_up, connect_client, endpoint, talk},
    fleet::{Fleet, Host, SOON, WG0, limits, text, texts},
};

fn set_policy(fleet: &Fleet, policy: &str) {
    let path = format!("/nodes/{}", fleet.nodes[0]);
    let answer = fleet.rest.patch(&path, &json!({"unmanaged_peers": policy}));
    assert_eq!(answer.status, 200, "{answer:?}");
}

/// A client that somebody set up by hand, with a preshared key, and its peer on the host. Its key.
fn set_up_by_hand(host: &Host) -> String {
    let (private, preshared) = (wg::genkey(), wg::genkey());
    let key = wg::pubkey(&private);
    let [v4, v6] = &host.prefixes;
    let networks = format!("{v4}77/32,{v6}77/128");
    host.inside(|| {
        wg::set_peer(WG0, &key, &["allowed-ips", &networks]);
        wg::set_preshared_key(WG0, &key, &preshared);
    });
    add_client();
    connect_client(0);
    bring_up(&format!(
        "[Interface]\nPrivateKey = {private}\nAddress = {networks}\n[Peer]\nPublicKey = {}\n\
         PresharedKey = {preshared}\nEndpoint = {}\nAllowedIPs = {v4}0/24, {v6}/64\n",
        wg::pubkey(&host.private_key),
        endpoint(0),
    ));
    key
}

lab_test! {
    fn an_adopted_peer_keeps_its_session_and_its_preshared_key() with (limits()) {
        let fleet = Fleet::new();
        let host = &fleet.hosts[0];
        let declared = fleet.peer("declared", Some(0));
        let key = set_up_by_hand(host);
        let service = |port: u16| format!("{}1:{port}", host.prefixes[0]).parse().expect("an address");
        talk("n1", service(7000));
        let of_kernel = || host.inside(|| wg::peer(WG0, &key)).expect("it is there");
        let before = of_kernel();
        let shown = host.shown();

        set_policy(&fleet, "adopt");
        let adopted = eventually(SOON, "it is a peer", || {
            let page = fleet.rest.read("/peers?limit=1000");
            let mut peers = page["items"].as_array().expect("a list").iter();
            peers.find(|peer| peer["public_key"] == json!(key)).cloned()
        });
        assert_eq!(texts(&adopted["allowed_ips"]), shown[&key].0, "{adopted}");
        assert_eq!(adopted["preshared_key_known"], false, "{adopted}");
        assert_eq!(adopted["node_id"], json!(fleet.nodes[0]), "{adopted}");
        let path = format!("/peers/{}", text(&adopted["id"]));
        let applied = || (fleet.rest.read(&path)["sync"]["state"] == "applied").then_some(());
        eventually(SOON, "it is applied", applied);
        fleet.polls_pass(0);
        assert_eq!(host.shown(), shown);
        // Its address is taken now.
        let next = fleet.peer("next", Some(0));
        let again = json!({"name": "again", "node_id": fleet.nodes[0], "allowed_ips": [format!("{}77/32", host.prefixes[0])]});
        assert_eq!(fleet.rest.post("/peers", &again).status, 409);
        let shown = host.shown();
        assert_eq!(shown.len(), 3, "{declared} {next}");

        // Mended, it is neither replaced nor given another preshared key.
        host.inside(|| wg::set_peer(WG0, &key, &["persistent-keepalive", "7"]));
        eventually(SOON, "its keepalive is as it was", || {
            (of_kernel().persistent_keepalive == 0).then_some(())
        });
        host.inside(|| wg::set_peer(WG0, &key, &["allowed-ips", "10.66.0.0/16"]));
        eventually(SOON, "its addresses are as they were", || (host.shown() == shown).then_some(()));
        let mended = of_kernel();
        assert!(mended.latest_handshake >= before.latest_handshake && before.latest_handshake > 0);
        assert!(mended.transfer_rx >= before.transfer_rx && before.transfer_rx > 0, "{mended:?}");
        talk("n1", service(7001));
        assert!(of_kernel().transfer_rx > mended.transfer_rx);
        let peer = fleet.rest.read(&path);
        assert_eq!(peer["preshared_key_known"], false, "{peer}");
        // What a client needs can't be told without it; that is said, not made up.
        let config = fleet.rest.get(&format!("{path}/config"));
        let text_of = String::from_utf8_lossy(&config.body).into_owned();
        let real = shown[&key].1.clone().expect("it has one");
        assert!(!text_of.contains(&real), "{text_of}");

        // Given one, it is known, and written.
        let known = wg::genkey();
        let patched = fleet.rest.patch(&path, &json!({"preshared_key": known}));
        assert_eq!(patched.status, 200, "{patched:?}");
        assert_eq!(patched.json()["preshared_key_known"], true, "{patched:?}");
        eventually(SOON, "the kernel has it", || (host.shown()[&key].1.as_ref() == Some(&known)).then_some(()));
    }
}

lab_test! {
    fn one_that_is_adopted_alone_keeps_its_preshared_key() with (limits()) {
        let fleet = Fleet::new();
        let host = &fleet.hosts[0];
        let key = set_up_by_hand(host);
        host.inside(|| wg::set_peer(WG0, &key, &["persistent-keepalive", "21"]));
        let shown = host.shown();
        let adopt = |key: &str| {
            let plan = fleet.rest.read(&format!("/nodes/{}/plan", fleet.nodes[0]));
            let mut unmanaged = plan["unmanaged"].as_array().expect("a list").iter();
            let found = unmanaged.find(|peer| peer["public_key"] == json!(key));
            let networks = found.map_or(json!([]), |peer| peer["allowed_ips"].clone());
            let keepalive = found.map_or(json!(0), |peer| peer["persistent_keepalive"].clone());
            fleet.rest.post("/peers", &json!({
                "name": "by hand", "node_id": fleet.nodes[0], "public_key": key,
                "preshared_key": "keep", "allowed_ips": networks, "persistent_keepalive": keepalive,
            }))
        };
        let adopted = adopt(&key);
        assert_eq!(adopted.status, 201, "{adopted:?}");
        let adopted = adopted.json();
        assert_eq!((&adopted["preshared_key_known"], &adopted["persistent_keepalive"]), (&json!(false), &json!(21)));
        let path = format!("/peers/{}", text(&adopted["id"]));
        let applied = || (fleet.rest.read(&path)["sync"]["state"] == "applied").then_some(());
        eventually(SOON, "it is applied", applied);
        fleet.polls_pass(0);
        assert_eq!(host.shown(), shown);

        // There is none to keep of a peer that is not there.
        let nobody = adopt(&wg::numbered_key(7));
        assert_eq!((nobody.status, &nobody.json()["field"]), (400, &json!("preshared_key")), "{nobody:?}");
    }
}

lab_test! {
    fn removing_waits_for_the_first_confirmed_plan_and_then_goes_by_itself() with (limits()) {
        let fleet = Fleet::new();
        let host = &fleet.hosts[0];
        let declared = text(&fleet.peer("declared", Some(0))["public_key"]);
        let [first, second, third] = [1, 2, 3].map(wg::numbered_key);
        let by_hand = |key: &str| host.inside(|| wg::set_peer(WG0, key, &["allowed-ips", "10.77.0.1/32"]));
        by_hand(&first);
        set_policy(&fleet, "remove");
        fleet.polls_pass(0);
        assert!(host.shown().contains_key(&first), "removed before anybody agreed");
        let node = format!("/nodes/{}", fleet.nodes[0]);
        let plan = fleet.rest.read(&format!("{node}/plan"));
        assert_eq!((&plan["in_sync"], &plan["needs_confirmation"]), (&json!(false), &json!(true)), "{plan}");
        assert_eq!(plan["changes"][0]["action"], "remove", "{plan}");
        assert_eq!(plan["changes"][0]["public_key"], json!(first), "{plan}");

        let sync = |body: &Value| fleet.rest.post(&format!("{node}/sync"), body);
        // Without a hash, with another, or with that of a plan that has changed since.
        assert_eq!(sync(&json!({})).status, 200);
        assert_eq!(sync(&json!({"confirm": "0123456789abcdef"})).status, 409);
        by_hand(&second);
        let outdated = sync(&json!({"confirm": plan["hash"]}));
        assert_eq!((outdated.status, &outdated.json()["code"]), (409, &json!("plan_changed")), "{outdated:?}");
        assert_eq!(host.shown().len(), 3);

        let plan = fleet.rest.read(&format!("{node}/plan"));
        let confirmed = sync(&json!({"confirm": plan["hash"]}));
        assert_eq!(confirmed.status, 200, "{confirmed:?}");
        let only_declared = || (host.shown().keys().eq([&declared])).then_some(());
        eventually(SOON, "the confirmed ones are gone", only_declared);
        by_hand(&third);
        eventually(SOON, "the next is gone by itself", only_declared);
        assert!(fleet.agrees(0));
        // The other node was never asked about.
        fleet.hosts[1].inside(|| wg::set_peer(WG0, &first, &["allowed-ips", "10.77.0.1/32"]));
        fleet.polls_pass(1);
        assert!(fleet.hosts[1].shown().contains_key(&first));
    }
}
