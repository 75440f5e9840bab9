//! `wgfleet peer`: clients, and the node each is let in by.

mod config;
mod export;
mod import;
mod portable;
mod qr;
mod settings;
mod wg_quick;

use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use self::{
    export::ExportFlags,
    import::ImportFlags,
    settings::{AddFlags, EditFlags},
};
use super::{
    client::{Call, Query},
    confirm,
    failure::Failure,
    find::{self, text},
    output::{Column, age, bytes, labels, note, sync, yes_no},
    session::Session,
    values::{Label, Time, filters},
};

pub(super) const COLUMNS: &[Column] = &[
    Column::of("name").headed("NAME"),
    Column::of("node").headed("NODE"),
    Column::of("allowed_ips").headed("ALLOWED IPS"),
    Column::of("state").headed("STATE"),
    Column::of("online").headed("ONLINE").as_(yes_no),
    Column::of("latest_handshake").headed("HANDSHAKE").as_(age),
    Column::of("rx_bytes_total").headed("RX").as_(bytes),
    Column::of("tx_bytes_total").headed("TX").as_(bytes),
    Column::of("sync").headed("SYNC").as_(sync).for_people(),
    Column::of("sync.state").for_programs(),
    Column::of("sync.reason").for_programs(),
    Column::of("endpoint"),
    Column::of("public_key"),
    Column::of("has_preshared_key").as_(yes_no),
    Column::of("preshared_key_known").as_(yes_no),
    Column::of("private_key_kept").as_(yes_no),
    Column::of("persistent_keepalive"),
    Column::of("labels").as_(labels),
    Column::of("enabled").as_(yes_no),
    Column::of("disabled_reason"),
    Column::of("expires_at"),
    Column::of("quota_bytes").as_(bytes),
    Column::of("quota_period"),
    Column::of("quota_used_bytes").as_(bytes),
    Column::of("quota_resets_at"),
    Column::of("dns"),
    Column::of("mtu"),
    Column::of("client_allowed_ips"),
    Column::of("rx_bytes").as_(bytes),
    Column::of("tx_bytes").as_(bytes),
    Column::of("created_at"),
    Column::of("updated_at"),
    Column::of("node_id"),
    Column::of("id"),
    Column::of("etag"),
];

const REMOVED: &[Column] = &[Column::of("sync.state"), Column::of("sync.reason")];

/// What can be done with peers.
#[derive(Debug, Subcommand)]
pub(super) enum PeerCommand {
    /// List peers
    List(ListFlags),

    /// Show everything about a peer
    Show {
        /// Its name, id or public key
        peer: String,
    },

    /// Add a peer
    ///
    /// Without --node a node is picked for it, without --allowed-ip it gets the next free address of
    /// the node's pools, and without --public-key a key pair is made for it.
    Add(AddFlags),

    /// Change what is given of a peer
    Edit(EditFlags),

    /// Move a peer to another node
    Move {
        /// Its name, id or public key
        peer: String,

        /// The node's name or id
        node: String,
    },

    /// Print the client's configuration for wg-quick
    Config {
        /// The peer's name, id or public key
        peer: String,

        /// Write it there; only you can read the file
        #[arg(long, value_name = "FILE")]
        file: Option<PathBuf>,
    },

    /// Draw the client's configuration as a QR code
    Qr {
        /// The peer's name, id or public key
        peer: String,

        /// Write it there as an image, NAME.png or NAME.svg; only you can read the file
        #[arg(long, value_name = "FILE")]
        file: Option<PathBuf>,
    },

    /// Enable peers that were disabled
    Enable {
        /// Their names, ids or public keys
        #[arg(required = true, value_name = "PEER")]
        peers: Vec<String>,
    },

    /// Disable peers: they are taken off their nodes and keep their addresses
    Disable {
        /// Their names, ids or public keys
        #[arg(required = true, value_name = "PEER")]
        peers: Vec<String>,
    },

    /// Remove peers
    Remove {
        /// Their names, ids or public keys
        #[arg(required = true, value_name = "PEER")]
        peers: Vec<String>,

        /// Don't ask
        #[arg(long)]
        yes: bool,
    },

    /// Add the peers of a file: CSV, JSON, or a wg-quick configuration taken over as it is
    Import(ImportFlags),

    /// Write peers in a form that can be imported
    Export(ExportFlags),
}

/// Which peers.
#[derive(Debug, Args)]
pub(super) struct Filters {
    /// Only peers of this node
    #[arg(long, value_name = "NODE")]
    node: Option<String>,

    /// Only peers whose name, public key or address contains this
    #[arg(long, value_name = "TEXT")]
    search: Option<String>,

    /// Only peers with this label; repeatable
    #[arg(long = "label", value_name = "KEY=VALUE")]
    labels: Vec<Label>,

    /// Only peers in this state
    #[arg(long, value_name = "STATE")]
    #[arg(value_parser = ["active", "disabled", "expired", "quota_used_up"])]
    state: Option<String>,
}

/// Which peers, and in which order.
#[derive(Debug, Args)]
pub(super) struct ListFlags {
    #[command(flatten)]
    filters: Filters,

    /// Only peers that are online
    #[arg(long, conflicts_with = "offline")]
    online: bool,

    /// Only peers that are not
    #[arg(long)]
    offline: bool,

    /// Only peers whose node has them like this
    #[arg(long, value_name = "SYNC", value_parser = ["applied", "pending", "failed"])]
    sync: Option<String>,

    /// Only peers that expire before then: 2026-03-01T12:00:00Z, or 7d from now
    #[arg(long, value_name = "TIME")]
    expires_before: Option<Time>,

    /// The order; - is from the greatest down
    #[arg(long, value_name = "FIELD", allow_hyphen_values = true, value_parser = [
        "name", "-name", "created_at", "-created_at", "-latest_handshake", "-rx_bytes_total",
        "-tx_bytes_total",
    ])]
    sort: Option<String>,

    /// At most so many
    #[arg(long, value_name = "N")]
    limit: Option<usize>,
}

/// Does it.
pub(super) async fn run(session: &Session, command: PeerCommand) -> Result<(), Failure> {
    let client = &session.client;
    match command {
        PeerCommand::List(flags) => list(session, flags).await,
        PeerCommand::Show { peer } => {
            let peer = with_node_name(session, find::peer(client, &peer).await?).await?;
            session.output.show(COLUMNS, &peer)
        }
        PeerCommand::Add(flags) => settings::add(session, flags).await,
        PeerCommand::Edit(flags) => settings::edit(session, flags).await,
        PeerCommand::Move { peer, node } => shift(session, &peer, &node).await,
        PeerCommand::Config { peer, file } => config::run(session, &peer, file.as_deref()).await,
        PeerCommand::Qr { peer, file } => qr::run(session, &peer, file.as_deref()).await,
        PeerCommand::Enable { peers } => switch(session, &peers, "enable").await,
        PeerCommand::Disable { peers } => switch(session, &peers, "disable").await,
        PeerCommand::Remove { peers, yes } => remove(session, &peers, yes).await,
        PeerCommand::Import(flags) => import::run(session, flags).await,
        PeerCommand::Export(flags) => export::run(session, flags).await,
    }
}

impl Filters {
    async fn query(&self, session: &Session) -> Result<Query, Failure> {
        let node_id = find::node_id(&session.client, self.node.as_deref()).await?;
        Ok(Query::of("/peers")
            .maybe("node_id", node_id)
            .maybe("q", self.search.as_deref())
            .each("label", &filters(&self.labels))
            .maybe("state", self.state.as_deref()))
    }
}

async fn list(session: &Session, flags: ListFlags) -> Result<(), Failure> {
    let online = (flags.online || flags.offline).then(|| flags.online.to_string());
    let query = flags
        .filters
        .query(session)
        .await?
        .maybe("online", online)
        .maybe("sync", flags.sync)
        .maybe(
            "expires_before",
            flags.expires_before.map(|time| time.ahead()),
        )
        .maybe("sort", flags.sort);
    let mut peers = find::all(&session.client, &query, flags.limit).await?;
    if !session.output.is_json() {
        let names = find::node_names(&session.client).await?;
        for peer in &mut peers {
            let name = names.get(&text(peer, "node_id"));
            peer["node"] = name.cloned().into();
        }
    }
    session.output.list(COLUMNS, &peers)
}

/// Where it is, for those who read it; programs get what the API answered.
pub(super) async fn with_node_name(session: &Session, mut peer: Value) -> Result<Value, Failure> {
    if !session.output.is_json() {
        let node = find::node(&session.client, &text(&peer, "node_id")).await?;
        peer["node"] = node["name"].clone();
    }
    Ok(peer)
}

async fn shift(session: &Session, named: &str, target: &str) -> Result<(), Failure> {
    let client = &session.client;
    let peer = find::peer(client, named).await?;
    let node = find::node(client, target).await?;
    let path = format!("/peers/{}", text(&peer, "id"));
    let patch = json!({"node_id": node["id"]});
    let moved = client
        .json(Call::patch(path, &patch, &text(&peer, "etag")))
        .await?;
    let sentence = format!(
        "moved {} to {}: {}",
        text(&moved, "name"),
        text(&node, "name"),
        settings::standing(&moved)
    );
    settings::changed(session, moved, &sentence).await
}

async fn switch(session: &Session, named: &[String], verb: &str) -> Result<(), Failure> {
    for named in named {
        let peer = find::peer(&session.client, named).await?;
        let path = format!("/peers/{}/{verb}", text(&peer, "id"));
        let call = Call::post(path, &json!({})).if_match(&text(&peer, "etag"));
        let peer = with_node_name(session, session.client.json(call).await?).await?;
        let sentence = format!(
            "{verb}d {}: {}",
            text(&peer, "name"),
            settings::standing(&peer)
        );
        session.output.done(COLUMNS, &peer, &sentence)?;
    }
    Ok(())
}

async fn remove(session: &Session, named: &[String], yes: bool) -> Result<(), Failure> {
    let mut peers = Vec::with_capacity(named.len());
    for named in named {
        peers.push(find::peer(&session.client, named).await?);
    }
    let names = peers
        .iter()
        .map(|peer| text(peer, "name"))
        .collect::<Vec<_>>();
    confirm::ask(yes, &format!("Remove {}?", names.join(", ")))?;
    for (peer, name) in peers.iter().zip(names) {
        let call = Call::delete(format!("/peers/{}", text(peer, "id")), &text(peer, "etag"));
        let removed = session.client.json(call).await?;
        session
            .output
            .done(REMOVED, &removed, &format!("removed {name}"))?;
        if session.output.is_table() && removed["sync"]["state"] != "applied" {
            note(&format!(
                "its node does not know yet: {}",
                sync(&removed["sync"])
            ));
        }
    }
    Ok(())
}
