//! TCP connections carried over one stream, from where a test's browser is to where its fleet is.
//!
//! The kernel of the lab shares no network with the test that started it, only a line
//! ([`lab::Beside`](crate::lab::Beside)). The far side, in the lab, says first what it likes to be known
//! ([`serve`]); the near side then listens for it ([`Near`]).
//!
//! A frame is the number of a connection and a length, both big-endian and of 32 bits, and as many bytes.
//! The first frame of a connection comes from the near side and names the address to connect to. One
//! without bytes says that no more comes from that side. Number 0 is what the far side says first, and,
//! without bytes, that all is over: a serial line has no end of its own.

use std::{
    collections::HashMap,
    fs::File,
    io::{self, BufReader, Read, Write},
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    os::{fd::OwnedFd, unix::net::UnixStream},
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicU32, Ordering},
        mpsc::{self, Receiver, Sender},
    },
    thread,
};

use serde_json::Value;

/// Of a frame, beside its numbers.
const AT_ONCE: usize = 16 * 1024;
/// The number of what is about no connection.
const OVER: u32 = 0;

/// The side with the browser. Everything it carries ends when it is dropped.
pub struct Near {
    line: Arc<Line>,
    last: Arc<AtomicU32>,
}

impl Near {
    /// Waits for the far side; gives what that said first, too.
    ///
    /// # Errors
    /// When the far side ends before it says anything.
    ///
    /// # Panics
    /// When what it says is no JSON.
    pub fn open(stream: UnixStream) -> io::Result<(Self, Value)> {
        let output = File::from(OwnedFd::from(stream.try_clone()?));
        let mut input = BufReader::new(stream);
        let (_, said) = read_frame(&mut input)?;
        let said = serde_json::from_slice(&said).expect("the far side speaks JSON");
        let near = Self {
            line: Line::new(output),
            last: Arc::default(),
        };
        let line = Arc::clone(&near.line);
        thread::spawn(move || line.receive(&mut input, |_, _| {}));
        Ok((near, said))
    }

    /// Carries whatever connects to `listener` to that address of the far side.
    pub fn forward(&self, listener: TcpListener, to: SocketAddr) {
        let (line, last) = (Arc::clone(&self.line), Arc::clone(&self.last));
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let number = last.fetch_add(1, Ordering::Relaxed) + 1;
                // The answer may be there at once.
                let answer = line.expect(number);
                if line.send(number, to.to_string().as_bytes()).is_err() {
                    break;
                }
                line.carry(number, stream, answer);
            }
        });
    }
}

impl Drop for Near {
    fn drop(&mut self) {
        // The far side may have ended already.
        let _ = self.line.send(OVER, &[]);
    }
}

/// The far side: says `first`, then connects to what the near side names, until that ends.
///
/// # Errors
/// When `first` can't be said.
pub fn serve(stream: File, first: &Value) -> io::Result<()> {
    let line = Line::new(stream.try_clone()?);
    line.send(OVER, first.to_string().as_bytes())?;
    thread::spawn(move || {
        line.receive(&mut BufReader::new(stream), |number, address| {
            let address = String::from_utf8_lossy(address);
            match TcpStream::connect(&*address) {
                Ok(stream) => line.carry(number, stream, line.expect(number)),
                // As if it had been connected, and closed.
                Err(_) => drop(line.send(number, &[])),
            }
        });
    });
    Ok(())
}

struct Line {
    output: Mutex<File>,
    /// Where to put what comes for a connection.
    open: Mutex<HashMap<u32, Sender<Vec<u8>>>>,
}

impl Line {
    fn new(output: File) -> Arc<Self> {
        Arc::new(Self {
            output: Mutex::new(output),
            open: Mutex::default(),
        })
    }

    fn send(&self, number: u32, bytes: &[u8]) -> io::Result<()> {
        let length = u32::try_from(bytes.len()).expect("a frame is short");
        let frame = [&number.to_be_bytes(), &length.to_be_bytes(), bytes].concat();
        lock(&self.output).write_all(&frame)
    }

    /// Takes frames until it is over; `connect` has the first of each connection.
    fn receive(&self, input: &mut impl Read, connect: impl Fn(u32, &[u8])) {
        while let Ok((number @ 1.., bytes)) = read_frame(input) {
            let known = lock(&self.open).get(&number).cloned();
            match known {
                // Who does not listen any more has said so, or will.
                Some(to) if !bytes.is_empty() => drop(to.send(bytes)),
                Some(_) => drop(lock(&self.open).remove(&number)),
                None if !bytes.is_empty() => connect(number, &bytes),
                None => {}
            }
        }
        lock(&self.open).clear();
        // So that the other side ends too, unless that is why this one does.
        let _ = self.send(OVER, &[]);
    }

    /// What will come for a connection.
    fn expect(&self, number: u32) -> Receiver<Vec<u8>> {
        let (sender, receiver) = mpsc::channel();
        lock(&self.open).insert(number, sender);
        receiver
    }

    /// Passes on what comes from `stream` and what came for it, each in a thread of its own: neither
    /// waits for the other, and no connection for another.
    fn carry(self: &Arc<Self>, number: u32, stream: TcpStream, receiver: Receiver<Vec<u8>>) {
        // What is written is meant to be read at once. Who is gone needs no such care.
        let _ = stream.set_nodelay(true);
        let Ok(mut reader) = stream.try_clone() else {
            return;
        };
        let line = Arc::clone(self);
        thread::spawn(move || {
            let mut buffer = vec![0; AT_ONCE];
            while let Ok(count @ 1..) = reader.read(&mut buffer) {
                if line.send(number, &buffer[..count]).is_err() {
                    break;
                }
            }
            // Without a line there is nobody to tell.
            let _ = line.send(number, &[]);
        });
        thread::spawn(move || write(stream, &receiver));
    }
}

/// Writes what comes, until no more does or nobody reads it.
fn write(mut stream: TcpStream, receiver: &Receiver<Vec<u8>>) {
    let all = receiver
        .iter()
        .try_for_each(|bytes| stream.write_all(&bytes));
    let how = if all.is_ok() {
        Shutdown::Write
    } else {
        Shutdown::Both
    };
    // It may be closed already.
    let _ = stream.shutdown(how);
}

fn read_frame(input: &mut impl Read) -> io::Result<(u32, Vec<u8>)> {
    let mut head = [0; 8];
    input.read_exact(&mut head)?;
    let (number, length) = head.split_at(4);
    let as_number = |bytes: &[u8]| u32::from_be_bytes(bytes.try_into().expect("four bytes"));
    let mut bytes = vec![0; as_number(length) as usize];
    input.read_exact(&mut bytes)?;
    Ok((as_number(number), bytes))
}

fn lock<T>(it: &Mutex<T>) -> MutexGuard<'_, T> {
    it.lock().expect("nobody panics with it")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// A relay to `target`, and where it listens.
    fn relay_to(target: SocketAddr) -> (Near, SocketAddr) {
        let (near, far) = UnixStream::pair().unwrap();
        serve(File::from(OwnedFd::from(far)), &json!({"hello": 1})).unwrap();
        let (near, said) = Near::open(near).unwrap();
        assert_eq!(said, json!({"hello": 1}));
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        near.forward(listener, target);
        (near, address)
    }

    #[test]
    fn connections_go_both_ways_at_the_same_time() {
        const BYTES: usize = 1_000_000;
        let target = TcpListener::bind("127.0.0.1:0").unwrap();
        let (_near, address) = relay_to(target.local_addr().unwrap());
        thread::spawn(move || {
            for stream in target.incoming() {
                let (mut from, mut to) = (stream.as_ref().unwrap(), stream.as_ref().unwrap());
                io::copy(&mut from, &mut to).unwrap();
            }
        });
        let idle = TcpStream::connect(address).unwrap();
        drop(idle);
        let talks = [1, 2, 3].map(|value| {
            thread::spawn(move || {
                let mut stream = TcpStream::connect(address).unwrap();
                let mut other = stream.try_clone().unwrap();
                let writer = thread::spawn(move || {
                    other.write_all(&vec![value; BYTES]).unwrap();
                    other.shutdown(Shutdown::Write).unwrap();
                });
                let mut back = Vec::new();
                stream.read_to_end(&mut back).unwrap();
                writer.join().unwrap();
                assert!(back.len() == BYTES && back.iter().all(|byte| *byte == value));
            })
        });
        for talk in talks {
            talk.join().unwrap();
        }
    }

    #[test]
    fn a_refused_connection_is_closed_and_the_end_of_one_side_that_of_all() {
        let unused = TcpListener::bind("127.0.0.1:0").unwrap();
        let nowhere = unused.local_addr().unwrap();
        drop(unused);
        let (near, address) = relay_to(nowhere);
        let mut stream = TcpStream::connect(address).unwrap();
        assert_eq!(stream.read(&mut [0]).unwrap(), 0);

        let target = TcpListener::bind("127.0.0.1:0").unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut stream = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        near.forward(listener, target.local_addr().unwrap());
        let (mut there, _) = target.accept().unwrap();
        drop(near);
        assert_eq!(stream.read(&mut [0]).unwrap(), 0);
        assert_eq!(there.read(&mut [0]).unwrap(), 0);
    }
}
