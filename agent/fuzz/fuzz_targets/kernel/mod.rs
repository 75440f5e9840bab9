//! What both netlink targets need: messages, and a sink that keeps what a dump reports.

use wgfleet_agent::wireguard::{DeviceFacts, DumpSink, PeerFacts};
use wire_contract::AllowedIp;

pub const HEADER_BYTES: usize = 16;
/// The number of the family in every seed.
pub const FAMILY: u16 = 0x1d;
pub const PORT_ID: u32 = 4711;
pub const DONE: u16 = 3;

/// Cuts a datagram into its messages; what is no message any more is the last piece.
pub fn messages(mut datagram: &[u8]) -> Vec<&[u8]> {
    let mut messages = Vec::new();
    while let Some(len) = message_len(datagram) {
        let (message, rest) = datagram.split_at(len.next_multiple_of(4).min(datagram.len()));
        messages.push(message);
        datagram = rest;
    }
    if !datagram.is_empty() {
        messages.push(datagram);
    }
    messages
}

fn message_len(datagram: &[u8]) -> Option<usize> {
    let len = u32::from_ne_bytes(*datagram.first_chunk()?);
    let len = usize::try_from(len).ok()?;
    (HEADER_BYTES..=datagram.len())
        .contains(&len)
        .then_some(len)
}

/// Fills in sequence number and port id where a message leaves them 0, so that inputs need not know
/// them.
pub fn address(datagram: &mut [u8], sequence: u32) {
    let lens: Vec<usize> = messages(datagram).iter().map(|m| m.len()).collect();
    let mut at = 0;
    for len in lens {
        for (field, value) in [(at + 8, sequence), (at + 12, PORT_ID)] {
            if let Some(bytes) = datagram.get_mut(field..field + 4)
                && bytes == [0; 4]
            {
                bytes.copy_from_slice(&value.to_ne_bytes());
            }
        }
        at += len;
    }
}

/// Keeps everything, and forgets it when the dump begins again.
#[derive(Debug, Default, Clone, PartialEq)]
pub struct Kept {
    pub device: Option<DeviceFacts>,
    pub peers: Vec<(PeerFacts, Vec<AllowedIp>)>,
}

impl DumpSink for Kept {
    fn device(&mut self, device: &DeviceFacts) {
        *self = Self {
            device: Some(*device),
            peers: Vec::new(),
        };
    }

    fn peer(&mut self, peer: &PeerFacts) {
        self.peers.push((*peer, Vec::new()));
    }

    fn allowed_ip(&mut self, allowed_ip: AllowedIp) {
        let (_, list) = self.peers.last_mut().expect("a peer comes first");
        list.push(allowed_ip);
    }
}
