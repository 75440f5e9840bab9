//! The body of `GET /wg/{interface}/dump`, written while the dump is read.
//!
//! Formatting is what a dump costs, so the common values are written digit by digit; nothing is
//! allocated for a peer.

use std::{
    fmt::{self, Write as _},
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::Arc,
};

use bytes::{BufMut, Bytes};
use wire_contract::{AllowedIp, InterfaceName};

use crate::wireguard::{DeviceFacts, DumpSink, PeerFacts};

/// A body that has grown to this many bytes may grow far beyond.
const LARGE: usize = 1 << 20;
/// So much room is then asked for at once, some 200,000 peers. What is not written to costs addresses
/// only, while growing by doubling would have the body in memory twice.
const FAR_AHEAD: usize = 64 << 20;
/// More than one peer's line takes, its allowed IPs apart.
const LINE: usize = 512;

/// A body that was handed out.
struct Lent(Arc<Vec<u8>>);

impl AsRef<[u8]> for Lent {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

/// Writes one body after the other into a buffer it takes back once the last reader is done.
pub struct DumpJson {
    /// `{"interface":"wg0","peers":[`
    head: String,
    buffer: Vec<u8>,
    /// The buffer of the body before, while somebody may read it.
    lent: Option<Arc<Vec<u8>>>,
    /// The peer whose allowed IPs are being written.
    open: Option<PeerFacts>,
    /// Whether an allowed IP of it was written.
    listed: bool,
    /// Bytes of the body before: the next one is about as large.
    last_len: usize,
}

impl DumpJson {
    /// A writer for the dumps of `interface`.
    #[must_use]
    pub fn new(interface: &InterfaceName) -> Self {
        let name = serde_json::to_string(interface).expect("a string is always JSON");
        let head = format!("{{\"interface\":{name},\"peers\":[");
        Self {
            head,
            buffer: Vec::new(),
            lent: None,
            open: None,
            listed: false,
            last_len: 0,
        }
    }

    /// Closes the body and hands it out.
    #[must_use]
    pub fn finish(&mut self) -> Bytes {
        self.close_peer();
        self.buffer.put_slice(b"]}");
        self.last_len = self.buffer.len();
        let body = Arc::new(std::mem::take(&mut self.buffer));
        self.lent = Some(Arc::clone(&body));
        Bytes::from_owner(Lent(body))
    }

    fn make_room(&mut self) {
        let room = self.buffer.capacity() - self.buffer.len();
        if room < LINE && self.buffer.len() >= LARGE {
            self.buffer.reserve_exact(FAR_AHEAD);
        }
    }

    fn close_peer(&mut self) {
        let Some(peer) = self.open.take() else { return };
        self.buffer.put_slice(b"],\"latest_handshake\":");
        put_number(&mut self.buffer, peer.latest_handshake);
        self.buffer.put_slice(b",\"transfer_rx\":");
        put_number(&mut self.buffer, peer.rx_bytes);
        self.buffer.put_slice(b",\"transfer_tx\":");
        put_number(&mut self.buffer, peer.tx_bytes);
        self.buffer.put_slice(b",\"persistent_keepalive\":");
        put_number(&mut self.buffer, peer.persistent_keepalive.as_secs());
        self.buffer.put_u8(b'}');
    }
}

impl DumpSink for DumpJson {
    fn device(&mut self, _device: &DeviceFacts) {
        self.open = None;
        if let Some(Ok(back)) = self.lent.take().map(Arc::try_unwrap) {
            self.buffer = back;
        }
        self.buffer.clear();
        let about = self.last_len.max(self.head.len()) + self.last_len / 16;
        self.buffer.reserve_exact(about);
        self.buffer.put_slice(self.head.as_bytes());
    }

    fn peer(&mut self, peer: &PeerFacts) {
        if self.open.is_some() {
            self.close_peer();
            self.buffer.put_u8(b',');
        }
        self.make_room();
        self.buffer.put_slice(b"{\"public_key\":\"");
        self.buffer
            .put_slice(peer.public_key.to_base64().as_bytes());
        self.buffer.put_slice(b"\",\"endpoint\":");
        match peer.endpoint {
            None => self.buffer.put_slice(b"null"),
            Some(endpoint) => put_endpoint(&mut self.buffer, endpoint),
        }
        self.buffer.put_slice(b",\"allowed_ips\":[");
        self.open = Some(*peer);
        self.listed = false;
    }

    fn allowed_ip(&mut self, allowed_ip: AllowedIp) {
        self.buffer
            .put_slice(if self.listed { b",\"" } else { b"\"" });
        self.listed = true;
        match allowed_ip.network() {
            IpAddr::V4(v4) => put_ipv4(&mut self.buffer, v4),
            IpAddr::V6(v6) => put_display(&mut self.buffer, v6),
        }
        self.buffer.put_u8(b'/');
        put_number(&mut self.buffer, allowed_ip.prefix_len());
        self.buffer.put_u8(b'"');
    }
}

fn put_endpoint(buffer: &mut Vec<u8>, endpoint: SocketAddr) {
    buffer.put_u8(b'"');
    match endpoint {
        SocketAddr::V4(v4) => {
            put_ipv4(buffer, *v4.ip());
            buffer.put_u8(b':');
            put_number(buffer, v4.port());
        }
        SocketAddr::V6(v6) => put_display(buffer, v6),
    }
    buffer.put_u8(b'"');
}

fn put_ipv4(buffer: &mut Vec<u8>, address: Ipv4Addr) {
    for (position, octet) in address.octets().into_iter().enumerate() {
        if position > 0 {
            buffer.put_u8(b'.');
        }
        put_number(buffer, octet);
    }
}

fn put_number(buffer: &mut Vec<u8>, number: impl itoa::Integer) {
    buffer.put_slice(itoa::Buffer::new().format(number).as_bytes());
}

fn put_display(buffer: &mut Vec<u8>, value: impl std::fmt::Display) {
    write!(Text(buffer), "{value}").expect("the buffer grows");
}

/// Text that is written into bytes.
struct Text<'a>(&'a mut Vec<u8>);

impl fmt::Write for Text<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0.extend_from_slice(text.as_bytes());
        Ok(())
    }
}
