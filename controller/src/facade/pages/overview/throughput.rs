//! `/overview/throughput`: what all nodes moved over time.

use axum::{Json, extract::State};
use futures_util::{StreamExt as _, stream};
use wgfleet_proto::v1;

use super::super::{
    page::SignedIn,
    plot::{Plot, RANGES, Range, Traffic},
    show,
};
use crate::facade::{Answer, Facade, query::Parameters};

/// Nodes whose history is read at a time.
const AT_ONCE: usize = 4;
const PAGE_SIZE: u32 = 1000;

pub(super) async fn answer(
    State(facade): State<Facade>,
    signed: SignedIn,
    mut query: Parameters,
) -> Answer<Json<Plot>> {
    let range = Range::or_day(query.word("range", &RANGES)?);
    query.finish()?;
    let now_s = show::now_s();
    let range = range.until(now_s);
    let nodes = nodes(facade.clone(), &signed).await?;
    let histories = nodes.into_iter().map(|node_id| {
        let mut history = facade.history.clone();
        let range = Some(range);
        let asked = v1::NodeHistoryRequest { node_id, range };
        let asked = signed.caller.request(asked);
        async move { history.node_history(asked).await }
    });
    let mut histories = stream::iter(histories).buffer_unordered(AT_ONCE);
    let mut traffic = Traffic::default();
    let mut answered = range;
    while let Some(history) = histories.next().await {
        // A node that was deleted since the list was read has no history.
        let Ok(history) = history else { continue };
        let history = history.into_inner();
        traffic.add(&history.points);
        answered.from = Some(history.from);
        answered.to = Some(history.to);
    }
    let (from, to) = (
        answered.from.unwrap_or_default(),
        answered.to.unwrap_or_default(),
    );
    Ok(Json(traffic.plot(from, to, range.step_s, now_s)))
}

async fn nodes(mut facade: Facade, signed: &SignedIn) -> Answer<Vec<String>> {
    let (mut ids, mut cursor) = (Vec::new(), String::new());
    loop {
        let asked = v1::ListNodesRequest {
            page: Some(v1::PageRequest {
                page_size: PAGE_SIZE,
                cursor,
            }),
            ..Default::default()
        };
        let page = facade.nodes.list(signed.caller.request(asked)).await?;
        let page = page.into_inner();
        let found = page.items.len();
        ids.extend(page.items.into_iter().map(|node| node.id));
        cursor = page.page.unwrap_or_default().next_cursor;
        if cursor.is_empty() || found < PAGE_SIZE as usize {
            return Ok(ids);
        }
    }
}
