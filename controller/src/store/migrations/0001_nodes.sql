-- Agents, the nodes behind them, and the addresses the nodes hand out.
-- Times are Unix seconds. Addresses are 16 bytes, big-endian, IPv4 in the last four: byte order is
-- address order.

CREATE TABLE meta (
    key   TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- What values are sealed with, each wrapped by the master key.
CREATE TABLE data_keys (
    version    INTEGER PRIMARY KEY CHECK (version > 0),
    wrapped    BLOB    NOT NULL,
    created_at INTEGER NOT NULL
) STRICT;

CREATE TABLE agents (
    id         TEXT    PRIMARY KEY,
    url        TEXT    NOT NULL UNIQUE CHECK (url <> ''),
    created_at INTEGER NOT NULL
) STRICT;

-- One secret belongs to one agent: the keyed fingerprint is unique over all of them, so a second
-- agent with the same secret is refused without opening any.
CREATE TABLE agent_secrets (
    agent_id    TEXT    NOT NULL REFERENCES agents (id) ON DELETE CASCADE,
    slot        TEXT    NOT NULL CHECK (slot IN ('current', 'next')),
    ciphertext  BLOB    NOT NULL,
    fingerprint BLOB    NOT NULL UNIQUE CHECK (length(fingerprint) = 32),
    created_at  INTEGER NOT NULL,
    PRIMARY KEY (agent_id, slot)
) STRICT, WITHOUT ROWID;

CREATE TABLE nodes (
    id                   TEXT    PRIMARY KEY,
    name                 TEXT    NOT NULL UNIQUE CHECK (name <> ''),
    agent_id             TEXT    NOT NULL REFERENCES agents (id),
    wg_interface         TEXT    NOT NULL,
    endpoint             TEXT,
    weight               INTEGER NOT NULL CHECK (weight >= 0),
    max_peers            INTEGER NOT NULL CHECK (max_peers >= 0),
    enabled              INTEGER NOT NULL CHECK (enabled IN (0, 1)),
    labels               TEXT    NOT NULL CHECK (json_valid(labels)),
    unmanaged_peers      TEXT    NOT NULL CHECK (unmanaged_peers IN ('ignore', 'adopt', 'remove')),
    reserved_ips         TEXT    NOT NULL CHECK (json_valid(reserved_ips)),
    dns                  TEXT    NOT NULL CHECK (json_valid(dns)),
    mtu                  INTEGER,
    client_allowed_ips   TEXT    NOT NULL CHECK (json_valid(client_allowed_ips)),
    persistent_keepalive INTEGER CHECK (persistent_keepalive BETWEEN 0 AND 65535),
    public_key           TEXT UNIQUE,
    tls_pin_sha256       TEXT,
    tls_ca_pem           TEXT,
    status               TEXT    NOT NULL CHECK (status IN ('online', 'offline', 'error', 'disabled')),
    status_reason        TEXT    NOT NULL,
    status_since         INTEGER NOT NULL,
    last_seen            INTEGER,
    latency_ms           INTEGER,
    version              TEXT,
    boot_id              TEXT,
    ifindex              INTEGER,
    uptime_s             INTEGER,
    desired_generation   INTEGER NOT NULL DEFAULT 0,
    observed_generation  INTEGER NOT NULL DEFAULT 0 CHECK (observed_generation <= desired_generation),
    peer_count           INTEGER NOT NULL DEFAULT 0 CHECK (peer_count >= 0),
    removal_confirmed    INTEGER NOT NULL DEFAULT 0 CHECK (removal_confirmed IN (0, 1)),
    writes_held          INTEGER NOT NULL DEFAULT 0 CHECK (writes_held IN (0, 1)),
    heartbeat_at         INTEGER,
    lease_owner          TEXT,
    lease_until          INTEGER,
    created_at           INTEGER NOT NULL,
    updated_at           INTEGER NOT NULL,
    UNIQUE (agent_id, wg_interface)
) STRICT;

CREATE TABLE pools (
    id       INTEGER PRIMARY KEY,
    node_id  TEXT    NOT NULL REFERENCES nodes (id) ON DELETE CASCADE,
    position INTEGER NOT NULL,
    cidr     TEXT    NOT NULL,
    family   INTEGER NOT NULL CHECK (family IN (4, 6)),
    skip     TEXT    NOT NULL CHECK (json_valid(skip)),
    UNIQUE (node_id, cidr)
) STRICT;

-- Free space as ranges, both ends included: a /64 is one row, and the next free address is the
-- first row of the primary key.
CREATE TABLE free_ranges (
    pool_id INTEGER NOT NULL REFERENCES pools (id) ON DELETE CASCADE,
    first   BLOB    NOT NULL CHECK (length(first) = 16),
    last    BLOB    NOT NULL CHECK (length(last) = 16),
    PRIMARY KEY (pool_id, first),
    CHECK (first <= last)
) STRICT, WITHOUT ROWID;
