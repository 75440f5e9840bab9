//! Who did what.

use std::sync::Arc;

use tonic::{Request, Response, Status};
use wgfleet_proto::v1::{self, audit_service_server::AuditService};

use super::{
    Core,
    auth::authorize,
    status::{invalid, page_size},
};
use crate::store::{
    Role,
    audit::{self, AuditEntry, AuditFilter},
};

/// The service of the audit.
#[derive(Clone)]
pub struct Audit(Arc<Core>);

impl Audit {
    /// The service.
    #[must_use]
    pub const fn new(core: Arc<Core>) -> Self {
        Self(core)
    }
}

#[tonic::async_trait]
impl AuditService for Audit {
    async fn list(
        &self,
        request: Request<v1::ListAuditRequest>,
    ) -> Result<Response<v1::ListAuditResponse>, Status> {
        authorize(&self.0, request.metadata(), Role::Admin).await?;
        let request = request.into_inner();
        let page = request.page.clone().unwrap_or_default();
        let size = page_size(&page)?;
        let before = before(&page.cursor)?;
        let filter = filter(request);
        let (mut rows, total) = self
            .0
            .look(move |conn| {
                // One more than asked for tells whether there is a next page.
                let rows = audit::page(conn, &filter, before, size + 1)?;
                Ok((rows, audit::count(conn, &filter)?))
            })
            .await?;
        let more = rows.len() > size;
        rows.truncate(size);
        let last = rows.last().filter(|_| more);
        let next_cursor = last.map(|(id, _)| id.to_string()).unwrap_or_default();
        Ok(Response::new(v1::ListAuditResponse {
            items: rows.into_iter().map(shown).collect(),
            page: Some(v1::PageInfo { next_cursor, total }),
        }))
    }
}

/// Ids only grow, so what comes meanwhile is on no later page.
fn before(cursor: &str) -> Result<Option<i64>, Status> {
    if cursor.is_empty() {
        return Ok(None);
    }
    let id = cursor.parse().ok().filter(|id| *id > 0);
    id.map(Some)
        .ok_or_else(|| invalid("cursor", "the cursor is not one of this list"))
}

fn filter(request: v1::ListAuditRequest) -> AuditFilter {
    let given = |text: String| (!text.is_empty()).then_some(text);
    AuditFilter {
        actor: given(request.actor),
        action: given(request.action),
        object_kind: given(request.object_kind),
        object_id: given(request.object_id),
        source: given(request.source),
        since: request.since,
        until: request.until,
    }
}

fn shown((id, entry): (i64, AuditEntry)) -> v1::AuditEntry {
    let json = |fields: Option<serde_json::Value>| fields.map(|it| it.to_string());
    v1::AuditEntry {
        id,
        at: entry.at,
        actor: entry.actor,
        source: entry.source,
        action: entry.action,
        object_kind: entry.object_kind,
        object_id: entry.object_id,
        before: json(entry.before).unwrap_or_default(),
        after: json(entry.after).unwrap_or_default(),
    }
}
