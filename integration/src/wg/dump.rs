//! `wg show INTERFACE dump`: tab-separated, the interface first, then a line a peer.

use std::net::SocketAddr;

/// An interface as `wg` shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Interface {
    /// Base64; `None` without a key.
    pub private_key: Option<String>,
    /// Base64; `None` without a key.
    pub public_key: Option<String>,
    /// UDP port; 0 before the interface was up.
    pub listen_port: u16,
    /// Firewall mark; 0 = off.
    pub fwmark: u32,
    /// The peers, in the kernel's order.
    pub peers: Vec<Peer>,
}

/// A peer as `wg` shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Peer {
    /// Base64.
    pub public_key: String,
    /// Base64; `None` without one.
    pub preshared_key: Option<String>,
    /// Where it was last heard from, or was said to be.
    pub endpoint: Option<SocketAddr>,
    /// In the kernel's order.
    pub allowed_ips: Vec<String>,
    /// Unix seconds; 0 = never.
    pub latest_handshake: u64,
    /// Bytes.
    pub transfer_rx: u64,
    /// Bytes.
    pub transfer_tx: u64,
    /// Seconds; 0 = off.
    pub persistent_keepalive: u16,
}

pub(super) fn parse(text: &str) -> Result<Interface, String> {
    let mut lines = text.lines();
    let mut interface = parse_interface(lines.next().ok_or("no interface")?)?;
    interface.peers = lines.map(parse_peer).collect::<Result<_, _>>()?;
    Ok(interface)
}

fn parse_interface(line: &str) -> Result<Interface, String> {
    let [private_key, public_key, listen_port, fwmark] = fields(line)?;
    Ok(Interface {
        private_key: present(private_key),
        public_key: present(public_key),
        listen_port: number(listen_port)?,
        fwmark: match fwmark.strip_prefix("0x") {
            Some(hex) => u32::from_str_radix(hex, 16).map_err(|_| format!("a mark: {fwmark:?}"))?,
            None => number(fwmark)?,
        },
        peers: Vec::new(),
    })
}

fn parse_peer(line: &str) -> Result<Peer, String> {
    let [
        key,
        preshared,
        endpoint,
        allowed_ips,
        handshake,
        rx,
        tx,
        keepalive,
    ] = fields(line)?;
    Ok(Peer {
        public_key: key.to_owned(),
        preshared_key: present(preshared),
        endpoint: present(endpoint)
            .map(|text| text.parse().map_err(|_| format!("an endpoint: {text:?}")))
            .transpose()?,
        allowed_ips: present(allowed_ips)
            .map(|list| list.split(',').map(str::to_owned).collect())
            .unwrap_or_default(),
        latest_handshake: number(handshake)?,
        transfer_rx: number(rx)?,
        transfer_tx: number(tx)?,
        persistent_keepalive: number(keepalive)?,
    })
}

fn fields<const N: usize>(line: &str) -> Result<[&str; N], String> {
    let fields: Vec<_> = line.split('\t').collect();
    let count = fields.len();
    fields
        .try_into()
        .map_err(|_| format!("{count} fields instead of {N} in {line:?}"))
}

fn present(field: &str) -> Option<String> {
    (field != "(none)").then(|| field.to_owned())
}

/// `wg` writes "off" for a zero that switches something off.
fn number<T: std::str::FromStr + Default>(field: &str) -> Result<T, String> {
    match field {
        "off" => Ok(T::default()),
        digits => digits.parse().map_err(|_| format!("a number: {field:?}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAMPLE: &str = "PRIV\tPUB\t51820\t0xca6c
KEY1\tPSK\t[2001:db8::1]:51821\t10.0.0.1/32,fd00::1/128\t1700000000\t18446744073709551615\t7\t25
KEY2\t(none)\t(none)\t(none)\t0\t0\t0\toff
";

    #[test]
    fn every_field_is_read() {
        let interface = parse(SAMPLE).unwrap();
        assert_eq!(interface.private_key.as_deref(), Some("PRIV"));
        assert_eq!(interface.public_key.as_deref(), Some("PUB"));
        assert_eq!((interface.listen_port, interface.fwmark), (51820, 0xca6c));
        let [full, bare] = interface.peers.try_into().unwrap();
        assert_eq!(full.preshared_key.as_deref(), Some("PSK"));
        assert_eq!(full.endpoint, Some("[2001:db8::1]:51821".parse().unwrap()));
        assert_eq!(full.allowed_ips, ["10.0.0.1/32", "fd00::1/128"]);
        assert_eq!(full.latest_handshake, 1_700_000_000);
        assert_eq!((full.transfer_rx, full.transfer_tx), (u64::MAX, 7));
        assert_eq!(full.persistent_keepalive, 25);
        assert_eq!((bare.preshared_key, bare.endpoint), (None, None));
        assert!(bare.allowed_ips.is_empty());
        assert_eq!((bare.latest_handshake, bare.persistent_keepalive), (0, 0));
    }

    #[test]
    fn an_interface_without_key_or_mark() {
        let interface = parse("(none)\t(none)\t0\toff\n").unwrap();
        assert_eq!((interface.private_key, interface.fwmark), (None, 0));
    }

    #[test]
    fn what_wg_never_prints_is_refused() {
        for text in [
            "",
            "a\tb\tc\n",
            "a\tb\tc\td\n",
            "a\tb\t1\toff\nKEY\t(none)\n",
        ] {
            assert!(parse(text).is_err(), "{text:?}");
        }
    }
}
