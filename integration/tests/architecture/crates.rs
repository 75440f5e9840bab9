//! Dependencies between crates, of every kind: normal, build and dev.

use std::{
    env,
    path::Path,
    process::{Command, Stdio},
};

use serde_json::Value;

use super::{assert_none, root};

/// Each room's crate, and the ones of ours it may use. `None`: it stands on top, and may use all.
const HOUSE: [(&str, Option<&[&str]>); 7] = [
    ("wire-contract", Some(&[])),
    ("agent", Some(&["wire-contract"])),
    ("proto", Some(&["wire-contract"])),
    ("controller", Some(&["proto", "wire-contract"])),
    ("benches", None),
    ("integration", None),
    ("packaging", None),
];

/// Crates, by the beginning of their names, and the rooms that may use them.
const CONFINED: [(&[&str], &[&str]); 3] = [
    (
        &[
            "netlink-",
            "rtnetlink",
            "genetlink",
            "neli",
            "wireguard-control",
            "defguard_wireguard",
        ],
        &["agent", "benches", "integration"],
    ),
    (
        &["rusqlite", "libsqlite3", "sqlx", "diesel"],
        &["agent", "controller", "integration", "benches"],
    ),
    (
        &["axum", "tonic", "prost", "tower"],
        &["proto", "controller", "integration", "benches"],
    ),
];

/// What `wire-contract` may use outside its tests: crates that compute. Everything else would have
/// to show first that it does no I/O.
const PURE: &[&str] = &[
    "base64",
    "faster-hex",
    "ipnet",
    "itoa",
    "ring",
    "serde",
    "serde_json",
    "subtle",
    "thiserror",
    "zeroize",
];

/// It panics on some of the kernel's messages: never in a program that ships.
const ORACLE: &str = "netlink-packet-wireguard";

struct Package {
    room: String,
    uses: Vec<Dependency>,
}

struct Dependency {
    name: String,
    /// When it is ours.
    room: Option<String>,
    /// For tests alone.
    dev: bool,
}

fn packages(metadata: &Value) -> Vec<Package> {
    let root = text(&metadata["workspace_root"]);
    let list = metadata["packages"].as_array().expect("a list of packages");
    list.iter()
        .map(|package| read_package(package, root))
        .collect()
}

fn read_package(package: &Value, root: &str) -> Package {
    let manifest = Path::new(text(&package["manifest_path"]));
    let dependencies = package["dependencies"]
        .as_array()
        .expect("a list of dependencies");
    Package {
        room: room(manifest.parent().expect("a manifest is in a folder"), root),
        uses: dependencies
            .iter()
            .map(|dependency| Dependency {
                name: text(&dependency["name"]).to_owned(),
                room: dependency["path"]
                    .as_str()
                    .map(|path| room(Path::new(path), root)),
                dev: dependency["kind"] == "dev",
            })
            .collect(),
    }
}

fn text(value: &Value) -> &str {
    value.as_str().expect("a string")
}

fn room(folder: &Path, root: &str) -> String {
    folder
        .strip_prefix(root)
        .unwrap_or(folder)
        .to_string_lossy()
        .into_owned()
}

fn violations(packages: &[Package]) -> Vec<String> {
    packages
        .iter()
        .flat_map(|package| package.uses.iter().filter_map(|used| judge(package, used)))
        .chain(packages.iter().filter_map(homeless))
        .collect()
}

fn homeless(package: &Package) -> Option<String> {
    let known = HOUSE.iter().any(|(room, _)| *room == package.room);
    (!known).then(|| format!("{}: a crate the house has no room for", package.room))
}

fn judge(package: &Package, used: &Dependency) -> Option<String> {
    let room = package.room.as_str();
    let forbidden = |why: &str| Some(format!("{room} uses {}: {why}", used.name));
    if let Some(target) = &used.room {
        let (_, allowed) = HOUSE.iter().find(|(known, _)| *known == room)?;
        return match allowed {
            Some(allowed) if !allowed.contains(&target.as_str()) => forbidden("not its floor"),
            _ => None,
        };
    }
    let confined = CONFINED.iter().find(|(names, _)| {
        names
            .iter()
            .any(|beginning| used.name.starts_with(beginning))
    });
    if let Some((_, rooms)) = confined
        && !rooms.contains(&room)
    {
        return forbidden("confined to other rooms");
    }
    if room == "wire-contract" && !used.dev && !PURE.contains(&used.name.as_str()) {
        return forbidden("not known to do no I/O");
    }
    if room == "agent" && !used.dev && used.name == ORACLE {
        return forbidden("an oracle for tests");
    }
    None
}

#[test]
fn crates_use_only_what_their_room_may() {
    let cargo = env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    let output = Command::new(cargo)
        .args(["metadata", "--no-deps", "--offline", "--format-version=1"])
        .current_dir(root())
        .stderr(Stdio::inherit())
        .output()
        .expect("cargo runs");
    assert!(output.status.success(), "cargo metadata: {}", output.status);
    let metadata = serde_json::from_slice(&output.stdout).expect("cargo prints JSON");
    let packages = packages(&metadata);
    assert!(
        packages.iter().any(|package| package.room == "agent"),
        "the agent is a member"
    );
    assert_none(&violations(&packages));
}

/// The violations of one crate in `room` with one dependency.
fn of_one(room: &str, dependency: &Value) -> usize {
    let package = serde_json::json!({
        "manifest_path": format!("/house/{room}/Cargo.toml"),
        "dependencies": [dependency],
    });
    let metadata = serde_json::json!({"workspace_root": "/house", "packages": [package]});
    violations(&packages(&metadata)).len()
}

#[test]
fn a_crate_on_the_wrong_floor_is_found() {
    let ours = |room: &str, target: &str, kind: Value| {
        let path = format!("/house/{target}");
        of_one(
            room,
            &serde_json::json!({"name": target, "path": path, "kind": kind}),
        )
    };
    let wrong = [
        ("agent", "controller"),
        ("controller", "agent"),
        ("agent", "proto"),
        ("wire-contract", "agent"),
        ("proto", "controller"),
        ("agent", "benches"),
        ("controller", "integration"),
    ];
    for (room, target) in wrong {
        assert_eq!(ours(room, target, Value::Null), 1, "{room} uses {target}");
        assert_eq!(
            ours(room, target, "dev".into()),
            1,
            "{room} tests with {target}"
        );
    }
    let right = [
        ("controller", "proto"),
        ("agent", "wire-contract"),
        ("integration", "agent"),
    ];
    for (room, target) in right {
        assert_eq!(ours(room, target, Value::Null), 0, "{room} uses {target}");
    }
}

#[test]
fn a_foreign_crate_in_the_wrong_room_is_found() {
    let foreign = |room: &str, name: &str, kind: Value| {
        of_one(
            room,
            &serde_json::json!({"name": name, "path": null, "kind": kind}),
        )
    };
    let wrong = [
        ("controller", "rtnetlink"),
        ("controller", "netlink-packet-wireguard"),
        ("proto", "rusqlite"),
        ("agent", "axum"),
        ("agent", ORACLE),
        ("wire-contract", "tokio"),
        ("wire-contract", "rustix"),
        ("scripts", "serde"),
    ];
    for (room, name) in wrong {
        assert_eq!(foreign(room, name, Value::Null), 1, "{room} uses {name}");
    }
    assert_eq!(foreign("agent", "rtnetlink", Value::Null), 0);
    assert_eq!(foreign("agent", ORACLE, "dev".into()), 0);
    assert_eq!(foreign("wire-contract", "proptest", "dev".into()), 0);
    assert_eq!(foreign("wire-contract", "proptest", Value::Null), 1);
}
