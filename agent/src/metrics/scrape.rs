//! One look at everything that is counted.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use tokio::{sync::Mutex, task::JoinSet, time::timeout};
use wire_contract::InterfaceName;

use super::{InterfaceMetrics, Metrics, exposition};
use crate::{
    state::replay::ReplayMemory,
    wireguard::interface::{Interfaces, Survey},
};

/// How long an interface may take to answer; Prometheus gives the whole page 10 s.
const PATIENCE: Duration = Duration::from_secs(5);

/// Where the numbers come from.
pub struct Scrape {
    metrics: Arc<Metrics>,
    interfaces: Arc<Interfaces>,
    replay: Arc<ReplayMemory>,
    per_peer: bool,
    /// Held while a page is made: one at a time, however many ask.
    making: Mutex<()>,
}

/// What there is to say of one interface.
pub(super) struct Report {
    pub(super) name: InterfaceName,
    /// `None` where nobody ever owned it.
    pub(super) counted: Option<Arc<InterfaceMetrics>>,
    /// `None` where it did not answer.
    pub(super) survey: Option<Survey>,
}

/// All there is to say.
pub(super) struct Findings {
    pub(super) metrics: Arc<Metrics>,
    pub(super) backend: String,
    pub(super) replay_entries: usize,
    pub(super) per_peer: bool,
    /// By name.
    pub(super) interfaces: Vec<Report>,
}

impl Scrape {
    /// Of these; with `per_peer`, each peer has series of its own.
    #[must_use]
    pub fn new(
        metrics: Arc<Metrics>,
        interfaces: Arc<Interfaces>,
        replay: Arc<ReplayMemory>,
        per_peer: bool,
    ) -> Self {
        Self {
            metrics,
            interfaces,
            replay,
            per_peer,
            making: Mutex::new(()),
        }
    }

    /// The page, in Prometheus' text format.
    pub async fn page(&self) -> String {
        let _one_at_a_time = self.making.lock().await;
        let findings = Findings {
            metrics: Arc::clone(&self.metrics),
            backend: self.interfaces.backend().kind().to_string(),
            replay_entries: self.replay.len(),
            per_peer: self.per_peer,
            interfaces: self.look_at_interfaces().await,
        };
        exposition::page(findings)
    }

    /// All of them at the same time: one that hangs does not keep the others waiting.
    async fn look_at_interfaces(&self) -> Vec<Report> {
        let mut names: BTreeSet<_> = self.interfaces.expected().into_iter().collect();
        match timeout(PATIENCE, self.interfaces.names()).await {
            Ok(Ok(present)) => names.extend(present),
            // Those that were served before are asked all the same.
            Ok(Err(_)) | Err(_) => names.extend(self.interfaces.owned()),
        }
        let mut asked = JoinSet::new();
        for name in names {
            asked.spawn(look_at(Arc::clone(&self.interfaces), name, self.per_peer));
        }
        let mut reports = asked.join_all().await;
        reports.sort_by(|a, b| a.name.cmp(&b.name));
        reports
    }
}

async fn look_at(interfaces: Arc<Interfaces>, name: InterfaceName, per_peer: bool) -> Report {
    let mut counted = None;
    let look = async {
        let owner = interfaces.owner(&name).await.ok()?;
        counted = Some(Arc::clone(owner.metrics()));
        owner.survey(per_peer).await.ok()
    };
    let survey = timeout(PATIENCE, look).await.ok().flatten();
    Report {
        name,
        counted,
        survey,
    }
}
