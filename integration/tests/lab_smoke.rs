//! The lab itself: its kernel is real, and a test in it can't pass by accident.

use wgfleet_integration::{
    lab::{self, Limits},
    lab_test, wg,
};

lab_test! {
    fn the_kernel_has_wireguard() {
        let public = wg::add_interface_with_key("wg0");
        let interface = wg::show("wg0");
        assert_eq!(interface.public_key.as_deref(), Some(public.as_str()));
        assert!(interface.peers.is_empty());

        let key = wg::numbered_key(1);
        wg::set_peer("wg0", &key, &["allowed-ips", "10.0.0.7/24", "persistent-keepalive", "25"]);
        let peer = wg::peer("wg0", &key).expect("the peer just added");
        assert_eq!(peer.allowed_ips, ["10.0.0.0/24"], "the kernel masks host bits");
        assert_eq!(peer.persistent_keepalive, 25);

        wg::remove_peer("wg0", &key);
        assert_eq!(wg::peer("wg0", &key), None);
        wg::delete_interface("wg0");
        assert!(!wg::exists("wg0"));
    }
}

lab_test! {
    fn a_thousand_peers_load_from_a_configuration() {
        wg::add_interface("wg0");
        wg::setconf("wg0", &wg::configuration(1_000));
        let peers = wg::show("wg0").peers;
        assert_eq!(peers.len(), 1_000);
        let last = peers.iter().find(|peer| peer.public_key == wg::numbered_key(999));
        assert_eq!(last.expect("the last one").allowed_ips, [wg::numbered_address(999)]);
    }
}

lab_test! {
    fn each_test_has_a_network_of_its_own() {
        // The two tests above make a `wg0` too.
        assert!(!wg::exists("wg0"));
        wg::add_interface("wg0");
        wg::ip(&["netns", "add", "other"]);
        assert!(wg::ip(&["netns", "list"]).contains("other"));
        wg::ip(&["link", "add", "here", "type", "veth", "peer", "name", "there", "netns", "other"]);
        let ports = wg::ip(&["-netns", "other", "-brief", "link"]);
        assert!(ports.contains("there"), "{ports}");
    }
}

#[test]
fn a_misspelt_name_does_not_pass() {
    let failure = lab::run_inside("no_such_test", Limits::default()).expect_err("no such test");
    assert!(failure.reason.contains("did not run"), "{failure}");
}

#[test]
fn a_failure_inside_is_a_failure_outside() {
    if lab::is_inside() {
        panic!("said inside");
    }
    let failure = lab::run_inside("a_failure_inside_is_a_failure_outside", Limits::default())
        .expect_err("it panics inside");
    assert!(failure.output.contains("said inside"), "{failure}");
}

#[test]
fn a_test_that_hangs_inside_is_ended() {
    if lab::is_inside() {
        loop {
            std::thread::park();
        }
    }
    let limits = Limits {
        time: std::time::Duration::from_secs(4),
        ..Limits::default()
    };
    let failure = lab::run_inside("a_test_that_hangs_inside_is_ended", limits)
        .expect_err("it does not end by itself");
    assert!(failure.reason.contains("124"), "{failure}");
}
