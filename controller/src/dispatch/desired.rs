//! What the store says a node should be, as the plan wants it.

use std::collections::{HashMap, HashSet};

use wire_contract::PublicKey;

use crate::{
    domain::plan::{DesiredNode, DesiredPeer, DesiredPresharedKey, UnmanagedPolicy},
    store::{
        NodeId, Store, StoreError, SyncState,
        nodes::{self, NodeRow},
        peer_nodes,
        tombstones::{self, Tombstone},
    },
};

/// The store's view of one node at one moment.
pub(super) struct Desired {
    pub(super) node: NodeRow,
    /// Every declared peer, also those that are not to be in the kernel now.
    pub(super) peers: Vec<peer_nodes::DesiredPeer>,
    pub(super) tombstones: Vec<Tombstone>,
}

impl Desired {
    pub(super) async fn load(store: &Store, node: NodeId) -> Result<Self, StoreError> {
        let sealer = store.sealer();
        store
            .read(move |conn| {
                Ok(Self {
                    node: nodes::get(conn, node)?,
                    peers: peer_nodes::desired(conn, &sealer, node)?,
                    tombstones: tombstones::list(conn, node)?,
                })
            })
            .await
    }

    /// Which state of each declared peer this is.
    pub(super) fn generations(&self) -> HashMap<PublicKey, u64> {
        let peers = self.peers.iter();
        peers
            .map(|peer| (peer.public_key, peer.generation))
            .collect()
    }

    /// What the plan compares with the dump.
    pub(super) fn to_plan(&self, now_s: i64, written: &Written) -> DesiredNode {
        let (present, absent): (Vec<_>, Vec<_>) =
            self.peers.iter().partition(|peer| is_wanted(peer, now_s));
        let buried = self.tombstones.iter().map(|tombstone| tombstone.public_key);
        DesiredNode {
            peers: present
                .into_iter()
                .map(|peer| to_plan(peer, written))
                .collect(),
            tombstones: buried
                .chain(absent.into_iter().map(|peer| peer.public_key))
                .collect(),
            unmanaged: UnmanagedPolicy::from_name(self.node.settings.unmanaged_peers.as_str())
                .unwrap_or_default(),
        }
    }
}

/// Whether a peer is to be in the kernel: neither disabled nor expired.
pub(super) fn is_wanted(peer: &peer_nodes::DesiredPeer, now_s: i64) -> bool {
    peer.enabled && peer.expires_at.is_none_or(|expires_at| now_s < expires_at)
}

fn to_plan(peer: &peer_nodes::DesiredPeer, written: &Written) -> DesiredPeer {
    let preshared_key = if peer.psk_confirmed {
        DesiredPresharedKey::from(peer.preshared_key.clone())
    } else {
        DesiredPresharedKey::Unknown
    };
    DesiredPeer {
        public_key: peer.public_key,
        preshared_key,
        preshared_key_confirmed: written.is_confirmed(peer),
        allowed_ips: peer.allowed_ips.clone(),
        persistent_keepalive: peer.persistent_keepalive,
        endpoint: None,
    }
}

/// Which preshared keys are known to be on the node. A dump can't show them: what tells is a write
/// that was answered.
#[derive(Default)]
pub(super) struct Written {
    /// The generation of the peer's row that was last written with success.
    confirmed: HashMap<PublicKey, u64>,
    /// Keys with a request that was given up on, and when it can no longer arrive. It may carry an
    /// older preshared key, so after that moment the present one is written once more.
    doubtful: HashMap<PublicKey, i64>,
    outdated: HashSet<PublicKey>,
}

impl Written {
    fn is_confirmed(&self, peer: &peer_nodes::DesiredPeer) -> bool {
        !self.outdated.contains(&peer.public_key)
            && (peer.sync_state == SyncState::Applied
                || self.confirmed.get(&peer.public_key) == Some(&peer.generation))
    }

    /// From what was on disk: requests that were under way when the program ended.
    pub(super) fn restored(doubts: Vec<(PublicKey, i64)>) -> Self {
        Self {
            doubtful: doubts.into_iter().collect(),
            ..Self::default()
        }
    }

    /// Whether a request for this key may still arrive.
    pub(super) fn is_doubtful(&self, key: &PublicKey) -> bool {
        self.doubtful.contains_key(key)
    }

    /// A request that carried the row of `generation` was answered with success.
    pub(super) fn succeeded(&mut self, key: PublicKey, generation: u64) {
        self.confirmed.insert(key, generation);
        self.outdated.remove(&key);
    }

    /// A request was given up on, and may still arrive until `until_s`.
    pub(super) fn given_up(&mut self, key: PublicKey, until_s: i64) {
        self.confirmed.remove(&key);
        self.doubtful.insert(key, until_s);
    }

    /// What was given up on long enough ago can't arrive any more; what it may have left must be
    /// written over.
    pub(super) fn settle_doubts(&mut self, now_s: i64) {
        let outdated = &mut self.outdated;
        self.doubtful.retain(|key, until_s| {
            let open = now_s <= *until_s;
            if !open {
                outdated.insert(*key);
            }
            open
        });
    }

    /// Forgets keys that are not the node's any more.
    pub(super) fn keep_only(&mut self, declared: &HashSet<PublicKey>) {
        self.confirmed.retain(|key, _| declared.contains(key));
        self.doubtful.retain(|key, _| declared.contains(key));
        self.outdated.retain(|key| declared.contains(key));
    }
}
