//! What goes over the wire, as a server of a few lines sees it.

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{TcpListener, TcpStream},
    os::unix::net::UnixListener,
    thread,
};

use wgfleet_integration::client::Address;

use super::fleet::{Fleet, NEVER, Shell};

const ID: &str = "01890000-0000-7000-8000-000000000001";

/// A request as it came: its first line, its headers and its body.
struct Seen {
    line: String,
    headers: Vec<(String, String)>,
    body: String,
}

impl Seen {
    fn header(&self, name: &str) -> Option<&str> {
        let mut headers = self.headers.iter();
        let found = headers.find(|(known, _)| known.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }
}

/// Runs `wgfleet` against a server that gives these answers, one after the other.
fn asked(arguments: &[&str], answers: &[(&str, String)]) -> (super::fleet::Run, Vec<Seen>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    let answers: Vec<_> = answers
        .iter()
        .map(|(head, body)| ((*head).to_owned(), body.clone()))
        .collect();
    let server = thread::spawn(move || {
        let mut seen = Vec::new();
        let (stream, _) = listener.accept().expect("a caller");
        let mut reader = BufReader::new(stream);
        for (head, body) in answers {
            seen.push(read(&mut reader));
            let length = body.len();
            let answer = format!("HTTP/1.1 {head}\r\ncontent-length: {length}\r\n\r\n{body}");
            reader
                .get_mut()
                .write_all(answer.as_bytes())
                .expect("written");
        }
        seen
    });
    let shell = Shell::new()
        .variable("WGFLEET_URL", &format!("http://{address}/behind/a/proxy"))
        .variable("WGFLEET_TOKEN", "wgf_x");
    let run = shell.run(arguments);
    (run, server.join().expect("all were asked"))
}

fn read(reader: &mut BufReader<TcpStream>) -> Seen {
    let mut line = || {
        let mut line = String::new();
        reader.read_line(&mut line).expect("a line");
        line.trim_end().to_owned()
    };
    let first = line();
    let headers: Vec<_> = std::iter::from_fn(|| {
        let (name, value) = line()
            .split_once(": ")
            .map(|(n, v)| (n.to_owned(), v.to_owned()))?;
        Some((name, value))
    })
    .collect();
    let mut seen = Seen {
        line: first,
        headers,
        body: String::new(),
    };
    let length = seen
        .header("content-length")
        .map_or(0, |text| text.parse().expect("a number"));
    let mut body = vec![0; length];
    reader.read_exact(&mut body).expect("a body");
    seen.body = String::from_utf8(body).expect("UTF-8");
    seen
}

fn peer(etag: &str) -> String {
    format!(
        r#"{{"id":"{ID}","name":"a","node_id":"{ID}","etag":"{etag}","labels":{{"x":"y"}},"sync":{{"state":"applied","reason":null}}}}"#
    )
}

#[test]
fn a_change_is_made_to_the_version_that_was_read() {
    let edit = ["peer", "edit", ID, "--label", "a=b", "--output", "json"];
    let (run, seen) = asked(&edit, &[("200 OK", peer("one")), ("200 OK", peer("two"))]);
    run.good();
    assert_eq!(
        seen[0].line,
        format!("GET /behind/a/proxy/api/v1/peers/{ID} HTTP/1.1")
    );
    assert_eq!(
        seen[1].line,
        format!("PATCH /behind/a/proxy/api/v1/peers/{ID} HTTP/1.1")
    );
    assert_eq!(seen[1].header("if-match"), Some("\"one\""));
    assert_eq!(seen[1].body, r#"{"labels":{"a":"b","x":"y"}}"#);
    assert_eq!(seen[1].header("authorization"), Some("Bearer wgf_x"));

    let refusal = r#"{"code":"etag_mismatch","detail":"it is another version by now"}"#;
    let refused = ("412 Precondition Failed", refusal.to_owned());
    for arguments in [
        &edit[..],
        &["peer", "remove", ID, "--yes"],
        &["peer", "disable", ID],
    ] {
        let (run, seen) = asked(arguments, &[("200 OK", peer("one")), refused.clone()]);
        assert!(run.bad(1).contains("changed by somebody else"), "{run:?}");
        assert_eq!(seen[1].header("if-match"), Some("\"one\""));
    }
}

#[test]
fn what_has_no_room_now_is_asked_again_under_the_same_key() {
    let busy = r#"{"code":"rate_limited","detail":"too many requests"}"#;
    let busy = ("429 Too Many Requests\r\nretry-after: 1", busy.to_owned());
    let add = ["peer", "add", "a", "--node", ID, "--output", "json"];
    let (run, seen) = asked(&add, &[busy.clone(), busy, ("201 Created", peer("one"))]);
    run.good();
    let keys: Vec<_> = seen
        .iter()
        .map(|seen| seen.header("idempotency-key"))
        .collect();
    assert!(
        keys[0].is_some() && keys.iter().all(|key| *key == keys[0]),
        "{keys:?}"
    );
    assert!(
        seen.iter()
            .all(|it| it.body == seen[0].body && it.body.contains(r#""name":"a""#))
    );

    // Another command, another key.
    let (_, other) = asked(&add, &[("201 Created", peer("one"))]);
    assert_ne!(other[0].header("idempotency-key"), keys[0]);

    let away = r#"{"code":"rate_limited","detail":"come back tomorrow"}"#;
    let away = (
        "429 Too Many Requests\r\nretry-after: 86400",
        away.to_owned(),
    );
    let (run, _) = asked(&add, &[away]);
    assert!(
        run.bad(69).contains("come back tomorrow (rate_limited)"),
        "{run:?}"
    );
}

#[test]
fn a_socket_of_this_host_is_as_good() {
    let fleet = Fleet::without_nodes(NEVER);
    let Address::Tcp(target) = *fleet.controller.address() else {
        panic!("it listens on TCP")
    };
    let path = fleet.shell.path("controller.sock");
    let listener = UnixListener::bind(&path).expect("a socket");
    let proxy = thread::spawn(move || {
        let (caller, _) = listener.accept().expect("a caller");
        let controller = TcpStream::connect(target).expect("a controller");
        thread::scope(|scope| {
            scope.spawn(|| std::io::copy(&mut &caller, &mut &controller));
            let _ = std::io::copy(&mut &controller, &mut &caller);
        });
    });
    let url = format!("unix://{}", path.display());
    let run = fleet.shell.run(&["status", "--url", &url]);
    assert!(run.good().contains(&url), "{run:?}");
    proxy.join().expect("it passed everything on");
}
