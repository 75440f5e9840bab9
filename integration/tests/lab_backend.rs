//! The kernel keeps the promises of the boundary, as `wg` and `ip` see it.

use std::{thread, time::Duration};

use wgfleet_agent::wireguard::{
    Backend, LinkEvent, fingerprint::Fingerprinter, kernel::KernelBackend,
};
use wgfleet_integration::{
    backend_suite::{self, Subject, oracle},
    lab::Limits,
    lab_test, wg,
};
use wire_contract::InterfaceName;

fn wg0() -> InterfaceName {
    "wg0".parse().expect("a name")
}

/// A runtime for what a backend does beside its calls. The caller's thread is none of its own, so
/// the suite may block.
fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .expect("a runtime")
}

fn started(runtime: &tokio::runtime::Runtime, fingerprinter: &Fingerprinter) -> KernelBackend {
    let _entered = runtime.enter();
    let (backend, driver) = KernelBackend::start(fingerprinter.clone()).expect("rtnetlink listens");
    runtime.spawn(driver);
    backend
}

lab_test! {
    fn the_backend_suite_passes() with (Limits { time: Duration::from_secs(240), ..Limits::default() }) {
        wg::add_interface_with_key("wg0");
        wg::wg(&["set", "wg0", "fwmark", "0xca6c"], "");
        let runtime = runtime();
        let fingerprinter = Fingerprinter::new();
        let backend = started(&runtime, &fingerprinter);
        let name = wg0();
        let mut subject = Subject::new(&backend, &name, &fingerprinter)
            .with_oracle(|name, ours| oracle::compare(name, ours, &fingerprinter));
        backend_suite::run(&mut subject);
    }
}

lab_test! {
    fn links_are_as_ip_made_them() {
        wg::add_interface("wg1");
        wg::add_interface_with_key("wg0");
        wg::ip(&["link", "add", "other0", "type", "dummy"]);
        wg::ip(&["link", "set", "wg0", "mtu", "1380"]);
        wg::ip(&["address", "add", "10.8.0.1/24", "dev", "wg0"]);
        wg::ip(&["address", "add", "fd00::1/64", "dev", "wg0", "nodad"]);
        let runtime = runtime();
        let backend = started(&runtime, &Fingerprinter::new());
        runtime.block_on(async {
            backend_suite::check_link(&backend, &wg0()).await;
            let listed = backend.interfaces().await.expect("listed");
            assert_eq!(listed.iter().map(InterfaceName::as_str).collect::<Vec<_>>(), ["wg0", "wg1"]);
            let link = backend.link(&wg0()).await.expect("it is there");
            assert_eq!((link.mtu, link.up), (1380, true));
            assert_eq!(link.addresses, ["10.8.0.1/24", "fd00::1/64"]);
        });
        wg::ip(&["link", "set", "wg0", "down"]);
        let link = runtime.block_on(backend.link(&wg0())).expect("it is there");
        assert!(!link.up);
    }
}

lab_test! {
    fn links_that_come_and_go_are_heard_of() {
        wg::add_interface("wg0");
        let runtime = runtime();
        let backend = started(&runtime, &Fingerprinter::new());
        let mut events = backend.link_events();
        let mut next = move || {
            let event = async { tokio::time::timeout(Duration::from_secs(10), events.recv()).await };
            runtime.block_on(event).expect("in time").expect("the watch goes on")
        };
        // What was there already may be told of as well; that it can't have gone, never.
        wg::delete_interface("wg0");
        while !matches!(next(), LinkEvent::Gone { name, .. } if name == wg0()) {}
        wg::ip(&["link", "add", "other0", "type", "dummy"]);
        let before = thread::spawn(|| wg::add_interface("wg0"));
        let event = next();
        assert!(matches!(&event, LinkEvent::Appeared { name, .. } if *name == wg0()), "{event:?}");
        before.join().expect("made");
        wg::ip(&["link", "set", "wg0", "down"]);
        wg::ip(&["link", "set", "wg0", "name", "wg7"]);
        assert!(matches!(next(), LinkEvent::Gone { name, .. } if name == wg0()));
        assert!(matches!(next(), LinkEvent::Appeared { name, .. } if name.as_str() == "wg7"));
    }
}
