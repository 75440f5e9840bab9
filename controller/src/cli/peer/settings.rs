//! Peers that are added, and changes of those there are.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use serde_json::{Map, Value, json};

use super::{COLUMNS, with_node_name};
use crate::cli::{
    client::Call,
    failure::Failure,
    find::{self, text},
    output::{Column, note, sync, text as listed},
    secret,
    session::Session,
    values::{Bytes, Label, Time, object, relabel},
};

/// What peers have.
#[derive(Debug, Args)]
struct Settings {
    /// The client's public key, if it keeps its private key to itself
    #[arg(long, value_name = "KEY")]
    public_key: Option<String>,

    /// File with a preshared key, or - for standard input
    #[arg(long, value_name = "FILE", conflicts_with = "generate_preshared_key")]
    preshared_key_file: Option<PathBuf>,

    /// Have a preshared key made
    #[arg(long)]
    generate_preshared_key: bool,

    /// Address or network it may use inside the tunnel; repeatable
    #[arg(long = "allowed-ip", value_name = "CIDR")]
    allowed_ips: Vec<String>,

    /// Seconds between keepalives; 0 is off
    #[arg(long, value_name = "SECONDS")]
    keepalive: Option<u32>,

    /// A label; repeatable
    #[arg(long = "label", value_name = "KEY=VALUE")]
    labels: Vec<Label>,

    /// When it expires: 2026-03-01T12:00:00Z, or 30d from now
    #[arg(long, value_name = "TIME")]
    expires: Option<Time>,

    /// What it may move, received and sent together: 500M, 10G, 10GB
    #[arg(long, value_name = "SIZE")]
    quota: Option<Bytes>,

    /// For how long what was used of the quota counts
    #[arg(long, value_name = "PERIOD", value_parser = ["none", "day", "week", "month"])]
    quota_period: Option<String>,

    /// DNS server or search domain for the client; repeatable
    #[arg(long = "dns", value_name = "ADDRESS")]
    dns: Vec<String>,

    /// MTU for the client
    #[arg(long, value_name = "BYTES")]
    mtu: Option<u32>,

    /// Network that the client routes through the tunnel; repeatable
    #[arg(long = "client-allowed-ip", value_name = "CIDR")]
    client_allowed_ips: Vec<String>,
}

/// A new peer.
#[derive(Debug, Args)]
pub(in crate::cli) struct AddFlags {
    /// What it is called
    name: String,

    /// The node, by name or id
    #[arg(long, value_name = "NODE", conflicts_with = "selector")]
    node: Option<String>,

    /// Pick among nodes with this label; repeatable
    #[arg(long = "select", value_name = "KEY=VALUE")]
    selector: Vec<Label>,

    /// Don't keep the private key that is made for it, but show it this once
    #[arg(long, conflicts_with = "public_key")]
    discard_private_key: bool,

    /// Add it disabled
    #[arg(long)]
    disabled: bool,

    #[command(flatten)]
    settings: Settings,
}

/// A changed peer.
#[derive(Debug, Args)]
pub(in crate::cli) struct EditFlags {
    /// Its name, id or public key
    peer: String,

    /// What it is called from now on
    #[arg(long, value_name = "NAME")]
    name: Option<String>,

    #[command(flatten)]
    settings: Settings,

    /// Take this label away; repeatable
    #[arg(long = "remove-label", value_name = "KEY")]
    removed_labels: Vec<String>,

    /// Clear a setting; repeatable
    #[arg(long, value_name = "SETTING", value_enum)]
    clear: Vec<Clearable>,
}

/// Settings a peer can be without.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Clearable {
    PresharedKey,
    Keepalive,
    Labels,
    Expires,
    Quota,
    Dns,
    Mtu,
    ClientAllowedIps,
}

impl Clearable {
    const fn field(self) -> &'static str {
        match self {
            Self::PresharedKey => "preshared_key",
            Self::Keepalive => "persistent_keepalive",
            Self::Labels => "labels",
            Self::Expires => "expires_at",
            Self::Quota => "quota_bytes",
            Self::Dns => "dns",
            Self::Mtu => "mtu",
            Self::ClientAllowedIps => "client_allowed_ips",
        }
    }
}

impl Settings {
    /// As the API takes them; what is not given is not there.
    fn fields(&self) -> Result<Map<String, Value>, Failure> {
        let list = |items: &[String]| (!items.is_empty()).then(|| json!(items));
        let preshared_key = match &self.preshared_key_file {
            Some(path) => Some(json!(secret::read(path, "preshared key")?.as_str())),
            None => self.generate_preshared_key.then(|| json!("generate")),
        };
        let fields = [
            ("public_key", self.public_key.as_ref().map(|it| json!(it))),
            ("preshared_key", preshared_key),
            ("allowed_ips", list(&self.allowed_ips)),
            ("persistent_keepalive", self.keepalive.map(|it| json!(it))),
            (
                "labels",
                (!self.labels.is_empty()).then(|| object(&self.labels)),
            ),
            (
                "expires_at",
                self.expires.as_ref().map(|it| json!(it.ahead())),
            ),
            ("quota_bytes", self.quota.map(|it| json!(it.0))),
            (
                "quota_period",
                self.quota_period.as_ref().map(|it| json!(it)),
            ),
            ("dns", list(&self.dns)),
            ("mtu", self.mtu.map(|it| json!(it))),
            ("client_allowed_ips", list(&self.client_allowed_ips)),
        ];
        let given = fields
            .into_iter()
            .filter_map(|(name, value)| Some((name.to_owned(), value?)));
        Ok(given.collect())
    }
}

/// Adds one.
pub(super) async fn add(session: &Session, flags: AddFlags) -> Result<(), Failure> {
    let client = &session.client;
    let mut peer = flags.settings.fields()?;
    peer.insert("name".into(), flags.name.into());
    if let Some(id) = find::node_id(client, flags.node.as_deref()).await? {
        peer.insert("node_id".into(), id.into());
    }
    if !flags.selector.is_empty() {
        peer.insert("selector".into(), object(&flags.selector));
    }
    if flags.discard_private_key {
        peer.insert("keep_private_key".into(), false.into());
    }
    if flags.disabled {
        peer.insert("enabled".into(), false.into());
    }
    let made = client.json(Call::post("/peers", &peer.into())).await?;
    let made = with_node_name(session, made).await?;
    let sentence = format!(
        "added {} on {} with {}: {}",
        text(&made, "name"),
        text(&made, "node"),
        listed(&made["allowed_ips"]),
        standing(&made)
    );
    show_once(session, &made, &sentence, &["private_key", "preshared_key"])
}

/// Changes one, as it was when it was looked at.
pub(super) async fn edit(session: &Session, flags: EditFlags) -> Result<(), Failure> {
    let client = &session.client;
    let mut patch = flags.settings.fields()?;
    patch.extend(flags.name.map(|name| ("name".to_owned(), name.into())));
    patch.extend(
        flags
            .clear
            .iter()
            .map(|it| (it.field().to_owned(), Value::Null)),
    );
    if patch.is_empty() && flags.removed_labels.is_empty() {
        return Err(Failure::Usage(
            "say what is to be changed; see `wgfleet peer edit --help`".into(),
        ));
    }
    let peer = find::peer(client, &flags.peer).await?;
    relabel(
        &mut patch,
        &peer,
        &flags.settings.labels,
        &flags.removed_labels,
    );
    let path = format!("/peers/{}", text(&peer, "id"));
    let call = Call::patch(path, &patch.into(), &text(&peer, "etag"));
    let peer = client.json(call).await?;
    let sentence = format!("changed {}: {}", text(&peer, "name"), standing(&peer));
    changed(session, peer, &sentence).await
}

/// Says that a peer was changed, and whether its client must know.
pub(super) async fn changed(session: &Session, peer: Value, sentence: &str) -> Result<(), Failure> {
    let peer = with_node_name(session, peer).await?;
    show_once(session, &peer, sentence, &["preshared_key"])?;
    if peer["client_needs_config"] == true && session.output.is_table() {
        let name = text(&peer, "name");
        note(&format!(
            "its client needs its configuration again: `wgfleet peer config {name}`"
        ));
    }
    Ok(())
}

/// Whether its node has it.
pub(super) fn standing(peer: &Value) -> String {
    sync(&peer["sync"])
}

/// Shows what was made, and the keys in it that nobody will show again.
fn show_once(
    session: &Session,
    made: &Value,
    sentence: &str,
    secrets: &[&'static str],
) -> Result<(), Failure> {
    let there = secrets.iter().filter(|field| made[**field].is_string());
    let there: Vec<&'static str> = there.copied().collect();
    let mut columns = COLUMNS.to_vec();
    columns.extend(there.iter().map(|field| Column::of(field)));
    session.output.done(&columns, made, sentence)?;
    if session.output.is_table() {
        for field in there {
            let name = field.replace('_', " ");
            session
                .output
                .line(&format!("{name}, shown this once: {}", text(made, field)))?;
        }
    }
    Ok(())
}
