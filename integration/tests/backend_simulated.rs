//! The simulated backend keeps the promises of the boundary.

use std::time::Duration;

use wgfleet_agent::wireguard::{
    fingerprint::Fingerprinter,
    simulated::{Clock, SimulatedBackend},
};
use wgfleet_integration::backend_suite::{self, Subject};
use wire_contract::InterfaceName;

fn wg0() -> InterfaceName {
    "wg0".parse().expect("a name")
}

/// Under a clock that stands still: on a slow machine a peer could come alive within a case.
fn backend(fingerprinter: &Fingerprinter) -> SimulatedBackend {
    let interfaces = [(wg0(), 5), ("wg1".parse().expect("a name"), 0)];
    let clock = Clock::stopped(Duration::from_secs(1_700_000_000));
    SimulatedBackend::with_clock(fingerprinter.clone(), &interfaces, clock)
}

#[test]
fn the_backend_suite_passes() {
    let fingerprinter = Fingerprinter::new();
    let backend = backend(&fingerprinter);
    backend_suite::run(&mut Subject::new(&backend, &wg0(), &fingerprinter));
}

#[tokio::test]
async fn its_interfaces_have_links() {
    let backend = backend(&Fingerprinter::new());
    backend_suite::check_link(&backend, &wg0()).await;
}
