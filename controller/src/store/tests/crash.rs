//! The process dies at a failpoint: what was acknowledged is there, nothing is there by half.

use std::{
    collections::{BTreeSet, HashSet},
    io::{BufRead, BufReader, Write},
    os::unix::process::ExitStatusExt,
    path::Path,
    process::{Command, Stdio},
};

use super::{Fixture, add_peer, open};
use crate::{
    failpoint,
    store::{nodes, pools},
};
use wire_contract::PublicKey;

const DIRECTORY: &str = "WGFLEET_TEST_CRASH_DIRECTORY";
/// How an abort ends a process.
const SIGABRT: i32 = 6;
const ACKNOWLEDGED: &str = "acknowledged ";

/// The child's part: adds peers, four at a time, until it dies.
#[tokio::test]
async fn child() {
    let Some(directory) = std::env::var_os(DIRECTORY) else {
        return;
    };
    let store = open(Path::new(&directory)).expect("the store");
    let node = store.read(nodes::list).await.expect("nodes")[0].id;
    let add = |index: usize| {
        store.write(move |tx| {
            let name = format!("peer {index:04}");
            add_peer(tx, node, &name, PublicKey::from_bytes(super::random()))?;
            Ok(name)
        })
    };
    for index in (0..200).step_by(4) {
        let (a, b, c, d) = tokio::join!(add(index), add(index + 1), add(index + 2), add(index + 3));
        for name in [a, b, c, d] {
            let mut out = std::io::stdout().lock();
            writeln!(out, "{ACKNOWLEDGED}{}", name.expect("a write")).expect("a pipe");
            out.flush().expect("a pipe");
        }
    }
}

fn run_child(directory: &Path, at: &str) -> BTreeSet<String> {
    let mut child = Command::new(std::env::current_exe().expect("this program"))
        .args(["--exact", "store::tests::crash::child", "--nocapture"])
        .env(DIRECTORY, directory)
        .env(failpoint::VARIABLE, at)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("a child");
    let lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
    let names = lines
        .map_while(Result::ok)
        .filter_map(|line| {
            line.split_once(ACKNOWLEDGED)
                .map(|(_, name)| name.to_owned())
        })
        .collect();
    let end = child.wait().expect("its end");
    assert_eq!(end.signal(), Some(SIGABRT), "{at} was never reached: {end}");
    names
}

#[tokio::test]
async fn nothing_acknowledged_is_lost() {
    let mut seen = 0;
    for place in [
        "store.begun:7",
        "store.between_commands:5",
        "store.between_commands:30",
        "store.before_commit:1",
        "store.before_commit:9",
        "store.after_commit:1",
        "store.after_commit:9",
        "store.before_ack:5",
        "store.after_ack:6",
    ] {
        let fixture = Fixture::new();
        let node = fixture.node("node-1", &["10.8.0.0/22"]).await;
        fixture.store.close().await;
        let acknowledged = run_child(fixture.dir.path(), place);
        seen += acknowledged.len();
        // Opening checks the file's integrity.
        let store = open(fixture.dir.path()).expect(place);
        let check = store.read(move |conn| {
            let names = conn
                .prepare("SELECT name FROM peers")?
                .query_map([], |row| row.get(0))?
                .collect::<Result<BTreeSet<String>, _>>()?;
            let row = nodes::get(conn, node)?;
            let addresses: i64 =
                conn.query_row("SELECT count(*) FROM allocations", [], |row| row.get(0))?;
            assert!(pools::has_room(
                conn,
                &pools::list(conn, node)?[0],
                &HashSet::new()
            )?);
            Ok((names, row, addresses))
        });
        let (names, row, addresses) = check.await.expect(place);
        assert!(
            acknowledged.is_subset(&names),
            "{place}: {acknowledged:?} of {names:?}"
        );
        // Whole peers only: row, address, count and generation came together.
        assert_eq!(
            addresses,
            i64::try_from(names.len()).expect("few"),
            "{place}"
        );
        assert_eq!(row.peer_count as usize, names.len(), "{place}");
        assert_eq!(row.desired_generation, names.len() as u64, "{place}");
    }
    assert!(seen > 0, "no child came as far as an acknowledgement");
}

#[tokio::test]
async fn a_migration_that_was_cut_short_is_done_again() {
    let directory = tempfile::tempdir().expect("a directory");
    for turn in ["store.migrating:1", "store.migrating:2"] {
        run_child(directory.path(), turn);
    }
    open(directory.path()).expect("a whole store");
}
