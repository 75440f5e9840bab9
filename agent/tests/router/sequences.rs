//! Any sequence of calls, on the agent and on the model: the same answers, and the same peers after
//! every one of them.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::Ipv4Addr,
};

use proptest::prelude::*;
use serde_json::{Map, Value, json};
use wgfleet_agent::http::Source;

use crate::{
    model::{Change, Meant, Member, Model, Peer, Settings, Verdict},
    rig::{Answered, Ask, NOW, Rig, key},
};

/// Keys of peers: of one the base64 is nothing but slashes.
const KEYS: [u8; 3] = [1, 2, 0xff];
const INTERFACES: [&str; 2] = ["wg0", "wg1"];
/// What is written, and what it means.
const ALLOWED_IPS: [(&str, &str); 13] = [
    ("10.0.0.1", "10.0.0.1/32"),
    ("10.0.0.1/32", "10.0.0.1/32"),
    ("10.0.0.2", "10.0.0.2/32"),
    ("10.0.0.77/24", "10.0.0.0/24"),
    ("10.0.0.0/24", "10.0.0.0/24"),
    ("10.9.9.9/0", "0.0.0.0/0"),
    ("fd00::5", "fd00::5/128"),
    ("FD00:0::5/128", "fd00::5/128"),
    ("fd00::5/64", "fd00::/64"),
    ("fd00::/64", "fd00::/64"),
    ("::1/0", "::/0"),
    ("::ffff:10.0.0.1", "::ffff:10.0.0.1/128"),
    ("10.0.0.1/31", "10.0.0.0/31"),
];
const NO_ALLOWED_IPS: [&str; 6] = [
    "10.0.0.256",
    "10.0.0.1/33",
    "::/129",
    "10.0.0.0/+8",
    "",
    "wg0",
];
const ENDPOINTS: [(&str, &str); 3] = [
    ("192.0.2.1:51820", "192.0.2.1:51820"),
    ("[2001:DB8::1]:7", "[2001:db8::1]:7"),
    ("[::1]:65535", "[::1]:65535"),
];

/// A member of a body: what is sent, if anything, and what it means.
type Sent<T> = (Option<Value>, Member<T>);

fn member<T: Clone + std::fmt::Debug + 'static>(
    good: impl Strategy<Value = (Value, T)> + 'static,
    bad: impl Strategy<Value = Value> + 'static,
) -> impl Strategy<Value = Sent<T>> {
    prop_oneof![
        20 => Just((None, Member::Absent)),
        20 => good.prop_map(|(value, meant)| (Some(value), Member::Is(meant))),
        1 => Just((Some(Value::Null), Member::Null)),
        1 => bad.prop_map(|value| (Some(value), Member::Bad)),
    ]
}

fn allowed_ips() -> impl Strategy<Value = Sent<BTreeSet<&'static str>>> {
    let list = proptest::collection::vec(proptest::sample::select(&ALLOWED_IPS[..]), 0..4);
    let good = list.prop_map(|list| {
        let (sent, meant): (Vec<_>, BTreeSet<_>) = list.into_iter().unzip();
        (json!(sent), meant)
    });
    let bad = proptest::sample::select(&NO_ALLOWED_IPS[..]);
    member(good, bad.prop_map(|bad| json!(["10.0.0.1", bad])))
}

fn preshared_key() -> impl Strategy<Value = Sent<Option<String>>> {
    let good = proptest::sample::select(vec![0u8, 8, 9]);
    let good = good.prop_map(|n| (json!(key(n)), (n > 0).then(|| key(n))));
    member(good, Just(json!("no key")))
}

fn keepalive() -> impl Strategy<Value = Sent<u16>> {
    let good = proptest::sample::select(vec![0u16, 25, 65535]);
    let bad = vec![json!(-1), json!(65536), json!(2.5), json!("25")];
    member(
        good.prop_map(|secs| (json!(secs), secs)),
        proptest::sample::select(bad),
    )
}

fn endpoint() -> impl Strategy<Value = Sent<&'static str>> {
    let good = proptest::sample::select(&ENDPOINTS[..]);
    let bad = vec![json!("vpn.example.com:1"), json!("192.0.2.1:0"), json!(7)];
    let good = good.prop_map(|(sent, meant)| (json!(sent), meant));
    member(good, proptest::sample::select(bad))
}

fn settings() -> impl Strategy<Value = (Map<String, Value>, Settings)> {
    let all = (allowed_ips(), preshared_key(), keepalive(), endpoint());
    all.prop_map(|(allowed_ips, preshared_key, keepalive, endpoint)| {
        let sent = [
            ("allowed_ips", allowed_ips.0),
            ("preshared_key", preshared_key.0),
            ("persistent_keepalive", keepalive.0),
            ("endpoint", endpoint.0),
        ];
        let body = sent
            .into_iter()
            .filter_map(|(name, value)| Some((name.to_owned(), value?)));
        let settings = Settings {
            allowed_ips: allowed_ips.1,
            preshared_key: preshared_key.1,
            persistent_keepalive: keepalive.1,
            endpoint: endpoint.1,
        };
        (body.collect(), settings)
    })
}

/// As it stands in a target, and what it names.
fn interface() -> impl Strategy<Value = (&'static str, Option<&'static str>)> {
    prop_oneof![
        30 => Just(("wg0", Some("wg0"))),
        12 => Just(("wg1", Some("wg1"))),
        4 => Just(("%77g0", Some("wg0"))),
        1 => Just(("wg9", Some("wg9"))),
        1 => Just(("wg%200", None)),
    ]
}

/// A key, and how it is spelled in a target.
fn spelled_key() -> impl Strategy<Value = (String, Option<String>)> {
    let good = proptest::sample::select(&KEYS[..]).prop_map(key);
    let spelled = (good, 0..3u8).prop_map(|(key, spelling)| {
        let target = match spelling {
            0 => key.clone(),
            1 => key.replace('/', "%2F"),
            _ => key.bytes().map(|byte| format!("%{byte:02x}")).collect(),
        };
        (target, Some(key))
    });
    let other = vec![key(1).replace('=', ""), format!("{}/", key(1)), "k".into()];
    let bad = proptest::sample::select(other).prop_map(|bad| (bad, None));
    prop_oneof![30 => spelled, 1 => bad]
}

/// A signed mutation and what it means.
#[derive(Clone)]
struct Request {
    ask: Ask,
    timestamp: i64,
    meant: Meant,
}

#[derive(Debug, Clone)]
enum Step {
    /// A new one, signed so many seconds off the agent's clock.
    Mutate {
        method: &'static str,
        target: String,
        body: Vec<u8>,
        offset: i64,
        with_next_secret: bool,
        meant: Meant,
    },
    /// One of those before, to the letter.
    Repeat(proptest::sample::Index),
    /// The interface's own key as a peer.
    AddOwnKey(&'static str),
    /// One of those before under a signature of somebody else.
    Forge(proptest::sample::Index),
    Read(&'static str, Option<&'static str>),
    Pass(i64),
}

fn mutation() -> impl Strategy<Value = Step> {
    let kind = prop_oneof![5 => Just("POST"), 5 => Just("PUT"), 3 => Just("DELETE")];
    let offset = prop_oneof![30 => 0..3i64, 1 => -302..=-298i64, 1 => 298..=302i64];
    let how = (any::<bool>(), offset, any::<bool>(), any::<bool>());
    (kind, interface(), spelled_key(), settings(), how).prop_map(
        |(method, (name, interface), (spelled, key), (mut body, settings), how)| {
            let (is_v1, offset, with_next_secret, with_query) = how;
            let (path, change) = match method {
                "POST" => {
                    // A body takes no percent-encoding.
                    let sent = key.clone().unwrap_or(spelled);
                    body.insert("public_key".into(), json!(sent));
                    (String::new(), Change::Add(settings))
                }
                "PUT" => (format!("/{spelled}"), Change::Update(settings)),
                _ => (format!("/{spelled}"), Change::Remove),
            };
            let is_without_body = matches!(change, Change::Remove);
            Step::Mutate {
                method,
                target: format!(
                    "{}/wg/{name}/peers{path}{}",
                    if is_v1 { "/v1" } else { "" },
                    if with_query { "?n=1" } else { "" }
                ),
                body: if is_without_body {
                    Vec::new()
                } else {
                    Value::Object(body).to_string().into_bytes()
                },
                offset,
                with_next_secret,
                meant: Meant {
                    interface,
                    key,
                    change,
                },
            }
        },
    )
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        24 => mutation(),
        6 => any::<proptest::sample::Index>().prop_map(Step::Repeat),
        1 => proptest::sample::select(&INTERFACES[..]).prop_map(Step::AddOwnKey),
        1 => any::<proptest::sample::Index>().prop_map(Step::Forge),
        2 => interface().prop_map(|(name, interface)| Step::Read(name, interface)),
        2 => prop_oneof![1..3i64, 295..305i64].prop_map(Step::Pass),
    ]
}

/// The agent and the model side by side.
struct Pair {
    rig: Rig,
    model: Model,
    sent: Vec<Request>,
    requests: u32,
}

impl Pair {
    async fn new() -> Self {
        let rig = Rig::in_memory();
        rig.control.create(&"wg1".parse().expect("a name"), 0);
        let mut own_keys = BTreeMap::new();
        for name in INTERFACES {
            let device = rig.get(&format!("/wg/{name}")).await.expect_ok();
            own_keys.insert(name, text(&device["public_key"]).to_owned());
        }
        Self {
            rig,
            model: Model::new(NOW, own_keys),
            sent: Vec::new(),
            requests: 0,
        }
    }

    async fn take(&mut self, step: &Step) {
        let now = self.model.now;
        match step {
            Step::Mutate {
                method,
                target,
                body,
                offset,
                with_next_secret,
                meant,
            } => {
                let timestamp = now + offset;
                let ask = Ask::new(method, target, body.clone()).at(timestamp);
                let ask = if *with_next_secret {
                    ask.with_next_secret()
                } else {
                    ask
                };
                let meant = meant.clone();
                self.mutate(Request {
                    ask,
                    timestamp,
                    meant,
                })
                .await;
            }
            Step::AddOwnKey(name) => {
                let device = self.read(&format!("/wg/{name}")).await.expect_ok();
                let body = json!({"public_key": device["public_key"]}).to_string();
                let meant = Meant {
                    interface: Some(name),
                    key: Some(text(&device["public_key"]).to_owned()),
                    change: Change::Add(nothing_said()),
                };
                let ask = Ask::new("POST", &format!("/wg/{name}/peers"), body).at(now);
                let timestamp = now;
                self.mutate(Request {
                    ask,
                    timestamp,
                    meant,
                })
                .await;
            }
            Step::Repeat(index) if !self.sent.is_empty() => {
                let request = index.get(&self.sent).clone();
                self.mutate(request).await;
            }
            Step::Forge(index) if !self.sent.is_empty() => {
                let forged = index.get(&self.sent).ask.clone().with_wrong_secret();
                agree(&self.send(forged).await, (401, "unauthorized"));
            }
            Step::Repeat(_) | Step::Forge(_) => {}
            Step::Read(name, interface) => {
                let expected = self.model.read(*interface);
                agree(&self.read(&format!("/wg/{name}/dump")).await, expected);
                agree(&self.read(&format!("/v1/wg/{name}")).await, expected);
            }
            Step::Pass(seconds) => {
                self.rig.pass(*seconds);
                self.model.now += seconds;
            }
        }
        self.compare().await;
    }

    async fn mutate(&mut self, request: Request) {
        let Request {
            ask,
            timestamp,
            meant,
        } = &request;
        let expected = self.model.mutate(&ask.signature(), *timestamp, meant);
        agree(&self.send(ask.clone()).await, expected);
        self.sent.push(request);
    }

    /// From another address each time: no source uses its allowance up.
    async fn send(&mut self, ask: Ask) -> Answered {
        self.requests += 1;
        let source = Source::Ip(Ipv4Addr::from(self.requests).into());
        self.rig.send_from(ask.build(), source).await
    }

    async fn read(&mut self, target: &str) -> Answered {
        let ask = Ask::new("GET", target, "").at(self.model.now);
        self.send(ask).await
    }

    /// What can be seen from outside.
    async fn compare(&mut self) {
        for name in INTERFACES {
            let dump = self.read(&format!("/wg/{name}/dump")).await.expect_ok();
            let listed = dump["peers"].as_array().expect("a list");
            let dumped: BTreeMap<_, _> = listed.iter().map(seen).collect();
            let peers = &self.model.interfaces[name];
            let expected: BTreeMap<_, _> = peers
                .iter()
                .map(|(key, peer)| (key.clone(), shown(key, peer)))
                .collect();
            assert_eq!(dumped, expected, "{name}");
            assert_eq!(listed.len(), dumped.len(), "{name}: a peer twice");
        }
    }

    /// What a dump never shows: a POST of the very same settings tells whether the preshared key is
    /// the expected one.
    async fn compare_preshared_keys(&mut self) {
        for (name, peers) in self.model.interfaces.clone() {
            for (key, peer) in peers {
                for (n, (asked, expected)) in probes(&key, &peer).into_iter().enumerate() {
                    let target = format!("/wg/{name}/peers?probe={n}");
                    let ask = Ask::new("POST", &target, asked.to_string()).at(self.model.now);
                    agree(&self.send(ask).await, expected);
                }
            }
        }
        self.compare().await;
    }
}

fn probes(key: &str, peer: &Peer) -> [(Value, Verdict); 2] {
    let with = |preshared_key: Option<&String>| {
        json!({
            "public_key": key, "allowed_ips": peer.allowed_ips, "preshared_key": preshared_key,
            "persistent_keepalive": peer.persistent_keepalive,
        })
    };
    let other = self::key(77);
    [
        (with(peer.preshared_key.as_ref()), (200, "")),
        (with(Some(&other)), (409, "peer_exists")),
    ]
}

fn nothing_said() -> Settings {
    Settings {
        allowed_ips: Member::Absent,
        preshared_key: Member::Absent,
        persistent_keepalive: Member::Absent,
        endpoint: Member::Absent,
    }
}

#[track_caller]
fn agree(answer: &Answered, (status, error): Verdict) {
    answer.expect(status, error);
}

fn text(value: &Value) -> &str {
    value.as_str().expect("a text")
}

/// A peer of a dump by its key, the allowed IPs sorted: their order is the kernel's.
fn seen(peer: &Value) -> (String, Value) {
    let mut peer = peer.clone();
    let list = peer["allowed_ips"].as_array_mut().expect("a list");
    list.sort_by(|one, other| text(one).cmp(text(other)));
    (text(&peer["public_key"]).to_owned(), peer)
}

/// The same of the model.
fn shown(key: &str, peer: &Peer) -> Value {
    json!({
        "public_key": key, "endpoint": peer.endpoint, "allowed_ips": peer.allowed_ips,
        "latest_handshake": 0, "transfer_rx": 0, "transfer_tx": 0,
        "persistent_keepalive": peer.persistent_keepalive,
    })
}

proptest! {
    #[test]
    fn any_sequence_ends_where_the_contract_says(steps in proptest::collection::vec(step(), 1..24)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.expect("a runtime").block_on(async {
            let mut pair = Pair::new().await;
            for step in &steps {
                pair.take(step).await;
            }
            pair.compare_preshared_keys().await;
        });
    }
}
