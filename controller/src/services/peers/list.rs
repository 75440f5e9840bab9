//! Lists of peers. The store's index finds a page, by what is declared and by what is observed.

use std::{collections::HashMap, sync::Arc};

use tonic::Status;
use wgfleet_proto::v1::{ListPeersRequest, ListPeersResponse, PageInfo, PeerSort as ProtoSort};
use wire_contract::PublicKey;

use super::{input, view};
use crate::{
    dispatch::ObservedNode,
    services::{Core, auth::Caller, status::invalid},
    store::{
        NodeId, StoreError,
        nodes::{self, NodeRow},
        page::Cursor,
        peer_list::{self, PeerFilter, PeerQuery, PeerSort, Seen, SeenNode},
        peers::PeerRow,
    },
};

const DEFAULT_PAGE_SIZE: u32 = 100;
const MAX_PAGE_SIZE: u32 = 1000;
const MAX_QUERY_CHARS: usize = 256;

/// A page of peers.
///
/// # Errors
/// INVALID_ARGUMENT that names the field.
pub(super) async fn list(
    core: &Core,
    caller: Caller,
    request: ListPeersRequest,
) -> Result<ListPeersResponse, Status> {
    let query = query(request, core.now_s())?;
    let (index, dispatch) = (core.store.peer_index(), core.dispatch.clone());
    let read = move |conn: &_| {
        let nodes = nodes::list(conn)?;
        let nodes: HashMap<NodeId, NodeRow> = nodes.into_iter().map(|row| (row.id, row)).collect();
        let in_scope = |row: &&NodeRow| {
            let mut scope = caller.label_scope.iter();
            scope.all(|(key, value)| row.settings.labels.get(key) == Some(value))
        };
        let found = index.find(&query, |node| {
            nodes.get(&node).filter(in_scope)?;
            Some(Observed(dispatch.observed(node)))
        })?;
        Ok((peer_list::rows(conn, &found.ids)?, found, nodes))
    };
    let (rows, found, nodes) = core.store.read(read).await.map_err(|error| match error {
        StoreError::NotFound { what: "cursor" } => of_another_list(),
        other => other.into(),
    })?;
    let present = |row: PeerRow| {
        let node = nodes.get(&row.node_id)?;
        Some(view::present(core, row, node))
    };
    Ok(ListPeersResponse {
        items: rows.into_iter().filter_map(present).collect(),
        page: Some(PageInfo {
            next_cursor: found.next.map(|c| c.encode()).unwrap_or_default(),
            total: found.total,
        }),
    })
}

/// What a node's worker saw.
struct Observed(Arc<ObservedNode>);

impl SeenNode for Observed {
    fn version(&self) -> u64 {
        self.0.glances.version()
    }

    fn seen(&self, key: &PublicKey, place: &mut u32) -> Seen {
        let bytes = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
        let glance = self.0.glances.get(key, place);
        glance.map_or_else(Seen::default, |peer| Seen {
            online: peer.online,
            latest_handshake: peer.latest_handshake,
            rx_bytes_total: bytes(peer.rx_bytes_total),
            tx_bytes_total: bytes(peer.tx_bytes_total),
        })
    }
}

fn query(request: ListPeersRequest, now_s: i64) -> Result<PeerQuery, Status> {
    let page = request.page.unwrap_or_default();
    input::labels("label", &request.label)?;
    let q = Some(request.q).filter(|q| !q.is_empty());
    if q.as_ref()
        .is_some_and(|q| q.chars().count() > MAX_QUERY_CHARS)
    {
        return Err(invalid("q", "256 characters are the most"));
    }
    Ok(PeerQuery {
        filter: PeerFilter {
            node_id: input::optional_node(&request.node_id)?,
            q,
            label: request.label.into_iter().collect(),
            sync: input::sync_filter(request.sync)?,
            enabled: request.enabled,
            expires_before: request.expires_before,
            admission: input::state_filter(request.state)?.map(|state| (state, now_s)),
        },
        online: request.online,
        sort: sort(request.sort)?,
        after: cursor(&page.cursor)?,
        limit: limit(page.page_size)?,
    })
}

fn sort(number: i32) -> Result<PeerSort, Status> {
    let sort =
        ProtoSort::try_from(number).map_err(|_| invalid("sort", "there is no such order"))?;
    Ok(match sort {
        ProtoSort::Unspecified | ProtoSort::Name => PeerSort::Name,
        ProtoSort::NameDesc => PeerSort::NameDesc,
        ProtoSort::CreatedAt => PeerSort::CreatedAt,
        ProtoSort::CreatedAtDesc => PeerSort::CreatedAtDesc,
        ProtoSort::LatestHandshakeDesc => PeerSort::LatestHandshakeDesc,
        ProtoSort::RxBytesTotalDesc => PeerSort::RxBytesTotalDesc,
        ProtoSort::TxBytesTotalDesc => PeerSort::TxBytesTotalDesc,
    })
}

fn cursor(text: &str) -> Result<Option<Cursor>, Status> {
    if text.is_empty() {
        return Ok(None);
    }
    let cursor = Cursor::decode(text);
    cursor.map(Some).ok_or_else(of_another_list)
}

fn of_another_list() -> Status {
    invalid("cursor", "the cursor is not one of this list")
}

fn limit(page_size: u32) -> Result<u32, Status> {
    match page_size {
        0 => Ok(DEFAULT_PAGE_SIZE),
        1..=MAX_PAGE_SIZE => Ok(page_size),
        _ => Err(invalid("page_size", "1 to 1000 items make a page")),
    }
}
