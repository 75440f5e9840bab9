//! Finds what a person names: nodes and peers by name or id, peers by public key too.

use std::collections::BTreeMap;

use serde_json::Value;
use uuid::Uuid;

use super::{
    client::{Call, Client, Query},
    failure::Failure,
};

/// Most items of a page.
const PAGE: usize = 1000;
/// So many ids are listed when a name is not enough.
const MAX_LISTED: usize = 10;

/// The node of that name or id.
pub(super) async fn node(client: &Client, named: &str) -> Result<Value, Failure> {
    if is_id(named) {
        return client.read(format!("/nodes/{named}")).await;
    }
    let mut nodes = all(client, &Query::of("/nodes").with("q", named), None).await?;
    nodes.retain(|node| node["name"] == named);
    only(nodes, "node", named)
}

/// The peer of that name, id or public key.
pub(super) async fn peer(client: &Client, named: &str) -> Result<Value, Failure> {
    if is_id(named) {
        return client.read(format!("/peers/{named}")).await;
    }
    let mut peers = all(client, &Query::of("/peers").with("q", named), None).await?;
    peers.retain(|peer| peer["name"] == named || peer["public_key"] == named);
    only(peers, "peer", named)
}

/// The id of the node that is meant, if one is.
pub(super) async fn node_id(
    client: &Client,
    named: Option<&str>,
) -> Result<Option<String>, Failure> {
    match named {
        None => Ok(None),
        Some(id) if is_id(id) => Ok(Some(id.to_owned())),
        Some(named) => Ok(Some(text(&node(client, named).await?, "id"))),
    }
}

/// The names of all nodes by id.
pub(super) async fn node_names(client: &Client) -> Result<BTreeMap<String, String>, Failure> {
    let nodes = all(client, &Query::of("/nodes"), None).await?;
    let names = nodes
        .iter()
        .map(|node| (text(node, "id"), text(node, "name")));
    Ok(names.collect())
}

/// All items of a list, page by page, or the first `limit` of them.
pub(super) async fn all(
    client: &Client,
    query: &Query,
    limit: Option<usize>,
) -> Result<Vec<Value>, Failure> {
    let limit = limit.unwrap_or(usize::MAX);
    let mut items = Vec::new();
    let mut cursor = None::<String>;
    while items.len() < limit {
        let size = PAGE.min(limit - items.len()).to_string();
        let page = query.clone().with("limit", size).maybe("cursor", cursor);
        let mut page = client.json(Call::get(page)).await?;
        if let Value::Array(more) = page["items"].take() {
            items.extend(more);
        }
        match page["next_cursor"].as_str() {
            Some(next) => cursor = Some(next.to_owned()),
            None => break,
        }
    }
    Ok(items)
}

/// The text of a field; empty where there is none.
pub(super) fn text(item: &Value, field: &str) -> String {
    item[field].as_str().unwrap_or_default().to_owned()
}

/// Whether that is an id, and no name.
pub(super) fn is_id(named: &str) -> bool {
    const HYPHENATED_CHARS: usize = 36;
    named.len() == HYPHENATED_CHARS && Uuid::parse_str(named).is_ok()
}

fn only(mut found: Vec<Value>, kind: &str, named: &str) -> Result<Value, Failure> {
    match found.len() {
        0 => Err(Failure::Failed(format!("there is no {kind} named {named}"))),
        1 => Ok(found.remove(0)),
        count => {
            let ids = found.iter().take(MAX_LISTED).map(|item| text(item, "id"));
            let ids = ids.collect::<Vec<_>>().join(", ");
            Err(Failure::Failed(format!(
                "{count} {kind}s are named {named}: say which by its id, {ids}"
            )))
        }
    }
}
