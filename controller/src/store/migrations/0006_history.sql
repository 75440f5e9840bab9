-- Traffic and status over time, quotas, and which expiries were told.
-- Times are Unix seconds.

-- Never filled. Nodes and peers are asked for in other ways, and are never as many.
DROP TABLE samples;

-- Few nodes with many spans each: one node's history lies together.
CREATE TABLE node_samples (
    node_id      TEXT    NOT NULL REFERENCES nodes (id) ON DELETE CASCADE,
    resolution_s INTEGER NOT NULL CHECK (resolution_s IN (10, 300, 3600)),
    at           INTEGER NOT NULL,
    rx_bytes     INTEGER NOT NULL CHECK (rx_bytes >= 0),
    tx_bytes     INTEGER NOT NULL CHECK (tx_bytes >= 0),
    -- Seconds of the span somebody looked, and those of them it was online.
    watched_s    INTEGER NOT NULL,
    online_s     INTEGER NOT NULL,
    PRIMARY KEY (node_id, resolution_s, at)
) STRICT, WITHOUT ROWID;

-- Many peers: what is written at one time lies together, so that a hundred thousand rows touch as
-- few pages as they fill, and old ones go in one stretch. One peer's history is as many look-ups as
-- it has spans. Rows of a peer that was deleted go with their age.
CREATE TABLE peer_samples (
    resolution_s INTEGER NOT NULL CHECK (resolution_s IN (300, 3600)),
    at           INTEGER NOT NULL,
    peer_id      BLOB    NOT NULL CHECK (length(peer_id) = 16),
    rx_bytes     INTEGER NOT NULL CHECK (rx_bytes >= 0),
    tx_bytes     INTEGER NOT NULL CHECK (tx_bytes >= 0),
    online_s     INTEGER NOT NULL,
    PRIMARY KEY (resolution_s, at, peer_id)
) STRICT, WITHOUT ROWID;

-- How far a node's traffic is in its samples, and how far it was when its peers' counters were last
-- written down. After a restart the difference is what those counters will show once more.
CREATE TABLE node_traffic (
    node_id             TEXT    PRIMARY KEY REFERENCES nodes (id) ON DELETE CASCADE,
    rx_bytes_sampled    INTEGER NOT NULL DEFAULT 0,
    tx_bytes_sampled    INTEGER NOT NULL DEFAULT 0,
    rx_bytes_checkpoint INTEGER NOT NULL DEFAULT 0,
    tx_bytes_checkpoint INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;

CREATE TABLE node_status_changes (
    id      INTEGER PRIMARY KEY,
    node_id TEXT    NOT NULL REFERENCES nodes (id) ON DELETE CASCADE,
    at      INTEGER NOT NULL,
    status  TEXT    NOT NULL,
    reason  TEXT    NOT NULL
) STRICT;

CREATE INDEX node_status_changes_by_node ON node_status_changes (node_id, at, id);

-- Whoever changes a status, it is noted in the same transaction.
CREATE TRIGGER node_status_is_noted AFTER UPDATE OF status ON nodes
WHEN old.status <> new.status
BEGIN
    INSERT INTO node_status_changes (node_id, at, status, reason)
    VALUES (new.id, new.status_since, new.status, new.status_reason);
END;

CREATE TABLE peer_quotas (
    peer_id      TEXT    PRIMARY KEY REFERENCES peers (id) ON DELETE CASCADE,
    quota_bytes  INTEGER NOT NULL CHECK (quota_bytes > 0),
    period       TEXT    NOT NULL CHECK (period IN ('none', 'day', 'week', 'month')),
    period_start INTEGER NOT NULL,
    used_bytes   INTEGER NOT NULL CHECK (used_bytes >= 0),
    -- Disabled for the quota alone: it comes back by itself.
    held         INTEGER NOT NULL CHECK (held IN (0, 1)),
    -- When the next period begins; NULL when none does.
    resets_at    INTEGER
) STRICT, WITHOUT ROWID;

CREATE INDEX peer_quotas_held    ON peer_quotas (resets_at) WHERE held = 1;
CREATE INDEX peer_quotas_used_up ON peer_quotas (peer_id)
    WHERE held = 0 AND used_bytes >= quota_bytes;

-- The `expires_at` that was acted on and told: another one is told again.
ALTER TABLE peers ADD COLUMN expired_for INTEGER;

CREATE INDEX peers_to_expire ON peers (expires_at)
    WHERE expires_at IS NOT NULL AND expires_at IS NOT expired_for;
