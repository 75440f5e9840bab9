//! That what is acknowledged would survive a power cut can't be shown by a kill: the system keeps
//! what a killed program wrote. It shows in the calls that are made.

use std::fs;

use serde_json::json;
use tempfile::TempDir;

use super::runner::Controller;

const CREATES: usize = 10;

#[test]
fn hostile_29_every_acknowledged_change_was_synced_to_the_disk() {
    let directory = TempDir::with_prefix("wgfleet-trace-").expect("a directory");
    let trace = directory.path().join("syncs");
    let mut controller = Controller::prepare();
    controller.run_traced(&trace);
    // Disabled: no worker writes anything meanwhile.
    let more = json!({ "enabled": false, "ip_pool_cidr": "10.8.0.0/24" });
    let node = controller.add("a", "http://a.invalid", &more);
    for number in 0..CREATES {
        let before = syncs(&trace);
        let peer = json!({ "name": format!("peer {number}"), "node_id": node });
        controller.create_peer(&peer).expect(201);
        assert!(
            syncs(&trace) > before,
            "the answer to create {number} came before any sync"
        );
    }
    controller.terminate();
}

/// How often the store's log was synced so far.
fn syncs(trace: &std::path::Path) -> usize {
    let text = fs::read_to_string(trace).expect("strace writes its trace");
    text.lines()
        .filter(|line| line.contains("controller.db-wal") && line.ends_with("= 0"))
        .count()
}
