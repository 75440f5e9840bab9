//! `wgfleet node remove`.

use clap::{Args, ValueEnum};

use crate::cli::{
    client::{Call, Query},
    confirm,
    failure::Failure,
    find::{self, text},
    output::Column,
    session::Session,
};

const COLUMNS: &[Column] = &[Column::of("peer_count")];

/// Which one, and what becomes of its peers.
#[derive(Debug, Args)]
pub(in crate::cli) struct RemoveFlags {
    /// Its name or id
    node: String,

    /// What becomes of its peers; without this only a node that has none is removed
    #[arg(long, value_enum, value_name = "FATE")]
    peers: Option<Fate>,

    /// Don't ask
    #[arg(long)]
    yes: bool,
}

/// What becomes of a removed node's peers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Fate {
    /// Other nodes take them
    Move,
    /// They are removed, from the node too
    Delete,
    /// They are removed here, and stay on the node
    Forget,
}

/// Removes it.
pub(super) async fn run(session: &Session, flags: RemoveFlags) -> Result<(), Failure> {
    let node = find::node(&session.client, &flags.node).await?;
    let name = text(&node, "name");
    let count = node["peer_count"].as_u64().unwrap_or(0);
    let question = match flags.peers {
        None => format!("Remove {name}?"),
        Some(Fate::Move) => format!("Remove {name} and move its {count} peers to other nodes?"),
        Some(Fate::Delete) => format!("Remove {name} and its {count} peers?"),
        Some(Fate::Forget) => format!("Remove {name} and leave its {count} peers on it?"),
    };
    confirm::ask(flags.yes, &question)?;
    let fate = flags.peers.and_then(|fate| fate.to_possible_value());
    let fate = fate.as_ref().map(clap::builder::PossibleValue::get_name);
    let query = Query::of(&format!("/nodes/{}", text(&node, "id"))).maybe("peers", fate);
    let removed = session
        .client
        .json(Call::delete(query, &text(&node, "etag")))
        .await?;
    session
        .output
        .done(COLUMNS, &removed, &format!("removed {name}"))
}
