//! Which peers have changed: noted by triggers of the writer's connection, in the transaction that
//! changes them. They are that connection's alone, and in memory.
//!
//! A peer comes with its row on its node and goes with it: its own row alone shows nowhere, and can't be
//! deleted while the other names it.

use rusqlite::Connection;

use super::PeerId;
use crate::store::StoreError;

const TRIGGERS: &str = "
PRAGMA temp_store = MEMORY;
CREATE TEMP TABLE changed_peers (id TEXT);

CREATE TEMP TRIGGER peer_changes AFTER UPDATE OF
    id, node_id, name, public_key, created_at, expires_at, labels, enabled ON main.peers
BEGIN INSERT INTO changed_peers VALUES (old.id), (new.id); END;

CREATE TEMP TRIGGER peer_is_placed AFTER INSERT ON main.peer_nodes WHEN new.peer_id IS NOT NULL
BEGIN INSERT INTO changed_peers VALUES (new.peer_id); END;
CREATE TEMP TRIGGER peer_stands_otherwise AFTER UPDATE OF
    node_id, public_key, peer_id, allowed_ips, sync_state ON main.peer_nodes
BEGIN INSERT INTO changed_peers SELECT old.peer_id WHERE old.peer_id IS NOT NULL
    UNION SELECT new.peer_id WHERE new.peer_id IS NOT NULL; END;
CREATE TEMP TRIGGER peer_is_taken_away AFTER DELETE ON main.peer_nodes WHEN old.peer_id IS NOT NULL
BEGIN INSERT INTO changed_peers VALUES (old.peer_id); END;

CREATE TEMP TRIGGER quota_comes AFTER INSERT ON main.peer_quotas
BEGIN INSERT INTO changed_peers VALUES (new.peer_id); END;
CREATE TEMP TRIGGER quota_holds AFTER UPDATE OF held ON main.peer_quotas
BEGIN INSERT INTO changed_peers VALUES (new.peer_id); END;
CREATE TEMP TRIGGER quota_goes AFTER DELETE ON main.peer_quotas
BEGIN INSERT INTO changed_peers VALUES (old.peer_id); END;
";

/// Has every change of a peer noted from now on.
pub(in crate::store) fn note(writer: &Connection) -> Result<(), StoreError> {
    Ok(writer.execute_batch(TRIGGERS)?)
}

/// The peers that have changed, each once.
pub(super) fn noted(writer: &Connection) -> Result<Vec<PeerId>, StoreError> {
    let mut select = writer.prepare_cached("SELECT DISTINCT id FROM changed_peers")?;
    let ids = select.query_map([], |row| row.get(0))?;
    Ok(ids.collect::<Result<_, _>>()?)
}

/// They were read again.
pub(super) fn forget(writer: &Connection) -> Result<(), StoreError> {
    let mut delete = writer.prepare_cached("DELETE FROM changed_peers")?;
    delete.execute([])?;
    Ok(())
}
