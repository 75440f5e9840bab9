//! The memory itself: what was seen, what became of it, and whether that still stands.

use std::{
    collections::{BTreeMap, HashMap},
    io,
    path::Path,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use ring::digest;
use tokio::sync::watch;
use wire_contract::{
    InterfaceName, PublicKey,
    signing::{Mac, WINDOW},
};

use super::{
    log::{Log, LogError},
    record::{Record, Stage},
};

/// Most mutations remembered at a time.
pub(super) const MAX_ENTRIES: usize = 1_000_000;

/// How much longer than its time window a mutation is remembered: two threads may read the clock in
/// one order and come here in the other.
pub(super) const SLACK_SECS: i64 = 60;
const WINDOW_SECS: i64 = WINDOW.as_secs().cast_signed();

/// A peer of one interface, in 16 bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct PeerId(pub(super) [u8; 16]);

impl PeerId {
    /// Of a mutation that names no peer, because it could not be read.
    pub const NONE: Self = Self([0; 16]);

    /// The peer `key` of `interface`.
    #[must_use]
    pub fn new(interface: &InterfaceName, key: &PublicKey) -> Self {
        let mut context = digest::Context::new(&digest::SHA256);
        context.update(interface.as_str().as_bytes());
        // No interface name contains a NUL.
        context.update(b"\0");
        context.update(key.as_bytes());
        let mut id = [0; 16];
        id.copy_from_slice(&context.finish().as_ref()[..16]);
        Self(id)
    }
}

/// What the memory says of a mutation that has just authenticated.
#[derive(Debug)]
pub enum Admission {
    /// Not seen before: make it, or refuse it, and say so through the ticket.
    New(Ticket),
    /// It was applied and nothing about its peer was applied since: give the first answer again.
    Repeat,
    /// It was seen before and its answer no longer stands.
    Replayed,
    /// The very same request is being worked on; ask again once the receiver closes.
    InFlight(watch::Receiver<()>),
    /// Its timestamp has left the window since it was checked, so it may have been forgotten.
    Expired,
    /// No room for another; nothing was remembered.
    Full,
}

/// The right, and the duty, to say what became of one mutation.
#[derive(Debug)]
pub struct Ticket {
    mac: Mac,
    timestamp: i64,
    peer: PeerId,
    begun: u64,
    /// Dropped with the ticket: those who wait for it wake up.
    _done: watch::Sender<()>,
}

#[derive(Debug, Clone)]
enum State {
    InFlight(watch::Receiver<()>),
    /// Begun before a crash, its outcome unknown. Its place in the order is that of its beginning.
    Unknown(u64),
    Applied(u64),
    Refused,
}

struct Entry {
    peer: PeerId,
    state: State,
}

#[derive(Default)]
struct Seen {
    entries: HashMap<[u8; 32], Entry>,
    /// The place in the order of what was applied to a peer last.
    newest: HashMap<PeerId, u64>,
    by_timestamp: BTreeMap<i64, Vec<[u8; 32]>>,
}

/// See the module's page.
pub struct ReplayMemory {
    seen: Mutex<Seen>,
    log: Log,
    sequence: AtomicU64,
    max_entries: usize,
}

impl ReplayMemory {
    /// Opens the log in `directory` and remembers what it tells of the window around `now` (Unix
    /// seconds).
    ///
    /// # Errors
    /// When the log can't be read or written.
    pub fn open(directory: &Path, now: i64) -> Result<Self, LogError> {
        Self::with_capacity(directory, now, MAX_ENTRIES)
    }

    /// The same with room for `max_entries`.
    ///
    /// # Errors
    /// When the log can't be read or written.
    pub fn with_capacity(directory: &Path, now: i64, max_entries: usize) -> Result<Self, LogError> {
        let mut seen = Seen::default();
        let mut last = 0;
        let log = Log::open(directory, now, |record| {
            last = last.max(record.sequence);
            seen.recall(&record);
        })?;
        seen.settle_order();
        seen.forget_before(now);
        Ok(Self {
            seen: Mutex::new(seen),
            log,
            sequence: AtomicU64::new(last + 1),
            max_entries,
        })
    }

    /// How many mutations are remembered.
    #[must_use]
    pub fn len(&self) -> usize {
        self.lock().entries.len()
    }

    /// Whether none is.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Looks up a mutation that has authenticated, and remembers it when it is new.
    pub fn admit(&self, mac: &Mac, timestamp: i64, peer: PeerId, now: i64) -> Admission {
        let mut seen = self.lock();
        seen.forget_before(now);
        // The window was checked before the body came, and a body may take its time.
        if timestamp < now - WINDOW_SECS {
            return Admission::Expired;
        }
        let newest = seen.newest.get(&peer).copied();
        let begun = match seen.entries.get(mac.as_bytes()).map(|entry| &entry.state) {
            None if seen.entries.len() >= self.max_entries => return Admission::Full,
            None => None,
            // Closed without an outcome, its worker died: whether it was made is not known.
            Some(State::InFlight(done)) if done.has_changed().is_ok() => {
                return Admission::InFlight(done.clone());
            }
            Some(State::Applied(at)) if newest == Some(*at) => return Admission::Repeat,
            // Begun before a crash, and nothing came after: making it now is what making it then
            // would have come to.
            Some(State::Unknown(at)) if newest == Some(*at) => Some(*at),
            Some(_) => {
                return Admission::Replayed;
            }
        };
        let (sender, receiver) = watch::channel(());
        let known = begun.is_some();
        let ticket = Ticket {
            mac: *mac,
            timestamp,
            peer,
            begun: begun.unwrap_or_else(|| self.next_sequence()),
            _done: sender,
        };
        seen.entries.insert(
            *mac.as_bytes(),
            Entry {
                peer,
                state: State::InFlight(receiver),
            },
        );
        if !known {
            seen.by_timestamp
                .entry(timestamp)
                .or_default()
                .push(*mac.as_bytes());
        }
        Admission::New(ticket)
    }

    /// Records, for good, that these are about to be made. Blocks on the disk; one sync for all.
    ///
    /// # Errors
    /// When the log can't be written: none of them may be made.
    pub fn begin<'t>(
        &self,
        tickets: impl IntoIterator<Item = &'t Ticket>,
        now: i64,
    ) -> io::Result<()> {
        let records: Vec<_> = tickets
            .into_iter()
            .map(|ticket| ticket.record(Stage::Begun, ticket.begun))
            .collect();
        self.log.commit(&records, true, now)
    }

    /// Records what became of mutations that were begun, in the order in which they were made. An
    /// unwritten outcome is not an error: the beginning is on disk, which is what safety needs.
    pub fn finish<'t>(&self, outcomes: impl IntoIterator<Item = (&'t Ticket, bool)>, now: i64) {
        let mut records = Vec::new();
        let mut seen = self.lock();
        for (ticket, applied) in outcomes {
            if applied {
                let at = self.next_sequence();
                seen.settle(ticket, State::Applied(at));
                seen.newest.insert(ticket.peer, at);
                records.push(ticket.record(Stage::Applied, at));
            } else {
                seen.settle(ticket, State::Refused);
                records.push(ticket.record(Stage::Refused, ticket.begun));
            }
        }
        drop(seen);
        if let Err(error) = self.log.commit(&records, false, now) {
            tracing::warn!(%error, "outcomes are missing in the replay log");
        }
    }

    /// Records, for good, a mutation refused before it was begun. Blocks on the disk.
    ///
    /// # Errors
    /// When the log can't be written.
    pub fn refuse(&self, ticket: &Ticket, now: i64) -> io::Result<()> {
        self.lock().settle(ticket, State::Refused);
        self.log
            .commit(&[ticket.record(Stage::Refused, ticket.begun)], true, now)
    }

    fn next_sequence(&self) -> u64 {
        self.sequence.fetch_add(1, Ordering::Relaxed)
    }

    fn lock(&self) -> MutexGuard<'_, Seen> {
        // Every critical section leaves the tables whole.
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Ticket {
    fn record(&self, stage: Stage, sequence: u64) -> Record {
        Record {
            stage,
            timestamp: self.timestamp,
            mac: self.mac,
            peer: self.peer,
            sequence,
        }
    }
}

impl Seen {
    /// Takes in one record of the log.
    fn recall(&mut self, record: &Record) {
        let key = *record.mac.as_bytes();
        let state = match record.stage {
            Stage::Begun => State::Unknown(record.sequence),
            Stage::Applied => State::Applied(record.sequence),
            Stage::Refused => State::Refused,
        };
        let entry = Entry {
            peer: record.peer,
            state,
        };
        if self.entries.insert(key, entry).is_none() {
            self.by_timestamp
                .entry(record.timestamp)
                .or_default()
                .push(key);
        }
    }

    /// After all records are in: what happened to each peer last.
    fn settle_order(&mut self) {
        for entry in self.entries.values() {
            if let State::Applied(at) | State::Unknown(at) = entry.state {
                let newest = self.newest.entry(entry.peer).or_default();
                *newest = at.max(*newest);
            }
        }
    }

    fn settle(&mut self, ticket: &Ticket, state: State) {
        if let Some(entry) = self.entries.get_mut(ticket.mac.as_bytes()) {
            entry.state = state;
        }
    }

    /// Drops what the time window refuses by itself.
    fn forget_before(&mut self, now: i64) {
        let oldest = now - WINDOW_SECS - SLACK_SECS;
        while let Some(bucket) = self.by_timestamp.first_entry() {
            if *bucket.key() >= oldest {
                return;
            }
            for key in bucket.remove() {
                let Some(entry) = self.entries.remove(&key) else {
                    continue;
                };
                if let State::Applied(at) | State::Unknown(at) = entry.state
                    && self.newest.get(&entry.peer) == Some(&at)
                {
                    self.newest.remove(&entry.peer);
                }
            }
        }
    }
}
