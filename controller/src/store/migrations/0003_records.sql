-- What was done, by whom, and what was measured.

CREATE TABLE audit (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    at          INTEGER NOT NULL,
    actor       TEXT    NOT NULL,
    source      TEXT    NOT NULL,
    action      TEXT    NOT NULL,
    object_kind TEXT    NOT NULL,
    object_id   TEXT    NOT NULL,
    before      TEXT CHECK (before IS NULL OR json_valid(before)),
    after       TEXT CHECK (after IS NULL OR json_valid(after))
) STRICT;

CREATE INDEX audit_by_object ON audit (object_id, id);

CREATE TRIGGER audit_is_append_only BEFORE UPDATE ON audit
BEGIN
    SELECT RAISE(ABORT, 'the audit log is append only');
END;

CREATE TABLE tokens (
    id           TEXT    PRIMARY KEY,
    name         TEXT    NOT NULL,
    hash         BLOB    NOT NULL UNIQUE CHECK (length(hash) = 32),
    role         TEXT    NOT NULL CHECK (role IN ('admin', 'operator', 'viewer')),
    label_scope  TEXT    NOT NULL CHECK (json_valid(label_scope)),
    expires_at   INTEGER,
    revoked_at   INTEGER,
    created_at   INTEGER NOT NULL
) STRICT;

-- A row is there from the commit of the request's change on.
CREATE TABLE idempotency (
    token_id   TEXT    NOT NULL,
    route      TEXT    NOT NULL,
    key        TEXT    NOT NULL,
    body_hash  BLOB    NOT NULL CHECK (length(body_hash) = 32),
    response   BLOB    NOT NULL,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (token_id, route, key)
) STRICT, WITHOUT ROWID;

CREATE INDEX idempotency_by_age ON idempotency (created_at);

CREATE TABLE samples (
    subject_kind TEXT    NOT NULL CHECK (subject_kind IN ('node', 'peer')),
    subject_id   TEXT    NOT NULL,
    resolution_s INTEGER NOT NULL CHECK (resolution_s IN (10, 300, 3600)),
    at           INTEGER NOT NULL,
    rx_bytes     INTEGER NOT NULL,
    tx_bytes     INTEGER NOT NULL,
    -- Share of the time it was online, in thousandths.
    online_permille INTEGER NOT NULL CHECK (online_permille BETWEEN 0 AND 1000),
    PRIMARY KEY (subject_kind, subject_id, resolution_s, at)
) STRICT, WITHOUT ROWID;

CREATE INDEX samples_by_age ON samples (resolution_s, at);
