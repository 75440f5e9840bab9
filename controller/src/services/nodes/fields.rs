//! What may stand in each field of a node. Each refusal names its field.

use std::net::{IpAddr, Ipv6Addr};

use tonic::{Code, Status};
use wgfleet_proto::v1;
use wire_contract::{
    AllowedIp, InterfaceName, Keepalive, PublicKey, allowed_ip::InvalidAllowedIp, signing::Secret,
};
use zeroize::Zeroizing;

use crate::{
    agent_client::{AgentClient, AgentUrl, Fingerprint, Limits, Trust},
    services::status::{invalid, refuse},
    store::UnmanagedPeers,
};

const MAX_HOST_CHARS: usize = 253;
const MAX_DNS_ENTRIES: usize = 16;
const MAX_LIST_ENTRIES: usize = 1024;
const MAX_CA_BYTES: usize = 64 << 10;
const MAX_SECRET_BYTES: usize = 1024;
const MTU_RANGE: std::ops::RangeInclusive<u32> = 576..=65_535;

/// A secret as it was given or drawn: its text goes to the agent's owner, its bytes into the store.
pub(super) struct GivenSecret {
    pub(super) text: Zeroizing<String>,
    pub(super) secret: Secret,
}

impl GivenSecret {
    pub(super) fn new(text: String) -> Result<Self, Status> {
        let text = Zeroizing::new(text);
        if text.len() > MAX_SECRET_BYTES || text.chars().any(char::is_control) {
            let most = format!("a secret has at most {MAX_SECRET_BYTES} bytes");
            let message = format!("{most} and no line breaks or other control characters");
            return Err(invalid("secret", message));
        }
        let secret = Secret::new(text.as_bytes()).map_err(|e| invalid("secret", e.to_string()))?;
        Ok(Self { text, secret })
    }

    pub(super) fn generate() -> Result<Self, Status> {
        let text = crate::services::auth::random_token()?;
        Self::new(text.as_str().to_owned())
    }
}

pub(super) fn agent_url(text: &str) -> Result<AgentUrl, Status> {
    text.parse()
        .map_err(|e: crate::agent_client::InvalidAgentUrl| invalid("agent_url", e.to_string()))
}

pub(super) fn interface(text: &str) -> Result<InterfaceName, Status> {
    text.parse()
        .map_err(|e: wire_contract::interface::InvalidInterfaceName| {
            invalid("wg_interface", e.to_string())
        })
}

pub(super) fn public_key(text: &str) -> Result<Option<PublicKey>, Status> {
    let parse = |text: &str| {
        let key = text.parse::<PublicKey>();
        key.map_err(|_| invalid("public_key", "a public key is 32 bytes in base64"))
    };
    given(text).map(parse).transpose()
}

/// `host:port`, written into the configuration of clients as it is.
pub(super) fn endpoint(text: &str) -> Result<Option<String>, Status> {
    let Some(text) = given(text) else {
        return Ok(None);
    };
    let bad = || {
        let message = "an endpoint is host:port, as vpn.example.com:51820 or [2001:db8::1]:51820";
        invalid("endpoint", message)
    };
    let (host, port) = text.rsplit_once(':').ok_or_else(bad)?;
    let digits = port.bytes().all(|b| b.is_ascii_digit());
    let port_is_good = digits && port.parse::<u16>().is_ok_and(|port| port != 0);
    let bracketed = host.strip_prefix('[').and_then(|h| h.strip_suffix(']'));
    let host_is_good = match bracketed {
        Some(address) => address.parse::<Ipv6Addr>().is_ok(),
        None => is_host(host),
    };
    if port_is_good && host_is_good {
        Ok(Some(text.to_owned()))
    } else {
        Err(bad())
    }
}

pub(super) fn dns(entries: &[String]) -> Result<Vec<String>, Status> {
    if entries.len() > MAX_DNS_ENTRIES {
        return Err(invalid("dns", "at most 16 entries"));
    }
    let checked = |entry: &String| {
        let entry = entry.trim();
        if entry.parse::<IpAddr>().is_ok() || is_host(entry) {
            Ok(entry.to_owned())
        } else {
            Err(invalid("dns", "an entry is an address or a search domain"))
        }
    };
    entries.iter().map(checked).collect()
}

/// 0 is none, as in a patch.
pub(super) fn mtu(bytes: u32) -> Result<Option<u32>, Status> {
    match bytes {
        0 => Ok(None),
        bytes if MTU_RANGE.contains(&bytes) => Ok(Some(bytes)),
        _ => Err(invalid("mtu", "an MTU is 576 to 65535 bytes")),
    }
}

/// 0 is off.
pub(super) fn keepalive(seconds: u32) -> Result<Option<Keepalive>, Status> {
    let seconds = u16::try_from(seconds)
        .map_err(|_| invalid("persistent_keepalive", "a keepalive is 0 to 65535 seconds"))?;
    Ok((seconds != 0).then(|| Keepalive::from_secs(seconds)))
}

pub(super) fn networks(field: &str, entries: &[String]) -> Result<Vec<AllowedIp>, Status> {
    if entries.len() > MAX_LIST_ENTRIES {
        return Err(invalid(field, "at most 1024 entries"));
    }
    let parse = |entry: &String| {
        let parsed = entry.trim().parse();
        parsed.map_err(|e: InvalidAllowedIp| invalid(field, e.to_string()))
    };
    entries.iter().map(parse).collect()
}

pub(super) fn pin(text: &str) -> Result<Option<String>, Status> {
    let parse = |text: &str| {
        let pin = text.parse::<Fingerprint>();
        pin.map(|pin| pin.to_string())
            .map_err(|e| invalid("tls_pin_sha256", e.to_string()))
    };
    given(text).map(parse).transpose()
}

pub(super) fn ca_pem(text: &str) -> Result<Option<String>, Status> {
    let Some(text) = given(text) else {
        return Ok(None);
    };
    if text.len() > MAX_CA_BYTES {
        return Err(invalid("tls_ca_pem", "a CA has at most 65536 bytes"));
    }
    // Any https URL and any secret will do: whether the certificates can be read is what is asked.
    let url = agent_url("https://localhost")?;
    let secret = GivenSecret::generate()?.secret;
    AgentClient::new(url, &Trust::Ca(text.to_owned()), &secret, Limits::default())
        .map_err(|e| invalid("tls_ca_pem", e.to_string()))?;
    Ok(Some(text.to_owned()))
}

/// Whom to believe, from checked settings.
pub(super) fn trust(pin: Option<&str>, ca_pem: Option<&str>) -> Result<Trust, Status> {
    match (pin, ca_pem) {
        (Some(_), Some(_)) => {
            let message = "a certificate is either pinned or signed by an own CA, not both";
            Err(invalid("tls_ca_pem", message))
        }
        (Some(pin), None) => pin
            .parse()
            .map(Trust::Pinned)
            .map_err(|_| invalid("tls_pin_sha256", "not a fingerprint")),
        (None, Some(pem)) => Ok(Trust::Ca(pem.to_owned())),
        (None, None) => Ok(Trust::SystemRoots),
    }
}

/// `None` for UNSPECIFIED.
pub(super) fn unmanaged(value: i32) -> Result<Option<UnmanagedPeers>, Status> {
    match v1::UnmanagedPeers::try_from(value) {
        Ok(v1::UnmanagedPeers::Unspecified) => Ok(None),
        Ok(v1::UnmanagedPeers::Ignore) => Ok(Some(UnmanagedPeers::Ignore)),
        Ok(v1::UnmanagedPeers::Adopt) => Ok(Some(UnmanagedPeers::Adopt)),
        Ok(v1::UnmanagedPeers::Remove) => Ok(Some(UnmanagedPeers::Remove)),
        Err(_) => Err(invalid("unmanaged_peers", "ignore, adopt or remove")),
    }
}

/// A change that the node's agent stands in the way of.
pub(super) fn agent_refusal(code: &'static str, field: &str, message: String) -> Status {
    refuse(Code::FailedPrecondition, code, Some(field), message)
}

fn given(text: &str) -> Option<&str> {
    Some(text.trim()).filter(|text| !text.is_empty())
}

fn is_host(text: &str) -> bool {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_');
    let label = |l: &str| (1..=63).contains(&l.len()) && l.bytes().all(allowed);
    let name = text.strip_suffix('.').unwrap_or(text);
    text.len() <= MAX_HOST_CHARS && name.split('.').all(label)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endpoints() {
        for good in [
            "vpn.example.com:51820",
            "192.0.2.1:1",
            "[2001:db8::1]:65535",
        ] {
            assert_eq!(endpoint(good).unwrap().as_deref(), Some(good));
        }
        assert_eq!(endpoint(" ").unwrap(), None);
        for bad in [
            "x",
            "x:0",
            "x:65536",
            "x:+1",
            ":1",
            "2001:db8::1:5",
            "[x]:1",
            "a b:1",
            "a\nb:1",
        ] {
            assert!(endpoint(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn numbers_that_turn_off() {
        assert_eq!(mtu(0).unwrap(), None);
        assert_eq!(mtu(1420).unwrap(), Some(1420));
        assert!(mtu(100).is_err() && mtu(70_000).is_err());
        assert_eq!(keepalive(0).unwrap(), None);
        assert!(keepalive(65_536).is_err());
    }

    #[test]
    fn secrets_and_certificates() {
        assert!(GivenSecret::new("short".into()).is_err());
        assert!(GivenSecret::new("a secret with a line\nbreak in its text".into()).is_err());
        assert_eq!(GivenSecret::generate().unwrap().text.len(), 43);
        assert!(ca_pem("no certificate").is_err());
        assert!(pin("zz").is_err());
    }
}
