//! The userspace backend keeps the promises of the boundary, on the running kernel: a real
//! wireguard-go on a tun device, as `wg` sees it.

use wgfleet_agent::wireguard::{fingerprint::Fingerprinter, userspace::UserspaceBackend};
use wgfleet_integration::{
    backend_suite::{self, Subject, oracle},
    host_test, wg,
    wireguard_go::WireguardGo,
};
use wire_contract::InterfaceName;

fn wg0() -> InterfaceName {
    "wg0".parse().expect("a name")
}

/// A runtime for the watch on links. The caller's thread is none of its own, so the suite may block.
fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .expect("a runtime")
}

fn started(runtime: &tokio::runtime::Runtime, fingerprinter: &Fingerprinter) -> UserspaceBackend {
    let _entered = runtime.enter();
    let (backend, driver) =
        UserspaceBackend::start(fingerprinter.clone()).expect("rtnetlink listens");
    runtime.spawn(driver);
    backend
}

host_test! {
    fn the_backend_suite_passes() {
        let _daemon = WireguardGo::start("wg0");
        wg::wg(&["set", "wg0", "fwmark", "0xca6c"], "");
        let runtime = runtime();
        let fingerprinter = Fingerprinter::new();
        let backend = started(&runtime, &fingerprinter);
        let mut subject = Subject::new(&backend, &wg0(), &fingerprinter)
            .with_oracle(|name, ours| oracle::compare_in_any_order(name, ours, &fingerprinter));
        backend_suite::run(&mut subject);
    }
}

host_test! {
    fn its_interfaces_have_links() {
        let _daemon = WireguardGo::start("wg0");
        let runtime = runtime();
        let backend = started(&runtime, &Fingerprinter::new());
        runtime.block_on(backend_suite::check_link(&backend, &wg0()));
    }
}
