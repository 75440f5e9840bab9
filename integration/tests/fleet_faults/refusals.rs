//! A controller that can't trust what it finds refuses to start and says what to do; one that
//! can't write for a while says so and goes on.

use std::{
    fs::{self, File, Permissions},
    io::{Read, Seek, SeekFrom, Write},
    os::unix::fs::PermissionsExt,
    path::Path,
    thread,
    time::{Duration, Instant},
};

use rusqlite::Connection;
use serde_json::json;
use wgfleet_integration::{agent::Config, eventually, poll};

use super::runner::{Controller, PATIENCE, url};

/// Where SQLite keeps `user_version`, big-endian.
const VERSION_AT: u64 = 60;

/// A stopped controller with a node in its store.
fn stopped() -> Controller {
    let mut controller = Controller::start();
    controller.add("a", "http://a.invalid", &json!({ "enabled": false }));
    controller.terminate();
    controller
}

#[track_caller]
fn refuses(controller: &mut Controller, parts: &[&str]) {
    let (status, said) = controller.run_in_vain();
    assert!(!status.success(), "it ended as if all were well:\n{said}");
    let refusal = said.lines().last().unwrap_or_default();
    for part in parts {
        assert!(refusal.contains(part), "{part:?} is not in {refusal:?}");
    }
    assert!(!said.contains("panicked"), "{said}");
}

fn overwrite(path: &Path, at: u64, bytes: &[u8]) -> Vec<u8> {
    let mut file = File::options()
        .read(true)
        .write(true)
        .open(path)
        .expect("a file");
    let mut before = vec![0; bytes.len()];
    file.seek(SeekFrom::Start(at)).expect("there");
    file.read_exact(&mut before).expect("that long");
    file.seek(SeekFrom::Start(at)).expect("there");
    file.write_all(bytes).expect("written");
    before
}

#[test]
fn hostile_33_a_corrupt_store_is_refused_and_kept() {
    for at in [0, 4096 * 2] {
        let mut controller = stopped();
        let path = controller.store_file();
        let before = overwrite(&path, at, &[0xa5; 4096]);
        let damaged = fs::read(&path).expect("readable");
        refuses(&mut controller, &["controller.db", "restore"]);
        assert_eq!(
            fs::read(&path).expect("readable"),
            damaged,
            "it was changed"
        );
        overwrite(&path, at, &before);
        controller.run();
        assert_eq!(controller.get("/nodes")["total"], 1);
    }
}

#[test]
fn hostile_33_half_a_store_is_refused() {
    let mut controller = stopped();
    let path = controller.store_file();
    let length = fs::metadata(&path).expect("there").len();
    let file = File::options().write(true).open(&path).expect("a file");
    file.set_len(length / 2).expect("cut");
    refuses(&mut controller, &["controller.db", "restore"]);
}

#[test]
fn hostile_33_a_newer_store_is_refused() {
    let mut controller = stopped();
    let path = controller.store_file();
    let before = overwrite(&path, VERSION_AT, &999_u32.to_be_bytes());
    refuses(&mut controller, &["newer version", "999", "backup"]);
    overwrite(&path, VERSION_AT, &before);
    controller.run();
}

#[test]
fn hostile_33_without_its_master_key_it_refuses() {
    let mut controller = stopped();
    let key = controller.data_dir().join("master-key");
    let text = fs::read(&key).expect("a key");

    fs::remove_file(&key).expect("removed");
    refuses(
        &mut controller,
        &["master-key", "missing", "put the key back"],
    );
    assert!(!key.exists(), "a new key was made for an old store");

    let private = Permissions::from_mode(0o600);
    let other = Controller::start();
    let others = other.data_dir().join("master-key");
    fs::copy(&others, &key).expect("copied");
    fs::set_permissions(&key, private.clone()).expect("private");
    refuses(&mut controller, &["does not belong to this store"]);

    fs::write(&key, "not a key\n").expect("written");
    refuses(&mut controller, &["master-key", "base64"]);

    fs::write(&key, text).expect("written");
    for mode in [0o640, 0o604, 0o660] {
        fs::set_permissions(&key, Permissions::from_mode(mode)).expect("set");
        refuses(&mut controller, &["master-key", "chmod 600"]);
    }
    fs::set_permissions(&key, private).expect("private");
    controller.run();
    assert_eq!(controller.get("/nodes")["total"], 1);
}

#[test]
fn hostile_33_a_second_controller_on_the_same_store_is_refused() {
    let mut controller = Controller::start();
    let (status, said) = Controller::prepare().run_in_vain_on(controller.data_dir());
    assert!(!status.success(), "{said}");
    assert!(said.contains("only one controller"), "{said}");
    assert!(controller.is_running());
}

#[test]
fn hostile_32_a_locked_store_answers_503_and_recovers() {
    let agent = Config::simulated("wg0", 0).start();
    let controller = Controller::start();
    let node = controller.add("a", &url(&agent), &json!({}));
    controller.await_status(&node, "online");

    let store = Connection::open(controller.store_file()).expect("opened");
    store.busy_timeout(Duration::from_secs(10)).expect("set");
    store.execute_batch("BEGIN IMMEDIATE").expect("locked");
    let locked = Instant::now();
    let body = json!({ "name": "meanwhile", "node_id": node });
    let (create, read) = thread::scope(|scope| {
        let create = scope.spawn(|| controller.create_peer(&body));
        let read = Instant::now();
        assert_eq!(controller.get("/peers")["total"], 0);
        let read = read.elapsed();
        (create.join().expect("no panic"), read)
    });
    assert!(read < Duration::from_secs(3), "reading took {read:?}");
    create.refused(503, "store_unavailable", "");
    // Locked for 10 s in all, with polls all the while.
    let ten = Duration::from_secs(10);
    poll(ten.saturating_sub(locked.elapsed()), || None::<()>);
    assert_eq!(controller.get("/peers")["total"], 0, "a partial write");
    store.execute_batch("ROLLBACK").expect("unlocked");
    drop(store);

    eventually(PATIENCE, "a peer can be created again", || {
        (controller.create_peer(&body).status == 201).then_some(())
    });
    assert_eq!(controller.get("/peers")["total"], 1);
    controller.await_in_sync(&node, PATIENCE);
    controller.await_status(&node, "online");
}
