//! "Test connection": is there an agent, is it ours, does it check who asks, has it the interface.

use std::time::Duration;

use wire_contract::{InterfaceName, PublicKey, dto::Health, path::Resource};

use super::{AgentClient, AgentError, CAPABILITY_DEVICE, Reply};

/// What [`AgentClient::probe`] found. The steps are taken in the order of the fields; `reason` says
/// what the first failing one failed of.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ProbeReport {
    /// Something answered.
    pub reachable: bool,
    /// A request signed with the secret was accepted.
    pub accepts_secret: bool,
    /// A request with a wrong signature was refused.
    pub refuses_wrong_signature: bool,
    /// The interface is there.
    pub has_interface: bool,
    /// One sentence on the first failing step; `None` when all is well.
    pub reason: Option<String>,
    /// What deserves attention without being a failure, in sentences.
    pub warnings: Vec<String>,
    /// The agent's version.
    pub version: Option<String>,
    /// How long the host has been up, seconds.
    pub uptime_secs: Option<u64>,
    /// Of the health request.
    pub latency: Option<Duration>,
    /// See [`Reply::clock_skew_secs`].
    pub clock_skew_secs: Option<i64>,
    /// Extensions the agent has.
    pub capabilities: Vec<String>,
    /// The interface's own key, from agents that tell.
    pub public_key: Option<PublicKey>,
    /// How many peers the interface has.
    pub peer_count: Option<usize>,
}

impl ProbeReport {
    /// Whether every step succeeded.
    #[must_use]
    pub const fn is_ok(&self) -> bool {
        self.reason.is_none()
    }

    fn learn_health(&mut self, reply: Reply<Health>) {
        self.reachable = true;
        self.latency = Some(reply.latency);
        self.clock_skew_secs = reply.clock_skew_secs;
        self.version = Some(reply.value.version);
        self.uptime_secs = Some(reply.value.uptime);
        self.capabilities = reply.value.capabilities;
    }
}

impl AgentClient {
    /// Tests the connection as an operator means it. Costs the agent one failed authentication.
    pub async fn probe(&self, interface: &InterfaceName) -> ProbeReport {
        let mut report = ProbeReport::default();
        report.reason = self.take_steps(interface, &mut report).await.err();
        report
    }

    async fn take_steps(
        &self,
        interface: &InterfaceName,
        report: &mut ProbeReport,
    ) -> Result<(), String> {
        match self.health().await {
            Ok(reply) => report.learn_health(reply),
            Err(error) => {
                report.reachable = is_answer(&error);
                return Err(error.to_string());
            }
        }
        // An agent that leaves /health open has proven nothing yet, neither by accepting the right
        // signature there nor by accepting a wrong one. Then the dump must tell.
        let health_is_checked = self.refuses_wrongly_signed(&Resource::Health).await?;
        report.accepts_secret = health_is_checked;
        if !health_is_checked && !self.refuses_wrongly_signed_dump(interface).await? {
            return Err("the agent does not check signatures".into());
        }
        report.refuses_wrong_signature = true;
        if !health_is_checked {
            report
                .warnings
                .push("the agent answers /health without checking signatures".into());
        }
        self.find_interface(interface, report)
            .await
            .map_err(|error| match error {
                error if error.is_no_interface() => no_interface(interface),
                AgentError::Api {
                    status: 404,
                    code: None,
                    ..
                } => no_interface(interface),
                error => error.to_string(),
            })?;
        report.accepts_secret = true;
        report.has_interface = true;
        Ok(())
    }

    async fn refuses_wrongly_signed_dump(&self, interface: &InterfaceName) -> Result<bool, String> {
        // The right one first: it finds out under which path this agent has its dumps.
        match self.dump(interface).await {
            Err(error @ (AgentError::Unauthorized { .. } | AgentError::ClockSkew { .. })) => {
                Err(error.to_string())
            }
            _ => {
                self.refuses_wrongly_signed(&Resource::Dump(interface.clone()))
                    .await
            }
        }
    }

    async fn refuses_wrongly_signed(&self, resource: &Resource) -> Result<bool, String> {
        match self.get_wrongly_signed(resource).await {
            Ok(answer) => Ok(answer.refuses_signature()),
            // A dump beyond all bounds is an answer all the same.
            Err(AgentError::TooLarge { .. }) => Ok(false),
            Err(error) => Err(error.to_string()),
        }
    }

    async fn find_interface(
        &self,
        interface: &InterfaceName,
        report: &mut ProbeReport,
    ) -> Result<(), AgentError> {
        if report.capabilities.iter().any(|it| it == CAPABILITY_DEVICE)
            && let Some(device) = self.device(interface).await?.value
        {
            report.public_key = device.public_key;
            report.peer_count = Some(device.peer_count);
            return Ok(());
        }
        report.peer_count = Some(self.dump(interface).await?.value.peers.len());
        Ok(())
    }
}

fn no_interface(interface: &InterfaceName) -> String {
    format!("the agent has no WireGuard interface {interface}")
}

/// Whether the failure is an answer, of whatever kind.
const fn is_answer(error: &AgentError) -> bool {
    !matches!(
        error,
        AgentError::Unreachable { .. } | AgentError::TimedOut(_) | AgentError::Tls(_)
    )
}
