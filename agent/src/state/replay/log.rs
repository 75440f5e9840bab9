//! The append log behind the replay memory.
//!
//! Two segments at most matter at a time: the one written to, and the one before it, which is
//! deleted once every timestamp in it has left the window. Those who commit at the same time share
//! one write and one sync.

use std::{
    collections::BTreeMap,
    fs::{self, File, OpenOptions},
    io::{self, Read, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    sync::{Condvar, Mutex, MutexGuard},
};

use super::{
    memory::SLACK_SECS,
    record::{RECORD_BYTES, Record},
};

/// A segment is closed when it holds this much.
const SEGMENT_BYTES: u64 = 32 * 1024 * 1024;
/// Or when its first record was written so long ago, seconds.
const SEGMENT_SECS: i64 = 600;
/// A timestamp may lie a window ahead of the clock, and is remembered until a window and some slack
/// after it: then no record matters.
const KEEP_SECS: i64 = 2 * wire_contract::signing::WINDOW.as_secs().cast_signed() + SLACK_SECS;

/// The log can't be read or written.
#[derive(Debug, thiserror::Error)]
#[error("the replay log {path}: {source}")]
pub struct LogError {
    path: PathBuf,
    #[source]
    source: io::Error,
}

/// The log, open for appending.
pub(super) struct Log {
    directory: PathBuf,
    queue: Mutex<Queue>,
    committed: Condvar,
    /// Held by the one thread that writes.
    segment: Mutex<Segments>,
}

#[derive(Default)]
struct Queue {
    bytes: Vec<u8>,
    sync: bool,
    /// The batch now being gathered, and the outcome of those written.
    batch: u64,
    waiting: usize,
    outcomes: BTreeMap<u64, (usize, Option<io::ErrorKind>)>,
    writing: bool,
}

struct Segments {
    current: Segment,
    /// Closed ones, with the time after which nothing in them matters.
    closed: Vec<(PathBuf, i64)>,
}

struct Segment {
    path: PathBuf,
    file: File,
    /// Up to here the file holds whole records.
    good_bytes: u64,
    opened_at: i64,
}

impl Log {
    /// Opens the log in `directory` and reports what it holds, oldest first. A record cut short by a
    /// crash ends its segment: it was never acknowledged.
    pub(super) fn open(
        directory: &Path,
        now: i64,
        mut each: impl FnMut(Record),
    ) -> Result<Self, LogError> {
        let failed = |path: &Path| {
            let path = path.to_owned();
            move |source| LogError { path, source }
        };
        let mut numbers = segment_numbers(directory).map_err(failed(directory))?;
        numbers.sort_unstable();
        let mut closed = Vec::new();
        for number in &numbers {
            let path = segment_path(directory, *number);
            read_segment(&path, &mut each).map_err(failed(&path))?;
            closed.push((path, now + KEEP_SECS));
        }
        let next = numbers.last().map_or(0, |last| last + 1);
        let current = Segment::create(directory, next, now).map_err(failed(directory))?;
        Ok(Self {
            directory: directory.to_owned(),
            queue: Mutex::default(),
            committed: Condvar::new(),
            segment: Mutex::new(Segments { current, closed }),
        })
    }

    /// Appends `records`; with `sync`, returns only once they would survive a power cut. Blocks.
    pub(super) fn commit(&self, records: &[Record], sync: bool, now: i64) -> io::Result<()> {
        let mut queue = lock(&self.queue);
        for record in records {
            queue.bytes.extend_from_slice(&record.encode());
        }
        queue.sync |= sync;
        queue.waiting += 1;
        let batch = queue.batch;
        loop {
            if let Some((waiting, outcome)) = queue.outcomes.get_mut(&batch) {
                let outcome = *outcome;
                *waiting -= 1;
                if *waiting == 0 {
                    queue.outcomes.remove(&batch);
                }
                return outcome.map_or(Ok(()), |kind| Err(kind.into()));
            }
            if queue.writing {
                queue = self
                    .committed
                    .wait(queue)
                    .unwrap_or_else(std::sync::PoisonError::into_inner);
            } else {
                queue = self.write_batch(queue, now);
            }
        }
    }

    /// Writes all that is queued while others go on queueing the next batch.
    fn write_batch<'a>(
        &'a self,
        mut queue: MutexGuard<'a, Queue>,
        now: i64,
    ) -> MutexGuard<'a, Queue> {
        let bytes = std::mem::take(&mut queue.bytes);
        let sync = std::mem::take(&mut queue.sync);
        let waiting = std::mem::take(&mut queue.waiting);
        let batch = queue.batch;
        queue.batch += 1;
        queue.writing = true;
        drop(queue);

        let written = lock(&self.segment).append(&self.directory, &bytes, sync, now);
        if let Err(error) = &written {
            tracing::error!(%error, "the replay log can't be written; mutations are refused");
        }

        let mut queue = lock(&self.queue);
        queue
            .outcomes
            .insert(batch, (waiting, written.err().map(|error| error.kind())));
        queue.writing = false;
        self.committed.notify_all();
        queue
    }
}

impl Segments {
    fn append(&mut self, directory: &Path, bytes: &[u8], sync: bool, now: i64) -> io::Result<()> {
        self.rotate(directory, now)?;
        self.current.append(bytes, sync)
    }

    fn rotate(&mut self, directory: &Path, now: i64) -> io::Result<()> {
        let current = &self.current;
        let full = current.good_bytes >= SEGMENT_BYTES;
        let old = current.good_bytes > 0
            && now.abs_diff(current.opened_at) >= SEGMENT_SECS.unsigned_abs();
        if !full && !old {
            return Ok(());
        }
        let number = segment_number(&current.path).map_or(0, |number| number + 1);
        let next = Segment::create(directory, number, now)?;
        // What was appended without a sync must not be overtaken by its own deletion.
        self.current.file.sync_data()?;
        let closed = std::mem::replace(&mut self.current, next);
        self.closed.push((closed.path, now + KEEP_SECS));
        self.closed.retain(|(path, until)| {
            let keep = now <= *until;
            if !keep && let Err(error) = fs::remove_file(path) {
                tracing::warn!(%error, path = %path.display(), "an old replay log stays behind");
            }
            keep
        });
        Ok(())
    }
}

impl Segment {
    fn create(directory: &Path, number: u64, now: i64) -> io::Result<Self> {
        let path = segment_path(directory, number);
        let file = OpenOptions::new()
            .create_new(true)
            .append(true)
            .mode(0o600)
            .open(&path)?;
        // The directory entry must survive a power cut as well.
        File::open(directory)?.sync_all()?;
        Ok(Self {
            path,
            file,
            good_bytes: 0,
            opened_at: now,
        })
    }

    fn append(&mut self, bytes: &[u8], sync: bool) -> io::Result<()> {
        let written = self
            .file
            .write_all(bytes)
            .and_then(|()| if sync { self.file.sync_data() } else { Ok(()) });
        match written {
            Ok(()) => {
                self.good_bytes += bytes.len() as u64;
                Ok(())
            }
            Err(error) => {
                // Half a record in the middle would hide all that follow it.
                self.file.set_len(self.good_bytes)?;
                Err(error)
            }
        }
    }
}

fn read_segment(path: &Path, each: &mut impl FnMut(Record)) -> io::Result<()> {
    let mut reader = io::BufReader::new(File::open(path)?);
    let mut bytes = [0; RECORD_BYTES];
    loop {
        match reader.read_exact(&mut bytes) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(()),
            Err(error) => return Err(error),
        }
        match Record::decode(&bytes) {
            Some(record) => each(record),
            None => {
                tracing::warn!(path = %path.display(), "the replay log ends in a broken record");
                return Ok(());
            }
        }
    }
}

fn segment_path(directory: &Path, number: u64) -> PathBuf {
    directory.join(format!("replay-{number:016}.log"))
}

fn segment_number(path: &Path) -> Option<u64> {
    let name = path.file_name()?.to_str()?;
    name.strip_prefix("replay-")?
        .strip_suffix(".log")?
        .parse()
        .ok()
}

fn segment_numbers(directory: &Path) -> io::Result<Vec<u64>> {
    let mut numbers = Vec::new();
    for entry in fs::read_dir(directory)? {
        numbers.extend(segment_number(&entry?.path()));
    }
    Ok(numbers)
}

/// Every critical section leaves its data whole, so a panic elsewhere does not spoil it.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner)
}
