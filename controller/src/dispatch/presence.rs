//! Peers that came or went since they were last told of.
//!
//! What was told is in the store, in the transaction of the event: a worker that starts anew
//! compares its first dump with that and tells nothing twice.

use wgfleet_proto::v1::{PeerOnlineChanged, event::Kind};
use wire_contract::PublicKey;

use super::{desired::Desired, unix_s, worker::Worker};
use crate::{
    events,
    store::{PeerId, StoreError, peer_nodes},
};

/// A peer that is not as it was told to be.
struct News {
    peer: PeerId,
    key: PublicKey,
    online: bool,
    latest_handshake: i64,
}

impl Worker {
    /// Tells who came and who went by the last dump: one write, if anybody did.
    pub(super) async fn tell_presence(&self, desired: &Desired) -> Result<(), StoreError> {
        let news = self.presence_news(desired);
        if news.is_empty() {
            return Ok(());
        }
        let (node, now_s) = (self.node, unix_s(&self.shared.clock));
        let write = self.shared.store.write(move |tx| {
            for one in news {
                if !peer_nodes::record_online(tx, node, &one.key, one.online)? {
                    continue;
                }
                let changed = PeerOnlineChanged {
                    peer_id: one.peer.to_string(),
                    node_id: node.to_string(),
                    online: one.online,
                    latest_handshake: one.latest_handshake,
                };
                events::record(tx, now_s, Kind::PeerOnline(changed))?;
            }
            Ok(())
        });
        write.await
    }

    fn presence_news(&self, desired: &Desired) -> Vec<News> {
        let seen = self.observed.load();
        let staying = desired.peers.iter().filter(|it| it.moving_to.is_none());
        let news = staying.filter_map(|it| {
            let found = seen.peers.get(&it.public_key);
            let online = found.is_some_and(|found| found.online);
            (online != it.online).then(|| News {
                peer: it.peer_id,
                key: it.public_key,
                online,
                latest_handshake: found.map_or(0, |found| found.latest_handshake),
            })
        });
        news.collect()
    }
}
