//! Changes: acknowledgements, refusals, and kernels with and without removal of single entries.

use netlink_packet_wireguard::{WireguardAllowedIpFlags, WireguardPeerFlags};

use super::*;
use crate::wireguard::{
    AllowedIpsChange, BackendError, Device, PeerAction, PeerChange, PeerSettings,
};

const OK: i32 = 0;
const REFUSED: i32 = Errno::INVAL.raw_os_error();

fn answers(errnos: &[i32]) -> Vec<Reply> {
    errnos
        .iter()
        .map(|errno| Reply::kernel([acknowledgement(*errno)]))
        .collect()
}

fn change(key: u8, allowed_ips: AllowedIpsChange) -> PeerChange {
    let settings = PeerSettings {
        update_only: true,
        allowed_ips,
        ..PeerSettings::default()
    };
    PeerChange {
        public_key: PublicKey::from_bytes([key; 32]),
        action: PeerAction::Set(settings),
    }
}

fn shrink(key: u8) -> PeerChange {
    let replace = AllowedIpsChange::Replace {
        all: vec![ip("10.0.0.1/32"), ip("10.0.0.3/32")],
        removed: vec![ip("10.0.0.2/32")],
        added: vec![ip("10.0.0.3/32")],
    };
    change(key, replace)
}

/// Flags and allowed IPs, with the flags of those, of every peer of one request.
type Outline = Vec<(WireguardPeerFlags, Vec<(String, u32)>)>;

fn outline(request: &[u8]) -> Outline {
    let mut outline = Vec::new();
    for attribute in read_by_oracle(request) {
        let WireguardAttribute::Peers(peers) = attribute else {
            continue;
        };
        for peer in peers {
            let mut flags = WireguardPeerFlags::empty();
            let mut allowed_ips = Vec::new();
            for attribute in peer.0 {
                match attribute {
                    WireguardPeerAttribute::Flags(is) => flags = is,
                    WireguardPeerAttribute::AllowedIps(list) => {
                        allowed_ips = list.iter().map(described).collect();
                    }
                    _ => {}
                }
            }
            outline.push((flags, allowed_ips));
        }
    }
    outline
}

fn described(entry: &WireguardAllowedIp) -> (String, u32) {
    let (mut address, mut prefix_len, mut flags) = (String::new(), 0, 0);
    for attribute in &entry.0 {
        match attribute {
            WireguardAllowedIpAttr::IpAddr(is) => address = is.to_string(),
            WireguardAllowedIpAttr::Cidr(is) => prefix_len = *is,
            WireguardAllowedIpAttr::Flags(is) => flags = WireguardAllowedIpFlags::bits(is),
            _ => {}
        }
    }
    (format!("{address}/{prefix_len}"), flags)
}

fn entries(list: &[(&str, u32)]) -> Vec<(String, u32)> {
    list.iter()
        .map(|(text, flags)| ((*text).to_owned(), *flags))
        .collect()
}

fn sent(record: &Arc<Mutex<Record>>) -> Vec<Outline> {
    let record = record.lock().expect("not poisoned");
    record.sent.iter().map(|request| outline(request)).collect()
}

#[test]
fn a_kernel_that_removes_entries_is_asked_to() {
    let (mut device, record) = device(answers(&[REFUSED, OK, OK]));
    device.set(3, &[shrink(1)]).expect("acknowledged");
    device
        .set(3, &[shrink(1)])
        .expect("acknowledged, without another probe");
    let sent = sent(&record);
    assert_eq!(sent.len(), 3);
    let probe = entries(&[("10.0.0.2/32", abi::allowed_ip::UNDEFINED)]);
    assert_eq!(sent[0], [(WireguardPeerFlags::UpdateOnly, probe)]);
    let by_entry = entries(&[
        ("10.0.0.3/32", 0),
        ("10.0.0.2/32", abi::allowed_ip::REMOVE_ME),
    ]);
    assert_eq!(sent[1], [(WireguardPeerFlags::UpdateOnly, by_entry)]);
    assert_eq!(sent[2], sent[1]);
}

#[test]
fn a_kernel_that_refuses_to_gets_the_whole_list() {
    let (mut device, record) = device(answers(&[REFUSED, REFUSED, OK, OK]));
    device.set(3, &[shrink(1)]).expect("acknowledged");
    device.set(3, &[shrink(1)]).expect("acknowledged at once");
    let sent = sent(&record);
    assert_eq!(sent.len(), 4);
    let flags = WireguardPeerFlags::UpdateOnly | WireguardPeerFlags::ReplaceAllowedIps;
    let whole = [(flags, entries(&[("10.0.0.1/32", 0), ("10.0.0.3/32", 0)]))];
    assert_eq!(sent[2], whole);
    assert_eq!(sent[3], whole);
}

#[test]
fn a_kernel_that_ignores_what_it_does_not_know_is_not_believed() {
    let (mut device, record) = device(answers(&[OK, OK]));
    device.set(3, &[shrink(1)]).expect("acknowledged");
    let flags = WireguardPeerFlags::UpdateOnly | WireguardPeerFlags::ReplaceAllowedIps;
    assert_eq!(sent(&record)[1][0].0, flags);
}

#[test]
fn a_replacement_that_removes_nothing_only_adds() {
    let grow = AllowedIpsChange::Replace {
        all: vec![ip("10.0.0.1/32"), ip("10.0.0.3/32")],
        removed: Vec::new(),
        added: vec![ip("10.0.0.3/32")],
    };
    let (mut device, record) = device(answers(&[OK]));
    device.set(3, &[change(1, grow)]).expect("acknowledged");
    let only = (
        WireguardPeerFlags::UpdateOnly,
        entries(&[("10.0.0.3/32", 0)]),
    );
    assert_eq!(sent(&record), [[only]]);
}

#[test]
fn a_refusal_keeps_its_errno_and_an_absent_interface_is_not_found() {
    let removal = [PeerChange {
        public_key: PublicKey::from_bytes([1; 32]),
        action: PeerAction::Remove,
    }];
    let (mut device_, _) = device(answers(&[Errno::PERM.raw_os_error()]));
    let error = device_.set(3, &removal).expect_err("refused");
    let BackendError::Refused(error) = error else {
        panic!("{error}")
    };
    assert_eq!(error.raw_os_error(), Some(Errno::PERM.raw_os_error()));
    let (mut device_, _) = device(answers(&[Errno::NODEV.raw_os_error()]));
    assert!(matches!(
        device_.set(3, &removal),
        Err(BackendError::InterfaceNotFound)
    ));
}

#[test]
fn an_acknowledgement_of_something_else_is_not_taken() {
    let removal = [PeerChange {
        public_key: PublicKey::from_bytes([1; 32]),
        action: PeerAction::Remove,
    }];
    let replies = [
        Reply::kernel([with_sequence(acknowledgement(OK), 999)]),
        Reply::kernel([with_port_id(acknowledgement(OK), 1)]),
        Reply::From(77, acknowledgement(OK)),
        Reply::kernel([acknowledgement(Errno::PERM.raw_os_error())]),
    ];
    let (mut device, _) = device(replies);
    assert!(matches!(
        device.set(3, &removal),
        Err(BackendError::Refused(_))
    ));
}

#[test]
fn after_trouble_the_next_change_takes_a_new_socket() {
    let removal = [PeerChange {
        public_key: PublicKey::from_bytes([1; 32]),
        action: PeerAction::Remove,
    }];
    for trouble in [
        Reply::Failure(Errno::NOBUFS),
        Reply::Failure(Errno::AGAIN),
        Reply::Truncated,
    ] {
        let replies = [trouble, Reply::kernel([acknowledgement(OK)])];
        let (mut device, record) = device(replies);
        assert!(matches!(
            device.set(3, &removal),
            Err(BackendError::Io { .. })
        ));
        device.set(3, &removal).expect("acknowledged");
        assert_eq!(record.lock().expect("not poisoned").reopened, 1);
    }
}

#[test]
fn nothing_to_change_sends_nothing() {
    let (mut device, record) = device(Vec::new());
    device.set(3, &[]).expect("nothing to do");
    assert!(record.lock().expect("not poisoned").sent.is_empty());
}
