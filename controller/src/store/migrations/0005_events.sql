-- What happened, in order, and who is told of it.

CREATE TABLE events (
    -- Given once and never again, so that an id names one event for good.
    id           INTEGER PRIMARY KEY AUTOINCREMENT,
    at           INTEGER NOT NULL,
    kind         TEXT    NOT NULL,
    -- The node it happened on, the one a moved peer left, and the peer.
    node_id      TEXT,
    from_node_id TEXT,
    peer_id      TEXT,
    -- The message that tells it, encoded. Never holds a secret.
    payload      BLOB    NOT NULL
) STRICT;

-- From these follows who may be told of what happened on a node.
CREATE INDEX events_of_nodes ON events (id)
    WHERE kind IN ('node.created', 'node.changed', 'node.deleted');

-- Whether the peer was last told of as being online there.
ALTER TABLE peer_nodes ADD COLUMN online INTEGER NOT NULL DEFAULT 0 CHECK (online IN (0, 1));

CREATE TABLE webhooks (
    id          TEXT    PRIMARY KEY,
    name        TEXT    NOT NULL UNIQUE,
    url         TEXT    NOT NULL,
    secret      BLOB    NOT NULL,
    enabled     INTEGER NOT NULL CHECK (enabled IN (0, 1)),
    -- Empty takes all.
    kinds       TEXT    NOT NULL CHECK (json_valid(kinds)),
    node_id     TEXT,
    tls_ca_pem  TEXT,
    -- The last event that was dealt with; the outbox is what follows it in `events`.
    position    INTEGER NOT NULL,
    -- How often the event after it was tried, and when it is tried again.
    attempts    INTEGER NOT NULL DEFAULT 0,
    retry_at    INTEGER,
    created_at  INTEGER NOT NULL,
    updated_at  INTEGER NOT NULL
) STRICT;

-- One row for each try.
CREATE TABLE webhook_deliveries (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    webhook_id  TEXT    NOT NULL REFERENCES webhooks (id) ON DELETE CASCADE,
    -- The same for all tries of one event.
    delivery_id TEXT    NOT NULL,
    -- Absent for a ping.
    event_id    INTEGER,
    kind        TEXT    NOT NULL,
    at          INTEGER NOT NULL,
    attempt     INTEGER NOT NULL,
    outcome     TEXT    NOT NULL CHECK (outcome IN ('delivered', 'failed', 'given_up', 'skipped')),
    http_status INTEGER,
    latency_ms  INTEGER NOT NULL,
    error       TEXT    NOT NULL
) STRICT;

CREATE INDEX webhook_deliveries_by_webhook ON webhook_deliveries (webhook_id, id);
