//! What outlasts a connection: events that are followed, changes whose answer got lost, copies.

use std::{
    fs,
    io::{self, Read as _, Write as _},
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    os::unix::fs::PermissionsExt as _,
    process::{Child, Command},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

use wgfleet_integration::{binary, client::Address, controller::Controller, eventually};

use super::fleet::{Fleet, Shell};

const SOON: Duration = Duration::from_secs(30);

/// Hands connections on to a controller, wherever it is now.
struct Way {
    address: SocketAddr,
    target: Arc<Mutex<SocketAddr>>,
    /// So many connections more lose what is answered on them.
    lossy: Arc<AtomicUsize>,
}

impl Way {
    fn to(controller: &Controller) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let way = Self {
            address: listener.local_addr().expect("an address"),
            target: Arc::new(Mutex::new(tcp(controller))),
            lossy: Arc::default(),
        };
        let (target, lossy) = (Arc::clone(&way.target), Arc::clone(&way.lossy));
        thread::spawn(move || {
            for stream in listener.incoming() {
                let target = *target.lock().expect("an address");
                let loses =
                    lossy.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |n| n.checked_sub(1));
                let (stream, loses) = (stream.expect("a caller"), loses.is_ok());
                thread::spawn(move || pass(&stream, target, loses));
            }
        });
        way
    }

    fn shell(&self, fleet: &Fleet) -> Shell {
        let token = fs::read_to_string(fleet.controller.data_dir().join("admin-token"));
        Shell::new()
            .variable("WGFLEET_URL", &format!("http://{}", self.address))
            .variable("WGFLEET_TOKEN", token.expect("a token").trim())
    }
}

/// Both directions, until either ends. Of a lossy one the answer is read, and kept back.
fn pass(caller: &TcpStream, target: SocketAddr, loses: bool) {
    let Ok(controller) = TcpStream::connect(target) else {
        return;
    };
    let copy = |from: &TcpStream, to: &TcpStream| {
        let (mut from, mut to) = (from, to);
        let _ = io::copy(&mut from, &mut to);
        let _ = to.shutdown(Shutdown::Both);
    };
    thread::scope(|scope| {
        scope.spawn(|| copy(caller, &controller));
        if loses {
            let _ = (&controller).read(&mut [0; 1]);
            // What was read is left unsaid: half an answer looks like none.
            let _ = (&*caller).write_all(b"HTTP/1.1 ");
            let _ = caller.shutdown(Shutdown::Both);
            let _ = controller.shutdown(Shutdown::Both);
        } else {
            copy(&controller, caller);
        }
    });
}

fn tcp(controller: &Controller) -> SocketAddr {
    let Address::Tcp(address) = controller.address() else {
        panic!("it listens on TCP")
    };
    *address
}

/// `wgfleet events` at work, its lines in a file.
struct Following {
    child: Child,
    shell: Shell,
}

impl Following {
    fn start(shell: Shell, arguments: &[&str]) -> Self {
        let file = fs::File::create(shell.path("events")).expect("a file");
        let mut command = Command::new(binary::path("wgfleet"));
        let command = shell.prepare(command.arg("events").args(arguments));
        let child = command.stdout(file).spawn().expect("it starts");
        Self { child, shell }
    }

    fn lines(&self) -> Vec<String> {
        let text = fs::read_to_string(self.shell.path("events")).expect("text");
        text.lines().map(ToOwned::to_owned).collect()
    }
}

impl Drop for Following {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn events_are_followed_over_a_restart_without_a_gap() {
    let mut fleet = Fleet::new();
    let way = Way::to(&fleet.controller);
    let arguments = [
        "--after",
        "0",
        "--kind",
        "peer.created",
        "--output",
        "json",
        "--limit",
        "20",
    ];
    let mut following = Following::start(way.shell(&fleet), &arguments);
    let add = |fleet: &Fleet, way: &Way, number: u32| {
        let name = format!("peer-{number:02}");
        way.shell(fleet)
            .run(&["peer", "add", &name, "--node", "node-1"])
            .good();
    };
    for number in 0..5 {
        add(&fleet, &way, number);
    }
    eventually(SOON, "the first events", || {
        (following.lines().len() == 5).then_some(())
    });
    fleet.controller.kill();
    fleet.controller.restart();
    *way.target.lock().expect("an address") = tcp(&fleet.controller);
    for number in 5..20 {
        add(&fleet, &way, number);
    }
    let status = eventually(SOON, "the end after twenty", || {
        following.child.try_wait().expect("a child")
    });
    assert!(status.success(), "{status}");
    let names: Vec<_> = following
        .lines()
        .iter()
        .map(|line| {
            let event: serde_json::Value = serde_json::from_str(line).expect("JSON");
            event["peer"]["name"].as_str().expect("a name").to_owned()
        })
        .collect();
    let expected: Vec<_> = (0..20).map(|number| format!("peer-{number:02}")).collect();
    assert_eq!(names, expected);
}

#[test]
fn events_name_what_they_are_about() {
    let fleet = Fleet::new();
    let shell = &fleet.shell;
    shell
        .run(&["peer", "add", "laptop", "--node", "node-1"])
        .good();
    shell.run(&["peer", "remove", "laptop", "--yes"]).good();
    let kinds = ["--kind", "peer.created", "--kind", "peer.deleted"];
    let events = |more: &[&str]| {
        shell.run(
            &[
                &["events", "--after", "0", "--limit", "2"],
                &kinds[..],
                more,
            ]
            .concat(),
        )
    };
    let run = events(&[]);
    let lines: Vec<_> = run.good().lines().collect();
    assert!(
        lines[0].ends_with("peer.created    laptop on node-1  10.8.1.2/32"),
        "{run:?}"
    );
    assert!(
        lines[1].contains("peer.deleted    laptop on node-1  "),
        "{run:?}"
    );
    let run = events(&["--node", "node-1", "--output", "csv"]);
    assert!(
        run.good()
            .starts_with("id,kind,occurred_at,node_id,peer_id,detail\n"),
        "{run:?}"
    );
    assert_eq!(run.good().lines().count(), 3);
}

#[test]
fn a_token_that_is_revoked_ends_the_stream() {
    let fleet = Fleet::new();
    let viewer = fleet.colleague("viewer");
    let mut following = Following::start(viewer, &["--after", "0"]);
    eventually(SOON, "an event", || {
        (!following.lines().is_empty()).then_some(())
    });
    fleet
        .shell
        .run(&["token", "revoke", "viewer", "--yes"])
        .good();
    let status = eventually(SOON, "the end", || {
        following.child.try_wait().expect("a child")
    });
    assert_eq!(status.code(), Some(77));
}

#[test]
fn what_lost_its_answer_is_done_once() {
    let fleet = Fleet::new();
    let way = Way::to(&fleet.controller);
    let shell = way.shell(&fleet);
    // Finding the node is the first connection, which is kept for the second request.
    let node = fleet.shell.json(&["node", "show", "node-1"]);
    let id = node["id"].as_str().expect("an id");
    way.lossy.store(2, Ordering::SeqCst);
    let run = shell.run(&["peer", "add", "laptop", "--node", id]);
    assert!(run.good().starts_with("added laptop on node-1 "), "{run:?}");
    assert_eq!(way.lossy.load(Ordering::SeqCst), 0);
    let peers = fleet.shell.json(&["peer", "list"]);
    assert_eq!(peers.as_array().map(Vec::len), Some(1), "{peers}");

    // What can't be told apart from a second time is not tried again.
    let peer = peers[0]["id"].as_str().expect("an id");
    way.lossy.store(1, Ordering::SeqCst);
    let run = shell.run(&["peer", "show", peer]);
    run.good();
}

#[test]
fn a_backup_is_there_whole_or_not_at_all() {
    let fleet = Fleet::new();
    let shell = &fleet.shell;
    shell.run(&["backup", "copy"]).good();
    let path = shell.path("copy");
    let bytes = fs::read(&path).expect("a copy");
    assert!(bytes.len() > 10_000, "{}", bytes.len());
    let mode = fs::metadata(&path).expect("a file").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let run = shell.run(&["backup", "copy"]);
    assert!(run.bad(1).contains("--force"), "{run:?}");
    let before = fs::metadata(&path)
        .expect("a file")
        .modified()
        .expect("a time");
    shell.run(&["backup", "copy", "--force"]).good();
    assert!(
        fs::metadata(&path)
            .expect("a file")
            .modified()
            .expect("a time")
            > before
    );

    // Nothing half is left where the copy breaks.
    let way = Way::to(&fleet.controller);
    let broken = way.shell(&fleet);
    way.lossy.store(1, Ordering::SeqCst);
    broken.run(&["backup", "copy"]).bad(69);
    let left: Vec<_> = fs::read_dir(broken.path(""))
        .expect("a directory")
        .collect();
    assert!(left.is_empty(), "{left:?}");
    broken.run(&["backup", "nowhere/copy"]).bad(74);
}
