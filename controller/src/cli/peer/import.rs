//! `wgfleet peer import`: the peers of a file, many at a time.

use std::{
    collections::BTreeMap,
    fs,
    io::{self, Read as _},
    path::{Path, PathBuf},
};

use clap::{Args, ValueEnum};
use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::{
    portable::{self, Entry},
    wg_quick,
};
use crate::cli::{
    client::{Call, Query},
    failure::Failure,
    find::{self, text},
    output::{Column, counted, note},
    progress,
    session::Session,
};

/// Peers of one request: enough to be quick, few enough to see how far it is.
const BATCH: usize = 500;

const ENTRIES: &[Column] = &[
    Column::of("place").headed("AT"),
    Column::of("name").headed("NAME"),
    Column::of("node").headed("NODE"),
    Column::of("allowed_ips").headed("ALLOWED IPS"),
    Column::of("public_key").headed("PUBLIC KEY"),
];
const RESULTS: &[Column] = &[
    Column::of("place").headed("AT"),
    Column::of("name").headed("NAME"),
    Column::of("result"),
    Column::of("id"),
    Column::of("code").headed("CODE"),
    Column::of("detail").headed("WHY"),
];

/// A form of file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum FileFormat {
    /// A line of column names, then a line for each peer
    Csv,
    /// An array of peers as POST /peers takes them
    Json,
    /// A wg-quick configuration
    Conf,
}

/// Which file, and where its peers go.
#[derive(Debug, Args)]
pub(in crate::cli) struct ImportFlags {
    /// The file, or - for standard input
    file: PathBuf,

    /// Its form, when its name does not end in .csv, .json or .conf
    #[arg(long, value_enum)]
    format: Option<FileFormat>,

    /// The node all peers go to, by name or id; else the one the file names, or one that is picked
    #[arg(long, value_name = "NODE")]
    node: Option<String>,

    /// Pass over peers whose public key their node has already
    #[arg(long)]
    skip_existing: bool,

    /// Show what would be imported, and import nothing
    #[arg(long)]
    dry_run: bool,
}

/// What came of the peers so far.
#[derive(Default)]
struct Tally {
    results: Vec<Value>,
    added: usize,
    skipped: usize,
    refused: usize,
}

/// Adds them, each by itself: what is wrong with one keeps out no other.
pub(super) async fn run(session: &Session, flags: ImportFlags) -> Result<(), Failure> {
    let mut entries = read(&flags)?;
    place(session, &mut entries, flags.node.as_deref()).await?;
    if flags.dry_run {
        return show(session, &entries);
    }
    let mut tally = Tally::default();
    if flags.skip_existing {
        skip_existing(session, &mut entries, &mut tally).await?;
    }
    let sent = send(session, &entries, &mut tally).await;
    if sent.is_err() && tally.added > 0 {
        let added = counted(tally.added, "peer");
        note(&format!(
            "{added} added; run it again with --skip-existing for the others"
        ));
    }
    sent?;
    report(session, &tally)
}

fn read(flags: &ImportFlags) -> Result<Vec<Entry>, Failure> {
    let format = flags
        .format
        .or_else(|| of_name(&flags.file))
        .ok_or_else(|| Failure::Usage("is it csv, json or conf? Say so with --format".into()))?;
    // It may hold preshared keys.
    let mut text = Zeroizing::new(String::new());
    if flags.file == Path::new("-") {
        let name = Path::new("standard input");
        io::stdin()
            .read_to_string(&mut text)
            .map_err(Failure::reading(name))?;
    } else {
        text =
            Zeroizing::new(fs::read_to_string(&flags.file).map_err(Failure::reading(&flags.file))?);
    }
    match format {
        FileFormat::Csv => portable::from_csv(&text),
        FileFormat::Json => portable::from_json(&text),
        FileFormat::Conf => {
            let read = wg_quick::read(&text)?;
            if read.endpoints > 0 {
                let count = counted(read.endpoints, "peer");
                note(&format!(
                    "the Endpoint of {count} is left out: nodes learn where clients are"
                ));
            }
            Ok(read.entries)
        }
    }
}

/// The form a file's name tells.
pub(super) fn of_name(file: &Path) -> Option<FileFormat> {
    FileFormat::from_str(file.extension()?.to_str()?, true).ok()
}

/// Puts ids of nodes where names are.
async fn place(
    session: &Session,
    entries: &mut [Entry],
    given: Option<&str>,
) -> Result<(), Failure> {
    let client = &session.client;
    if let Some(named) = given {
        let node = find::node(client, named).await?;
        for entry in entries {
            entry.node = Some(text(&node, "name"));
            entry.fields.insert("node_id".into(), node["id"].clone());
        }
        return Ok(());
    }
    if entries.iter().all(|entry| entry.node.is_none()) {
        return Ok(());
    }
    let nodes = find::all(client, &Query::of("/nodes"), None).await?;
    let ids: BTreeMap<_, _> = nodes
        .iter()
        .map(|node| (text(node, "name"), &node["id"]))
        .collect();
    let mut mistakes = portable::Mistakes::default();
    for entry in entries {
        let Some(name) = &entry.node else { continue };
        match ids.get(name) {
            Some(id) => drop(entry.fields.insert("node_id".into(), (*id).clone())),
            None => mistakes.add(&entry.place, format_args!("there is no node named {name}")),
        }
    }
    mistakes.none_or_fail()
}

fn show(session: &Session, entries: &[Entry]) -> Result<(), Failure> {
    let rows = entries.iter().map(|entry| {
        let field = |name: &str| entry.fields.get(name);
        json!({
            "place": entry.place, "name": entry.name(), "node": entry.node,
            "allowed_ips": field("allowed_ips"), "public_key": field("public_key"),
        })
    });
    let rows: Vec<_> = rows.collect();
    session.output.list(ENTRIES, &rows)?;
    note(&format!(
        "{}; nothing was imported",
        counted(rows.len(), "peer")
    ));
    Ok(())
}

/// Takes out what is there already, wherever it was not said where it belongs.
async fn skip_existing(
    session: &Session,
    entries: &mut Vec<Entry>,
    tally: &mut Tally,
) -> Result<(), Failure> {
    let peers = find::all(&session.client, &Query::of("/peers"), None).await?;
    let mut keys = BTreeMap::<_, Vec<_>>::new();
    for peer in &peers {
        let nodes = keys.entry(text(peer, "public_key")).or_default();
        nodes.push(&peer["node_id"]);
    }
    entries.retain(|entry| {
        let field = |name: &str| entry.fields.get(name);
        let key = field("public_key")
            .and_then(Value::as_str)
            .unwrap_or_default();
        let is_there = keys.get(key).is_some_and(|nodes| match field("node_id") {
            Some(id) => nodes.contains(&id),
            None => true,
        });
        if is_there {
            tally.skipped += 1;
            tally.note(entry, "skipped", &Value::Null);
        }
        !is_there
    });
    Ok(())
}

async fn send(session: &Session, entries: &[Entry], tally: &mut Tally) -> Result<(), Failure> {
    let bar = progress::bar(entries.len(), "peers");
    for batch in entries.chunks(BATCH) {
        let peers: Vec<_> = batch
            .iter()
            .map(|entry| Value::from(entry.fields.clone()))
            .collect();
        let call = Call::post("/peers/bulk/create", &json!({"peers": peers})).in_bulk();
        let mut answer = session
            .client
            .json(call)
            .await
            .map_err(|failure| at(batch, failure))?;
        let Value::Array(results) = answer["results"].take() else {
            return Err(Failure::Unavailable(
                "the controller did not say what came of the peers".into(),
            ));
        };
        for (entry, result) in batch.iter().zip(&results) {
            tally.count(entry, result);
        }
        bar.inc(batch.len() as u64);
    }
    bar.finish_and_clear();
    Ok(())
}

/// A request that is refused as a whole names the peer by its number in the batch.
fn at(batch: &[Entry], failure: Failure) -> Failure {
    let Failure::Refused(mut problem) = failure else {
        return failure;
    };
    let named = problem
        .field
        .strip_prefix("peers[")
        .and_then(|rest| rest.split_once(']'));
    let entry = named.and_then(|(number, _)| batch.get(number.parse::<usize>().ok()?));
    match entry {
        Some(entry) => {
            problem.detail = format!("{}, {}: {}", entry.place, entry.name(), problem.detail);
            Failure::Refused(problem)
        }
        None => Failure::Refused(problem),
    }
}

impl Tally {
    fn count(&mut self, entry: &Entry, result: &Value) {
        let (word, count) = if result["problem"].is_null() {
            ("added", &mut self.added)
        } else {
            ("refused", &mut self.refused)
        };
        *count += 1;
        self.note(entry, word, result);
    }

    fn note(&mut self, entry: &Entry, word: &str, result: &Value) {
        let problem = &result["problem"];
        self.results.push(json!({
            "place": entry.place, "name": entry.name(), "result": word, "id": result["peer"]["id"],
            "code": problem["code"], "detail": problem["detail"],
        }));
    }
}

fn report(session: &Session, tally: &Tally) -> Result<(), Failure> {
    let output = &session.output;
    let Tally {
        results,
        added,
        skipped,
        refused,
    } = tally;
    let total = results.len();
    if output.is_table() {
        let skipped = if *skipped > 0 {
            format!(", {skipped} were there already")
        } else {
            String::new()
        };
        output.line(&format!(
            "added {added} of {}{skipped}",
            counted(total, "peer")
        ))?;
        let bad: Vec<_> = results
            .iter()
            .filter(|it| it["result"] == "refused")
            .cloned()
            .collect();
        if !bad.is_empty() {
            output.line("")?;
            output.list(RESULTS, &bad)?;
        }
    } else {
        output.list(RESULTS, results)?;
    }
    if *refused == 0 {
        return Ok(());
    }
    Err(Failure::Failed(format!(
        "{refused} of {} refused",
        counted(total, "peer")
    )))
}
