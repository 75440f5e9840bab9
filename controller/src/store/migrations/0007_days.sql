-- What nodes moved each day (UTC), so that a quarter of many nodes is few rows.

CREATE TABLE node_samples_with_days (
    node_id      TEXT    NOT NULL REFERENCES nodes (id) ON DELETE CASCADE,
    resolution_s INTEGER NOT NULL CHECK (resolution_s IN (10, 300, 3600, 86400)),
    at           INTEGER NOT NULL,
    rx_bytes     INTEGER NOT NULL CHECK (rx_bytes >= 0),
    tx_bytes     INTEGER NOT NULL CHECK (tx_bytes >= 0),
    -- Seconds of the span somebody looked, and those of them it was online.
    watched_s    INTEGER NOT NULL,
    online_s     INTEGER NOT NULL,
    PRIMARY KEY (node_id, resolution_s, at)
) STRICT, WITHOUT ROWID;

INSERT INTO node_samples_with_days
SELECT node_id, resolution_s, at, rx_bytes, tx_bytes, watched_s, online_s FROM node_samples;

-- Not sum(): an agent that told absurd counters must not make it overflow.
INSERT INTO node_samples_with_days
SELECT node_id, 86400, at - at % 86400, CAST(total(rx_bytes) AS INTEGER),
       CAST(total(tx_bytes) AS INTEGER), sum(watched_s), sum(online_s)
FROM node_samples WHERE resolution_s = 3600
GROUP BY node_id, at - at % 86400;

DROP TABLE node_samples;
ALTER TABLE node_samples_with_days RENAME TO node_samples;
