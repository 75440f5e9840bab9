//! Servers that stand where an agent should: they answer what a test says, or hand on to an agent.

use std::{
    io::{self, Read, Write},
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

use rustix::net::sockopt::set_socket_linger;

pub(crate) const DEADLINE: Duration = Duration::from_secs(90);
const BIG: usize = 1 << 30;

/// What to do with a request.
#[derive(Debug, Clone)]
pub(crate) enum Reply {
    /// Ask the agent behind.
    Forward,
    /// These bytes, then close.
    Bytes(Vec<u8>),
    /// Nothing, until the caller gives up.
    Hang,
    /// A reset connection.
    Reset,
    /// A body without end.
    Endless,
}

/// A request's method and target.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Asked<'a> {
    pub(crate) method: &'a str,
    pub(crate) target: &'a str,
}

impl Asked<'_> {
    pub(crate) fn writes(&self) -> bool {
        self.method != "GET"
    }
}

/// A running server. Stops when dropped.
pub(crate) struct Server {
    address: SocketAddr,
    shared: Arc<Shared>,
}

struct Shared {
    answer: Box<dyn Fn(Asked<'_>) -> Reply + Send + Sync>,
    agent: Option<SocketAddr>,
    stop: AtomicBool,
    writes: AtomicUsize,
}

impl Server {
    pub(crate) fn start(
        agent: Option<SocketAddr>,
        answer: impl Fn(Asked<'_>) -> Reply + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("bound");
        let shared = Arc::new(Shared {
            answer: Box::new(answer),
            agent,
            stop: AtomicBool::new(false),
            writes: AtomicUsize::new(0),
        });
        let of_listener = Arc::clone(&shared);
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                if of_listener.stop.load(Ordering::Relaxed) {
                    return;
                }
                let shared = Arc::clone(&of_listener);
                // A caller that goes away in the middle is what these tests are about.
                thread::spawn(move || shared.serve(stream).ok());
            }
        });
        Self { address, shared }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Requests that change something, so far.
    pub(crate) fn writes(&self) -> usize {
        self.shared.writes.load(Ordering::Relaxed)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Relaxed);
        // Wakes the listener; it may be gone already.
        let _ = TcpStream::connect(self.address);
    }
}

impl Shared {
    fn serve(&self, mut stream: TcpStream) -> io::Result<()> {
        stream.set_read_timeout(Some(DEADLINE))?;
        stream.set_write_timeout(Some(DEADLINE))?;
        let Some((head, body)) = read_request(&mut stream)? else {
            return Ok(());
        };
        let mut words = head.split(' ');
        let asked = Asked {
            method: words.next().unwrap_or_default(),
            target: words.next().unwrap_or_default(),
        };
        if asked.writes() {
            self.writes.fetch_add(1, Ordering::Relaxed);
        }
        match (self.answer)(asked) {
            Reply::Forward => {
                let agent = self.agent.expect("there is an agent behind");
                stream.write_all(&forward(agent, &head, &body)?)?;
            }
            Reply::Bytes(bytes) => stream.write_all(&bytes)?,
            Reply::Hang => {
                // Until the other side closes, or the deadline.
                let _ = stream.read(&mut [0]);
            }
            Reply::Reset => {
                return set_socket_linger(&stream, Some(Duration::ZERO)).map_err(Into::into);
            }
            Reply::Endless => endless(&mut stream)?,
        }
        stream.shutdown(Shutdown::Both)
    }
}

fn endless(stream: &mut TcpStream) -> io::Result<()> {
    stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n")?;
    stream.write_all(b"Transfer-Encoding: chunked\r\n\r\n")?;
    let chunk = [b"10000\r\n".as_slice(), &[b' '; 0x10000], b"\r\n"].concat();
    for _ in 0..BIG / chunk.len() {
        stream.write_all(&chunk)?;
    }
    Ok(())
}

pub(crate) fn read_request(stream: &mut impl Read) -> io::Result<Option<(String, Vec<u8>)>> {
    let mut bytes = Vec::new();
    let mut buffer = [0; 4096];
    let end = loop {
        if let Some(at) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            break at;
        }
        match stream.read(&mut buffer)? {
            0 => return Ok(None),
            read => bytes.extend_from_slice(&buffer[..read]),
        }
    };
    let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        let is_length = name.eq_ignore_ascii_case("content-length");
        is_length.then(|| value.trim().parse::<usize>().ok())?
    });
    let mut body = bytes.split_off(end + 4);
    while body.len() < length.unwrap_or(0) {
        match stream.read(&mut buffer)? {
            0 => return Ok(None),
            read => body.extend_from_slice(&buffer[..read]),
        }
    }
    Ok(Some((head, body)))
}

pub(crate) fn forward(agent: SocketAddr, head: &str, body: &[u8]) -> io::Result<Vec<u8>> {
    let mut behind = TcpStream::connect(agent)?;
    behind.set_read_timeout(Some(DEADLINE))?;
    behind.write_all(format!("{head}\r\nConnection: close\r\n\r\n").as_bytes())?;
    behind.write_all(body)?;
    let mut answer = Vec::new();
    behind.read_to_end(&mut answer)?;
    Ok(answer)
}

/// A whole answer.
pub(crate) fn answer(status: &str, headers: &str, body: &str) -> Reply {
    let length = body.len();
    Reply::Bytes(
        format!(
            "HTTP/1.1 {status}\r\n{headers}Connection: close\r\nContent-Length: {length}\r\n\r\n{body}"
        )
        .into_bytes(),
    )
}
