//! The device, and interfaces that are not there.

use wgfleet_agent::wireguard::{Backend, BackendError};
use wire_contract::InterfaceName;

use super::{
    Snapshot, Subject,
    subject::{adding, key},
};

pub(super) fn an_empty_device_reports_itself(subject: &mut Subject<'_>) {
    let dump = subject.dump();
    assert_eq!(dump.peers, []);
    assert_ne!(dump.device().ifindex, 0);
    assert!(
        dump.device().public_key.is_some(),
        "the suite wants a private key set"
    );
    assert_eq!(subject.dump(), dump);
}

pub(super) fn an_absent_interface_is_not_found(subject: &mut Subject<'_>) {
    for name in ["wg-absent", "lo"] {
        let name: InterfaceName = name.parse().expect("a name");
        let mut absent = subject
            .backend
            .open(&name)
            .expect("opening finds nothing out");
        let dumped = absent.dump(&mut Snapshot::default());
        assert_not_found(&dumped);
        assert_not_found(&absent.set(u32::MAX >> 1, &[adding(key(1), &[])]));
    }
}

pub(super) fn a_wrong_number_is_not_written_to(subject: &mut Subject<'_>) {
    // As if the interface had been deleted and made again since it was dumped.
    let other = subject.dump().device().ifindex + 1000;
    assert_not_found(&subject.device().set(other, &[adding(key(1), &[])]));
    assert_eq!(subject.dump().peers, []);
}

pub(super) fn only_its_own_number_is_still_there(subject: &mut Subject<'_>) {
    let ifindex = subject.dump().device().ifindex;
    assert!(subject.device().is_still(ifindex));
    assert!(!subject.device().is_still(ifindex + 1000));
    let absent: InterfaceName = "wg-absent".parse().expect("a name");
    let mut absent = subject
        .backend
        .open(&absent)
        .expect("opening finds nothing out");
    assert!(!absent.is_still(ifindex));
}

fn assert_not_found(result: &Result<(), BackendError>) {
    assert!(
        matches!(result, Err(BackendError::InterfaceNotFound)),
        "{result:?}"
    );
}

/// The network side: `name` is listed and its link has the number its dump has; what is not
/// WireGuard's is not found. Apart from the cases because it is async.
///
/// # Panics
/// When it is otherwise.
pub async fn check_link(backend: &dyn Backend, name: &InterfaceName) {
    let listed = backend.interfaces().await.expect("interfaces are listed");
    assert!(listed.contains(name), "{listed:?}");
    assert!(listed.is_sorted(), "{listed:?}");
    let link = backend.link(name).await.expect("the interface is there");
    assert!(link.mtu >= 1280, "{link:?}");
    for absent in ["wg-absent", "lo"] {
        let absent = absent.parse().expect("a name");
        let link = backend.link(&absent).await;
        assert!(
            matches!(link, Err(BackendError::InterfaceNotFound)),
            "{link:?}"
        );
    }
    let mut dump = Snapshot::default();
    let mut device = backend.open(name).expect("the interface opens");
    device.dump(&mut dump).expect("a consistent dump");
    assert_eq!(dump.device().ifindex, link.ifindex);
}
