//! `wgfleet events`: what happens, without a gap.

mod names;
mod sse;

use std::time::Duration;

use clap::Args;
use hyper::header::{HeaderName, HeaderValue};
use serde_json::Value;

use self::{
    names::Names,
    sse::{Message, Stream},
};
use super::{
    client::{Call, Query},
    failure::Failure,
    find,
    output::{at, note, raw, sync, text as listed},
    session::Session,
};

const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");
const FIRST_WAIT: Duration = Duration::from_millis(200);
const LONGEST_WAIT: Duration = Duration::from_secs(15);

/// Columns of CSV; the table is made of lines.
const COLUMNS: &[&str] = &["id", "kind", "occurred_at", "node_id", "peer_id"];

/// Which events.
#[derive(Debug, Args)]
pub(super) struct EventsFlags {
    /// Only of this node and its peers, by name or id
    #[arg(long, value_name = "NODE")]
    node: Option<String>,

    /// Only of this peer, by name, id or public key
    #[arg(long, value_name = "PEER")]
    peer: Option<String>,

    /// Only of this kind, such as peer.online; repeatable
    #[arg(long = "kind", value_name = "KIND")]
    kinds: Vec<String>,

    /// Begin after the event of this id, instead of now
    #[arg(long, value_name = "ID")]
    after: Option<String>,

    /// End after so many
    #[arg(long, value_name = "N")]
    limit: Option<usize>,
}

/// Follows them, over restarts of the controller, until interrupted.
pub(super) async fn run(session: &Session, flags: EventsFlags) -> Result<(), Failure> {
    let client = &session.client;
    let node_id = find::node_id(client, flags.node.as_deref()).await?;
    let peer_id = match &flags.peer {
        Some(named) => Some(find::text(&find::peer(client, named).await?, "id")),
        None => None,
    };
    let query = Query::of("/events")
        .maybe("node_id", node_id)
        .maybe("peer_id", peer_id)
        .each("kind", &flags.kinds);
    let mut follower = Follower {
        session,
        target: query.into(),
        last_id: flags.after,
        names: Names::default(),
        left: flags.limit.unwrap_or(usize::MAX),
    };
    follower.head()?;
    let mut wait = None;
    while follower.left > 0 {
        if let Some(wait) = wait {
            tokio::time::sleep(wait).await;
        }
        let heard = follower.follow(wait.is_none()).await?;
        // Another try at once after a stream that brought something.
        let longer = wait.map_or(FIRST_WAIT, |wait: Duration| (wait * 2).min(LONGEST_WAIT));
        wait = Some(if heard { FIRST_WAIT } else { longer });
    }
    Ok(())
}

struct Follower<'a> {
    session: &'a Session,
    target: String,
    last_id: Option<String>,
    names: Names,
    left: usize,
}

impl Follower<'_> {
    /// Follows one stream to its end; whether anything came. The first one must come about: what is
    /// wrong with it is wrong with the request.
    async fn follow(&mut self, is_first: bool) -> Result<bool, Failure> {
        let client = &self.session.client;
        let mut call = Call::get(self.target.as_str());
        if let Some(id) = &self.last_id {
            let id = HeaderValue::try_from(id.as_str());
            let id = id.map_err(|_| Failure::Usage("--after is the id of an event".into()))?;
            call = call.header(LAST_EVENT_ID, id);
        }
        let opened = match client.open(&call).await {
            Ok(opened) => opened,
            Err(lost) if !is_first && (lost.is_of_the_connection() || lost.is_passing()) => {
                return Ok(false);
            }
            Err(lost) => return Err(lost.into_failure(client.url(), true)),
        };
        let mut stream = Stream::new(opened);
        let mut heard = false;
        while self.left > 0 {
            let Some(message) = stream.next().await else {
                break;
            };
            heard = true;
            if message.kind == "stream.ended" {
                ended(&message)?;
                break;
            }
            self.take(message).await?;
        }
        Ok(heard)
    }

    async fn take(&mut self, message: Message) -> Result<(), Failure> {
        if !message.id.is_empty() {
            self.last_id = Some(message.id);
        }
        if message.data.is_empty() {
            return Ok(());
        }
        let Ok(event) = serde_json::from_str::<Value>(&message.data) else {
            return Err(Failure::Unavailable("what follows is not an event".into()));
        };
        self.left -= 1;
        self.show(&event).await
    }

    fn head(&self) -> Result<(), Failure> {
        let output = &self.session.output;
        if output.is_table() || output.is_json() {
            return Ok(());
        }
        let mut columns = COLUMNS.to_vec();
        columns.push("detail");
        output.row(&columns)
    }

    async fn show(&mut self, event: &Value) -> Result<(), Failure> {
        let output = &self.session.output;
        if output.is_json() {
            return output.raw(&format!("{event}\n"));
        }
        let detail = detail(event);
        if !output.is_table() {
            let mut cells: Vec<_> = COLUMNS
                .iter()
                .map(|column| raw(at(event, column)))
                .collect();
            cells.push(detail);
            return output.row(&cells);
        }
        let who = self.names.of(&self.session.client, event).await;
        let (time, kind) = (raw(&event["occurred_at"]), raw(&event["kind"]));
        let line = format!("{time}  {kind:<14}  {who}  {detail}");
        output.line(line.trim_end())
    }
}

/// Why a stream ended, when another one would end likewise.
fn ended(message: &Message) -> Result<(), Failure> {
    let why: Value = serde_json::from_str(&message.data).unwrap_or_default();
    let (code, detail) = (find::text(&why, "code"), find::text(&why, "detail"));
    match code.as_str() {
        "unauthenticated" => Err(Failure::Permission(format!("{detail} ({code})"))),
        "event_too_old" => Err(Failure::Failed(format!("{detail} ({code})"))),
        _ => {
            note(&format!("the stream ended ({code}), and is taken up again"));
            Ok(())
        }
    }
}

/// What an event says beyond its kind.
fn detail(event: &Value) -> String {
    let reason = |field: &str, why: &str| {
        let (state, why) = (raw(&event[field]), raw(&event[why]));
        if why.is_empty() {
            state
        } else {
            format!("{state}: {why}")
        }
    };
    match event["kind"].as_str() {
        Some("node.status") => reason("status", "status_reason"),
        Some("peer.sync") => sync(&event["sync"]),
        Some("peer.created" | "peer.changed") => listed(&event["peer"]["allowed_ips"]),
        Some("peer.deleted") => raw(&event["public_key"]),
        _ => String::new(),
    }
}
