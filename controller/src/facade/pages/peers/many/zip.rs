//! All configurations of what was added, in one archive that is made while it is sent.

use std::{
    collections::HashSet,
    io::{self, Write},
    sync::{Arc, Mutex, PoisonError},
};

use ::zip::{CompressionMethod, ZipWriter, write::SimpleFileOptions};
use axum::{
    body::Body,
    extract::{Path, State},
    http::{HeaderValue, header},
    response::{IntoResponse as _, Response},
};
use bytes::Bytes;
use futures_util::stream;
use tokio::sync::mpsc;
use wgfleet_proto::v1;
use zeroize::Zeroizing;

use super::{
    super::{
        super::{page::SignedIn, refusal::Refused},
        once::with_key,
    },
    find,
    job::{Job, Outcome},
};
use crate::facade::{Answer, Facade, caller::Caller};

/// Bytes that are sent together.
const CHUNK_BYTES: usize = 64 * 1024;
/// Characters of a file's name before its ending, as wg-quick takes it.
const MAX_STEM_CHARS: usize = 15;
/// What could not be written tells of itself there.
const MISSING: &str = "MISSING.txt";

pub(super) async fn download(
    State(facade): State<Facade>,
    signed: SignedIn,
    Path(id): Path<String>,
) -> Answer<Response> {
    let job = find(&signed, &id)?;
    let (sender, receiver) = mpsc::channel(2);
    tokio::spawn(async move {
        let archive = Archive::new(sender);
        // Whoever does not wait for the end of it has no whole archive either.
        let _ = archive.fill(&job, facade, &signed.caller).await;
    });
    let sent = stream::unfold(receiver, |mut receiver| async move {
        let chunk = receiver.recv().await?;
        Some((chunk, receiver))
    });
    let headers = [
        (
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/zip"),
        ),
        (
            header::CONTENT_DISPOSITION,
            HeaderValue::from_static("attachment; filename=\"wgfleet-peers.zip\""),
        ),
    ];
    Ok((headers, Body::from_stream(sent)).into_response())
}

/// Bytes that were written and not sent yet.
#[derive(Clone, Default)]
struct Pending(Arc<Mutex<Vec<u8>>>);

impl Pending {
    fn take(&self) -> Vec<u8> {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn len(&self) -> usize {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).len()
    }
}

impl Write for Pending {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut pending = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        pending.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

struct Archive {
    pending: Pending,
    writer: ZipWriter<::zip::write::StreamWriter<Pending>>,
    names: HashSet<String>,
    missing: String,
    sender: mpsc::Sender<io::Result<Bytes>>,
}

impl Archive {
    fn new(sender: mpsc::Sender<io::Result<Bytes>>) -> Self {
        let pending = Pending::default();
        Self {
            writer: ZipWriter::new_stream(pending.clone()),
            pending,
            names: HashSet::new(),
            missing: String::new(),
            sender,
        }
    }

    async fn fill(mut self, job: &Job, mut facade: Facade, caller: &Caller) -> io::Result<()> {
        let rows = job.state().rows.len();
        for row in 0..rows {
            let (name, id, key) = {
                let state = job.state();
                let made = &state.rows[row];
                let Outcome::Added { id, private_key } = &made.outcome else {
                    continue;
                };
                (made.name.clone(), id.clone(), private_key.clone())
            };
            let asked = caller.request(v1::GetPeerConfigRequest { id });
            match facade.peers.get_config(asked).await {
                Ok(answer) => {
                    let answer = answer.into_inner();
                    let config = Zeroizing::new(answer.config);
                    let config = match key {
                        Some(key) => with_key(&config, &key),
                        None => config,
                    };
                    self.add(&answer.file_name, config.as_bytes())?;
                }
                Err(status) => {
                    let why = Refused::from(status).sentence;
                    self.missing += &format!("{name}: {why}\n");
                }
            }
            self.send(CHUNK_BYTES).await?;
        }
        if !self.missing.is_empty() {
            let missing = std::mem::take(&mut self.missing);
            self.entry(MISSING, missing.as_bytes())?;
        }
        self.writer.finish()?;
        send(&self.pending, &self.sender).await
    }

    fn add(&mut self, file_name: &str, config: &[u8]) -> io::Result<()> {
        let name = unused(&self.names, file_name);
        self.entry(&name, config)?;
        self.names.insert(name);
        Ok(())
    }

    fn entry(&mut self, name: &str, bytes: &[u8]) -> io::Result<()> {
        let options = SimpleFileOptions::default()
            .compression_method(CompressionMethod::Deflated)
            .unix_permissions(0o600);
        self.writer.start_file(name, options)?;
        self.writer.write_all(bytes)
    }

    /// Sends what there is, when it is that much.
    async fn send(&self, at_least: usize) -> io::Result<()> {
        if self.pending.len() < at_least {
            return Ok(());
        }
        send(&self.pending, &self.sender).await
    }
}

async fn send(pending: &Pending, sender: &mpsc::Sender<io::Result<Bytes>>) -> io::Result<()> {
    let sent = sender.send(Ok(pending.take().into())).await;
    sent.map_err(|_| io::ErrorKind::BrokenPipe.into())
}

/// The name, or one like it that no other file has. It names an interface too, which bounds it.
fn unused(taken: &HashSet<String>, file_name: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_=+.-".contains(c);
    let stem = file_name.strip_suffix(".conf").unwrap_or(file_name);
    let stem: String = stem
        .chars()
        .filter(|c| plain(*c))
        .take(MAX_STEM_CHARS)
        .collect();
    let stem = match stem.trim_matches('.') {
        "" => "wg",
        stem => stem,
    };
    let first = format!("{stem}.conf");
    if !taken.contains(&first) {
        return first;
    }
    let numbered = (2_u32..).map(|number| {
        let ending = format!("-{number}");
        let stem: String = stem.chars().take(MAX_STEM_CHARS - ending.len()).collect();
        format!("{stem}{ending}.conf")
    });
    let mut unused = numbered.filter(|name| !taken.contains(name));
    unused.next().unwrap_or(first)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::unused;

    #[test]
    fn no_two_files_have_one_name_and_none_leaves_the_folder() {
        let mut taken = HashSet::new();
        for (name, expected) in [
            ("a.conf", "a.conf"),
            ("a.conf", "a-2.conf"),
            ("a.conf", "a-3.conf"),
            ("fifteen-letters.conf", "fifteen-letters.conf"),
            ("fifteen-letters.conf", "fifteen-lette-2.conf"),
            ("../../etc/passwd", "etcpasswd.conf"),
            ("..", "wg.conf"),
            ("lap\"top\r\n.conf", "laptop.conf"),
        ] {
            let name = unused(&taken, name);
            assert_eq!(name, expected);
            taken.insert(name);
        }
    }
}
