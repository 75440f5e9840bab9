//! Which modules may name which paths.

use std::{fs, path::Path};

use super::{assert_none, paths, root};

/// Paths that only some sources may name.
struct Rule {
    /// Where it holds: files whose path begins with one of these,
    within: &'static [&'static str],
    /// unless it begins with one of these, followed by `.rs` or `/`.
    except: &'static [&'static str],
    /// Paths, or the beginnings of paths; `*` at the end stands for the rest of a name.
    never: &'static [&'static str],
    why: &'static str,
}

/// What touches the world. Addresses of `std::net` don't.
const IO: &[&str] = &[
    "std::fs",
    "std::io",
    "std::env",
    "std::os",
    "std::process",
    "std::thread",
    "std::net::TcpStream",
    "std::net::TcpListener",
    "std::net::UdpSocket",
    "std::net::ToSocketAddrs",
    "std::time::SystemTime",
    "std::time::Instant",
    "ring::rand",
    "rand*",
    "getrandom*",
    "tokio*",
    "hyper*",
    "reqwest*",
    "rustix*",
    "libc*",
    "nix",
    "mio*",
    "socket2",
    "rusqlite*",
    "tonic*",
    "axum*",
    "netlink_*",
    "rtnetlink",
];

const RULES: &[Rule] = &[
    Rule {
        within: &["wire-contract/src/"],
        except: &[],
        never: IO,
        why: "the contract does no I/O",
    },
    Rule {
        within: &["controller/src/domain"],
        except: &[],
        never: IO,
        why: "the domain is functions of values",
    },
    Rule {
        within: &[
            "agent/src/",
            "controller/src/",
            "proto/src/",
            "wire-contract/src/",
        ],
        except: &["agent/src/wireguard/kernel", "agent/src/link"],
        never: &[
            "netlink_*",
            "rtnetlink",
            "genetlink*",
            "neli*",
            "rustix::net::netlink",
            "libc::AF_NETLINK",
        ],
        why: "netlink is for agent/src/wireguard/kernel and agent/src/link",
    },
    Rule {
        within: &[
            "agent/src/",
            "controller/src/",
            "proto/src/",
            "wire-contract/src/",
        ],
        except: &["agent/src/state", "controller/src/store"],
        never: &["rusqlite*", "libsqlite3_sys"],
        why: "SQLite is for the two stores",
    },
    Rule {
        within: &["controller/src/facade"],
        except: &[],
        never: &["crate::store", "super::store", "wgfleet_controller::store"],
        why: "the facade goes through the services",
    },
    Rule {
        within: &["controller/src/"],
        except: &["controller/src/facade/pages"],
        never: &["askama*"],
        why: "what people see is made in facade/pages",
    },
    Rule {
        within: &["controller/src/cli", "controller/src/bin/wgfleet"],
        except: &[],
        never: &[
            "crate::dispatch",
            "crate::facade",
            "crate::run",
            "crate::services",
            "crate::store",
            "super::dispatch",
            "super::facade",
            "super::services",
            "super::store",
            "wgfleet_controller::dispatch",
            "wgfleet_controller::facade",
            "wgfleet_controller::services",
            "wgfleet_controller::store",
            "axum*",
            "prost*",
            "tonic*",
            "wgfleet_proto",
        ],
        why: "the command line knows the documented API and nothing behind it",
    },
    Rule {
        within: &["agent/src/"],
        except: &[],
        never: &[
            "std::process::Command",
            "tokio::process",
            "async_process",
            "libc::fork",
            "libc::exec*",
            "libc::posix_spawn*",
            "libc::system",
            "rustix::runtime",
        ],
        why: "the agent never runs a subprocess",
    },
    Rule {
        within: &["agent/"],
        except: &[],
        never: &["wgfleet_controller", "wgfleet_proto"],
        why: "agent and controller know each other by the contract alone",
    },
    Rule {
        within: &["controller/", "proto/"],
        except: &[],
        never: &["wgfleet_agent"],
        why: "agent and controller know each other by the contract alone",
    },
    Rule {
        within: &["agent/", "controller/", "proto/", "wire-contract/"],
        except: &[],
        never: &["wgfleet_benches", "wgfleet_integration"],
        why: "benches and integration stand on top",
    },
];

fn violations(file: &str, source: &str) -> Vec<String> {
    let rules: Vec<_> = RULES.iter().filter(|rule| rule.holds_in(file)).collect();
    let mut found = Vec::new();
    for path in paths::named(source) {
        let path = normal(&path);
        let broken = rules
            .iter()
            .filter(|rule| rule.never.iter().any(|never| reaches(&path, never)));
        found.extend(broken.map(|rule| format!("{file} names {path}: {}", rule.why)));
    }
    found
}

impl Rule {
    fn holds_in(&self, file: &str) -> bool {
        let is_in = |room: &&str| {
            file.strip_prefix(*room)
                .is_some_and(|rest| room.ends_with('/') || rest.starts_with('/') || rest == ".rs")
        };
        self.within.iter().any(is_in) && !self.except.iter().any(is_in)
    }
}

/// One spelling for what has several: `core` and `alloc` are `std`, and however many `super`s lead
/// up, and a `crate` reached by them, end in one.
fn normal(path: &str) -> String {
    let mut path = path;
    while let Some(rest) = path.strip_prefix("self::") {
        path = rest;
    }
    while path.starts_with("super::super::") {
        path = &path["super::".len()..];
    }
    match path.split_once("::") {
        Some(("core" | "alloc", rest)) => format!("std::{rest}"),
        _ => path.to_owned(),
    }
}

/// Whether naming `path` is naming `never`, something below it, or, by a glob, all that stands
/// beside it.
fn reaches(path: &str, never: &str) -> bool {
    if let Some(beginning) = never.strip_suffix('*') {
        return path.starts_with(beginning);
    }
    if let Some(parent) = path.strip_suffix("::*")
        && never
            .rsplit_once("::")
            .is_some_and(|(above, _)| above == parent)
    {
        return true;
    }
    path.strip_prefix(never)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
}

fn sources(folder: &Path, visit: &mut impl FnMut(&Path)) {
    for entry in fs::read_dir(folder).into_iter().flatten() {
        let path = entry.expect("a readable folder").path();
        if path.is_dir() {
            sources(&path, visit);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            visit(&path);
        }
    }
}

#[test]
fn sources_name_only_what_their_module_may() {
    let (mut found, mut count) = (Vec::new(), 0);
    for room in ["agent", "controller", "proto", "wire-contract"] {
        sources(&root().join(room), &mut |path| {
            let file = path
                .strip_prefix(root())
                .expect("below the top")
                .to_string_lossy();
            found.extend(violations(
                &file,
                &fs::read_to_string(path).expect("a readable source"),
            ));
            count += 1;
        });
    }
    assert!(count > 10, "only {count} sources were found");
    assert_none(&found);
}

#[test]
fn every_rule_finds_its_violation() {
    let wrong = [
        ("wire-contract/src/key.rs", "use std::fs::File;"),
        (
            "wire-contract/src/key.rs",
            "fn f() { std::time::SystemTime::now(); }",
        ),
        ("wire-contract/src/key.rs", "use std::net::*;"),
        ("controller/src/domain/plan.rs", "use tokio::fs;"),
        ("controller/src/domain.rs", "use std::{io::Read, fmt};"),
        (
            "agent/src/http/routes.rs",
            "use netlink_packet_core::NetlinkMessage;",
        ),
        ("agent/src/wireguard/kernelly.rs", "use rtnetlink::Handle;"),
        ("agent/src/state/mod.rs", "use rustix::net::netlink;"),
        (
            "controller/src/services/peers.rs",
            "use rusqlite::Connection;",
        ),
        ("agent/src/http/mod.rs", "extern crate rusqlite;"),
        (
            "controller/src/facade/peers.rs",
            "use crate::{services, store::Peers};",
        ),
        ("controller/src/facade/peers.rs", "use super::super::store;"),
        (
            "controller/src/facade.rs",
            "fn f() { crate::store::open() }",
        ),
        ("controller/src/services/mod.rs", "use askama::Template;"),
        ("controller/src/cli/mod.rs", "use crate::{cli, store};"),
        (
            "controller/src/cli/peer/mod.rs",
            "use crate::services::status;",
        ),
        ("controller/src/cli.rs", "use super::super::dispatch;"),
        (
            "controller/src/bin/wgfleet.rs",
            "fn main() { wgfleet_controller::store::open() }",
        ),
        (
            "agent/src/link/mod.rs",
            "use std::process::{self, Command};",
        ),
        (
            "agent/src/link/mod.rs",
            "use std::process; fn f() { process::Command::new(x) }",
        ),
        (
            "agent/src/main.rs",
            "fn f() { tokio::process::Command::new(x) }",
        ),
        ("agent/tests/fleet.rs", "use wgfleet_controller::domain;"),
        (
            "controller/tests/fleet.rs",
            "use wgfleet_agent::wireguard::simulated;",
        ),
        ("agent/src/lib.rs", "use wgfleet_integration::wg;"),
    ];
    for (file, source) in wrong {
        assert_eq!(violations(file, source).len(), 1, "{file}: {source}");
    }
}

#[test]
fn what_is_allowed_is_not_found() {
    let right = [
        (
            "wire-contract/src/dto.rs",
            "use std::net::{IpAddr, SocketAddr}; use std::time::Duration;",
        ),
        (
            "controller/src/domain/plan.rs",
            "use std::collections::BTreeMap; // std::fs",
        ),
        (
            "agent/src/wireguard/kernel/socket.rs",
            "use netlink_packet_core::X; use rustix::net::netlink;",
        ),
        (
            "agent/src/wireguard/kernel.rs",
            "use netlink_packet_core::NetlinkMessage;",
        ),
        ("agent/src/link.rs", "use rtnetlink::Handle;"),
        ("controller/src/store/peers.rs", "use rusqlite::Connection;"),
        ("controller/src/services/peers.rs", "use crate::store;"),
        (
            "controller/src/cli/mod.rs",
            "use crate::{agent_client, domain::calendar};",
        ),
        (
            "controller/src/facade/peers.rs",
            "use super::services; use crate::storefront;",
        ),
        (
            "agent/src/main.rs",
            "use std::process::ExitCode; fn f() { std::process::exit(64) }",
        ),
        ("integration/src/agent.rs", "use std::process::Command;"),
    ];
    for (file, source) in right {
        assert_eq!(violations(file, source), [""; 0], "{file}: {source}");
    }
}
