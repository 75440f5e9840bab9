//! Whole exchanges with a kernel that answers anything: the family's number, dumps begun again,
//! acknowledgements and refusals.
//!
//! The first byte of the input says what is asked, the rest is a list of answers: a byte for the
//! kind, two for the length, lowest first, and the datagram. An exchange ends once the answers do,
//! and succeeds only if the kernel said so.

#![no_main]

mod kernel;

use std::{
    io,
    sync::{Arc, Mutex},
};

use kernel::{DONE, FAMILY, HEADER_BYTES, Kept, PORT_ID};
use libfuzzer_sys::fuzz_target;
use wgfleet_agent::wireguard::{
    AllowedIpsChange, Device, PeerAction, PeerChange, PeerSettings,
    fingerprint::Fingerprinter,
    kernel::{KernelDevice, NetlinkIo, Received},
};
use wire_contract::{AllowedIp, Keepalive, PresharedKey, PublicKey};

/// Bits of the first byte.
const SET: u8 = 1;
const ASK_FAMILY: u8 = 2;
/// `NLMSG_ERROR`, which an acknowledgement is as well.
const ERROR: u16 = 2;
/// `GENL_ID_CTRL`.
const CONTROLLER: u16 = 0x10;
/// Ten dumps, each perhaps with a question for the family in front of it.
const MOST_REQUESTS: usize = 20;
/// What is asked again after the last answer finds silence, once or twice.
const MOST_SILENCES: usize = 3;

#[derive(Default)]
struct Record {
    /// The sequence number of the request sent last.
    sequence: u32,
    requests: usize,
    silences: usize,
    /// Datagrams of the kernel since the request sent last.
    answers: Vec<Vec<u8>>,
}

struct Script<'a> {
    rest: &'a [u8],
    answers_family: bool,
    family_asked: bool,
    record: Arc<Mutex<Record>>,
}

impl<'a> Script<'a> {
    fn next(&mut self) -> Option<(u8, &'a [u8])> {
        let ([kind, low, high], rest) = self.rest.split_first_chunk()?;
        let len = usize::from(u16::from_le_bytes([*low, *high])).min(rest.len());
        let (datagram, rest) = rest.split_at(len);
        self.rest = rest;
        Some((*kind, datagram))
    }
}

impl NetlinkIo for Script<'_> {
    fn port_id(&self) -> u32 {
        PORT_ID
    }

    fn send(&mut self, message: &[u8]) -> io::Result<()> {
        assert_eq!(
            message[..4],
            u32::try_from(message.len()).expect("short").to_ne_bytes()
        );
        assert_eq!(kernel::messages(message).len(), 1);
        let kind = u16::from_ne_bytes([message[4], message[5]]);
        self.family_asked = kind == CONTROLLER;
        let mut record = self.record.lock().expect("not poisoned");
        record.sequence = u32::from_ne_bytes(*message[8..].first_chunk().expect("a header"));
        record.requests += 1;
        record.answers.clear();
        Ok(())
    }

    fn recv(&mut self, buffer: &mut [u8]) -> io::Result<Received> {
        let (kind, mut datagram) = if self.family_asked && self.answers_family {
            self.family_asked = false;
            (0, family())
        } else {
            match self.next() {
                Some((kind, datagram)) => (kind, datagram.to_vec()),
                None => {
                    self.record.lock().expect("not poisoned").silences += 1;
                    return Err(io::ErrorKind::WouldBlock.into());
                }
            }
        };
        let mut record = self.record.lock().expect("not poisoned");
        kernel::address(&mut datagram, record.sequence);
        buffer[..datagram.len()].copy_from_slice(&datagram);
        let received = Received {
            bytes: datagram.len(),
            is_truncated: kind & 3 == 2,
            sender_port_id: u32::from(kind & 3 == 1),
        };
        match kind & 3 {
            0 => record.answers.push(datagram),
            3 => return Err(io::Error::from_raw_os_error(i32::from(kind >> 2))),
            _ => {}
        }
        Ok(received)
    }

    fn reopen(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// `CTRL_CMD_NEWFAMILY` with `CTRL_ATTR_FAMILY_ID`.
fn family() -> Vec<u8> {
    let mut message = 28u32.to_ne_bytes().to_vec();
    message.extend(CONTROLLER.to_ne_bytes());
    message.extend([0; 10]);
    message.extend([1, 2, 0, 0]);
    message.extend(6u16.to_ne_bytes());
    message.extend(1u16.to_ne_bytes());
    message.extend(FAMILY.to_ne_bytes());
    message.extend([0; 2]);
    message
}

/// A list that shrinks, which asks the kernel what it can do first; a peer added and one removed.
fn changes() -> Vec<PeerChange> {
    let ip = |text: &str| -> AllowedIp { text.parse().expect("an allowed IP") };
    let change = |key, action| PeerChange {
        public_key: PublicKey::from_bytes([key; 32]),
        action,
    };
    let shrunk = PeerSettings {
        update_only: true,
        allowed_ips: AllowedIpsChange::Replace {
            all: vec![ip("10.0.0.1"), ip("fd00::1")],
            removed: vec![ip("10.0.0.2")],
            added: vec![ip("fd00::1")],
        },
        ..PeerSettings::default()
    };
    let added = PeerSettings {
        preshared_key: Some(PresharedKey::from_bytes([7; 32])),
        endpoint: Some("[2001:db8::1]:51820".parse().expect("an endpoint")),
        persistent_keepalive: Some(Keepalive::from_secs(25)),
        // More than one message takes.
        allowed_ips: AllowedIpsChange::Add(
            (0..3000u32)
                .map(|n| AllowedIp::new((0x0a00_0000 + n).to_be_bytes().into(), 32))
                .map(|ip| ip.expect("a good prefix length"))
                .collect(),
        ),
        ..PeerSettings::default()
    };
    vec![
        change(1, PeerAction::Set(shrunk)),
        change(2, PeerAction::Set(added)),
        change(3, PeerAction::Remove),
    ]
}

/// Whether this message is of `kind`, answers us and says 0.
fn is_success(message: &[u8], kind: u16, sequence: u32) -> bool {
    message.len() >= HEADER_BYTES + 4
        && message[4..6] == kind.to_ne_bytes()
        && message[8..12] == sequence.to_ne_bytes()
        && message[12..16] == PORT_ID.to_ne_bytes()
        && message[16..20] == [0; 4]
}

fuzz_target!(|data: &[u8]| {
    let Some((&what, rest)) = data.split_first() else {
        return;
    };
    let record = Arc::new(Mutex::new(Record::default()));
    let script = Script {
        rest,
        answers_family: what & ASK_FAMILY == 0,
        family_asked: false,
        record: Arc::clone(&record),
    };
    let name = "wg0".parse().expect("a name");
    let mut device = KernelDevice::new(name, script, Fingerprinter::new());
    let mut kept = Kept::default();
    let (outcome, end) = if what & SET == 0 {
        (device.dump(&mut kept), DONE)
    } else {
        (device.set(3, &changes()), ERROR)
    };
    let record = record.lock().expect("not poisoned");
    assert!(
        record.requests <= MOST_REQUESTS,
        "{} requests",
        record.requests
    );
    assert!(
        record.silences <= MOST_SILENCES,
        "{} silences",
        record.silences
    );
    if let Err(error) = outcome {
        assert!(error.to_string().len() < 256, "{error}");
        return;
    }
    let was_said = record.answers.iter().any(|datagram| {
        let mut messages = kernel::messages(datagram).into_iter();
        messages.any(|message| is_success(message, end, record.sequence))
    });
    assert!(was_said, "no success was reported");
    assert_eq!(kept.device.is_some(), what & SET == 0);
    let dumped: usize = record.answers.iter().map(Vec::len).sum();
    let peers = kept.peers.len() + kept.peers.iter().map(|(_, list)| list.len()).sum::<usize>();
    assert!(peers * HEADER_BYTES <= dumped, "more peers than were sent");
});
