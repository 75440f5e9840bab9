//! Peers in files, CSV or JSON: what there is of each, under the names of the API, and the name of its
//! node. The command line writes and reads them, and the pages read them.

/// In the order of the columns.
pub const COLUMNS: [&str; 14] = [
    "name",
    "node",
    "public_key",
    "preshared_key",
    "allowed_ips",
    "persistent_keepalive",
    "labels",
    "enabled",
    "expires_at",
    "dns",
    "mtu",
    "client_allowed_ips",
    "quota_bytes",
    "quota_period",
];
