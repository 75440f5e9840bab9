//! What nodes hold that nobody declared: it takes room and addresses too.

use std::{
    collections::{HashMap, HashSet},
    net::IpAddr,
    sync::{Arc, Mutex, PoisonError, Weak},
};

use tonic::Status;

use super::addresses::host;
use crate::{
    dispatch::ObservedNode,
    services::Core,
    store::{NodeId, holders, nodes},
};

/// What a node's last dump counts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in crate::services) struct KernelCount {
    /// All its peers.
    pub(in crate::services) peers: u32,
    /// Those the store did not know when the dump was first looked at.
    pub(in crate::services) undeclared: u32,
    /// The single addresses those have.
    pub(in crate::services) undeclared_addresses: Arc<HashSet<IpAddr>>,
}

/// The counts of each node's last dump. Comparing ten thousand keys is done once for each dump, not
/// for each peer that is placed.
#[derive(Default)]
pub(in crate::services) struct KernelCounts(
    Mutex<HashMap<NodeId, (Weak<ObservedNode>, KernelCount)>>,
);

impl KernelCounts {
    /// The counts of all nodes, or of one.
    ///
    /// # Errors
    /// When the store can't be read.
    pub(in crate::services) async fn read(
        &self,
        core: &Core,
        only: Option<NodeId>,
    ) -> Result<HashMap<NodeId, KernelCount>, Status> {
        let ids = match only {
            Some(id) => vec![id],
            None => {
                let read = |conn: &_| Ok(nodes::list(conn)?.iter().map(|node| node.id).collect());
                core.store.read(read).await?
            }
        };
        let mut counts = HashMap::with_capacity(ids.len());
        for id in ids {
            let dump = core.dispatch.observed(id);
            let count = match self.known(id, &dump) {
                Some(count) => count,
                None => self.count(core, id, dump).await?,
            };
            counts.insert(id, count);
        }
        Ok(counts)
    }

    fn known(&self, id: NodeId, dump: &Arc<ObservedNode>) -> Option<KernelCount> {
        if dump.peers.is_empty() {
            return Some(KernelCount::default());
        }
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (of, count) = known.get(&id)?;
        std::ptr::eq(of.as_ptr(), Arc::as_ptr(dump)).then(|| count.clone())
    }

    async fn count(
        &self,
        core: &Core,
        id: NodeId,
        dump: Arc<ObservedNode>,
    ) -> Result<KernelCount, Status> {
        let of = Arc::downgrade(&dump);
        let count = core
            .store
            .read(move |conn| {
                let declared = holders::keys(conn, id)?;
                let undeclared = dump.peers.iter();
                let undeclared: Vec<_> = undeclared
                    .filter(|(key, _)| !declared.contains(*key))
                    .collect();
                let networks = undeclared.iter().flat_map(|(_, peer)| &peer.allowed_ips);
                Ok(KernelCount {
                    peers: saturated(dump.peers.len()),
                    undeclared: saturated(undeclared.len()),
                    undeclared_addresses: Arc::new(networks.filter_map(host).collect()),
                })
            })
            .await?;
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.insert(id, (of, count.clone()));
        Ok(count)
    }
}

fn saturated(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}
