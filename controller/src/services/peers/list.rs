//! Lists of peers. What the store knows it filters and sorts along an index; what is only observed
//! is joined, filtered and sorted in memory.

use std::{cmp::Ordering, collections::HashMap, sync::Arc};

use tonic::Status;
use wgfleet_proto::v1::{ListPeersRequest, ListPeersResponse, PageInfo, PeerSort as ProtoSort};

use super::{input, view};
use crate::{
    dispatch::ObservedNode,
    services::{Core, auth::Caller, status::invalid},
    store::{
        NodeId,
        nodes::{self, NodeRow},
        page::{Cursor, Page, SortKey},
        peer_list::{self, PeerFilter, PeerSort},
        peers::PeerRow,
    },
};

const DEFAULT_PAGE_SIZE: u32 = 100;
const MAX_PAGE_SIZE: u32 = 1000;
const MAX_QUERY_CHARS: usize = 256;

/// By what a list is sorted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sort {
    Stored(PeerSort),
    LatestHandshakeDesc,
    RxBytesTotalDesc,
    TxBytesTotalDesc,
}

struct Query {
    filter: PeerFilter,
    online: Option<bool>,
    sort: Sort,
    after: Option<Cursor>,
    limit: u32,
}

/// A page of peers.
///
/// # Errors
/// INVALID_ARGUMENT that names the field.
pub(super) async fn list(
    core: &Core,
    caller: Caller,
    request: ListPeersRequest,
) -> Result<ListPeersResponse, Status> {
    let query = Query::new(caller, request, core.now_s())?;
    let (page, total, nodes) = match (query.sort, query.online) {
        (Sort::Stored(sort), None) => stored(core, query, sort).await?,
        _ => observed(core, query).await?,
    };
    let nodes: HashMap<NodeId, NodeRow> = nodes.into_iter().map(|node| (node.id, node)).collect();
    let present = |row: PeerRow| {
        let node = nodes.get(&row.node_id)?;
        Some(view::present(core, row, node))
    };
    Ok(ListPeersResponse {
        items: page.items.into_iter().filter_map(present).collect(),
        page: Some(PageInfo {
            next_cursor: page.next.map(|cursor| cursor.encode()).unwrap_or_default(),
            total,
        }),
    })
}

type Found = (Page<PeerRow>, u64, Vec<NodeRow>);

async fn stored(core: &Core, query: Query, sort: PeerSort) -> Result<Found, Status> {
    let read = move |conn: &_| {
        let after = query.after.as_ref();
        let page = peer_list::list(conn, &query.filter, sort, after, query.limit)?;
        let total = peer_list::count(conn, &query.filter)?;
        Ok((page, total, nodes::list(conn)?))
    };
    Ok(core.store.read(read).await?)
}

async fn observed(core: &Core, query: Query) -> Result<Found, Status> {
    let filter = query.filter.clone();
    let read = move |conn: &_| {
        let all = peer_list::list(conn, &filter, PeerSort::Name, None, u32::MAX)?;
        Ok((all.items, nodes::list(conn)?))
    };
    let (rows, nodes) = core.store.read(read).await?;
    let seen = |node: &NodeRow| (node.id, core.dispatch.observed(node.id));
    let dumps = nodes.iter().map(seen).collect();
    let (page, total) = query.page(rows, &dumps);
    Ok((page, total, nodes))
}

type Dumps = HashMap<NodeId, Arc<ObservedNode>>;

impl Query {
    fn new(caller: Caller, request: ListPeersRequest, now_s: i64) -> Result<Self, Status> {
        let page = request.page.unwrap_or_default();
        input::labels("label", &request.label)?;
        let q = Some(request.q).filter(|q| !q.is_empty());
        if q.as_ref()
            .is_some_and(|q| q.chars().count() > MAX_QUERY_CHARS)
        {
            return Err(invalid("q", "256 characters are the most"));
        }
        let filter = PeerFilter {
            node_id: input::optional_node(&request.node_id)?,
            node_label: caller.label_scope,
            q,
            label: request.label,
            sync: input::sync_filter(request.sync)?,
            enabled: request.enabled,
            expires_before: request.expires_before,
            admission: input::state_filter(request.state)?.map(|state| (state, now_s)),
        };
        Ok(Self {
            filter,
            online: request.online,
            sort: sort(request.sort)?,
            after: cursor(&page.cursor)?,
            limit: limit(page.page_size)?,
        })
    }

    /// The page among all rows that the store's filter let through.
    fn page(&self, rows: Vec<PeerRow>, dumps: &Dumps) -> (Page<PeerRow>, u64) {
        let mut sorted: Vec<(Cursor, PeerRow)> = rows
            .into_iter()
            .filter(|row| {
                self.online
                    .is_none_or(|wanted| is_online(row, dumps) == wanted)
            })
            .map(|row| (self.cursor(&row, dumps), row))
            .collect();
        let total = sorted.len() as u64;
        sorted.sort_unstable_by(|(a, _), (b, _)| self.compare(a, b));
        let start = match &self.after {
            Some(after) => sorted.partition_point(|(at, _)| self.compare(at, after).is_le()),
            None => 0,
        };
        let mut rest = sorted.split_off(start);
        let more = rest.len() > self.limit as usize;
        rest.truncate(self.limit as usize);
        let next = rest.last().filter(|_| more).map(|(at, _)| at.clone());
        let items = rest.into_iter().map(|(_, row)| row).collect();
        (Page { items, next }, total)
    }

    fn cursor(&self, row: &PeerRow, dumps: &Dumps) -> Cursor {
        let seen = dumps
            .get(&row.node_id)
            .and_then(|dump| dump.peer(&row.public_key));
        let count = |of: fn(&crate::dispatch::ObservedPeer) -> u64| {
            i64::try_from(seen.map_or(0, of)).unwrap_or(i64::MAX)
        };
        let key = match self.sort {
            Sort::Stored(PeerSort::Name | PeerSort::NameDesc) => {
                SortKey::Text(row.settings.name.clone())
            }
            Sort::Stored(PeerSort::CreatedAt | PeerSort::CreatedAtDesc) => {
                SortKey::Integer(row.created_at)
            }
            Sort::LatestHandshakeDesc => {
                SortKey::Integer(seen.map_or(0, |peer| peer.latest_handshake))
            }
            Sort::RxBytesTotalDesc => SortKey::Integer(count(|peer| peer.rx_bytes_total)),
            Sort::TxBytesTotalDesc => SortKey::Integer(count(|peer| peer.tx_bytes_total)),
        };
        Cursor { key, id: row.id }
    }

    fn compare(&self, a: &Cursor, b: &Cursor) -> Ordering {
        let keys = match (&a.key, &b.key) {
            (SortKey::Text(a), SortKey::Text(b)) => a.cmp(b),
            (SortKey::Integer(a), SortKey::Integer(b)) => a.cmp(b),
            // A cursor of another order: the list begins anew rather than somewhere.
            _ => return Ordering::Greater,
        };
        let ascending = keys.then_with(|| a.id.cmp(&b.id));
        match self.sort {
            Sort::Stored(PeerSort::Name | PeerSort::CreatedAt) => ascending,
            _ => ascending.reverse(),
        }
    }
}

fn is_online(row: &PeerRow, dumps: &Dumps) -> bool {
    let dump = dumps.get(&row.node_id);
    let seen = dump.and_then(|dump| dump.peer(&row.public_key));
    seen.is_some_and(|peer| peer.online)
}

fn sort(number: i32) -> Result<Sort, Status> {
    let sort =
        ProtoSort::try_from(number).map_err(|_| invalid("sort", "there is no such order"))?;
    Ok(match sort {
        ProtoSort::Unspecified | ProtoSort::Name => Sort::Stored(PeerSort::Name),
        ProtoSort::NameDesc => Sort::Stored(PeerSort::NameDesc),
        ProtoSort::CreatedAt => Sort::Stored(PeerSort::CreatedAt),
        ProtoSort::CreatedAtDesc => Sort::Stored(PeerSort::CreatedAtDesc),
        ProtoSort::LatestHandshakeDesc => Sort::LatestHandshakeDesc,
        ProtoSort::RxBytesTotalDesc => Sort::RxBytesTotalDesc,
        ProtoSort::TxBytesTotalDesc => Sort::TxBytesTotalDesc,
    })
}

fn cursor(text: &str) -> Result<Option<Cursor>, Status> {
    if text.is_empty() {
        return Ok(None);
    }
    let cursor = Cursor::decode(text);
    cursor
        .map(Some)
        .ok_or_else(|| invalid("cursor", "the cursor is not one of this list"))
}

fn limit(page_size: u32) -> Result<u32, Status> {
    match page_size {
        0 => Ok(DEFAULT_PAGE_SIZE),
        1..=MAX_PAGE_SIZE => Ok(page_size),
        _ => Err(invalid("page_size", "1 to 1000 items make a page")),
    }
}
