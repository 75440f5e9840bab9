//! A reader of server-sent events that has only this file to know them by.

use std::{
    io::{self, Read, Write},
    net::{Shutdown, SocketAddr, TcpStream},
    sync::{Arc, Mutex},
    thread,
};

use serde_json::Value;
use wgfleet_integration::{controller::Rest, eventually};

use crate::fleet::SOON;

/// One event.
#[derive(Debug, Clone)]
pub(crate) struct Event {
    pub(crate) id: u64,
    pub(crate) kind: String,
    pub(crate) data: Value,
}

/// What was read over one or more connections.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    pub(crate) events: Vec<Event>,
    pub(crate) last_id: String,
    /// The event that says why the stream ended.
    pub(crate) end: Option<Value>,
}

/// A connection that is read until it ends.
pub(crate) struct Reader {
    stream: TcpStream,
    thread: Option<thread::JoinHandle<()>>,
}

/// Asks for the stream and gives the connection without reading any of it.
pub(crate) fn ask(address: SocketAddr, rest: &Rest, query: &str, last_id: &str) -> TcpStream {
    let mut wire = rest.wire("GET", &format!("/events{query}"), None);
    if !last_id.is_empty() {
        wire.add("Last-Event-ID", last_id);
    }
    let mut stream = TcpStream::connect(address).expect("it listens");
    stream.write_all(&wire.to_bytes()).expect("room");
    stream
}

impl Reader {
    /// Reads into `seen`, from the last id there on.
    pub(crate) fn start(
        address: SocketAddr,
        rest: &Rest,
        query: &str,
        seen: &Arc<Mutex<Seen>>,
    ) -> Self {
        let last_id = seen.lock().expect("not poisoned").last_id.clone();
        let stream = ask(address, rest, query, &last_id);
        let (mut reading, seen) = (stream.try_clone().expect("a socket"), Arc::clone(seen));
        let thread = thread::spawn(move || {
            // Whatever ends it: what was read until then counts.
            let _ = read(&mut reading, &seen);
        });
        Self {
            stream,
            thread: Some(thread),
        }
    }

    /// Waits for the stream to end by itself.
    pub(crate) fn ended(&mut self) {
        let thread = self.thread.take().expect("not waited for yet");
        eventually(SOON, "the stream ends", || {
            thread.is_finished().then_some(())
        });
        thread.join().expect("reading does not panic");
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        // It may be closed already.
        let _ = self.stream.shutdown(Shutdown::Both);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn read(stream: &mut TcpStream, seen: &Mutex<Seen>) -> io::Result<()> {
    let (mut bytes, mut text) = (Vec::new(), String::new());
    let mut in_head = true;
    let mut buffer = vec![0; 64 << 10];
    loop {
        let read = stream.read(&mut buffer)?;
        if read == 0 {
            return Ok(());
        }
        bytes.extend_from_slice(&buffer[..read]);
        if in_head {
            let Some(end) = find(&bytes, b"\r\n\r\n") else {
                continue;
            };
            let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
            assert!(head.starts_with("HTTP/1.1 200"), "{head}");
            assert!(head.contains("text/event-stream"), "{head}");
            bytes.drain(..end + 4);
            in_head = false;
        }
        while let Some(chunk) = take_chunk(&mut bytes) {
            text.push_str(&chunk);
        }
        while let Some((piece, rest)) = text.split_once("\n\n") {
            take_in(piece, &mut seen.lock().expect("not poisoned"));
            text = rest.to_owned();
        }
    }
}

fn take_chunk(bytes: &mut Vec<u8>) -> Option<String> {
    let end = find(bytes, b"\r\n")?;
    let digits = std::str::from_utf8(&bytes[..end]).expect("hex digits");
    let length = usize::from_str_radix(digits, 16).expect("a length");
    if bytes.len() < end + 2 + length + 2 {
        return None;
    }
    let chunk = bytes[end + 2..end + 2 + length].to_vec();
    bytes.drain(..end + 2 + length + 2);
    Some(String::from_utf8(chunk).expect("text"))
}

fn find(bytes: &[u8], what: &[u8]) -> Option<usize> {
    bytes.windows(what.len()).position(|window| window == what)
}

fn take_in(piece: &str, seen: &mut Seen) {
    let (mut kind, mut data) = (String::new(), None);
    for line in piece.lines() {
        match line.split_once(": ") {
            Some(("id", id)) => id.clone_into(&mut seen.last_id),
            Some(("event", name)) => name.clone_into(&mut kind),
            Some(("data", json)) => data = serde_json::from_str::<Value>(json).ok(),
            _ => assert!(line.starts_with(':'), "{line}"),
        }
    }
    match data {
        None => {}
        Some(end) if kind == "stream.ended" => seen.end = Some(end),
        Some(data) => {
            let id = seen.last_id.parse().expect("a number");
            assert_eq!(
                (&data["id"], &data["kind"]),
                (&seen.last_id.clone().into(), &kind.clone().into())
            );
            seen.events.push(Event { id, kind, data });
        }
    }
}
