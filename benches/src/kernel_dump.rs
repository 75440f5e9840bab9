//! A dump as the kernel sends it, made up: the same bytes for every program that reads it.

use ring::digest;
use wgfleet_agent::wireguard::kernel::dump::DumpRequest;

/// What the dump answers.
pub const REQUEST: DumpRequest = DumpRequest {
    family: 30,
    sequence: 1,
    port_id: 1,
};

/// So many fit the 32 KiB the kernel fills at a time.
const PEERS_PER_MESSAGE: usize = 128;
const NLMSG_DONE: u16 = 3;
const NLM_F_MULTI: u16 = 2;
const NESTED: u16 = 0x8000;
const AF_INET: u16 = 2;
const AF_INET6: u16 = 10;

/// The datagrams of a dump of `peers` peers, its end included. Every third has a preshared key, every
/// second has been heard of, and every eighth has an IPv6 network beside its IPv4 address.
#[must_use]
pub fn datagrams(peers: u32) -> Vec<Vec<u8>> {
    let numbers: Vec<u32> = (0..peers).collect();
    let mut all: Vec<_> = numbers
        .chunks(PEERS_PER_MESSAGE)
        .enumerate()
        .map(|(position, numbers)| message(REQUEST.family, &part(position == 0, numbers)))
        .collect();
    all.push(message(NLMSG_DONE, &0_i32.to_ne_bytes()));
    all
}

fn part(first: bool, numbers: &[u32]) -> Vec<u8> {
    let peers: Vec<u8> = numbers.iter().flat_map(|number| peer(*number)).collect();
    let mut payload = vec![0, 1, 0, 0];
    if first {
        payload.extend(attribute(6, &51_820_u16.to_ne_bytes()));
        payload.extend(attribute(7, &0_u32.to_ne_bytes()));
        payload.extend(attribute(1, &7_u32.to_ne_bytes()));
        payload.extend(attribute(2, b"wg0\0"));
        payload.extend(attribute(4, &[9; 32]));
    }
    payload.extend(attribute(8 | NESTED, &peers));
    payload
}

/// Attributes in the kernel's order.
fn peer(number: u32) -> Vec<u8> {
    let key = digest::digest(&digest::SHA256, &number.to_be_bytes());
    let preshared_key = [if number.is_multiple_of(3) { 9 } else { 0 }; 32];
    let seen = number.is_multiple_of(2);
    let handshake = if seen {
        1_790_000_000 + i64::from(number)
    } else {
        0
    };
    let traffic = if seen { u64::from(number) << 20 } else { 0 };
    let mut fields = [
        attribute(1, key.as_ref()),
        attribute(2, &preshared_key),
        attribute(6, &[handshake.to_ne_bytes(), [0; 8]].concat()),
        attribute(5, &25_u16.to_ne_bytes()),
        attribute(8, &(traffic * 3).to_ne_bytes()),
        attribute(7, &traffic.to_ne_bytes()),
        attribute(10, &1_u32.to_ne_bytes()),
    ]
    .concat();
    if seen {
        fields.extend(attribute(4, &endpoint(number)));
    }
    fields.extend(attribute(9 | NESTED, &allowed_ips(number)));
    attribute(NESTED, &fields)
}

/// A `struct sockaddr_in`.
fn endpoint(number: u32) -> Vec<u8> {
    let port = u16::try_from(number % 60_000).expect("small") + 1024;
    let address = (0xc000_0200 ^ number).to_be_bytes();
    [
        AF_INET.to_ne_bytes().as_slice(),
        &port.to_be_bytes(),
        &address,
        &[0; 8],
    ]
    .concat()
}

fn allowed_ips(number: u32) -> Vec<u8> {
    let mut list = allowed_ip(AF_INET, &(0x0a00_0000 | number).to_be_bytes(), 32);
    if number.is_multiple_of(8) {
        let network = (0xfd00_u128 << 112) | (u128::from(number) << 64);
        list.extend(allowed_ip(AF_INET6, &network.to_be_bytes(), 64));
    }
    list
}

fn allowed_ip(family: u16, address: &[u8], prefix_len: u8) -> Vec<u8> {
    let fields = [
        attribute(3, &[prefix_len]),
        attribute(1, &family.to_ne_bytes()),
        attribute(2, address),
    ];
    attribute(NESTED, &fields.concat())
}

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
    bytes.extend([kind.to_ne_bytes(), NLM_F_MULTI.to_ne_bytes()].concat());
    bytes.extend(REQUEST.sequence.to_ne_bytes());
    bytes.extend(REQUEST.port_id.to_ne_bytes());
    bytes.extend(payload);
    bytes
}
