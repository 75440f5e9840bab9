//! What each route does.

use std::sync::Arc;

use hyper::Method;
use rustix::time::{ClockId, clock_gettime};
use wire_contract::{
    InterfaceName,
    dto::{Device, Health, Interface, Interfaces as InterfaceList},
    path::{InvalidTarget, Resource},
};

use super::{answer::Answer, gate::Authentic, limits::Source, mutations::Mutations};
use crate::{
    clock::Clock,
    wireguard::{
        Backend,
        interface::{Failure, Interfaces},
    },
};

/// Extensions beside the documented endpoints, as `/health` announces them.
const CAPABILITIES: &[&str] = &["device", "interfaces", "nonce"];

pub(super) struct Handlers {
    interfaces: Arc<Interfaces>,
    mutations: Mutations,
    clock: Clock,
}

impl Handlers {
    pub(super) fn new(interfaces: Arc<Interfaces>, mutations: Mutations, clock: Clock) -> Self {
        Self {
            interfaces,
            mutations,
            clock,
        }
    }

    /// What waits for somebody is boxed: a future is as large as its largest branch, and is moved several
    /// times on its way into the connection, whichever branch is then taken.
    ///
    /// `resource`: what its target names. `limited`: seconds its source must wait, when it has sent more than it may. A mutation is
    /// remembered all the same, so that it can't be replayed once there is room.
    pub(super) async fn handle(
        &self,
        request: Authentic<'_>,
        resource: Result<Resource, InvalidTarget>,
        source: Source,
        limited: Option<u64>,
    ) -> Answer {
        if is_mutation(&request.parts.method) {
            let handled = self.mutations.handle(request, resource, source, limited);
            return Box::pin(handled).await;
        }
        if let Some(retry_after_secs) = limited {
            return Answer::RateLimited { retry_after_secs };
        }
        let resource = match resource {
            Ok(resource) => resource,
            Err(error) => return error.into(),
        };
        if request.parts.method != Method::GET {
            return Answer::MethodNotAllowed(allowed_methods(&resource));
        }
        let answer = match resource {
            Resource::Health => Ok(self.health()),
            Resource::Interfaces => Box::pin(self.list()).await,
            Resource::Device(name) => Box::pin(self.device(&name)).await,
            Resource::Dump(name) => Box::pin(self.dump(&name)).await,
            Resource::Peers(_) | Resource::Peer(..) => {
                Ok(Answer::MethodNotAllowed(allowed_methods(&resource)))
            }
        };
        answer.unwrap_or_else(Answer::from)
    }

    fn health(&self) -> Answer {
        Answer::json(&Health {
            status: "ok".into(),
            timestamp: self.clock.unix_seconds(),
            uptime: host_uptime_secs(),
            version: env!("CARGO_PKG_VERSION").into(),
            backend: Some(self.backend().kind().to_string()),
            capabilities: CAPABILITIES.iter().map(|&name| name.into()).collect(),
        })
    }

    async fn list(&self) -> Result<Answer, Failure> {
        let backend = self.backend().kind();
        let listed = |interface| Interface {
            interface,
            backend: backend.to_string(),
        };
        let interfaces = self
            .interfaces
            .names()
            .await?
            .into_iter()
            .map(listed)
            .collect();
        Ok(Answer::json(&InterfaceList { interfaces }))
    }

    async fn dump(&self, name: &InterfaceName) -> Result<Answer, Failure> {
        self.interfaces
            .owner(name)
            .await?
            .dump()
            .await
            .map(Answer::Ok)
    }

    async fn device(&self, name: &InterfaceName) -> Result<Answer, Failure> {
        let link = self.interfaces.link(name).await?;
        let report = self.interfaces.owner(name).await?.device().await?;
        Ok(Answer::json(&Device {
            interface: name.clone(),
            public_key: report.device.public_key,
            listen_port: report.device.listen_port,
            fwmark: report.device.fwmark,
            addresses: link.addresses,
            mtu: link.mtu,
            up: link.up,
            peer_count: report.peer_count,
            backend: self.backend().kind().to_string(),
            ifindex: report.device.ifindex,
            boot_id: self.backend().boot_id().into(),
        }))
    }

    fn backend(&self) -> &dyn Backend {
        self.interfaces.backend().as_ref()
    }
}

/// The methods the replay memory is about.
pub(super) fn is_mutation(method: &Method) -> bool {
    matches!(*method, Method::POST | Method::PUT | Method::DELETE)
}

/// The value of `Allow` for a route.
pub(super) const fn allowed_methods(resource: &Resource) -> &'static str {
    match resource {
        Resource::Health | Resource::Interfaces | Resource::Device(_) | Resource::Dump(_) => "GET",
        Resource::Peers(_) => "POST",
        Resource::Peer(..) => "PUT, DELETE",
    }
}

/// Time since boot, time asleep included.
fn host_uptime_secs() -> u64 {
    u64::try_from(clock_gettime(ClockId::Boottime).tv_sec).unwrap_or(0)
}
