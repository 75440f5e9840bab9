//! Nodes by their names, as people write and read them.

use std::collections::HashMap;

use uuid::Uuid;
use wgfleet_proto::v1;

use super::super::page::SignedIn;
use crate::facade::{Answer, Facade, problem::Problem};

const PAGE_SIZE: u32 = 1000;
/// Names that are offered while a name is typed.
const MAX_OFFERED: usize = 200;

/// Nodes that were looked up.
#[derive(Default)]
pub(super) struct Nodes {
    names: HashMap<String, String>,
    /// The first of them, by name.
    pub(super) offered: Vec<String>,
}

impl Nodes {
    /// As many as one question answers.
    pub(super) async fn read(facade: &mut Facade, signed: &SignedIn) -> Answer<Self> {
        let found = list(facade, signed, String::new()).await?;
        let offered = found.iter().take(MAX_OFFERED);
        let offered = offered.map(|node| node.name.clone()).collect();
        let names = found.into_iter().map(|node| (node.id, node.name)).collect();
        Ok(Self { names, offered })
    }

    /// Names to offer while one is typed. A form without any is as good.
    pub(super) async fn offered(facade: &mut Facade, signed: &SignedIn) -> Vec<String> {
        let nodes = Self::read(facade, signed).await;
        nodes.unwrap_or_default().offered
    }

    /// Looks up the nodes of `peers` that are not known yet.
    pub(super) async fn complete(
        &mut self,
        facade: &mut Facade,
        signed: &SignedIn,
        peers: &[v1::Peer],
    ) {
        for peer in peers {
            if self.names.contains_key(&peer.node_id) {
                continue;
            }
            let id = peer.node_id.clone();
            let asked = signed.caller.request(v1::GetNodeRequest { id: id.clone() });
            // Gone by now, or not theirs to see: the peer is shown all the same.
            let node = facade.nodes.get(asked).await;
            let name = node.map(|node| node.into_inner().name).unwrap_or_default();
            self.names.insert(id, name);
        }
    }

    /// Empty when it is not known.
    pub(super) fn name(&self, id: &str) -> &str {
        self.names.get(id).map_or("", String::as_str)
    }

    /// The node that is called so.
    pub(super) fn id(&self, name: &str) -> Option<&str> {
        let found = self.names.iter().find(|(_, known)| *known == name);
        found.map(|(id, _)| id.as_str())
    }
}

/// The id of the node that was typed, by name or id; empty when nothing was.
///
/// # Errors
/// When there is none.
pub(super) async fn find(facade: &mut Facade, signed: &SignedIn, typed: &str) -> Answer<String> {
    if typed.is_empty() {
        return Ok(String::new());
    }
    let found = list(facade, signed, typed.to_owned()).await?;
    if let Some(node) = found.into_iter().find(|node| node.name == typed) {
        return Ok(node.id);
    }
    if let Ok(id) = Uuid::parse_str(typed) {
        return Ok(id.to_string());
    }
    let detail = format!("there is no node named {typed}");
    Err(Problem::invalid_field("node", detail))
}

async fn list(facade: &mut Facade, signed: &SignedIn, q: String) -> Answer<Vec<v1::Node>> {
    let asked = v1::ListNodesRequest {
        page: Some(v1::PageRequest {
            page_size: PAGE_SIZE,
            cursor: String::new(),
        }),
        q,
        ..Default::default()
    };
    let found = facade.nodes.list(signed.caller.request(asked)).await?;
    Ok(found.into_inner().items)
}
