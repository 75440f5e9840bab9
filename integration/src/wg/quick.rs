//! A tunnel from a client's configuration.

use super::{delete_interface, exists, ip, setconf};

/// What wg-quick knows beside what `wg` does.
const OF_WG_QUICK: [&str; 3] = ["Address", "DNS", "MTU"];

/// Does with a configuration what wg-quick does with it, but leaves names and the MTU alone and makes no
/// rules: what goes to the endpoint needs a narrower route than the tunnel's. In place of an interface of
/// that name, if there is one.
///
/// # Panics
/// When `wg` or `ip` refuses.
#[track_caller]
pub fn quick_up(interface: &str, config: &str) {
    if exists(interface) {
        delete_interface(interface);
    }
    ip(&["link", "add", interface, "type", "wireguard"]);
    let rest: Vec<_> = config
        .lines()
        .filter(|line| !key(line).is_some_and(|key| OF_WG_QUICK.contains(&key)))
        .collect();
    setconf(interface, &(rest.join("\n") + "\n"));
    for address in values(config, "Address") {
        ip(&["address", "add", address, "dev", interface]);
    }
    ip(&["link", "set", interface, "up"]);
    for network in values(config, "AllowedIPs") {
        ip(&["route", "replace", network, "dev", interface]);
    }
}

fn key(line: &str) -> Option<&str> {
    line.split_once('=').map(|(key, _)| key.trim())
}

fn values<'a>(config: &'a str, wanted: &str) -> Vec<&'a str> {
    let lines = config.lines().filter(|line| key(line) == Some(wanted));
    let values = lines.filter_map(|line| line.split_once('='));
    values
        .flat_map(|(_, values)| values.split(','))
        .map(str::trim)
        .collect()
}
