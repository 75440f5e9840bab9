//! What a request target means, beside a second reading of the contract.
//!
//! The input is the target as it stands on the wire. A target that is taken names exactly what its
//! text, decoded once, says, and the one a client would send for it names the same.

#![no_main]

use hyper::Uri;
use libfuzzer_sys::fuzz_target;
use wire_contract::path::{InvalidTarget, Resource, check_target};

/// What the contract says of a target: the parts it names, or the status it is answered with.
type Verdict = Result<(&'static str, Option<String>, Option<String>), u16>;

const UNNAMED: u16 = 404;
const MALFORMED: u16 = 400;

fuzz_target!(|data: &[u8]| {
    as_hyper_gives_it(data);
    let Ok(target) = std::str::from_utf8(data) else {
        return;
    };
    let parsed = Resource::parse(target);
    assert_eq!(told(&parsed), expected(target), "{target:?}");
    assert_eq!(
        check_target(target).is_err(),
        parsed == Err(InvalidTarget::Malformed)
    );
    let Ok(resource) = parsed else { return };
    let sent = resource.to_target();
    assert_eq!(Resource::parse(&sent).as_ref(), Ok(&resource), "{sent}");
    as_hyper_gives_it(sent.as_bytes());
    assert!(sent.is_ascii() && !sent.contains(['|', '?', '#']), "{sent}");
    for same in [format!("/v1{sent}"), format!("{sent}?n=1&/peers/")] {
        assert_eq!(Resource::parse(&same).as_ref(), Ok(&resource), "{same}");
    }
});

/// The gate sees a target through hyper's `Uri`: nothing but a fragment, which no client sends, may
/// be missing from it, or signatures would not be made over what was sent.
fn as_hyper_gives_it(wire: &[u8]) {
    let Ok(uri) = Uri::try_from(wire) else { return };
    let is_origin_form = uri.scheme().is_none() && uri.authority().is_none();
    if let Some(target) = uri.path_and_query().filter(|_| is_origin_form) {
        let without_fragment = wire.split(|byte| *byte == b'#').next();
        // An asterisk or nothing at all: neither passes the gate.
        if target.as_str().starts_with('/') && wire.first() == Some(&b'/') {
            assert_eq!(Some(target.as_str().as_bytes()), without_fragment);
        }
    }
}

fn told(parsed: &Result<Resource, InvalidTarget>) -> Verdict {
    let resource = match parsed {
        Ok(resource) => resource,
        Err(InvalidTarget::NoSuchRoute) => return Err(UNNAMED),
        Err(_) => return Err(MALFORMED),
    };
    let (route, key) = match resource {
        Resource::Health => ("health", None),
        Resource::Interfaces => ("interfaces", None),
        Resource::Device(_) => ("device", None),
        Resource::Dump(_) => ("dump", None),
        Resource::Peers(_) => ("peers", None),
        Resource::Peer(_, key) => ("peer", Some(key.to_string())),
    };
    let interface = resource.interface().map(ToString::to_string);
    Ok((route, interface, key))
}

fn expected(target: &str) -> Verdict {
    if !target.starts_with('/') || target.contains('|') {
        return Err(MALFORMED);
    }
    let path = target.split('?').next().unwrap_or_default();
    let mut segments: Vec<&str> = path.split('/').skip(1).collect();
    if segments.len() > 1 && segments[0] == "v1" {
        segments.remove(0);
    }
    match segments.as_slice() {
        ["health"] => Ok(("health", None, None)),
        ["wg"] => Ok(("interfaces", None, None)),
        ["wg", name] => Ok(("device", Some(interface(name)?), None)),
        ["wg", name, "dump"] => Ok(("dump", Some(interface(name)?), None)),
        ["wg", name, "peers"] => Ok(("peers", Some(interface(name)?), None)),
        ["wg", _, "peers", ""] => Err(UNNAMED),
        ["wg", name, "peers", key @ ..] => {
            let key = decoded(&key.join("/"))?;
            is_canonical_key(&key).then_some(()).ok_or(MALFORMED)?;
            Ok(("peer", Some(interface(name)?), Some(key)))
        }
        _ => Err(UNNAMED),
    }
}

fn interface(segment: &str) -> Result<String, u16> {
    let name = decoded(segment)?;
    let is_good = (1..=15).contains(&name.len())
        && name != "."
        && name != ".."
        && !name
            .chars()
            .any(|c| "/:".contains(c) || c.is_whitespace() || c.is_control());
    is_good.then_some(name).ok_or(MALFORMED)
}

fn decoded(text: &str) -> Result<String, u16> {
    let mut pieces = text.split('%');
    let mut bytes = pieces.next().unwrap_or_default().as_bytes().to_vec();
    for piece in pieces {
        let (digits, rest) = piece.as_bytes().split_at_checked(2).ok_or(MALFORMED)?;
        if !digits.iter().all(u8::is_ascii_hexdigit) {
            return Err(MALFORMED);
        }
        let digits = std::str::from_utf8(digits).map_err(|_| MALFORMED)?;
        bytes.push(u8::from_str_radix(digits, 16).map_err(|_| MALFORMED)?);
        bytes.extend(rest);
    }
    String::from_utf8(bytes).map_err(|_| MALFORMED)
}

/// 43 characters and one `=`, the two bits that 32 bytes leave over being 0.
fn is_canonical_key(text: &str) -> bool {
    let is_base64 = |byte: &u8| byte.is_ascii_alphanumeric() || b"+/".contains(byte);
    let bytes = text.as_bytes();
    bytes.len() == 44
        && bytes[43] == b'='
        && bytes[..43].iter().all(is_base64)
        && b"AEIMQUYcgkosw048".contains(&bytes[42])
}
