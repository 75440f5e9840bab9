//! Peers of files, there and back.

use std::{fs, os::unix::fs::PermissionsExt as _};

use serde_json::json;
use wgfleet_integration::wg::numbered_key;

use super::fleet::{Fleet, Shell};

/// As people and programs leave it.
fn handmade() -> String {
    let key = numbered_key;
    format!(
        "# Our VPN server
[Interface]
Address = 10.8.1.1/24
ListenPort = 51820
PrivateKey = {}
PostUp = iptables -A FORWARD -i %i -j ACCEPT; # all of it

# Anna's laptop
[Peer]
PublicKey = {}
PresharedKey = {}
AllowedIPs = 10.8.1.10/32, fd00:8:1::10
PersistentKeepalive = 25

[Peer]
# phone of Bert
publickey={}
allowedips = 10.8.1.11
AllowedIPs = 192.168.7.9/24
persistentkeepalive = off
Endpoint = 203.0.113.7:4500
### begin carol ###
[Peer]
PublicKey = {}
AllowedIPs = 10.8.1.12/32
### end carol ###
### begin dave ###
[Peer]
PublicKey = {}
AllowedIPs = 10.8.1.13/32
### end dave ###

# Client: erin (0b8d6e1c-6f0e-4c8e-9d5e-2f1f6a1f0b3a)
[Peer]
PublicKey = {}
AllowedIPs = 10.8.1.14/32

# ID:    cabc
# Name:  frank
# Email: frank@example.com
[Peer]
PublicKey = {}
AllowedIPs = 10.8.1.15/32

# old-laptop
#[Peer]
#PublicKey = {}
#AllowedIPs = 10.8.1.99/32

[Peer]
PublicKey = {} # gina
AllowedIPs = 10.8.1.16/32

[Peer]
PublicKey = {}
AllowedIPs = 10.8.1.17/32
",
        key(0),
        key(1),
        key(101),
        key(2),
        key(3),
        key(4),
        key(5),
        key(6),
        key(99),
        key(7),
        key(8),
    )
}

/// Of all peers, by name.
fn peers(shell: &Shell) -> Vec<(String, serde_json::Value)> {
    let list = shell.json(&["peer", "list", "--sort", "created_at"]);
    let list = list.as_array().expect("a list");
    list.iter()
        .map(|peer| {
            (
                peer["name"].as_str().expect("a name").to_owned(),
                peer.clone(),
            )
        })
        .collect()
}

#[test]
fn a_server_made_by_hand_is_taken_over_as_it_is() {
    let fleet = Fleet::new();
    let shell = &fleet.shell;
    shell.file("wg0.conf", &handmade());
    let dry = shell.run(&[
        "peer",
        "import",
        "wg0.conf",
        "--node",
        "node-1",
        "--dry-run",
    ]);
    assert_eq!(dry.good().lines().count(), 9);
    assert!(
        !dry.stdout.contains(&numbered_key(101)),
        "a preshared key is shown"
    );
    assert!(peers(shell).is_empty());

    let run = shell.run(&["peer", "import", "wg0.conf", "--node", "node-1"]);
    assert_eq!(run.good(), "added 8 of 8 peers\n");
    assert!(run.stderr.contains("the Endpoint of 1 peer is"), "{run:?}");
    let taken = peers(shell);
    let nameless = format!("peer {}", &numbered_key(8)[..8]);
    let names: Vec<_> = taken.iter().map(|(name, _)| name.as_str()).collect();
    let expected = [
        "Anna's laptop",
        "phone of Bert",
        "carol",
        "dave",
        "erin",
        "frank",
        "gina",
        &nameless,
    ];
    assert_eq!(names, expected);
    let (anna, bert) = (&taken[0].1, &taken[1].1);
    assert_eq!(
        anna["allowed_ips"],
        json!(["10.8.1.10/32", "fd00:8:1::10/128"])
    );
    assert_eq!(
        (&anna["persistent_keepalive"], &anna["has_preshared_key"]),
        (&json!(25), &json!(true))
    );
    assert_eq!(
        bert["allowed_ips"],
        json!(["10.8.1.11/32", "192.168.7.0/24"])
    );
    assert_eq!(
        (&bert["persistent_keepalive"], &bert["has_preshared_key"]),
        (&json!(0), &json!(false))
    );

    // And back, into a file that taken over again comes to the same.
    let export = [
        "peer",
        "export",
        "--node",
        "node-1",
        "--with-preshared-keys",
        "--file",
        "out.conf",
    ];
    assert_eq!(shell.run(&export).good(), "wrote 8 peers into out.conf\n");
    let path = shell.path("out.conf");
    let mode = fs::metadata(&path).expect("a file").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let text = fs::read_to_string(&path).expect("text");
    assert!(
        text.contains(&format!("PresharedKey = {}\n", numbered_key(101))),
        "{text}"
    );
    let again = Fleet::new();
    again.shell.file("out.conf", &text);
    again
        .shell
        .run(&["peer", "import", "out.conf", "--node", "node-1"])
        .good();
    let export = [
        "peer",
        "export",
        "--node",
        "node-1",
        "--with-preshared-keys",
        "--format",
        "conf",
    ];
    assert_eq!(again.shell.run(&export).good(), text);

    // It is never written over.
    let run = shell.run(&["peer", "export", "--file", "out.conf", "--format", "csv"]);
    run.bad(74);
    assert_eq!(fs::read_to_string(&path).expect("text"), text);
}

#[test]
fn what_is_exported_can_be_imported() {
    let fleet = Fleet::new();
    let shell = &fleet.shell;
    shell.file("psk", &numbered_key(50));
    shell
        .run(&[
            "peer",
            "add",
            "Anna's \"laptop\", old",
            "--node",
            "node-1",
            "--dns",
            "10.8.1.1",
            "--dns",
            "example.com",
            "--mtu",
            "1380",
            "--client-allowed-ip",
            "10.0.0.0/8",
            "--keepalive",
            "25",
            "--quota",
            "10GiB",
            "--quota-period",
            "week",
            "--expires",
            "2999-01-01T00:00:00Z",
            "--disabled",
            "--label",
            "a=1",
            "--label",
            "b=2",
            "--preshared-key-file",
            "psk",
        ])
        .good();
    shell
        .run(&["peer", "add", "plain", "--node", "node-2"])
        .good();
    for format in ["csv", "json"] {
        let file = format!("peers.{format}");
        shell
            .run(&["peer", "export", "--with-preshared-keys", "--file", &file])
            .good();
        let text = fs::read_to_string(shell.path(&file)).expect("text");
        assert!(text.contains(&numbered_key(50)), "{text}");
        let other = Fleet::new();
        other.shell.file(&file, &text);
        let run = other.shell.run(&["peer", "import", &file]);
        assert_eq!(run.good(), "added 2 of 2 peers\n");
        let export = [
            "peer",
            "export",
            "--with-preshared-keys",
            "--format",
            format,
        ];
        assert_eq!(other.shell.run(&export).good(), text, "{format}");
    }
    // Without being asked, no key.
    let run = shell.run(&["peer", "export", "--format", "json"]);
    assert!(
        !run.good().contains(&numbered_key(50)) && run.stderr.contains("--with-preshared-keys")
    );
    let run = shell.run(&["peer", "export", "--format", "conf"]);
    assert!(run.bad(64).contains("--node"));
    // A disabled peer is not on its node.
    let run = shell.run(&["peer", "export", "--format", "conf", "--node", "node-1"]);
    assert_eq!(run.good(), "");
    assert!(
        run.stderr.contains("left out, not being active: 1 peer"),
        "{run:?}"
    );
}

#[test]
fn what_is_wrong_with_one_keeps_out_no_other() {
    let fleet = Fleet::new();
    let shell = &fleet.shell;
    let (a, b, c) = (numbered_key(1), numbered_key(2), numbered_key(3));
    let csv = format!(
        "name,public_key,allowed_ips\na,{a},10.8.1.10/32\nb,{b},10.8.1.10/32\nc,{c},10.8.1.12/32\n"
    );
    shell.file("peers.csv", &csv);
    let run = shell.run(&["peer", "import", "peers.csv", "--node", "node-1"]);
    assert!(run.bad(1).contains("1 of 3 peers refused"), "{run:?}");
    assert!(run.stdout.starts_with("added 2 of 3 peers\n"), "{run:?}");
    let told = run.stdout.lines().last().expect("a line");
    assert!(told.starts_with("line 3  b     address_taken"), "{run:?}");

    // Sent again, what is there stays as it is.
    let run = shell.run(&[
        "peer",
        "import",
        "peers.csv",
        "--node",
        "node-1",
        "--skip-existing",
    ]);
    run.bad(1);
    assert!(
        run.stdout
            .starts_with("added 0 of 3 peers, 2 were there already\n"),
        "{run:?}"
    );
    let output = ["--output", "json"];
    let import = [
        "peer",
        "import",
        "peers.csv",
        "--node",
        "node-1",
        "--skip-existing",
    ];
    let run = shell.run(&[&import[..], &output].concat());
    let results: serde_json::Value = serde_json::from_str(&run.stdout).expect("JSON");
    let of = |name: &str| {
        let mut results = results.as_array().expect("a list").iter();
        results.find(|result| result["name"] == name).expect(name)
    };
    assert_eq!(of("a")["result"], "skipped");
    assert_eq!(of("b")["result"], "refused");
    assert_eq!(of("b")["code"], "address_taken");
}

#[test]
fn a_file_with_mistakes_is_not_imported_at_all() {
    let fleet = Fleet::new();
    let shell = &fleet.shell;
    let key = numbered_key(1);
    for (file, content, told) in [
        (
            "a.conf",
            format!("[Peer]\nPublicKey = {key}\n"),
            "line 1: the peer has no AllowedIPs",
        ),
        (
            "b.conf",
            "[Peer]\nAllowedIPs = 10.0.0.1\n".into(),
            "line 1: the peer has no PublicKey",
        ),
        (
            "c.conf",
            format!("[Peer]\nPublicKey = {key}\nPresharedKey = {key}x\n"),
            "line 3: PresharedKey is 32",
        ),
        ("d.conf", "[Pear]\n".into(), "line 1: a section is"),
        (
            "e.conf",
            format!("[Peer]\nPublicKey = {key}\nAllowedIPs = 10.0.0.300\n"),
            "line 3: AllowedIPs",
        ),
        (
            "f.csv",
            "name,colour\na,red\n".into(),
            "no column \"colour\"",
        ),
        (
            "g.csv",
            "name,node\na,nowhere\n".into(),
            "line 2: there is no node named nowhere",
        ),
        ("h.json", "{}".into(), "not a JSON array"),
    ] {
        shell.file(file, &content);
        let run = shell.run(&["peer", "import", file]);
        let complaint = run.bad(65);
        assert!(complaint.contains(told), "{file}: {complaint}");
        assert!(!complaint.contains(&format!("{key}x")), "{complaint}");
    }
    assert!(
        shell
            .run(&["peer", "import", "none.csv"])
            .bad(74)
            .contains("none.csv")
    );
    assert!(
        shell
            .run(&["peer", "import", "peers.txt"])
            .bad(64)
            .contains("--format")
    );
    // The API's own word on a field names the peer.
    shell.file(
        "i.json",
        "[{\"name\": \"a\"}, {\"name\": \"b\", \"mtu\": \"wide\"}]",
    );
    let run = shell.run(&["peer", "import", "i.json", "--node", "node-1"]);
    assert!(run.bad(1).contains("peer 2, b: "), "{run:?}");
    assert!(peers(shell).is_empty());
}
