//! What others do with `wg set` is mended, and what is not the controller's is left alone.

use serde_json::json;
use wgfleet_integration::{eventually, lab_test, wg};

use crate::fleet::{Fleet, TWO_POLLS, WG0, limits, text, texts};

lab_test! {
    fn removed_and_changed_peers_are_mended_with_their_preshared_keys() with (limits()) {
        let fleet = Fleet::new();
        let host = &fleet.hosts[0];
        let peers = [0, 1, 2, 3].map(|number| fleet.peer(&format!("peer-{number}"), Some(0)));
        let [removed, changed, thief, _] = peers.each_ref().map(|peer| text(&peer["public_key"]));
        let before = host.shown();
        assert!(before.values().all(|(_, preshared)| preshared.is_some()), "{before:?}");
        let mended = || (host.shown() == before).then_some(());

        host.inside(|| wg::remove_peer(WG0, &removed));
        eventually(TWO_POLLS, "the removed peer is back", mended);
        // A dump shows the allowed IPs only; the key that was put in their place goes with them.
        host.inside(|| {
            wg::set_preshared_key(WG0, &changed, &wg::genkey());
            wg::set_peer(WG0, &changed, &["allowed-ips", "10.66.0.0/16"]);
        });
        eventually(TWO_POLLS, "the changed peer is as it was", mended);
        host.inside(|| wg::set_peer(WG0, &changed, &["persistent-keepalive", "7"]));
        eventually(TWO_POLLS, "its keepalive is as it was", || {
            let peer = host.inside(|| wg::peer(WG0, &changed))?;
            (peer.persistent_keepalive == 0).then_some(())
        });
        // The address of another: it has to be taken from the one before the other gets it back.
        let stolen = texts(&peers[3]["allowed_ips"]).into_iter().collect::<Vec<_>>().join(",");
        host.inside(|| wg::set_peer(WG0, &thief, &["allowed-ips", &stolen]));
        eventually(TWO_POLLS, "both have their own again", mended);
    }
}

lab_test! {
    fn a_peer_nobody_declared_stays_and_keeps_its_address() with (limits()) {
        let fleet = Fleet::new();
        let host = &fleet.hosts[0];
        let [v4, v6] = &host.prefixes;
        let (key, preshared) = (wg::numbered_key(1), wg::genkey());
        let networks = [format!("{v4}2/32"), format!("{v6}3/128")];
        host.inside(|| {
            wg::set_peer(WG0, &key, &["allowed-ips", &networks.join(",")]);
            wg::set_preshared_key(WG0, &key, &preshared);
        });
        let plan = format!("/nodes/{}/plan", fleet.nodes[0]);
        let plan = eventually(TWO_POLLS, "a plan that shows it", || {
            let plan = fleet.rest.read(&plan);
            (plan["unmanaged"] != json!([])).then_some(plan)
        });
        let theirs = json!({"public_key": key, "allowed_ips": networks, "persistent_keepalive": 0});
        assert_eq!(plan["unmanaged"], json!([theirs]), "{plan}");
        assert_eq!((&plan["in_sync"], &plan["changes"]), (&json!(true), &json!([])), "{plan}");

        // The next free addresses would be the ones it has.
        let first = fleet.peer("first", Some(0));
        assert_eq!(texts(&first["allowed_ips"]), [format!("{v4}3/32"), format!("{v6}2/128")].into());
        assert_eq!(first["sync"]["state"], "applied", "{first}");
        let second = fleet.peer("second", Some(0));
        assert_eq!(texts(&second["allowed_ips"]), [format!("{v4}4/32"), format!("{v6}4/128")].into());
        assert_eq!(second["sync"]["state"], "applied", "{second}");
        let shown = host.shown();
        assert_eq!(shown.len(), 3);
        assert_eq!(shown[&key], (networks.into(), Some(preshared)));
    }
}
