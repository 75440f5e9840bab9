//! Lists of nodes. There are hundreds at most: they are filtered and paged in memory.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use tonic::Status;
use wgfleet_proto::v1;

use super::view::{self, Fleet};
use crate::{
    domain::labels::{check_labels, matches},
    services::{Core, auth::Caller, status::invalid},
    store::nodes::NodeRow,
};

const DEFAULT_PAGE_SIZE: usize = 100;
const MAX_PAGE_SIZE: usize = 1000;

pub(super) async fn list(
    core: &Core,
    caller: Caller,
    request: v1::ListNodesRequest,
) -> Result<v1::ListNodesResponse, Status> {
    let filter = Filter::new(request)?;
    let sealer = core.store.sealer();
    let (mut items, page) = core
        .look(move |conn| {
            let mut rows = caller.nodes(conn)?;
            rows.retain(|row| filter.takes(row));
            let total = rows.len();
            let start = rows.partition_point(|row| !filter.is_after(row));
            let rest = &rows[start..];
            let shown = &rest[..rest.len().min(filter.page_size)];
            let mut fleet = Fleet::read(conn, &caller)?;
            let items = shown
                .iter()
                .map(|row| Ok((row.id, fleet.show(conn, &sealer, row)?)))
                .collect::<Result<Vec<_>, Status>>()?;
            let last = shown.last().filter(|_| shown.len() < rest.len());
            let next_cursor = last.map(|row| encode(&row.settings.name));
            let page = v1::PageInfo {
                next_cursor: next_cursor.unwrap_or_default(),
                total: total.try_into().unwrap_or(u64::MAX),
            };
            Ok((items, page))
        })
        .await?;
    for (id, node) in &mut items {
        view::add_worker(core, *id, node);
    }
    Ok(v1::ListNodesResponse {
        items: items.into_iter().map(|(_, node)| node).collect(),
        page: Some(page),
    })
}

struct Filter {
    status: v1::NodeStatus,
    label: std::collections::BTreeMap<String, String>,
    q: String,
    after: Option<String>,
    page_size: usize,
}

impl Filter {
    fn new(request: v1::ListNodesRequest) -> Result<Self, Status> {
        check_labels(&request.label).map_err(|e| invalid("label", e.to_string()))?;
        let page = request.page.unwrap_or_default();
        let page_size = match usize::try_from(page.page_size) {
            Ok(0) => DEFAULT_PAGE_SIZE,
            Ok(size) if size <= MAX_PAGE_SIZE => size,
            _ => return Err(invalid("page_size", "a page has 1 to 1000 items")),
        };
        let after = (!page.cursor.is_empty()).then(|| decode(&page.cursor));
        Ok(Self {
            status: v1::NodeStatus::try_from(request.status)
                .map_err(|_| invalid("status", "online, offline, error or disabled"))?,
            label: request.label,
            q: request.q.to_lowercase(),
            after: after.transpose()?,
            page_size,
        })
    }

    fn takes(&self, row: &NodeRow) -> bool {
        let any = v1::NodeStatus::Unspecified;
        let has = |text: &str| text.to_lowercase().contains(&self.q);
        (self.status == any || self.status == view::status(row.state.status))
            && matches(&self.label, &row.settings.labels)
            && (has(&row.settings.name) || has(&row.agent_url))
    }

    fn is_after(&self, row: &NodeRow) -> bool {
        let after = self.after.as_deref();
        after.is_none_or(|after| row.settings.name.as_str() > after)
    }
}

/// The name of the last node shown. The letter tells it from other lists' cursors.
fn encode(name: &str) -> String {
    URL_SAFE_NO_PAD.encode(format!("n{name}"))
}

fn decode(cursor: &str) -> Result<String, Status> {
    let bytes = URL_SAFE_NO_PAD.decode(cursor).ok();
    let text = bytes.and_then(|bytes| String::from_utf8(bytes).ok());
    text.as_deref()
        .and_then(|text| text.strip_prefix('n'))
        .map(ToOwned::to_owned)
        .ok_or_else(|| invalid("cursor", "the cursor is not one of this list"))
}
