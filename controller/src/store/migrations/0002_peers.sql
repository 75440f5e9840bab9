-- Peers, where they stand, and what was counted of them.

CREATE TABLE peers (
    id                   TEXT    PRIMARY KEY,
    name                 TEXT    NOT NULL,
    -- The node the peer is meant to be on; while it moves it is on its old one as well.
    node_id              TEXT    NOT NULL REFERENCES nodes (id),
    public_key           TEXT    NOT NULL,
    private_key          BLOB,
    preshared_key        BLOB,
    persistent_keepalive INTEGER NOT NULL CHECK (persistent_keepalive BETWEEN 0 AND 65535),
    dns                  TEXT    NOT NULL CHECK (json_valid(dns)),
    mtu                  INTEGER,
    client_allowed_ips   TEXT    NOT NULL CHECK (json_valid(client_allowed_ips)),
    labels               TEXT    NOT NULL CHECK (json_valid(labels)),
    enabled              INTEGER NOT NULL CHECK (enabled IN (0, 1)),
    disabled_reason      TEXT    NOT NULL DEFAULT '',
    expires_at           INTEGER,
    created_at           INTEGER NOT NULL,
    updated_at           INTEGER NOT NULL
) STRICT;

CREATE INDEX peers_by_name         ON peers (name, id);
CREATE INDEX peers_by_created      ON peers (created_at, id);
CREATE INDEX peers_by_node_name    ON peers (node_id, name, id);
CREATE INDEX peers_by_node_created ON peers (node_id, created_at, id);
CREATE INDEX peers_by_key          ON peers (public_key);
CREATE INDEX peers_by_expiry       ON peers (expires_at, id) WHERE expires_at IS NOT NULL;

-- A peer on a node is (node, public key). A row without a peer is a tombstone: the key must be
-- gone from the node, and the row stays until a delayed request can no longer bring it back.
CREATE TABLE peer_nodes (
    node_id        TEXT    NOT NULL REFERENCES nodes (id) ON DELETE CASCADE,
    public_key     TEXT    NOT NULL,
    peer_id        TEXT    REFERENCES peers (id),
    allowed_ips    TEXT    NOT NULL CHECK (json_valid(allowed_ips)),
    sync_state     TEXT    NOT NULL CHECK (sync_state IN ('applied', 'pending', 'failed')),
    sync_reason    TEXT    NOT NULL,
    -- The node's generation that last changed this row: an older answer does not settle it.
    generation     INTEGER NOT NULL,
    psk_confirmed  INTEGER NOT NULL CHECK (psk_confirmed IN (0, 1)),
    -- Set while the peer waits to be seen on its new node before it leaves this one.
    moving_to      TEXT    REFERENCES nodes (id),
    deleted_at     INTEGER,
    last_signed_at INTEGER,
    -- Until then a request that was never answered may still arrive, with settings that are old by
    -- then; what it carried is written over afterwards.
    doubt_until    INTEGER,
    PRIMARY KEY (node_id, public_key),
    CHECK ((peer_id IS NULL) = (deleted_at IS NOT NULL))
) STRICT, WITHOUT ROWID;

CREATE INDEX peer_nodes_by_peer    ON peer_nodes (peer_id);
CREATE INDEX peer_nodes_unsettled  ON peer_nodes (sync_state, node_id) WHERE sync_state <> 'applied';
CREATE INDEX peer_nodes_tombstones ON peer_nodes (node_id) WHERE deleted_at IS NOT NULL;
CREATE INDEX peer_nodes_moving     ON peer_nodes (moving_to) WHERE moving_to IS NOT NULL;

-- The kernel gives one allowed IP to one peer of an interface; so does this key.
CREATE TABLE allowed_ip_owners (
    node_id    TEXT NOT NULL,
    cidr       TEXT NOT NULL,
    public_key TEXT NOT NULL,
    PRIMARY KEY (node_id, cidr),
    FOREIGN KEY (node_id, public_key) REFERENCES peer_nodes (node_id, public_key) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;

CREATE INDEX allowed_ip_owners_by_key ON allowed_ip_owners (node_id, public_key);

CREATE TABLE allocations (
    pool_id INTEGER NOT NULL REFERENCES pools (id),
    address BLOB    NOT NULL CHECK (length(address) = 16),
    peer_id TEXT    NOT NULL REFERENCES peers (id),
    PRIMARY KEY (pool_id, address)
) STRICT, WITHOUT ROWID;

CREATE INDEX allocations_by_peer ON allocations (peer_id);

-- Checkpoints of what was observed, apart from `peers` so that counting rewrites no declaration.
-- The kernel's counters belong to one epoch: (boot id, interface index).
CREATE TABLE peer_counters (
    node_id          TEXT    NOT NULL,
    public_key       TEXT    NOT NULL,
    rx_bytes_total   INTEGER NOT NULL,
    tx_bytes_total   INTEGER NOT NULL,
    rx_bytes         INTEGER NOT NULL,
    tx_bytes         INTEGER NOT NULL,
    boot_id          TEXT,
    ifindex          INTEGER,
    endpoint         TEXT,
    latest_handshake INTEGER NOT NULL,
    observed_at      INTEGER NOT NULL,
    PRIMARY KEY (node_id, public_key),
    FOREIGN KEY (node_id, public_key) REFERENCES peer_nodes (node_id, public_key) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;
