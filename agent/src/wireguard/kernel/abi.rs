//! Numbers of the kernel's interface, as the uapi headers give them.

/// `struct nlmsghdr`, linux/netlink.h.
pub(super) const MESSAGE_HEADER_BYTES: usize = 16;
/// `struct genlmsghdr`, linux/genetlink.h.
pub(super) const GENERIC_HEADER_BYTES: usize = 4;
/// `struct nlattr`, linux/netlink.h.
pub(super) const ATTRIBUTE_HEADER_BYTES: usize = 4;

/// `NLMSG_NOOP`, linux/netlink.h.
pub(super) const NOOP: u16 = 1;
/// `NLMSG_ERROR`: an errno, 0 being the acknowledgement.
pub(super) const ERROR: u16 = 2;
/// `NLMSG_DONE`: the end of a dump, with an errno.
pub(super) const DONE: u16 = 3;

/// `NLM_F_REQUEST`, linux/netlink.h.
pub(super) const FLAG_REQUEST: u16 = 0x01;
/// `NLM_F_ACK`.
pub(super) const FLAG_ACK: u16 = 0x04;
/// `NLM_F_DUMP_INTR`: what is dumped changed since the dump began.
pub(super) const FLAG_DUMP_INTERRUPTED: u16 = 0x10;
/// `NLM_F_DUMP`: `NLM_F_ROOT | NLM_F_MATCH`.
pub(super) const FLAG_DUMP: u16 = 0x300;

/// `NLA_F_NESTED`, linux/netlink.h.
pub(super) const ATTRIBUTE_NESTED: u16 = 1 << 15;
/// `NLA_TYPE_MASK`.
pub(super) const ATTRIBUTE_KIND_MASK: u16 = 0x3fff;

/// The controller of generic netlink, linux/genetlink.h.
pub(super) mod ctrl {
    /// `GENL_ID_CTRL`.
    pub(in super::super) const FAMILY: u16 = 0x10;
    /// `CTRL_CMD_GETFAMILY`.
    pub(in super::super) const GET_FAMILY: u8 = 3;
    /// `CTRL_ATTR_FAMILY_ID`: u16.
    pub(in super::super) const FAMILY_ID: u16 = 1;
    /// `CTRL_ATTR_FAMILY_NAME`: string, closed by a NUL.
    pub(in super::super) const FAMILY_NAME: u16 = 2;
    /// The version of the controller's commands.
    pub(in super::super) const VERSION: u8 = 2;
}

/// `WG_GENL_NAME` with its NUL, linux/wireguard.h.
pub(super) const WIREGUARD_FAMILY_NAME: &[u8] = b"wireguard\0";
/// `WG_GENL_VERSION`.
pub(super) const WIREGUARD_VERSION: u8 = 1;
/// `WG_CMD_GET_DEVICE`.
pub(super) const GET_DEVICE: u8 = 0;
/// `WG_CMD_SET_DEVICE`. Messages of a dump carry it too.
pub(super) const SET_DEVICE: u8 = 1;

/// `enum wgdevice_attribute`, linux/wireguard.h. `WGDEVICE_A_PRIVATE_KEY` (3) has no name here: it is
/// never looked at.
pub(super) mod device {
    /// u32.
    pub(in super::super) const IFINDEX: u16 = 1;
    /// String, closed by a NUL.
    pub(in super::super) const IFNAME: u16 = 2;
    /// 32 bytes.
    pub(in super::super) const PUBLIC_KEY: u16 = 4;
    /// u16.
    pub(in super::super) const LISTEN_PORT: u16 = 6;
    /// u32.
    pub(in super::super) const FWMARK: u16 = 7;
    /// Nest of peers.
    pub(in super::super) const PEERS: u16 = 8;
}

/// `enum wgpeer_attribute` and `enum wgpeer_flag`, linux/wireguard.h.
pub(super) mod peer {
    /// 32 bytes.
    pub(in super::super) const PUBLIC_KEY: u16 = 1;
    /// 32 bytes; all zeros is none.
    pub(in super::super) const PRESHARED_KEY: u16 = 2;
    /// u32 of the flags below.
    pub(in super::super) const FLAGS: u16 = 3;
    /// `struct sockaddr_in` or `struct sockaddr_in6`.
    pub(in super::super) const ENDPOINT: u16 = 4;
    /// u16, seconds.
    pub(in super::super) const PERSISTENT_KEEPALIVE: u16 = 5;
    /// `struct __kernel_timespec`: two i64.
    pub(in super::super) const LAST_HANDSHAKE: u16 = 6;
    /// u64.
    pub(in super::super) const RX_BYTES: u16 = 7;
    /// u64.
    pub(in super::super) const TX_BYTES: u16 = 8;
    /// Nest of allowed IPs.
    pub(in super::super) const ALLOWED_IPS: u16 = 9;

    /// `WGPEER_F_REMOVE_ME`.
    pub(in super::super) const REMOVE_ME: u32 = 1 << 0;
    /// `WGPEER_F_REPLACE_ALLOWEDIPS`.
    pub(in super::super) const REPLACE_ALLOWED_IPS: u32 = 1 << 1;
    /// `WGPEER_F_UPDATE_ONLY`.
    pub(in super::super) const UPDATE_ONLY: u32 = 1 << 2;
}

/// `enum wgallowedip_attribute` and `enum wgallowedip_flag`, linux/wireguard.h.
pub(super) mod allowed_ip {
    /// u16, `AF_INET` or `AF_INET6`.
    pub(in super::super) const FAMILY: u16 = 1;
    /// 4 or 16 bytes.
    pub(in super::super) const ADDRESS: u16 = 2;
    /// u8.
    pub(in super::super) const PREFIX_LEN: u16 = 3;
    /// u32 of the flags below; unknown before Linux 6.16.
    pub(in super::super) const FLAGS: u16 = 4;

    /// `WGALLOWEDIP_F_REMOVE_ME`.
    pub(in super::super) const REMOVE_ME: u32 = 1 << 0;
    /// A flag no kernel has.
    pub(in super::super) const UNDEFINED: u32 = 1 << 31;
}

/// `AF_INET`, linux/socket.h.
pub(super) const AF_INET: u16 = rustix::net::AddressFamily::INET.as_raw();
/// `AF_INET6`.
pub(super) const AF_INET6: u16 = rustix::net::AddressFamily::INET6.as_raw();
/// `struct sockaddr_in`, linux/in.h.
pub(super) const SOCKADDR_IN_BYTES: usize = 16;
/// `struct sockaddr_in6`, linux/in6.h.
pub(super) const SOCKADDR_IN6_BYTES: usize = 28;
