//! `wgfleet peer export`: peers in a form that can be imported.

use std::path::PathBuf;

use clap::Args;
use indicatif::ProgressBar;
use serde_json::{Map, Value};
use zeroize::Zeroizing;

use super::{
    Filters,
    import::{FileFormat, of_name},
    portable, wg_quick,
};
use crate::cli::{
    client::Call,
    credentials::write_private,
    failure::Failure,
    find::{self, text},
    output::{counted, note},
    progress,
    session::Session,
};

/// Which peers, and how.
#[derive(Debug, Args)]
pub(in crate::cli) struct ExportFlags {
    #[command(flatten)]
    filters: Filters,

    /// Write them there; only you can read the file
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,

    /// The form, when the file's name does not tell it; conf is for one node [default: csv]
    #[arg(long, value_enum)]
    format: Option<FileFormat>,

    /// With preshared keys, which takes a request for each peer that has one
    #[arg(long)]
    with_preshared_keys: bool,
}

/// Writes them.
pub(super) async fn run(session: &Session, flags: ExportFlags) -> Result<(), Failure> {
    let of_file = || flags.file.as_deref().and_then(of_name);
    let format = flags.format.or_else(of_file).unwrap_or(FileFormat::Csv);
    if format == FileFormat::Conf && flags.filters.node.is_none() {
        return Err(Failure::Usage(
            "a wg-quick configuration is of one node: say which with --node".into(),
        ));
    }
    let query = flags
        .filters
        .query(session)
        .await?
        .with("sort", "created_at");
    let mut peers = find::all(&session.client, &query, None).await?;
    if format == FileFormat::Conf {
        leave_out_inactive(&mut peers);
    }
    let declared = declare(session, &peers, flags.with_preshared_keys).await?;
    let text = match format {
        FileFormat::Csv => portable::to_csv(&declared)?,
        FileFormat::Json => format!("{:#}\n", Value::from(declared)),
        FileFormat::Conf => wg_quick::write(&declared),
    };
    let text = Zeroizing::new(text);
    match &flags.file {
        Some(path) => {
            write_private(path, text.as_bytes(), false)?;
            let count = counted(peers.len(), "peer");
            session
                .output
                .line(&format!("wrote {count} into {}", path.display()))
        }
        None => session.output.raw(&text),
    }
}

/// They are not on their node, and a configuration has no word for that.
fn leave_out_inactive(peers: &mut Vec<Value>) {
    let before = peers.len();
    peers.retain(|peer| peer["state"] == "active");
    let left_out = before - peers.len();
    if left_out > 0 {
        note(&format!(
            "left out, not being active: {}",
            counted(left_out, "peer")
        ));
    }
}

async fn declare(
    session: &Session,
    peers: &[Value],
    with_keys: bool,
) -> Result<Vec<Map<String, Value>>, Failure> {
    let names = find::node_names(&session.client).await?;
    let bar = with_keys.then(|| progress::bar(peers.len(), "peers"));
    let (mut declared, mut without_key) = (Vec::with_capacity(peers.len()), 0);
    for peer in peers {
        let mut fields = portable::declared(peer, names.get(&text(peer, "node_id")));
        if peer["has_preshared_key"] == true {
            let key = if with_keys {
                preshared_key(session, peer).await?
            } else {
                None
            };
            match key {
                Some(key) => drop(fields.insert("preshared_key".into(), key.as_str().into())),
                None => without_key += 1,
            }
        }
        declared.push(fields);
        bar.iter().for_each(|bar| bar.inc(1));
    }
    bar.iter().for_each(ProgressBar::finish_and_clear);
    if without_key > 0 {
        let how = if with_keys {
            "is not known here"
        } else {
            "is left out: --with-preshared-keys"
        };
        note(&format!(
            "the preshared key of {} {how}",
            counted(without_key, "peer")
        ));
    }
    Ok(declared)
}

/// It stands in the client's configuration, and nowhere else.
async fn preshared_key(
    session: &Session,
    peer: &Value,
) -> Result<Option<Zeroizing<String>>, Failure> {
    let call = Call::get(format!("/peers/{}/config", text(peer, "id")));
    let config = session.client.text(call).await?;
    let key = config
        .lines()
        .find_map(|line| line.strip_prefix("PresharedKey = "));
    Ok(key.map(|key| Zeroizing::new(key.to_owned())))
}
