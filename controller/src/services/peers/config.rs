//! The client's configuration, as wg-quick reads it.
//!
//! Every value in it was checked when it came in: no name, domain or address can hold a line break.

use std::fmt::Write as _;

use tonic::{Code, Status};
use wgfleet_proto::v1::GetPeerConfigResponse;
use wire_contract::{AllowedIp, Keepalive, PresharedKey, PublicKey, key::KEY_BYTES};
use zeroize::Zeroizing;

use super::{addresses::host, keys::private_base64};
use crate::{
    services::{Core, auth::Caller, status::refuse},
    store::{
        PeerId,
        nodes::{self, NodeRow},
        peers::{self, PeerRow},
    },
};

/// wg-quick names the interface like the file, and Linux knows no longer names.
const MAX_FILE_STEM_CHARS: usize = 15;

/// All a configuration is made of. No `Debug`: it holds keys.
struct Parts {
    row: PeerRow,
    node: NodeRow,
    node_key: PublicKey,
    private_key: Option<Zeroizing<[u8; KEY_BYTES]>>,
    preshared_key: Option<PresharedKey>,
}

/// The configuration of a peer's client.
///
/// # Errors
/// `peer_not_found`, or `node_key_unknown` while nobody has told the key of the node's interface.
pub(super) async fn get(
    core: &Core,
    caller: Caller,
    id: PeerId,
) -> Result<GetPeerConfigResponse, Status> {
    let sealer = core.store.sealer();
    let parts = core
        .look(move |conn| {
            let row = caller.peer(conn, id)?;
            let node = nodes::get(conn, row.node_id)?;
            Ok(Parts {
                node_key: node.settings.public_key.ok_or_else(|| key_unknown(&node))?,
                private_key: peers::private_key(conn, &sealer, id)?,
                preshared_key: peers::preshared_key(conn, &sealer, id)?,
                row,
                node,
            })
        })
        .await?;
    Ok(GetPeerConfigResponse {
        config: parts.render(),
        file_name: file_name(&parts.row.settings.name),
        complete: parts.private_key.is_some(),
    })
}

fn key_unknown(node: &NodeRow) -> Status {
    let message = format!(
        "the public key of {} is not known yet: its agent tells it at the first poll, or set \
         public_key on the node",
        node.settings.name
    );
    let code = Code::FailedPrecondition;
    refuse(code, "node_key_unknown", None, message)
}

impl Parts {
    fn render(&self) -> String {
        let mut text = format!(
            "# {} on {}\n",
            self.row.settings.name, self.node.settings.name
        );
        self.interface(&mut text);
        text.push('\n');
        self.peer(&mut text);
        text
    }

    fn interface(&self, text: &mut String) {
        let (peer, node) = (&self.row.settings, &self.node.settings);
        text.push_str("[Interface]\n");
        match &self.private_key {
            Some(key) => line(text, "PrivateKey", &private_base64(key)),
            None => {
                let key = self.row.public_key;
                note(
                    text,
                    &format!("PrivateKey = (yours: the one that belongs to {key})"),
                );
            }
        }
        let own = self.row.allowed_ips.iter().filter(|ip| host(ip).is_some());
        listed(text, "Address", own.map(ToString::to_string));
        let dns = or(&peer.dns, &node.dns);
        listed(text, "DNS", dns.iter().cloned());
        if let Some(mtu) = peer.mtu.or(node.mtu) {
            line(text, "MTU", &mtu.to_string());
        }
    }

    fn peer(&self, text: &mut String) {
        let (peer, node) = (&self.row.settings, &self.node.settings);
        text.push_str("[Peer]\n");
        line(text, "PublicKey", self.node_key.to_base64().as_str());
        match &self.preshared_key {
            Some(key) => line(text, "PresharedKey", &key.expose_base64()),
            None if !self.row.psk_confirmed => {
                note(
                    text,
                    "PresharedKey = (if you have one: it is not known here)",
                );
            }
            None => {}
        }
        let routes = or(&peer.client_allowed_ips, &node.client_allowed_ips);
        let routes = if routes.is_empty() {
            &everything()[..]
        } else {
            routes
        };
        listed(text, "AllowedIPs", routes.iter().map(ToString::to_string));
        match &node.endpoint {
            Some(endpoint) => line(text, "Endpoint", endpoint),
            None => note(text, "Endpoint = (host:port of the node: none is set)"),
        }
        let keepalive = Some(peer.persistent_keepalive).filter(|k| *k != Keepalive::OFF);
        let keepalive = keepalive.or(node.persistent_keepalive).unwrap_or_default();
        if keepalive != Keepalive::OFF {
            line(text, "PersistentKeepalive", &keepalive.to_string());
        }
    }
}

fn line(text: &mut String, key: &str, value: &str) {
    let _ = writeln!(text, "{key} = {value}");
}

fn note(text: &mut String, what: &str) {
    let _ = writeln!(text, "# {what}");
}

fn listed(text: &mut String, key: &str, values: impl Iterator<Item = String>) {
    let values: Vec<_> = values.collect();
    if !values.is_empty() {
        line(text, key, &values.join(", "));
    }
}

const fn or<'a, T>(own: &'a [T], default: &'a [T]) -> &'a [T] {
    if own.is_empty() { default } else { own }
}

fn everything() -> [AllowedIp; 2] {
    ["0.0.0.0/0", "::/0"].map(|text| text.parse().expect("a network"))
}

/// A name for the file that wg-quick takes.
fn file_name(name: &str) -> String {
    let mut stem = String::new();
    for c in name.chars() {
        let c = if c.is_ascii_alphanumeric() || "_=+.".contains(c) {
            c
        } else {
            '-'
        };
        if !(c == '-' && stem.ends_with('-')) {
            stem.push(c);
        }
    }
    let edge = ['-', '.'];
    let stem: String = stem
        .trim_matches(edge)
        .chars()
        .take(MAX_FILE_STEM_CHARS)
        .collect();
    let stem = stem.trim_end_matches(edge);
    format!("{}.conf", if stem.is_empty() { "wg" } else { stem })
}

#[cfg(test)]
mod tests {
    use super::file_name;

    #[test]
    fn file_names_are_what_wg_quick_takes() {
        for (name, file) in [
            ("laptop", "laptop.conf"),
            ("Anna's laptop", "Anna-s-laptop.conf"),
            ("../../etc/passwd", "etc-passwd.conf"),
            ("a very long name of a peer", "a-very-long-nam.conf"),
            ("日本", "wg.conf"),
            ("..", "wg.conf"),
            ("fourteen chars!x", "fourteen-chars.conf"),
        ] {
            assert_eq!(file_name(name), file, "{name:?}");
        }
    }
}
