//! `wgfleet node`: hosts with WireGuard interfaces.

mod plan;
mod remove;
mod settings;
mod test;

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use self::{
    remove::RemoveFlags,
    settings::{AddFlags, EditFlags},
    test::TestFlags,
};
use super::{
    client::{Call, Query},
    failure::Failure,
    find::{self, text},
    output::{Column, age, labels, since, yes_no},
    session::Session,
    values::{Label, filters},
};

pub(super) const COLUMNS: &[Column] = &[
    Column::of("name").headed("NAME"),
    Column::of("status").headed("STATUS"),
    Column::of("status_reason"),
    Column::of("status_since"),
    Column::of("last_seen").as_(age),
    Column::of("agent_url").headed("AGENT"),
    Column::of("wg_interface").headed("INTERFACE"),
    Column::of("endpoint").headed("ENDPOINT"),
    Column::of("ip_pool_cidr").headed("POOL"),
    Column::of("reserved_ips"),
    Column::of("peer_count").headed("PEERS"),
    Column::of("weight"),
    Column::of("max_peers"),
    Column::of("enabled").as_(yes_no),
    Column::of("labels").headed("LABELS").as_(labels),
    Column::of("unmanaged_peers"),
    Column::of("awaits_confirmation").as_(yes_no),
    Column::of("warnings"),
    Column::of("public_key"),
    Column::of("dns"),
    Column::of("mtu"),
    Column::of("client_allowed_ips"),
    Column::of("persistent_keepalive"),
    Column::of("tls_pin_sha256"),
    Column::of("latency_ms"),
    Column::of("version"),
    Column::of("uptime_s").as_(since),
    Column::of("desired_generation"),
    Column::of("observed_generation"),
    Column::of("created_at"),
    Column::of("updated_at"),
    Column::of("id"),
    Column::of("etag"),
];

const SYNCED: &[Column] = &[
    Column::of("sync.state"),
    Column::of("sync.reason"),
    Column::of("desired_generation"),
    Column::of("observed_generation"),
];

/// What can be done with nodes.
#[derive(Debug, Subcommand)]
pub(super) enum NodeCommand {
    /// List nodes
    List(ListFlags),

    /// Show everything about a node
    Show {
        /// Its name or id
        node: String,
    },

    /// Add a node
    Add(AddFlags),

    /// Change what is given of a node
    Edit(EditFlags),

    /// Try the connection to a node, or to one that is not there yet
    ///
    /// Is the agent there, does it accept the secret and refuse a wrong signature, has it the
    /// interface. Ends with 1 when not.
    Test(TestFlags),

    /// Enable a node that was disabled
    Enable {
        /// Its name or id
        node: String,
    },

    /// Disable a node: it is neither polled nor written to, and its peers stay as they are
    Disable {
        /// Its name or id
        node: String,
    },

    /// Remove a node
    Remove(RemoveFlags),

    /// Show what would be written to a node now, and which of its peers nobody declared
    Plan {
        /// Its name or id
        node: String,
    },

    /// Bring a node to what is declared, now
    Sync {
        /// Its name or id
        node: String,

        /// Do what waits for an operator too: the hash of the plan you looked at
        #[arg(long, value_name = "HASH")]
        confirm: Option<String>,
    },

    /// Move a node to a secret that its agent holds as its second one
    RotateSecret {
        /// Its name or id
        node: String,

        /// File with the new secret, or - for standard input
        #[arg(long, value_name = "FILE")]
        secret_file: std::path::PathBuf,
    },
}

/// Which nodes.
#[derive(Debug, Args)]
pub(super) struct ListFlags {
    /// Only nodes whose name, address or interface contains this
    #[arg(long, value_name = "TEXT")]
    search: Option<String>,

    /// Only nodes with this status
    #[arg(long, value_name = "STATUS", value_parser = ["online", "offline", "error", "disabled"])]
    status: Option<String>,

    /// Only nodes with this label; repeatable
    #[arg(long = "label", value_name = "KEY=VALUE")]
    labels: Vec<Label>,

    /// At most so many
    #[arg(long, value_name = "N")]
    limit: Option<usize>,
}

/// Does it.
pub(super) async fn run(session: &Session, command: NodeCommand) -> Result<(), Failure> {
    let (client, output) = (&session.client, &session.output);
    match command {
        NodeCommand::List(flags) => list(session, flags).await,
        NodeCommand::Show { node } => output.show(COLUMNS, &find::node(client, &node).await?),
        NodeCommand::Add(flags) => settings::add(session, flags).await,
        NodeCommand::Edit(flags) => settings::edit(session, flags).await,
        NodeCommand::Test(flags) => test::run(session, flags).await,
        NodeCommand::Enable { node } => switch(session, &node, "enable").await,
        NodeCommand::Disable { node } => switch(session, &node, "disable").await,
        NodeCommand::Remove(flags) => remove::run(session, flags).await,
        NodeCommand::Plan { node } => plan::run(session, &node).await,
        NodeCommand::Sync { node, confirm } => sync(session, &node, confirm).await,
        NodeCommand::RotateSecret { node, secret_file } => {
            settings::rotate_secret(session, &node, &secret_file).await
        }
    }
}

async fn list(session: &Session, flags: ListFlags) -> Result<(), Failure> {
    let query = Query::of("/nodes")
        .maybe("q", flags.search)
        .maybe("status", flags.status)
        .each("label", &filters(&flags.labels));
    let nodes = find::all(&session.client, &query, flags.limit).await?;
    session.output.list(COLUMNS, &nodes)
}

async fn switch(session: &Session, named: &str, verb: &str) -> Result<(), Failure> {
    let node = find::node(&session.client, named).await?;
    let path = format!("/nodes/{}/{verb}", text(&node, "id"));
    let call = Call::post(path, &json!({})).if_match(&text(&node, "etag"));
    let node = session.client.json(call).await?;
    let sentence = format!("{verb}d {}", text(&node, "name"));
    session.output.done(COLUMNS, &node, &sentence)
}

async fn sync(session: &Session, named: &str, confirm: Option<String>) -> Result<(), Failure> {
    let node = find::node(&session.client, named).await?;
    let name = text(&node, "name");
    let body = match confirm {
        Some(hash) => json!({"confirm": hash}),
        None => json!({}),
    };
    let call = Call::post(format!("/nodes/{}/sync", text(&node, "id")), &body);
    let synced = session.client.json(call).await?;
    session
        .output
        .done(SYNCED, &synced, &sentence(&name, &synced))
}

fn sentence(name: &str, synced: &Value) -> String {
    let sync = &synced["sync"];
    match (sync["state"].as_str(), sync["reason"].as_str()) {
        (Some("applied"), _) => format!("{name} is as declared"),
        (state, reason) => format!(
            "{name} is not as declared yet ({}): {}",
            state.unwrap_or("unknown"),
            reason.unwrap_or("its worker is at it")
        ),
    }
}
