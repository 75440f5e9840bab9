//! From the kernel's bytes to JSON and index: nothing is allocated for a peer.

use std::{
    alloc::{GlobalAlloc, Layout, System},
    sync::atomic::{AtomicUsize, Ordering},
};

use wgfleet_agent::wireguard::{
    DeviceFacts, DumpSink, PeerFacts,
    fingerprint::Fingerprinter,
    interface::{DumpJson, index::PeerIndex},
    kernel::dump::{DumpRequest, Parser, Progress},
};
use wire_contract::AllowedIp;

struct Counting;

static ALLOCATIONS: AtomicUsize = AtomicUsize::new(0);

// SAFETY: every call goes to the system's allocator as it came; counting does not allocate.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: the caller keeps `alloc`'s contract.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller keeps `dealloc`'s contract.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

const PEERS: u32 = 10_000;
const PEERS_PER_MESSAGE: u32 = 150;
const FAMILY: u16 = 30;
const NESTED: u16 = 0x8000;

fn attribute(kind: u16, value: &[u8]) -> Vec<u8> {
    let length = u16::try_from(4 + value.len()).expect("a short value");
    let mut bytes = [length.to_ne_bytes(), kind.to_ne_bytes()].concat();
    bytes.extend(value);
    bytes.resize(bytes.len().next_multiple_of(4), 0);
    bytes
}

fn message(kind: u16, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(16 + payload.len()).expect("a short payload");
    let mut bytes = length.to_ne_bytes().to_vec();
    bytes.extend([kind.to_ne_bytes(), 2_u16.to_ne_bytes()].concat());
    bytes.extend([1_u32.to_ne_bytes(), 1_u32.to_ne_bytes()].concat());
    bytes.extend(payload);
    bytes
}

fn peer(number: u32) -> Vec<u8> {
    let mut key = [7; 32];
    key[..4].copy_from_slice(&number.to_le_bytes());
    let address = (0x0a00_0000 | number).to_be_bytes();
    let allowed_ip = [
        attribute(3, &[32]),
        attribute(1, &2_u16.to_ne_bytes()),
        attribute(2, &address),
    ];
    let allowed_ips = attribute(NESTED, &allowed_ip.concat());
    let fields = [
        attribute(1, &key),
        attribute(2, &[9; 32]),
        attribute(6, &[0; 16]),
        attribute(5, &25_u16.to_ne_bytes()),
        attribute(8, &u64::from(number).to_ne_bytes()),
        attribute(7, &u64::from(number).to_ne_bytes()),
        attribute(9 | NESTED, &allowed_ips),
    ];
    attribute(NESTED, &fields.concat())
}

/// A dump as the kernel sends it: many messages, then the end.
fn datagrams() -> Vec<Vec<u8>> {
    let numbers: Vec<u32> = (0..PEERS).collect();
    let mut all: Vec<_> = numbers
        .chunks(PEERS_PER_MESSAGE as usize)
        .map(|chunk| {
            let peers: Vec<u8> = chunk.iter().flat_map(|number| peer(*number)).collect();
            let mut payload = vec![0, 1, 0, 0];
            payload.extend(attribute(1, &7_u32.to_ne_bytes()));
            payload.extend(attribute(8 | NESTED, &peers));
            message(FAMILY, &payload)
        })
        .collect();
    all.push(message(3, &0_i32.to_ne_bytes()));
    all
}

struct Both(DumpJson, PeerIndex);

impl DumpSink for Both {
    fn device(&mut self, device: &DeviceFacts) {
        self.0.device(device);
        self.1.device(device);
    }

    fn peer(&mut self, peer: &PeerFacts) {
        self.0.peer(peer);
        DumpSink::peer(&mut self.1, peer);
    }

    fn allowed_ip(&mut self, allowed_ip: AllowedIp) {
        self.0.allowed_ip(allowed_ip);
        self.1.allowed_ip(allowed_ip);
    }
}

#[test]
fn a_second_dump_allocates_nothing_per_peer() {
    let datagrams = datagrams();
    let fingerprinter = Fingerprinter::new();
    let name = "wg0".parse().expect("a name");
    let mut sink = Both(DumpJson::new(&name), PeerIndex::new(fingerprinter.clone()));
    let request = DumpRequest {
        family: FAMILY,
        sequence: 1,
        port_id: 1,
    };
    let mut counts = Vec::new();
    for _ in 0..3 {
        let before = ALLOCATIONS.load(Ordering::Relaxed);
        let mut parser = Parser::new(request, &fingerprinter);
        let mut progress = Progress::More;
        for datagram in &datagrams {
            progress = parser.datagram(datagram, &mut sink).expect("a dump");
        }
        assert_eq!(progress, Progress::Complete);
        let body = sink.0.finish();
        counts.push(ALLOCATIONS.load(Ordering::Relaxed) - before);
        assert!(body.len() > 150 * PEERS as usize, "all of them are written");
        assert_eq!(sink.1.len(), PEERS as usize, "all of them are indexed");
    }
    assert!(
        counts[1] < 20 && counts[2] < 20,
        "{counts:?} allocations for {PEERS} peers"
    );
}
