//! One interface: its dump, begun again until it is consistent, and its changes.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use rustix::io::Errno;
use wire_contract::{AllowedIp, InterfaceName, PublicKey};

use super::{
    abi,
    dump::{DumpRequest, Parser, Progress},
    encode::{Cursor, Encoder, Shrinking, Target},
    message::{Head, Writer},
    session::{Failure, Session},
    socket::NetlinkIo,
};
use crate::{
    link,
    wireguard::{
        AllowedIpsChange, BackendError, Device, DumpSink, PeerAction, PeerChange,
        fingerprint::Fingerprinter,
    },
};

/// How often a dump is begun before it is given up.
const DUMP_ATTEMPTS: u32 = 10;
/// How many of them may end with no answer at all: each holds the caller up for seconds.
const MAX_TIMEOUTS: u32 = 1;

/// What this process found out about the kernel's `WGALLOWEDIP_F_REMOVE_ME` (Linux 6.16), shared by
/// all its devices.
#[derive(Debug, Clone, Default)]
pub(super) struct EntryRemoval(Arc<EntryRemovalState>);

#[derive(Debug, Default)]
struct EntryRemovalState {
    /// The kernel refuses flags it does not know, so a success means that it knew.
    is_strict: AtomicBool,
    /// The kernel refused the flag.
    is_refused: AtomicBool,
}

/// An interface of the kernel, over a socket of its own.
pub struct KernelDevice<S> {
    name: InterfaceName,
    session: Session<S>,
    encoder: Encoder,
    fingerprinter: Fingerprinter,
    entry_removal: EntryRemoval,
    retries: u64,
}

impl<S: NetlinkIo> KernelDevice<S> {
    /// The interface of this name, over `io`, whether it exists or not.
    pub fn new(name: InterfaceName, io: S, fingerprinter: Fingerprinter) -> Self {
        Self {
            name,
            session: Session::new(io),
            encoder: Encoder::new(),
            fingerprinter,
            entry_removal: EntryRemoval::default(),
            retries: 0,
        }
    }

    /// Shares what is found out about the kernel.
    pub(super) fn sharing(mut self, entry_removal: EntryRemoval) -> Self {
        self.entry_removal = entry_removal;
        self
    }

    fn attempt(&mut self, sink: &mut dyn DumpSink) -> Result<(), Failure> {
        let request = self.request_dump()?;
        let mut parser = Parser::new(request, &self.fingerprinter);
        loop {
            let progress = parser.datagram(self.session.receive()?, sink);
            // The rest of this dump would come in front of the next one.
            let progress = progress.inspect_err(|_| self.session.spoil())?;
            match progress {
                Progress::More => {}
                Progress::Complete => return Ok(()),
                Progress::Interrupted => return Err(Failure::Interrupted),
                Progress::Failed(errno) => return Err(Failure::Errno(errno)),
            }
        }
    }

    fn request_dump(&mut self) -> Result<DumpRequest, Failure> {
        let family = self.session.family()?;
        let sequence = self.session.next_sequence();
        let head = Head {
            family,
            flags: abi::FLAG_REQUEST | abi::FLAG_DUMP,
            sequence,
            command: abi::GET_DEVICE,
            version: abi::WIREGUARD_VERSION,
        };
        let mut request = Vec::new();
        let mut writer = Writer::begin(&mut request, head);
        let mut name = self.name.as_str().as_bytes().to_vec();
        name.push(0);
        writer.put(abi::device::IFNAME, &name);
        writer.finish();
        self.session.send(&request)?;
        Ok(DumpRequest {
            family,
            sequence,
            port_id: self.session.port_id(),
        })
    }

    fn dump_until_consistent(&mut self, sink: &mut dyn DumpSink) -> Result<(), BackendError> {
        let mut last = String::new();
        let mut timeouts = 0;
        for attempt in 0..DUMP_ATTEMPTS {
            self.retries += u64::from(attempt > 0);
            let Err(failure) = self.attempt(sink) else {
                return Ok(());
            };
            timeouts += u32::from(is_timeout(&failure));
            if !is_worth_another_dump(&failure) || timeouts > MAX_TIMEOUTS {
                return Err(self.error(failure));
            }
            if is_errno(&failure, Errno::NOENT) {
                self.session.forget_family();
            }
            last = failure.to_string();
        }
        Err(BackendError::Inconsistent {
            attempts: DUMP_ATTEMPTS,
            last,
        })
    }

    fn apply(&mut self, ifindex: u32, changes: &[PeerChange]) -> Result<(), Failure> {
        let mut shrinking = self.shrinking(ifindex, changes)?;
        let mut cursor = Cursor::default();
        while cursor.change < changes.len() {
            let target = self.target(ifindex)?;
            let next = self.encoder.fill(target, changes, cursor, shrinking);
            match self.deliver(target.sequence) {
                Ok(()) => cursor = next,
                // The message may hold in part. Its changes lead to the same state when they are
                // applied again, the one that was split from its beginning.
                Err(Failure::Errno(errno))
                    if shrinking == Shrinking::ByEntry
                        && errno == Errno::INVAL.raw_os_error()
                        && first_removed(changes).is_some() =>
                {
                    self.entry_removal
                        .0
                        .is_refused
                        .store(true, Ordering::Relaxed);
                    shrinking = Shrinking::ByReplacing;
                    cursor.allowed_ip = 0;
                }
                Err(failure) => return Err(failure),
            }
        }
        Ok(())
    }

    fn target(&mut self, ifindex: u32) -> Result<Target, Failure> {
        let family = self.session.family()?;
        Ok(Target {
            family,
            sequence: self.session.next_sequence(),
            ifindex,
        })
    }

    fn deliver(&mut self, sequence: u32) -> Result<(), Failure> {
        self.session.send(self.encoder.message())?;
        self.session.acknowledged(sequence)
    }

    /// How shrinking lists among `changes` are to be written.
    ///
    /// Kernels before 6.16 refuse the attribute that removes an entry; the module for kernels before
    /// 5.6 ignores attributes it does not know, which would leave the entry in place. So the first
    /// time an entry that is there is added once more, with a flag no kernel has: only if that is
    /// refused, a success of the real flag can be believed.
    fn shrinking(&mut self, ifindex: u32, changes: &[PeerChange]) -> Result<Shrinking, Failure> {
        let Some((peer, allowed_ip)) = first_removed(changes) else {
            return Ok(Shrinking::ByEntry);
        };
        let known = &self.entry_removal.0;
        if known.is_refused.load(Ordering::Relaxed) {
            return Ok(Shrinking::ByReplacing);
        }
        if known.is_strict.load(Ordering::Relaxed) {
            return Ok(Shrinking::ByEntry);
        }
        let target = self.target(ifindex)?;
        self.encoder.probe(target, peer, allowed_ip);
        match self.deliver(target.sequence) {
            // Or the peer has gone, which says nothing for the next time.
            Ok(()) => Ok(Shrinking::ByReplacing),
            Err(failure)
                if is_errno(&failure, Errno::INVAL) || is_errno(&failure, Errno::OPNOTSUPP) =>
            {
                self.entry_removal
                    .0
                    .is_strict
                    .store(true, Ordering::Relaxed);
                Ok(Shrinking::ByEntry)
            }
            Err(failure) => Err(failure),
        }
    }

    fn error(&mut self, failure: Failure) -> BackendError {
        match failure {
            Failure::Errno(errno)
                if errno == Errno::NODEV.raw_os_error()
                    || errno == Errno::OPNOTSUPP.raw_os_error() =>
            {
                self.session.forget_family();
                BackendError::InterfaceNotFound
            }
            Failure::NoFamily => BackendError::InterfaceNotFound,
            Failure::Errno(errno) => BackendError::Refused(io::Error::from_raw_os_error(errno)),
            Failure::Socket { doing, source } => BackendError::Io { doing, source },
            Failure::Interrupted | Failure::Truncated | Failure::Malformed(_) => {
                let source = io::Error::new(io::ErrorKind::InvalidData, failure.to_string());
                BackendError::Io {
                    doing: "reading from netlink",
                    source,
                }
            }
        }
    }
}

impl<S: NetlinkIo> Device for KernelDevice<S> {
    fn dump(&mut self, sink: &mut dyn DumpSink) -> Result<(), BackendError> {
        let dumped = self.dump_until_consistent(sink);
        self.session.wipe();
        dumped
    }

    fn retries(&self) -> u64 {
        self.retries
    }

    fn is_still(&mut self, ifindex: u32) -> bool {
        link::index_of(&self.name).is_ok_and(|present| present == ifindex)
    }

    fn set(&mut self, ifindex: u32, changes: &[PeerChange]) -> Result<(), BackendError> {
        let mut applied = self.apply(ifindex, changes);
        if applied
            .as_ref()
            .is_err_and(|failure| is_errno(failure, Errno::NOENT))
        {
            self.session.forget_family();
            applied = self.apply(ifindex, changes);
        }
        self.encoder.wipe();
        // A refusal carries the refused message.
        self.session.wipe();
        applied.map_err(|failure| self.error(failure))
    }
}

/// The first allowed IP that is to be taken from a peer.
fn first_removed(changes: &[PeerChange]) -> Option<(PublicKey, AllowedIp)> {
    changes.iter().find_map(|change| match &change.action {
        PeerAction::Set(settings) => match &settings.allowed_ips {
            AllowedIpsChange::Replace { removed, .. } => removed
                .first()
                .map(|allowed_ip| (change.public_key, *allowed_ip)),
            AllowedIpsChange::Unchanged | AllowedIpsChange::Add(_) => None,
        },
        PeerAction::Remove => None,
    })
}

fn is_errno(failure: &Failure, errno: Errno) -> bool {
    matches!(failure, Failure::Errno(is) if *is == errno.raw_os_error())
}

fn is_timeout(failure: &Failure) -> bool {
    matches!(failure, Failure::Socket { source, .. } if source.kind() == io::ErrorKind::WouldBlock)
}

fn is_worth_another_dump(failure: &Failure) -> bool {
    let passing = [
        Errno::NOBUFS,
        Errno::NOENT,
        Errno::AGAIN,
        Errno::BUSY,
        Errno::INTR,
    ];
    match failure {
        Failure::Interrupted | Failure::Truncated | Failure::Malformed(_) => true,
        Failure::NoFamily => false,
        Failure::Errno(errno) => passing
            .iter()
            .any(|passing| passing.raw_os_error() == *errno),
        Failure::Socket { source, .. } => {
            is_timeout(failure) || source.raw_os_error() == Some(Errno::NOBUFS.raw_os_error())
        }
    }
}
