//! Text in a fixed piece of a buffer: numbers, addresses and what stands between them.
//!
//! Copies of a known length are a few instructions where those of any length are a call, so short texts
//! are copied whole, rubbish behind them included, and what comes next is written over that.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// Digits of the largest `u64`.
const MOST_DIGITS: usize = 20;

/// `N` bytes to be written from front to back. Whoever writes knows that they suffice.
pub(super) struct Line<'b, const N: usize> {
    bytes: &'b mut [u8; N],
    at: usize,
}

impl<'b, const N: usize> Line<'b, N> {
    pub(super) const fn new(bytes: &'b mut [u8; N]) -> Self {
        Self { bytes, at: 0 }
    }

    /// Bytes written.
    pub(super) const fn len(&self) -> usize {
        self.at
    }

    #[inline(always)]
    pub(super) fn put<const M: usize>(&mut self, text: &[u8; M]) {
        self.put_first(text, M);
    }

    /// Puts `text`, of which only the first `len` bytes stay.
    #[inline(always)]
    fn put_first<const M: usize>(&mut self, text: &[u8; M], len: usize) {
        self.bytes[self.at..self.at + M].copy_from_slice(text);
        self.at += len;
    }

    #[inline(always)]
    pub(super) fn put_octet(&mut self, number: u8) {
        let [text @ .., digits] = &OCTETS[usize::from(number)];
        self.put_first(text, usize::from(*digits));
    }

    pub(super) fn put_number(&mut self, mut number: u64) {
        if let Ok(small) = u8::try_from(number) {
            return self.put_octet(small);
        }
        // Filled from behind; read from where the digits begin, to behind its end.
        let mut digits = [0; 2 * MOST_DIGITS];
        let mut from = MOST_DIGITS;
        while number >= 100 {
            from -= 2;
            digits[from..from + 2].copy_from_slice(two_digits(number % 100));
            number /= 100;
        }
        if number >= 10 {
            from -= 2;
            digits[from..from + 2].copy_from_slice(two_digits(number));
        } else {
            from -= 1;
            digits[from] = two_digits(number)[1];
        }
        let text = digits[from..].first_chunk::<MOST_DIGITS>();
        self.put_first(text.expect("twice as long"), MOST_DIGITS - from);
    }

    pub(super) fn put_signed(&mut self, number: i64) {
        if number < 0 {
            self.put(b"-");
        }
        self.put_number(number.unsigned_abs());
    }

    #[inline]
    pub(super) fn put_ip(&mut self, address: IpAddr) {
        match address {
            IpAddr::V4(v4) => self.put_ipv4(v4),
            IpAddr::V6(v6) => self.put_ipv6(v6),
        }
    }

    #[inline]
    fn put_ipv4(&mut self, address: Ipv4Addr) {
        let [a, b, c, d] = address.octets();
        self.put_octet(a);
        for octet in [b, c, d] {
            self.put(b".");
            self.put_octet(octet);
        }
    }

    /// As RFC 5952 wants it: the longest run of zeros, the first of several, is left out.
    fn put_ipv6(&mut self, address: Ipv6Addr) {
        if let Some(mapped) = address.to_ipv4_mapped() {
            self.put(b"::ffff:");
            return self.put_ipv4(mapped);
        }
        let segments = address.segments();
        let (from, len) = longest_zeros(segments);
        if len > 1 {
            self.put_segments(&segments[..from]);
            self.put(b"::");
            self.put_segments(&segments[from + len..]);
        } else {
            self.put_segments(&segments);
        }
    }

    fn put_segments(&mut self, segments: &[u16]) {
        for (position, segment) in segments.iter().enumerate() {
            if position > 0 {
                self.put(b":");
            }
            let digits = [12, 8, 4, 0].map(|shift| HEX[usize::from(segment >> shift & 0xf)]);
            let zeros = usize::try_from(segment.leading_zeros() / 4).expect("at most 4");
            for digit in &digits[zeros.min(3)..] {
                self.put(&[*digit]);
            }
        }
    }

    #[inline]
    pub(super) fn put_endpoint(&mut self, endpoint: SocketAddr) {
        match endpoint {
            SocketAddr::V4(v4) => self.put_ipv4(*v4.ip()),
            SocketAddr::V6(v6) => {
                self.put(b"[");
                self.put_ipv6(*v6.ip());
                if v6.scope_id() != 0 {
                    self.put(b"%");
                    self.put_number(v6.scope_id().into());
                }
                self.put(b"]");
            }
        }
        self.put(b":");
        self.put_number(endpoint.port().into());
    }
}

/// Where the longest run of zeros begins, the first of several, and how long it is.
fn longest_zeros(segments: [u16; 8]) -> (usize, usize) {
    let (mut longest, mut current) = ((0, 0), (0, 0));
    for (position, segment) in segments.into_iter().enumerate() {
        current = match (segment, current.1) {
            (0, 0) => (position, 1),
            (0, len) => (current.0, len + 1),
            _ => (0, 0),
        };
        if current.1 > longest.1 {
            longest = current;
        }
    }
    longest
}

const HEX: &[u8; 16] = b"0123456789abcdef";

/// Of a number below 100.
#[inline(always)]
fn two_digits(number: u64) -> &'static [u8; 2] {
    &PAIRS[usize::try_from(number).expect("below 100")]
}

/// Every number below 100, in two digits.
const PAIRS: [[u8; 2]; 100] = {
    let mut pairs = [[b'0'; 2]; 100];
    let mut number = 0;
    while number < pairs.len() {
        pairs[number] = [HEX[number / 10], HEX[number % 10]];
        number += 1;
    }
    pairs
};

/// Every octet in decimal, filled up with zeros, and how many digits it has.
const OCTETS: [[u8; 4]; 256] = {
    let mut octets = [[0; 4]; 256];
    let mut number = 0;
    while number < octets.len() {
        let [hundreds, tens, ones] = [HEX[number / 100], HEX[number / 10 % 10], HEX[number % 10]];
        octets[number] = match number {
            0..10 => [ones, 0, 0, 1],
            10..100 => [tens, ones, 0, 2],
            _ => [hundreds, tens, ones, 3],
        };
        number += 1;
    }
    octets
};

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn written(write: impl FnOnce(&mut Line<'_, 96>)) -> String {
        let mut bytes = [b'#'; 96];
        let mut line = Line::new(&mut bytes);
        write(&mut line);
        let len = line.len();
        String::from_utf8(bytes[..len].to_vec()).expect("ASCII")
    }

    #[test]
    fn numbers_at_the_edges() {
        let powers = (0..20).map(|exponent| 10_u64.pow(exponent));
        let edges = powers.flat_map(|power| [power - 1, power, power + 1]);
        for number in edges.chain(0..1000).chain([u64::MAX, u64::MAX - 1]) {
            assert_eq!(written(|line| line.put_number(number)), number.to_string());
        }
        for number in [i64::MIN, -10, -1, 0, i64::MAX] {
            assert_eq!(written(|line| line.put_signed(number)), number.to_string());
        }
    }

    proptest! {
        #[test]
        fn numbers_are_as_anybody_writes_them(number: u64, shift in 0..64) {
            let number = number >> shift;
            prop_assert_eq!(written(|line| line.put_number(number)), number.to_string());
        }

        #[test]
        fn addresses_are_as_the_standard_library_writes_them(
            segments: [u16; 8],
            shifts in prop::array::uniform8(0..=16_u32),
        ) {
            let segments: Vec<u16> = segments
                .iter()
                .zip(shifts)
                .map(|(segment, shift)| segment.checked_shr(shift).unwrap_or(0))
                .collect();
            let v6 = Ipv6Addr::from(<[u16; 8]>::try_from(segments).expect("eight"));
            prop_assert_eq!(written(|line| line.put_ip(v6.into())), v6.to_string());
            let v4 = Ipv4Addr::from(v6.octets()[..4].first_chunk::<4>().copied().expect("four"));
            prop_assert_eq!(written(|line| line.put_ip(v4.into())), v4.to_string());
            let mapped = v4.to_ipv6_mapped();
            prop_assert_eq!(written(|line| line.put_ip(mapped.into())), mapped.to_string());
        }

        #[test]
        fn endpoints_are_as_the_standard_library_writes_them(
            address: IpAddr,
            port: u16,
            scope in prop_oneof![Just(0), any::<u32>()],
        ) {
            let endpoint = match address {
                IpAddr::V4(_) => SocketAddr::new(address, port),
                IpAddr::V6(v6) => std::net::SocketAddrV6::new(v6, port, 0, scope).into(),
            };
            prop_assert_eq!(written(|line| line.put_endpoint(endpoint)), endpoint.to_string());
        }
    }
}
