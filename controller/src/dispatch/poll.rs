//! Reading a node: is it there, is it itself, what does it hold.

use std::time::Duration;

use wire_contract::{
    InterfaceName,
    dto::{Device, DumpPeer, Health},
};

use crate::{
    agent_client::{AgentClient, AgentError, Unreachable},
    domain::status::{Fault, Missed, Poll},
};

/// What one good poll saw.
pub(super) struct Seen {
    pub(super) peers: Vec<DumpPeer>,
    pub(super) health: Health,
    /// `None` from agents that know only the documented endpoints.
    pub(super) device: Option<Device>,
    pub(super) latency: Duration,
}

/// Asks for health, and for the device where the agent has that extension.
pub(super) async fn greet(
    client: &AgentClient,
    interface: &InterfaceName,
) -> Result<(Health, Option<Device>, Duration), Poll> {
    let health = client
        .health()
        .await
        .map_err(|error| verdict(&error, interface))?;
    if let Some(fault) = health.clock_skew_secs.and_then(Fault::of_skew) {
        return Err(Poll::Faulty(fault));
    }
    let device = if health
        .value
        .capabilities
        .iter()
        .any(|name| name == "device")
    {
        let device = client
            .device(interface)
            .await
            .map_err(|error| verdict(&error, interface))?;
        device.value
    } else {
        None
    };
    Ok((health.value, device, health.latency))
}

/// What an error of the client says about the node.
pub(super) fn verdict(error: &AgentError, interface: &InterfaceName) -> Poll {
    if error.is_no_interface() {
        let interface = interface.to_string();
        return Poll::Faulty(Fault::InterfaceMissing { interface });
    }
    match error {
        AgentError::Unreachable { why, .. } => Poll::Missed(match why {
            Unreachable::Refused => Missed::Refused,
            Unreachable::TimedOut => Missed::TimedOut,
            _ => Missed::Unreachable,
        }),
        AgentError::TimedOut(_) => Poll::Missed(Missed::TimedOut),
        AgentError::Closed => Poll::Missed(Missed::Closed),
        AgentError::Tls(reason) => Poll::Faulty(Fault::Untrusted(reason.clone())),
        AgentError::Unauthorized { skew_secs } => Poll::Faulty(Fault::of_refusal(*skew_secs)),
        AgentError::ClockSkew { secs } => Poll::Faulty(Fault::ClockSkew { skew_s: *secs }),
        AgentError::NotTheContract(reason) => Poll::Faulty(Fault::NotTheContract(reason.clone())),
        AgentError::TooLarge { .. } => Poll::Faulty(Fault::NotTheContract(error.to_string())),
        AgentError::Api { message, .. } => Poll::Faulty(Fault::Reported(message.clone())),
    }
}

/// Whether the agent does not accept the secret, its clock not being to blame.
pub(super) const fn is_wrong_secret(poll: &Poll) -> bool {
    matches!(poll, Poll::Faulty(Fault::WrongSecret))
}
