//! Ten seconds of all nodes, in one transaction.

use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::{
    agent_client::WallClock,
    dispatch::{Dispatch, Gained},
    store::{
        NodeId, NodeStatus, Store, StoreError, WriteTx,
        samples::{self, Sample, aligned},
    },
};

/// Length of a span, seconds.
const STEP_S: u32 = 10;
/// Nodes in one transaction: few enough that others who want to write hardly wait.
const AT_ONCE: usize = 500;

pub(super) struct Sampler {
    store: Store,
    dispatch: Dispatch,
    clock: WallClock,
    last: Instant,
}

/// One node in the span that has just ended.
struct Span {
    node: NodeId,
    gained: Gained,
    at: i64,
    watched_s: u32,
    online: bool,
}

impl Sampler {
    pub(super) fn new(store: Store, dispatch: Dispatch, clock: WallClock) -> Self {
        Self {
            store,
            dispatch,
            clock,
            last: Instant::now(),
        }
    }

    pub(super) async fn run(mut self, stop: &CancellationToken) {
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(self.until_next_span()) => {}
            }
            self.sample().await;
        }
    }

    fn until_next_span(&self) -> Duration {
        let step = Duration::from_secs(STEP_S.into());
        let now = self.clock.now();
        let into = now.as_millis() % step.as_millis();
        step - Duration::from_millis(u64::try_from(into).unwrap_or(0))
    }

    /// Writes what nodes have moved since the last time. What can't be written waits.
    pub(super) async fn sample(&mut self) {
        let now_s = i64::try_from(self.clock.now().as_secs()).unwrap_or(i64::MAX);
        let at = aligned(now_s, STEP_S.into()) - i64::from(STEP_S);
        let watched = self.last.elapsed().as_millis().saturating_add(500) / 1000;
        let watched_s = u32::try_from(watched).unwrap_or(STEP_S).min(STEP_S);
        self.last = Instant::now();
        let gained = self.dispatch.take_gained();
        for nodes in gained.chunks(AT_ONCE) {
            let spans: Vec<_> = nodes
                .iter()
                .map(|(node, gained)| self.span(*node, gained, at, watched_s))
                .collect();
            let written = self.store.write(move |tx| write(tx, &spans)).await;
            if let Err(error) = written {
                tracing::warn!(%error, "ten seconds of the history have to wait");
                self.dispatch.put_back_gained(nodes);
            }
        }
    }

    fn span(&self, node: NodeId, gained: &Gained, at: i64, watched_s: u32) -> Span {
        let status = self.dispatch.seen(node).map(|seen| seen.status);
        let disabled = status.is_none_or(|status| status == NodeStatus::Disabled);
        Span {
            node,
            gained: gained.clone(),
            at,
            watched_s: if disabled { 0 } else { watched_s },
            online: status == Some(NodeStatus::Online),
        }
    }
}

fn write(tx: &WriteTx<'_>, spans: &[Span]) -> Result<(), StoreError> {
    for span in spans {
        if span.watched_s > 0 {
            let watched = Sample {
                at: span.at,
                watched_s: span.watched_s,
                online_s: if span.online { span.watched_s } else { 0 },
                ..Sample::default()
            };
            samples::add_node(tx, span.node, watched)?;
        }
        for (at, traffic) in &span.gained.spans {
            let gained = Sample {
                at: *at,
                traffic: *traffic,
                ..Sample::default()
            };
            samples::add_node(tx, span.node, gained)?;
        }
        if !span.gained.spans.is_empty() {
            samples::mark_sampled(tx, span.node, span.gained.total)?;
        }
        samples::advance_checkpoint(tx, span.node, span.gained.adrift)?;
    }
    Ok(())
}
