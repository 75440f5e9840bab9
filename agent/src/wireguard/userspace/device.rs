//! One interface: its state and its changes, as its daemon tells and makes them.

use std::{io, time::Duration};

use wire_contract::InterfaceName;

use super::{
    answer::{Interface, Progress, Reader},
    order::Order,
    request,
    socket::{Conversation, Failure, SocketDirectory, SocketIdentity},
};
use crate::{
    link,
    wireguard::{
        BackendError, Device, DeviceFacts, DumpSink, PeerChange, fingerprint::Fingerprinter,
    },
};

/// How long a daemon may take for one request. They answer at once unless they are stuck.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);
/// How often a dump is begun while the interface is replaced under it.
const DUMP_ATTEMPTS: u32 = 3;

/// What a dump is of: this link, served by this daemon. A daemon that is started again on a tun
/// device that stayed begins with no peers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Incarnation {
    ifindex: u32,
    socket: SocketIdentity,
}

/// An interface of a daemon. Each call has a connection of its own.
pub struct UserspaceDevice {
    name: InterfaceName,
    directory: SocketDirectory,
    fingerprinter: Fingerprinter,
    order: Order,
    /// What was dumped last.
    dumped: Option<Incarnation>,
    answer_timeout: Duration,
    index_of: fn(&InterfaceName) -> Option<u32>,
}

impl UserspaceDevice {
    /// The interface of this name, whether it exists or not.
    #[must_use]
    pub fn new(
        name: InterfaceName,
        directory: SocketDirectory,
        fingerprinter: Fingerprinter,
    ) -> Self {
        Self {
            name,
            directory,
            fingerprinter,
            order: Order::default(),
            dumped: None,
            answer_timeout: ANSWER_TIMEOUT,
            index_of: |name| link::index_of(name).ok(),
        }
    }

    /// The same without patience, on a link that only this says is there.
    #[cfg(test)]
    pub(super) fn imagined(
        self,
        answer_timeout: Duration,
        index_of: fn(&InterfaceName) -> Option<u32>,
    ) -> Self {
        Self {
            answer_timeout,
            index_of,
            ..self
        }
    }

    fn incarnation(&self) -> Option<Incarnation> {
        Some(Incarnation {
            ifindex: (self.index_of)(&self.name)?,
            socket: self.directory.identity(&self.name)?,
        })
    }

    /// Whether what is there is what had `ifindex` when it was dumped.
    fn is_still_as_dumped(&self, ifindex: u32) -> bool {
        self.incarnation().is_some_and(|present| {
            present.ifindex == ifindex && self.dumped.is_none_or(|dumped| dumped == present)
        })
    }

    fn converse(&self) -> Result<Conversation, Failure> {
        self.directory.converse(&self.name, self.answer_timeout)
    }

    fn get(&self) -> Result<Interface, Failure> {
        let mut conversation = self.converse()?;
        conversation.send(request::GET)?;
        read(&mut conversation, &self.fingerprinter)
    }

    fn try_set(&self, changes: &[PeerChange]) -> Result<(), Failure> {
        let mut conversation = self.converse()?;
        let sent = conversation.send(&request::set(changes));
        match read(&mut conversation, &self.fingerprinter) {
            Ok(_) => sent,
            // It may have refused a line and hung up before it had taken the others.
            Err(refused @ Failure::Errno(_)) => Err(refused),
            Err(failure) => Err(sent.err().unwrap_or(failure)),
        }
    }

    fn error(&self, failure: Failure) -> BackendError {
        // A daemon takes its interface with it when it ends.
        if matches!(failure, Failure::NoSocket) || self.incarnation().is_none() {
            return BackendError::InterfaceNotFound;
        }
        match failure {
            Failure::Errno(errno) => BackendError::Refused(io::Error::from_raw_os_error(errno)),
            Failure::Socket { doing, source } => BackendError::Io { doing, source },
            Failure::NoSocket | Failure::CutShort | Failure::Malformed(_) => BackendError::Io {
                doing: "talking to the interface's daemon",
                source: io::Error::new(io::ErrorKind::InvalidData, failure.to_string()),
            },
        }
    }
}

/// Reads an answer to its end.
fn read(conversation: &mut Conversation, by: &Fingerprinter) -> Result<Interface, Failure> {
    let mut reader = Reader::new(by);
    loop {
        match reader.line(conversation.line()?)? {
            Progress::More => {}
            Progress::Complete { errno: 0 } => return Ok(reader.finish()),
            Progress::Complete { errno } => return Err(Failure::Errno(errno)),
        }
    }
}

fn report(ifindex: u32, interface: &Interface, sink: &mut dyn DumpSink) {
    sink.device(&DeviceFacts {
        ifindex,
        public_key: interface.public_key,
        listen_port: interface.listen_port,
        fwmark: interface.fwmark,
    });
    for peer in &interface.peers {
        sink.peer(&peer.facts);
        for allowed_ip in &peer.allowed_ips {
            sink.allowed_ip(*allowed_ip);
        }
    }
}

impl Device for UserspaceDevice {
    fn dump(&mut self, sink: &mut dyn DumpSink) -> Result<(), BackendError> {
        for _ in 0..DUMP_ATTEMPTS {
            let present = self.incarnation().ok_or(BackendError::InterfaceNotFound)?;
            let mut interface = self.get().map_err(|failure| self.error(failure))?;
            if self.incarnation() == Some(present) {
                self.order.arrange(&mut interface.peers);
                self.dumped = Some(present);
                report(present.ifindex, &interface, sink);
                return Ok(());
            }
        }
        Err(BackendError::Inconsistent {
            attempts: DUMP_ATTEMPTS,
            last: "the interface was replaced during the dump".to_owned(),
        })
    }

    fn is_still(&mut self, ifindex: u32) -> bool {
        self.is_still_as_dumped(ifindex)
    }

    fn set(&mut self, ifindex: u32, changes: &[PeerChange]) -> Result<(), BackendError> {
        if !self.is_still_as_dumped(ifindex) {
            return Err(BackendError::InterfaceNotFound);
        }
        if changes.is_empty() {
            return Ok(());
        }
        self.order.expect(changes);
        self.try_set(changes).map_err(|failure| self.error(failure))
    }
}
