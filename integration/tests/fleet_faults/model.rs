//! What the controller has acknowledged, and what it may or may not have done.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::runner::{Answer, text};

/// Small numbers that follow from a seed.
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    /// From 0 up to `below`.
    pub(crate) fn roll(&mut self, below: usize) -> usize {
        // splitmix64
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^= z >> 31;
        usize::try_from(z % u64::try_from(below).expect("small")).expect("small")
    }
}

/// Something asked of the controller.
#[derive(Debug, Clone)]
pub(crate) enum Ask {
    CreatePeer { name: String, keepalive: u64 },
    PatchPeer { name: String, keepalive: u64 },
    DeletePeer { name: String },
    CreateNode { name: String },
    PatchNode { name: String, weight: u64 },
    DeleteNode { name: String },
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Peer {
    id: String,
    public_key: String,
    address: String,
    keepalive: u64,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Node {
    id: String,
    weight: u64,
}

/// Everything acknowledged.
#[derive(Debug, Default)]
pub(crate) struct Model {
    peers: BTreeMap<String, Peer>,
    nodes: BTreeMap<String, Node>,
    /// Asked, and never answered.
    doubts: Vec<Ask>,
    made: u64,
}

impl Model {
    pub(crate) fn peer_count(&self) -> usize {
        self.peers.len()
    }

    /// Requests that don't touch the same thing, so that they can be under way together.
    pub(crate) fn draw(&mut self, dice: &mut Dice, of_nodes: bool) -> Vec<Ask> {
        let mut used = BTreeSet::new();
        (0..1 + dice.roll(3))
            .filter_map(|_| {
                let ask = self.draw_one(dice, of_nodes);
                let name = match &ask {
                    Ask::CreatePeer { name, .. }
                    | Ask::PatchPeer { name, .. }
                    | Ask::DeletePeer { name }
                    | Ask::CreateNode { name }
                    | Ask::PatchNode { name, .. }
                    | Ask::DeleteNode { name } => name,
                };
                used.insert(name.clone()).then_some(ask)
            })
            .collect()
    }

    fn draw_one(&mut self, dice: &mut Dice, of_nodes: bool) -> Ask {
        self.made += 1;
        let (made, kind) = (self.made, dice.roll(6));
        let keepalive = 1 + u64::try_from(dice.roll(60_000)).expect("small");
        if of_nodes && dice.roll(3) > 0 {
            let at = dice.roll(self.nodes.len().max(1));
            return match (kind, self.nodes.keys().nth(at).cloned()) {
                (0 | 1, Some(name)) => Ask::DeleteNode { name },
                (2 | 3, Some(name)) => Ask::PatchNode {
                    name,
                    weight: keepalive,
                },
                _ => Ask::CreateNode {
                    name: format!("extra-{made}"),
                },
            };
        }
        let at = dice.roll(self.peers.len().max(1));
        let full = self.peers.len() >= 40;
        match (kind, self.peers.keys().nth(at).cloned()) {
            (0, Some(name)) => Ask::DeletePeer { name },
            (1 | 2, Some(name)) => Ask::PatchPeer { name, keepalive },
            (_, Some(name)) if full => Ask::DeletePeer { name },
            _ => Ask::CreatePeer {
                name: format!("peer-{made}"),
                keepalive,
            },
        }
    }

    /// The call that asks for it.
    pub(crate) fn call(&self, ask: &Ask, node: &str) -> (&'static str, String, Value) {
        let peer = |name: &String| format!("/peers/{}", self.peers[name].id);
        let extra = |name: &String| format!("/nodes/{}", self.nodes[name].id);
        match ask {
            Ask::CreatePeer { name, keepalive } => {
                let body = json!({
                    "name": name, "node_id": node, "persistent_keepalive": keepalive,
                    "preshared_key": "generate",
                });
                ("POST", "/peers".into(), body)
            }
            Ask::PatchPeer { name, keepalive } => {
                let body = json!({ "persistent_keepalive": keepalive });
                ("PATCH", peer(name), body)
            }
            Ask::DeletePeer { name } => ("DELETE", peer(name), Value::Null),
            Ask::CreateNode { name } => {
                // Nobody listens there, and nobody is asked: it is disabled.
                let body = json!({
                    "name": name, "agent_url": format!("http://{name}.invalid"), "wg_interface": "wg0",
                    "ip_pool_cidr": "10.77.0.0/24", "enabled": false,
                });
                ("POST", "/nodes".into(), body)
            }
            Ask::PatchNode { name, weight } => ("PATCH", extra(name), json!({ "weight": weight })),
            Ask::DeleteNode { name } => ("DELETE", extra(name), Value::Null),
        }
    }

    /// An answer came.
    pub(crate) fn acknowledge(&mut self, ask: Ask, answer: &Answer) {
        let wanted = match ask {
            Ask::CreatePeer { .. } | Ask::CreateNode { .. } => 201,
            _ => 200,
        };
        assert_eq!(answer.status, wanted, "{ask:?}: {}", answer.body);
        match ask {
            Ask::CreatePeer { name, .. } => {
                self.peers.insert(name, Peer::of(&answer.body));
            }
            Ask::PatchPeer { name, keepalive } => {
                self.peers.get_mut(&name).expect("known").keepalive = keepalive;
            }
            Ask::DeletePeer { name } => drop(self.peers.remove(&name)),
            Ask::CreateNode { name } => {
                self.nodes.insert(name, Node::of(&answer.body));
            }
            Ask::PatchNode { name, weight } => {
                self.nodes.get_mut(&name).expect("known").weight = weight;
            }
            Ask::DeleteNode { name } => drop(self.nodes.remove(&name)),
        }
    }

    /// No answer came.
    pub(crate) fn doubt(&mut self, ask: Ask) {
        self.doubts.push(ask);
    }

    /// Compares with what the controller has: each doubt is resolved as wholly done or not at all.
    pub(crate) fn check(&mut self, peers: &[Value], nodes: &[Value]) {
        let peers: BTreeMap<_, _> = peers
            .iter()
            .map(|peer| (text(&peer["name"]), Peer::of(peer)))
            .collect();
        let nodes: BTreeMap<_, _> = nodes
            .iter()
            .filter(|node| node["name"] != "main")
            .map(|node| (text(&node["name"]), Node::of(node)))
            .collect();
        for doubt in std::mem::take(&mut self.doubts) {
            self.resolve(doubt, &peers, &nodes);
        }
        assert_eq!(peers, self.peers, "left: in the store, right: acknowledged");
        assert_eq!(nodes, self.nodes, "left: in the store, right: acknowledged");
        let addresses: BTreeSet<_> = peers.values().map(|peer| &peer.address).collect();
        assert_eq!(addresses.len(), peers.len(), "an address was given twice");
    }

    fn resolve(
        &mut self,
        doubt: Ask,
        peers: &BTreeMap<String, Peer>,
        nodes: &BTreeMap<String, Node>,
    ) {
        match doubt {
            Ask::CreatePeer { name, keepalive } => {
                if let Some(peer) = peers.get(&name) {
                    assert_eq!(peer.keepalive, keepalive, "half of {name} was created");
                    self.peers.insert(name, peer.clone());
                }
            }
            Ask::PatchPeer { name, keepalive } => {
                if peers
                    .get(&name)
                    .is_some_and(|peer| peer.keepalive == keepalive)
                {
                    self.peers.get_mut(&name).expect("known").keepalive = keepalive;
                }
            }
            Ask::DeletePeer { name } if !peers.contains_key(&name) => {
                self.peers.remove(&name);
            }
            Ask::CreateNode { name } => {
                if let Some(node) = nodes.get(&name) {
                    self.nodes.insert(name, node.clone());
                }
            }
            Ask::PatchNode { name, weight } => {
                if nodes.get(&name).is_some_and(|node| node.weight == weight) {
                    self.nodes.get_mut(&name).expect("known").weight = weight;
                }
            }
            Ask::DeleteNode { name } if !nodes.contains_key(&name) => {
                self.nodes.remove(&name);
            }
            Ask::DeletePeer { .. } | Ask::DeleteNode { .. } => {}
        }
    }

    /// What the agent's dump must show: keys with their address and keepalive.
    pub(crate) fn dump(&self) -> BTreeMap<String, (String, u64)> {
        self.peers
            .values()
            .map(|peer| {
                let shown = (peer.address.clone(), peer.keepalive);
                (peer.public_key.clone(), shown)
            })
            .collect()
    }
}

impl Peer {
    #[track_caller]
    fn of(peer: &Value) -> Self {
        let addresses = peer["allowed_ips"].as_array().expect("a list");
        assert_eq!(addresses.len(), 1, "{peer}");
        assert_eq!(peer["has_preshared_key"], true, "{peer}");
        Self {
            id: text(&peer["id"]),
            public_key: text(&peer["public_key"]),
            address: text(&addresses[0]),
            keepalive: peer["persistent_keepalive"].as_u64().expect("a number"),
        }
    }
}

impl Node {
    #[track_caller]
    fn of(node: &Value) -> Self {
        assert_eq!(node["ip_pool_cidr"], "10.77.0.0/24", "{node}");
        Self {
            id: text(&node["id"]),
            weight: node["weight"].as_u64().expect("a number"),
        }
    }
}
