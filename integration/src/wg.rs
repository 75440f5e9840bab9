//! The independent judge: what `wg` and `ip` say about the kernel, and changes made by them.
//!
//! Everything here changes the network it runs in, so it refuses to run outside the lab.

use std::{
    fmt::Write as _,
    process::{Command, Stdio},
};

use base64::{Engine, engine::general_purpose::STANDARD};

use crate::lab;

mod dump;
mod quick;
pub use dump::{Interface, Peer};
pub use quick::quick_up;

/// Runs `wg` with `arguments` and `input`, and gives what it printed.
///
/// # Panics
/// When it fails, with what it said.
#[track_caller]
pub fn wg(arguments: &[&str], input: &str) -> String {
    run("wg", arguments, input).unwrap_or_else(|said| panic!("wg {arguments:?}: {said}"))
}

/// Runs `ip` with `arguments`, and gives what it printed.
///
/// # Panics
/// When it fails, with what it said.
#[track_caller]
pub fn ip(arguments: &[&str]) -> String {
    run("ip", arguments, "").unwrap_or_else(|said| panic!("ip {arguments:?}: {said}"))
}

/// Makes a WireGuard interface, without a key, and sets it up.
#[track_caller]
pub fn add_interface(name: &str) {
    ip(&["link", "add", name, "type", "wireguard"]);
    ip(&["link", "set", name, "up"]);
}

/// Makes a WireGuard interface with a fresh private key, sets it up, and gives its public key.
#[track_caller]
pub fn add_interface_with_key(name: &str) -> String {
    add_interface(name);
    set_fresh_key(name)
}

/// Gives an interface a fresh private key, and gives its public key.
#[track_caller]
pub fn set_fresh_key(name: &str) -> String {
    let private = genkey();
    wg(&["set", name, "private-key", "/dev/stdin"], &private);
    pubkey(&private)
}

/// Deletes an interface.
#[track_caller]
pub fn delete_interface(name: &str) {
    ip(&["link", "delete", name]);
}

/// Whether an interface of that name is there, whatever its kind.
#[must_use]
pub fn exists(name: &str) -> bool {
    run("ip", &["link", "show", "dev", name], "").is_ok()
}

/// Whether an interface of that name is WireGuard's, the kernel's or a daemon's.
#[must_use]
pub fn is_wireguard(name: &str) -> bool {
    run("wg", &["show", name], "").is_ok()
}

/// `wg genkey`.
#[track_caller]
#[must_use]
pub fn genkey() -> String {
    wg(&["genkey"], "").trim().to_owned()
}

/// `wg pubkey`.
#[track_caller]
#[must_use]
pub fn pubkey(private: &str) -> String {
    wg(&["pubkey"], private).trim().to_owned()
}

/// `wg set INTERFACE peer KEY SETTINGS…`, for instance `["allowed-ips", "10.0.0.1/32"]`.
#[track_caller]
pub fn set_peer(interface: &str, key: &str, settings: &[&str]) {
    wg(&[&["set", interface, "peer", key], settings].concat(), "");
}

/// `wg set INTERFACE peer KEY preshared-key …`.
#[track_caller]
pub fn set_preshared_key(interface: &str, key: &str, preshared: &str) {
    wg(
        &["set", interface, "peer", key, "preshared-key", "/dev/stdin"],
        preshared,
    );
}

/// `wg set INTERFACE peer KEY remove`.
#[track_caller]
pub fn remove_peer(interface: &str, key: &str) {
    set_peer(interface, key, &["remove"]);
}

/// `wg show INTERFACE dump`, read.
#[track_caller]
#[must_use]
pub fn show(interface: &str) -> Interface {
    let text = wg(&["show", interface, "dump"], "");
    dump::parse(&text).unwrap_or_else(|problem| panic!("{problem} in what wg printed:\n{text}"))
}

/// One peer as `wg` shows it; `None` when it is not there.
#[track_caller]
#[must_use]
pub fn peer(interface: &str, key: &str) -> Option<Peer> {
    show(interface)
        .peers
        .into_iter()
        .find(|peer| peer.public_key == key)
}

/// `wg setconf`: the configuration becomes exactly this one.
#[track_caller]
pub fn setconf(interface: &str, configuration: &str) {
    wg(&["setconf", interface, "/dev/stdin"], configuration);
}

/// A configuration of `count` peers, always the same ones: [`numbered_key`] and
/// [`numbered_address`]. No private key, so that loading it costs no key exchange a peer.
#[must_use]
pub fn configuration(count: u32) -> String {
    (0..count).fold(String::new(), |mut text, number| {
        let (key, address) = (numbered_key(number), numbered_address(number));
        write!(text, "[Peer]\nPublicKey = {key}\nAllowedIPs = {address}\n")
            .expect("a String grows");
        text
    })
}

/// The public key of the peer `number`: 32 bytes that no private key need exist for.
#[must_use]
pub fn numbered_key(number: u32) -> String {
    let digest = ring::digest::digest(&ring::digest::SHA256, &number.to_be_bytes());
    STANDARD.encode(digest)
}

/// The allowed IP of the peer `number`, in 10.0.0.0/8.
#[must_use]
pub fn numbered_address(number: u32) -> String {
    let [_, a, b, c] = number.to_be_bytes();
    format!("10.{a}.{b}.{c}/32")
}

fn run(program: &str, arguments: &[&str], input: &str) -> Result<String, String> {
    assert!(
        lab::is_inside(),
        "{program} is for tests in the lab: declare the test with lab_test!"
    );
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| format!("{error}; is {program} installed?"))?;
    let mut stdin = child.stdin.take().expect("piped");
    // `wg` prints nothing before it has read its input, so no pipe can fill up meanwhile. A program
    // that does not want its input closes it; its exit status tells.
    let _ = std::io::Write::write_all(&mut stdin, input.as_bytes());
    drop(stdin);
    let output = child
        .wait_with_output()
        .map_err(|error| error.to_string())?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).trim().to_owned());
    }
    String::from_utf8(output.stdout).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbered_peers_are_all_different_and_always_the_same() {
        let text = configuration(300);
        assert_eq!(text, configuration(300));
        let lines: std::collections::HashSet<_> =
            text.lines().filter(|line| line.contains(" = ")).collect();
        assert_eq!(lines.len(), 600);
        assert_eq!(numbered_address(258), "10.0.1.2/32");
        assert!(numbered_key(7).parse::<wire_contract::PublicKey>().is_ok());
    }

    #[test]
    #[should_panic(expected = "declare the test with lab_test!")]
    fn outside_the_lab_the_hosts_network_is_not_touched() {
        add_interface("wg0");
    }
}
