//! Conversations with daemons that answer badly, late, or not at all.

use std::{
    io::{Read, Write},
    os::unix::net::{UnixListener, UnixStream},
    thread::{self, JoinHandle},
    time::Duration,
};

use tempfile::TempDir;
use wire_contract::{InterfaceName, PublicKey};

use super::super::{SocketDirectory, UserspaceDevice};
use crate::wireguard::{
    BackendError, Device, DeviceFacts, DumpSink, PeerAction, PeerChange, PeerFacts,
    fingerprint::Fingerprinter,
};

const IFINDEX: u32 = 7;
/// Beyond any answer that comes at all, on a slow machine.
const LONG: Duration = Duration::from_secs(30);
const SHORT: Duration = Duration::from_millis(100);

#[derive(Default)]
struct Keys(Vec<PublicKey>);

impl DumpSink for Keys {
    fn device(&mut self, device: &DeviceFacts) {
        assert_eq!(device.ifindex, IFINDEX);
        self.0.clear();
    }

    fn peer(&mut self, peer: &PeerFacts) {
        self.0.push(peer.public_key);
    }

    fn allowed_ip(&mut self, _: wire_contract::AllowedIp) {}
}

fn name() -> InterfaceName {
    "wg0".parse().expect("a name")
}

/// A directory for sockets, and the device that looks there.
fn device(timeout: Duration) -> (TempDir, UserspaceDevice) {
    let directory = tempfile::tempdir().expect("a directory");
    let sockets = SocketDirectory::new(directory.path());
    let device = UserspaceDevice::new(name(), sockets, Fingerprinter::new());
    (directory, device.imagined(timeout, |_| Some(IFINDEX)))
}

fn listen(directory: &TempDir) -> UnixListener {
    UnixListener::bind(directory.path().join("wg0.sock")).expect("a socket")
}

/// Answers one connection after the other, each in its way, and gives what was asked.
fn daemon(listener: UnixListener, answers: Vec<&'static [u8]>) -> JoinHandle<Vec<String>> {
    thread::spawn(move || {
        let converse = |answer: &[u8]| {
            let (mut stream, _) = listener.accept().expect("a client");
            let asked = request(&mut stream);
            stream.write_all(answer).expect("the client reads");
            asked
        };
        answers.into_iter().map(converse).collect()
    })
}

/// Reads up to the empty line, or to the end.
fn request(stream: &mut UnixStream) -> String {
    let mut text = Vec::new();
    let mut byte = [0];
    while !text.ends_with(b"\n\n") && stream.read(&mut byte).expect("a client writes") == 1 {
        text.push(byte[0]);
    }
    String::from_utf8(text).expect("UTF-8")
}

fn removal() -> PeerChange {
    PeerChange {
        public_key: PublicKey::from_bytes([0x11; 32]),
        action: PeerAction::Remove,
    }
}

const EMPTY: &[u8] = b"errno=0\n\n";
const ONE_PEER: &[u8] =
    b"public_key=1111111111111111111111111111111111111111111111111111111111111111\nerrno=0\n\n";

#[test]
fn each_request_has_a_connection_and_the_whole_answer_counts() {
    let (directory, mut device) = device(LONG);
    let daemon = daemon(listen(&directory), vec![ONE_PEER, EMPTY, EMPTY]);
    let mut keys = Keys::default();
    device.dump(&mut keys).expect("a good answer");
    assert_eq!(keys.0, [removal().public_key]);
    assert!(device.is_still(IFINDEX));
    device.set(IFINDEX, &[removal()]).expect("a good answer");
    device.dump(&mut keys).expect("a good answer");
    assert_eq!(keys.0, []);
    let asked = daemon.join().expect("it answered");
    let hex = "11".repeat(32);
    let set = format!("set=1\npublic_key={hex}\nremove=true\n\n");
    assert_eq!(asked, ["get=1\n\n", &set, "get=1\n\n"]);
}

#[test]
fn half_an_answer_is_none() {
    let answers: [&[u8]; 5] = [
        b"",
        b"listen_port=7\n",
        b"public_key=1111111111111111111111111111111111111111111111111111111111111111\n",
        b"errno=0",
        b"errno=0\n",
    ];
    let (directory, mut device) = device(LONG);
    let daemon = daemon(listen(&directory), answers.to_vec());
    for _ in answers {
        let mut keys = Keys::default();
        let error = device.dump(&mut keys).expect_err("half an answer");
        assert!(matches!(error, BackendError::Io { .. }), "{error}");
        assert!(
            error.to_string().contains("in the middle of its answer"),
            "{error}"
        );
        assert_eq!(keys.0, [], "nothing is told of what may be half");
    }
    daemon.join().expect("it answered");
}

#[test]
fn a_refusal_is_told_with_its_errno() {
    let (directory, mut device) = device(LONG);
    let daemon = daemon(
        listen(&directory),
        vec![EMPTY, b"errno=-22\n\n", b"errno=5\n\n"],
    );
    device.dump(&mut Keys::default()).expect("a good answer");
    let refused = device.set(IFINDEX, &[removal()]);
    assert!(
        matches!(&refused, Err(BackendError::Refused(error)) if error.raw_os_error() == Some(22)),
        "{refused:?}"
    );
    let refused = device.dump(&mut Keys::default());
    assert!(
        matches!(&refused, Err(BackendError::Refused(error)) if error.raw_os_error() == Some(5)),
        "{refused:?}"
    );
    daemon.join().expect("it answered");
}

#[test]
fn a_daemon_that_refuses_early_and_hangs_up_is_heard() {
    let (directory, mut device) = device(LONG);
    let listener = listen(&directory);
    let daemon = thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("a client");
        stream.read_exact(&mut [0; 6]).expect("set=1");
        stream.write_all(b"errno=22\n\n").expect("room for it");
    });
    // More than fits into a socket's buffer.
    let many = vec![removal(); 20_000];
    let refused = device.set(IFINDEX, &many);
    assert!(
        matches!(refused, Err(BackendError::Refused(_))),
        "{refused:?}"
    );
    daemon.join().expect("it answered");
}

#[test]
fn a_line_without_an_end_is_cut_off() {
    let (directory, mut device) = device(LONG);
    let listener = listen(&directory);
    let daemon = thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("a client");
        // Until the client has had enough.
        while stream.write_all(&[b'x'; 4096]).is_ok() {}
    });
    let error = device.dump(&mut Keys::default()).expect_err("no answer");
    assert!(
        error.to_string().contains("a line that does not end"),
        "{error}"
    );
    drop(device);
    daemon.join().expect("it was stopped");
}

#[test]
fn a_daemon_that_does_not_answer_is_given_up() {
    let (directory, mut device) = device(SHORT);
    // Connections are made by the kernel: nobody accepts them.
    let _listener = listen(&directory);
    for outcome in [
        device.dump(&mut Keys::default()),
        device.set(IFINDEX, &[removal()]),
        // More than fits into a socket's buffer.
        device.set(IFINDEX, &vec![removal(); 20_000]),
    ] {
        let timed_out = matches!(&outcome, Err(BackendError::Io { source, .. })
            if source.kind() == std::io::ErrorKind::TimedOut);
        assert!(timed_out, "{outcome:?}");
    }
}

#[test]
fn a_daemon_that_takes_no_more_connections_is_given_up() {
    let (directory, mut device) = device(SHORT);
    let _listener = listen(&directory);
    let path = directory.path().join("wg0.sock");
    let sockets = SocketDirectory::new(directory.path());
    // Every place in its backlog is taken when connecting without waiting fails.
    let mut waiting = Vec::new();
    while let Ok(stream) = connect_at_once(&path) {
        waiting.push(stream);
    }
    assert!(sockets.is_served(&name()), "busy, but there");
    let outcome = device.dump(&mut Keys::default());
    assert!(
        matches!(&outcome, Err(BackendError::Io { source, .. })
            if source.kind() == std::io::ErrorKind::TimedOut),
        "{outcome:?}"
    );
}

fn connect_at_once(path: &std::path::Path) -> rustix::io::Result<rustix::fd::OwnedFd> {
    use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType};
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = rustix::net::socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
    rustix::net::connect(&socket, &SocketAddrUnix::new(path)?)?;
    Ok(socket)
}

#[test]
fn a_socket_without_a_daemon_is_unavailable_and_no_socket_is_no_interface() {
    let (directory, mut device) = device(LONG);
    let sockets = SocketDirectory::new(directory.path());
    assert!(!sockets.is_served(&name()));
    let absent = device.dump(&mut Keys::default());
    assert!(
        matches!(absent, Err(BackendError::InterfaceNotFound)),
        "{absent:?}"
    );
    drop(listen(&directory));
    assert!(!sockets.is_served(&name()));
    let stale = device.dump(&mut Keys::default());
    assert!(matches!(stale, Err(BackendError::Io { .. })), "{stale:?}");
    // Nor is one a file that only has the name.
    std::fs::remove_file(directory.path().join("wg0.sock")).expect("removed");
    std::fs::write(directory.path().join("wg0.sock"), "").expect("written");
    let file = device.dump(&mut Keys::default());
    assert!(
        matches!(file, Err(BackendError::InterfaceNotFound)),
        "{file:?}"
    );
}

#[test]
fn without_its_link_a_daemon_has_no_interface() {
    let (directory, device) = device(LONG);
    let mut device = device.imagined(LONG, |_| None);
    let _listener = listen(&directory);
    let gone = device.dump(&mut Keys::default());
    assert!(
        matches!(gone, Err(BackendError::InterfaceNotFound)),
        "{gone:?}"
    );
    assert!(!device.is_still(IFINDEX));
}

#[test]
fn another_daemon_on_the_same_link_is_not_written_to() {
    let (directory, mut device) = device(LONG);
    let first = daemon(listen(&directory), vec![ONE_PEER]);
    device.dump(&mut Keys::default()).expect("a good answer");
    first.join().expect("it answered");
    std::fs::remove_file(directory.path().join("wg0.sock")).expect("removed");
    let second = daemon(listen(&directory), vec![EMPTY]);
    assert!(!device.is_still(IFINDEX));
    let outcome = device.set(IFINDEX, &[removal()]);
    assert!(
        matches!(outcome, Err(BackendError::InterfaceNotFound)),
        "{outcome:?}"
    );
    device.dump(&mut Keys::default()).expect("a good answer");
    assert!(device.is_still(IFINDEX));
    assert_eq!(second.join().expect("it answered"), ["get=1\n\n"]);
}
