//! The boundary between what the agent promises and what a WireGuard implementation does.
//!
//! Implementations behave as the Linux kernel does, its quirks included: an allowed IP given to a
//! second peer moves to it, removing or updating an absent peer succeeds and does nothing, and so
//! does adding the device's own key. The promises of the contract are made above this line.

use std::{fmt, future::Future, io, net::SocketAddr, pin::Pin};

use wire_contract::{AllowedIp, InterfaceName, Keepalive, PresharedKey, PublicKey};

use super::fingerprint::Fingerprint;

/// A boxed future, so that [`Backend`] can be a trait object.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Which implementation drives WireGuard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BackendKind {
    /// The Linux kernel, over generic netlink.
    Kernel,
    /// A daemon such as wireguard-go, over its UAPI socket.
    Userspace,
    /// In memory; nothing leaves the process.
    Simulated,
}

impl BackendKind {
    /// The name `/health` shows.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Kernel => "kernel",
            Self::Userspace => "userspace",
            Self::Simulated => "simulated",
        }
    }
}

impl fmt::Display for BackendKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Finds WireGuard interfaces and opens them.
pub trait Backend: Send + Sync + 'static {
    /// Which implementation this is.
    fn kind(&self) -> BackendKind;

    /// Changes whenever the counters of all peers start again at 0.
    fn boot_id(&self) -> &str;

    /// The names of all WireGuard interfaces, sorted.
    fn interfaces(&self) -> BoxFuture<'_, Result<Vec<InterfaceName>, BackendError>>;

    /// The network side of one interface; [`BackendError::InterfaceNotFound`] when it is absent or
    /// is no WireGuard interface.
    fn link<'a>(&'a self, name: &'a InterfaceName) -> BoxFuture<'a, Result<Link, BackendError>>;

    /// Interfaces that come and go from now on. A receiver that lags has missed some.
    fn link_events(&self) -> tokio::sync::broadcast::Receiver<LinkEvent>;

    /// Opens an interface for the one thread that will own it. Succeeds for an interface that does
    /// not exist; its calls then fail.
    ///
    /// # Errors
    /// When the means of talking to it can't be had.
    fn open(&self, name: &InterfaceName) -> Result<Box<dyn Device>, BackendError>;
}

/// One WireGuard interface. Calls block; one thread owns it.
pub trait Device: Send {
    /// Reports the device and every peer to `sink`, consistently: no peer missing, none twice.
    ///
    /// # Errors
    /// [`BackendError::Inconsistent`] when the kernel kept changing under the dump; what `sink` was
    /// told is void then, as after any error.
    fn dump(&mut self, sink: &mut dyn DumpSink) -> Result<(), BackendError>;

    /// How often dumps were begun again since the device was opened, because the answer was not
    /// consistent.
    fn retries(&self) -> u64 {
        0
    }

    /// Whether the interface that had `ifindex` when it was last dumped is still there under its
    /// name. Costs next to nothing, unlike a dump; news of links may come later than a request that
    /// is to be answered without one.
    fn is_still(&mut self, ifindex: u32) -> bool;

    /// Applies `changes` in order to the interface that had `ifindex` when it was last dumped: an
    /// interface deleted and made again under the same name is not written to.
    ///
    /// # Errors
    /// Not atomic: after an error any first part of `changes` may hold. Read back before answering.
    fn set(&mut self, ifindex: u32, changes: &[PeerChange]) -> Result<(), BackendError>;
}

/// Receives a dump, peer by peer, straight from the reader's buffer.
///
/// `peer` is followed by one `allowed_ip` for each of its networks, in the implementation's order.
pub trait DumpSink {
    /// The dump begins, or begins again: everything reported before is void.
    fn device(&mut self, device: &DeviceFacts);
    /// The next peer.
    fn peer(&mut self, peer: &PeerFacts);
    /// A network of the peer reported last.
    fn allowed_ip(&mut self, allowed_ip: AllowedIp);
}

/// What a dump says of the device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DeviceFacts {
    /// The kernel's number for it.
    pub ifindex: u32,
    /// Its own key; `None` while it has none.
    pub public_key: Option<PublicKey>,
    /// UDP port; 0 when none is bound.
    pub listen_port: u16,
    /// Firewall mark; 0 is none.
    pub fwmark: u32,
}

/// What a dump says of one peer, allowed IPs apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PeerFacts {
    /// Who.
    pub public_key: PublicKey,
    /// Its preshared key, unrecognisable; `None` when it has none.
    pub preshared_key: Option<Fingerprint>,
    /// Where it was last heard from, or was set to be.
    pub endpoint: Option<SocketAddr>,
    /// Unix seconds; 0 is never.
    pub latest_handshake: i64,
    /// Received from the peer, bytes.
    pub rx_bytes: u64,
    /// Sent to the peer, bytes.
    pub tx_bytes: u64,
    /// Seconds; 0 is off.
    pub persistent_keepalive: Keepalive,
}

/// One step of [`Device::set`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PeerChange {
    /// Who.
    pub public_key: PublicKey,
    /// What becomes of it.
    pub action: PeerAction,
}

/// What becomes of a peer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PeerAction {
    /// It goes. Succeeds when it is not there.
    Remove,
    /// It is there with these settings.
    Set(PeerSettings),
}

/// Settings to apply to a peer; what is `None` or unchanged stays as it is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PeerSettings {
    /// Only if the peer is there; succeeds and does nothing otherwise.
    pub update_only: bool,
    /// The all-zero key removes it.
    pub preshared_key: Option<PresharedKey>,
    /// Where to reach it.
    pub endpoint: Option<SocketAddr>,
    /// 0 turns it off.
    pub persistent_keepalive: Option<Keepalive>,
    /// Its networks.
    pub allowed_ips: AllowedIpsChange,
}

/// What becomes of a peer's allowed IPs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum AllowedIpsChange {
    /// They stay.
    #[default]
    Unchanged,
    /// These are added; no packet of the others is dropped meanwhile.
    Add(Vec<AllowedIp>),
    /// The list becomes `all`. An implementation that can remove single entries applies `removed` and
    /// `added` instead, which together lead from the present list to `all`.
    Replace {
        /// The whole list as it shall be.
        all: Vec<AllowedIp>,
        /// What is in the present list and not in `all`.
        removed: Vec<AllowedIp>,
        /// What is in `all` and not in the present list.
        added: Vec<AllowedIp>,
    },
}

/// The network side of an interface.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// The kernel's number for it.
    pub ifindex: u32,
    /// Bytes.
    pub mtu: u32,
    /// Administratively up.
    pub up: bool,
    /// `address/prefix`, host bits kept.
    pub addresses: Vec<String>,
}

/// A WireGuard interface came or went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LinkEvent {
    /// It is there, perhaps again: whatever was known of an interface of that name with another
    /// number is void.
    Appeared {
        /// Its name.
        name: InterfaceName,
        /// Its number.
        ifindex: u32,
    },
    /// It is gone.
    Gone {
        /// Its name.
        name: InterfaceName,
        /// Its number.
        ifindex: u32,
    },
}

/// Why a backend did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum BackendError {
    /// No such interface, or it is not WireGuard's.
    #[error("no WireGuard interface of that name")]
    InterfaceNotFound,
    /// The kernel kept changing under the dump, or sent what can't be a dump.
    #[error("no consistent dump in {attempts} attempts, the last one: {last}")]
    Inconsistent {
        /// How often it was tried.
        attempts: u32,
        /// What was wrong the last time.
        last: String,
    },
    /// The kernel, or the daemon, refused a request.
    #[error("WireGuard refused: {0}")]
    Refused(#[source] io::Error),
    /// The way to the kernel, or to the daemon, failed.
    #[error("{doing}: {source}")]
    Io {
        /// What was being done.
        doing: &'static str,
        /// What the system said, errno included.
        #[source]
        source: io::Error,
    },
}
