//! The replay memory: what it says of a request seen before, while running and after a restart.

use std::path::Path;

use tempfile::TempDir;
use wgfleet_agent::state::replay::{Admission, PeerId, ReplayMemory, Ticket};
use wire_contract::{InterfaceName, PublicKey, signing::Mac};

const NOW: i64 = 1_800_000_000;

fn mac(n: u8) -> Mac {
    Mac::from_bytes([n; 32])
}

fn peer(n: u8) -> PeerId {
    let interface: InterfaceName = "wg0".parse().expect("a name");
    PeerId::new(&interface, &PublicKey::from_bytes([n; 32]))
}

fn open(directory: &Path) -> ReplayMemory {
    ReplayMemory::open(directory, NOW).expect("the log opens")
}

fn admitted(memory: &ReplayMemory, mac_n: u8, peer_n: u8) -> Ticket {
    match memory.admit(&mac(mac_n), NOW, peer(peer_n), NOW) {
        Admission::New(ticket) => ticket,
        other => panic!("expected a ticket, got {other:?}"),
    }
}

fn apply(memory: &ReplayMemory, mac_n: u8, peer_n: u8) {
    let ticket = admitted(memory, mac_n, peer_n);
    memory.begin([&ticket], NOW).expect("committed");
    memory.finish([(&ticket, true)], NOW);
}

fn verdict(memory: &ReplayMemory, mac_n: u8, peer_n: u8) -> &'static str {
    match memory.admit(&mac(mac_n), NOW, peer(peer_n), NOW) {
        Admission::New(_) => "new",
        Admission::Repeat => "repeat",
        Admission::Replayed => "replayed",
        Admission::InFlight(_) => "in flight",
        Admission::Expired => "expired",
        Admission::Full => "full",
    }
}

#[test]
fn the_newest_applied_mutation_of_a_peer_is_answered_again() {
    let dir = TempDir::new().expect("a directory");
    let memory = open(dir.path());
    apply(&memory, 1, 1);
    apply(&memory, 2, 2);
    assert_eq!(
        verdict(&memory, 1, 1),
        "repeat",
        "another peer's mutation changes nothing"
    );
    apply(&memory, 3, 1);
    assert_eq!(verdict(&memory, 1, 1), "replayed");
    assert_eq!(verdict(&memory, 3, 1), "repeat");
}

#[test]
fn a_restart_forgets_nothing() {
    let dir = TempDir::new().expect("a directory");
    {
        let memory = open(dir.path());
        apply(&memory, 1, 1);
        apply(&memory, 2, 1);
        let refused = admitted(&memory, 3, 2);
        memory.refuse(&refused, NOW).expect("committed");
    }
    for _ in 0..3 {
        let memory = open(dir.path());
        assert_eq!(verdict(&memory, 1, 1), "replayed");
        assert_eq!(verdict(&memory, 2, 1), "repeat");
        assert_eq!(verdict(&memory, 3, 2), "replayed");
    }
}

#[test]
fn what_a_crash_left_begun_may_be_made_again_only_if_nothing_came_after() {
    let dir = TempDir::new().expect("a directory");
    {
        let memory = open(dir.path());
        let (first, second) = (admitted(&memory, 1, 1), admitted(&memory, 2, 1));
        let other = admitted(&memory, 3, 2);
        memory
            .begin([&first, &second, &other], NOW)
            .expect("committed");
    }
    let memory = open(dir.path());
    assert_eq!(
        verdict(&memory, 1, 1),
        "replayed",
        "an older one would undo the newer"
    );
    let retried = admitted(&memory, 2, 1);
    memory.begin([&retried], NOW).expect("committed");
    memory.finish([(&retried, true)], NOW);
    drop(retried);
    assert_eq!(verdict(&memory, 2, 1), "repeat");
    apply(&memory, 4, 2);
    assert_eq!(verdict(&memory, 3, 2), "replayed");
}

#[test]
fn refused_ones_stay_refused() {
    let dir = TempDir::new().expect("a directory");
    let memory = open(dir.path());
    let ticket = admitted(&memory, 1, 1);
    memory.begin([&ticket], NOW).expect("committed");
    memory.finish([(&ticket, false)], NOW);
    drop(ticket);
    assert_eq!(verdict(&memory, 1, 1), "replayed");
}

#[test]
fn the_same_request_waits_for_itself() {
    let dir = TempDir::new().expect("a directory");
    let memory = open(dir.path());
    let ticket = admitted(&memory, 1, 1);
    assert_eq!(verdict(&memory, 1, 1), "in flight");
    memory.begin([&ticket], NOW).expect("committed");
    memory.finish([(&ticket, true)], NOW);
    drop(ticket);
    assert_eq!(verdict(&memory, 1, 1), "repeat");
}

#[test]
fn a_worker_that_dies_leaves_nobody_waiting() {
    let dir = TempDir::new().expect("a directory");
    let memory = open(dir.path());
    drop(admitted(&memory, 1, 1));
    assert_eq!(verdict(&memory, 1, 1), "replayed");
}

#[test]
fn entries_leave_with_the_window_and_make_room() {
    let dir = TempDir::new().expect("a directory");
    let memory = ReplayMemory::with_capacity(dir.path(), NOW, 2).expect("the log opens");
    apply(&memory, 1, 1);
    apply(&memory, 2, 2);
    assert_eq!(verdict(&memory, 3, 3), "full");
    let at_the_edge = memory.admit(&mac(3), NOW, peer(3), NOW + 300);
    assert!(
        matches!(at_the_edge, Admission::Full),
        "300 s old is still within the window"
    );
    let soon_after = memory.admit(&mac(3), NOW + 301, peer(3), NOW + 301);
    assert!(
        matches!(soon_after, Admission::Full),
        "remembered a while longer than it is accepted"
    );
    let after = memory.admit(&mac(3), NOW + 361, peer(3), NOW + 361);
    assert!(matches!(after, Admission::New(_)));
    assert_eq!(memory.len(), 1);
}

#[test]
fn hostile_07_what_has_left_the_window_is_not_new() {
    let dir = TempDir::new().expect("a directory");
    let memory = open(dir.path());
    apply(&memory, 1, 1);
    for (later, expired) in [(300, false), (301, true), (400, true), (100_000, true)] {
        let replay = memory.admit(&mac(1), NOW, peer(1), NOW + later);
        assert_eq!(
            matches!(replay, Admission::Expired),
            expired,
            "after {later} s: {replay:?}"
        );
    }
}

#[test]
fn a_record_cut_short_by_a_crash_is_ignored() {
    let dir = TempDir::new().expect("a directory");
    apply(&open(dir.path()), 1, 1);
    let log = std::fs::read_dir(dir.path())
        .expect("a directory")
        .map(|entry| entry.expect("an entry").path())
        .find(|path| path.metadata().is_ok_and(|found| found.len() > 0))
        .expect("a segment with records");
    let whole = std::fs::read(&log).expect("readable");
    for len in whole.len() / 2..whole.len() {
        std::fs::write(&log, &whole[..len]).expect("writable");
        let memory = open(dir.path());
        assert_eq!(
            verdict(&memory, 1, 1),
            "new",
            "begun survives, the outcome was cut"
        );
        drop(memory);
        clean_up_segments(dir.path(), &log);
    }
    std::fs::write(&log, &whole).expect("writable");
    assert_eq!(verdict(&open(dir.path()), 1, 1), "repeat");
}

/// Opening began a new segment; the next round shall see only the one that was cut.
fn clean_up_segments(directory: &Path, keep: &Path) {
    for entry in std::fs::read_dir(directory).expect("a directory") {
        let path = entry.expect("an entry").path();
        if path != keep {
            std::fs::remove_file(path).expect("removable");
        }
    }
}

#[test]
fn a_log_that_cannot_be_opened_is_an_error_at_start() {
    let dir = TempDir::new().expect("a directory");
    let missing = dir.path().join("gone");
    let error = ReplayMemory::open(&missing, NOW)
        .err()
        .expect("no such directory");
    assert!(error.to_string().contains("gone"), "{error}");
}

#[test]
fn concurrent_commits_share_the_log_without_losing_any() {
    let dir = TempDir::new().expect("a directory");
    {
        let memory = open(dir.path());
        std::thread::scope(|scope| {
            for worker in 0..8u8 {
                let memory = &memory;
                scope.spawn(move || (0..16).for_each(|n| apply(memory, worker * 16 + n, worker)));
            }
        });
    }
    let memory = open(dir.path());
    assert_eq!(memory.len(), 128);
    for worker in 0..8u8 {
        assert_eq!(verdict(&memory, worker * 16 + 15, worker), "repeat");
        assert_eq!(verdict(&memory, worker * 16, worker), "replayed");
    }
}
