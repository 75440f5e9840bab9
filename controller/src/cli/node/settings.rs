//! Nodes that are added, and changes of those there are.

use std::{
    fs,
    path::{Path, PathBuf},
};

use clap::{Args, ValueEnum};
use serde_json::{Map, Value, json};

use super::COLUMNS;
use crate::cli::{
    client::Call,
    failure::Failure,
    find::{self, text},
    output::{Column, note},
    secret,
    session::Session,
    values::{Label, object, relabel},
};

const ROTATED: &[Column] = &[
    Column::of("completed"),
    Column::of("reason"),
    Column::of("node_ids"),
];

/// What nodes have.
#[derive(Debug, Args)]
struct Settings {
    /// Where clients reach the node: HOST:PORT
    #[arg(long, value_name = "HOST:PORT")]
    endpoint: Option<String>,

    /// Network that peers get addresses from; repeatable
    #[arg(long = "pool", value_name = "CIDR")]
    pools: Vec<String>,

    /// Address of the pool that no peer gets; repeatable
    #[arg(long = "reserved-ip", value_name = "ADDRESS")]
    reserved_ips: Vec<String>,

    /// Its share of peers that are placed by themselves, against other nodes
    #[arg(long, value_name = "N")]
    weight: Option<u32>,

    /// Most peers it takes
    #[arg(long, value_name = "N")]
    max_peers: Option<u32>,

    /// A label, to select nodes by; repeatable
    #[arg(long = "label", value_name = "KEY=VALUE")]
    labels: Vec<Label>,

    /// What happens to its peers that nobody declared
    #[arg(long, value_name = "POLICY", value_parser = ["ignore", "adopt", "remove"])]
    unmanaged_peers: Option<String>,

    /// The interface's public key, where the agent does not tell it
    #[arg(long, value_name = "KEY")]
    public_key: Option<String>,

    /// DNS server or search domain for clients; repeatable
    #[arg(long = "dns", value_name = "ADDRESS")]
    dns: Vec<String>,

    /// MTU for clients
    #[arg(long, value_name = "BYTES")]
    mtu: Option<u32>,

    /// Network that clients route through the tunnel; repeatable
    #[arg(long = "client-allowed-ip", value_name = "CIDR")]
    client_allowed_ips: Vec<String>,

    /// Seconds between keepalives; 0 is off
    #[arg(long, value_name = "SECONDS")]
    keepalive: Option<u32>,

    /// SHA-256 of the one certificate the agent may show
    #[arg(long, value_name = "SHA256")]
    tls_pin: Option<String>,

    /// Authorities that sign the agent's certificate, PEM
    #[arg(long, value_name = "FILE")]
    tls_ca_file: Option<PathBuf>,
}

/// A new node.
#[derive(Debug, Args)]
pub(in crate::cli) struct AddFlags {
    /// What it is called
    name: String,

    /// Where its agent is: http://, https:// or unix:///
    #[arg(long, value_name = "URL")]
    agent_url: String,

    /// Its WireGuard interface
    #[arg(long, value_name = "NAME")]
    interface: String,

    /// File with the secret shared with the agent, or - for standard input; without one a secret is
    /// made, and shown this once
    #[arg(long, value_name = "FILE")]
    secret_file: Option<PathBuf>,

    /// Add it disabled
    #[arg(long)]
    disabled: bool,

    #[command(flatten)]
    settings: Settings,
}

/// A changed node.
#[derive(Debug, Args)]
pub(in crate::cli) struct EditFlags {
    /// Its name or id
    node: String,

    /// What it is called from now on
    #[arg(long, value_name = "NAME")]
    name: Option<String>,

    /// Where its agent is
    #[arg(long, value_name = "URL")]
    agent_url: Option<String>,

    /// Its WireGuard interface
    #[arg(long, value_name = "NAME")]
    interface: Option<String>,

    #[command(flatten)]
    settings: Settings,

    /// Take this label away; repeatable
    #[arg(long = "remove-label", value_name = "KEY")]
    removed_labels: Vec<String>,

    /// Clear a setting; repeatable
    #[arg(long, value_name = "SETTING", value_enum)]
    clear: Vec<Clearable>,
}

/// Settings a node can be without.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Clearable {
    Endpoint,
    Pool,
    MaxPeers,
    Labels,
    ReservedIps,
    PublicKey,
    Dns,
    Mtu,
    ClientAllowedIps,
    Keepalive,
    TlsPin,
    TlsCa,
}

impl Clearable {
    const fn field(self) -> &'static str {
        match self {
            Self::Endpoint => "endpoint",
            Self::Pool => "ip_pool_cidr",
            Self::MaxPeers => "max_peers",
            Self::Labels => "labels",
            Self::ReservedIps => "reserved_ips",
            Self::PublicKey => "public_key",
            Self::Dns => "dns",
            Self::Mtu => "mtu",
            Self::ClientAllowedIps => "client_allowed_ips",
            Self::Keepalive => "persistent_keepalive",
            Self::TlsPin => "tls_pin_sha256",
            Self::TlsCa => "tls_ca_pem",
        }
    }
}

impl Settings {
    /// As the API takes them; what is not given is not there.
    fn fields(&self) -> Result<Map<String, Value>, Failure> {
        let list = |items: &[String]| (!items.is_empty()).then(|| json!(items));
        let ca = match &self.tls_ca_file {
            Some(path) => Some(fs::read_to_string(path).map_err(Failure::reading(path))?),
            None => None,
        };
        let pools = (!self.pools.is_empty()).then(|| json!(self.pools.join(", ")));
        let fields = [
            ("endpoint", self.endpoint.as_ref().map(|it| json!(it))),
            ("ip_pool_cidr", pools),
            ("reserved_ips", list(&self.reserved_ips)),
            ("weight", self.weight.map(|it| json!(it))),
            ("max_peers", self.max_peers.map(|it| json!(it))),
            (
                "labels",
                (!self.labels.is_empty()).then(|| object(&self.labels)),
            ),
            (
                "unmanaged_peers",
                self.unmanaged_peers.as_ref().map(|it| json!(it)),
            ),
            ("public_key", self.public_key.as_ref().map(|it| json!(it))),
            ("dns", list(&self.dns)),
            ("mtu", self.mtu.map(|it| json!(it))),
            ("client_allowed_ips", list(&self.client_allowed_ips)),
            ("persistent_keepalive", self.keepalive.map(|it| json!(it))),
            ("tls_pin_sha256", self.tls_pin.as_ref().map(|it| json!(it))),
            ("tls_ca_pem", ca.map(|it| json!(it))),
        ];
        let given = fields
            .into_iter()
            .filter_map(|(name, value)| Some((name.to_owned(), value?)));
        Ok(given.collect())
    }
}

/// Adds one.
pub(super) async fn add(session: &Session, flags: AddFlags) -> Result<(), Failure> {
    let mut node = flags.settings.fields()?;
    node.insert("name".into(), flags.name.into());
    node.insert("agent_url".into(), flags.agent_url.into());
    node.insert("wg_interface".into(), flags.interface.into());
    if flags.disabled {
        node.insert("enabled".into(), false.into());
    }
    if let Some(path) = &flags.secret_file {
        node.insert(
            "secret".into(),
            secret::read(path, "secret")?.as_str().into(),
        );
    }
    let made = session
        .client
        .json(Call::post("/nodes", &node.into()))
        .await?;
    let output = &session.output;
    let mut columns = COLUMNS.to_vec();
    if made["secret"].is_string() {
        columns.push(Column::of("secret"));
    }
    output.done(
        &columns,
        &made,
        &format!("added {}: {}", text(&made, "name"), status(&made)),
    )?;
    if let (true, Some(secret)) = (output.is_table(), made["secret"].as_str()) {
        output.line("the secret for its agent is shown this once:")?;
        output.line(secret)?;
    }
    Ok(())
}

/// Changes one, as it was when it was looked at.
pub(super) async fn edit(session: &Session, flags: EditFlags) -> Result<(), Failure> {
    let client = &session.client;
    let mut patch = flags.settings.fields()?;
    let named = [
        ("name", flags.name),
        ("agent_url", flags.agent_url),
        ("wg_interface", flags.interface),
    ];
    for (field, value) in named {
        patch.extend(value.map(|value| (field.to_owned(), value.into())));
    }
    patch.extend(
        flags
            .clear
            .iter()
            .map(|it| (it.field().to_owned(), Value::Null)),
    );
    if patch.is_empty() && flags.removed_labels.is_empty() {
        return Err(Failure::Usage(
            "say what is to be changed; see `wgfleet node edit --help`".into(),
        ));
    }
    let node = find::node(client, &flags.node).await?;
    relabel(
        &mut patch,
        &node,
        &flags.settings.labels,
        &flags.removed_labels,
    );
    let path = format!("/nodes/{}", text(&node, "id"));
    let call = Call::patch(path, &patch.into(), &text(&node, "etag"));
    let node = client.json(call).await?;
    session
        .output
        .done(COLUMNS, &node, &format!("changed {}", text(&node, "name")))
}

/// Moves to another secret.
pub(super) async fn rotate_secret(
    session: &Session,
    named: &str,
    secret_file: &Path,
) -> Result<(), Failure> {
    let secret = secret::read(secret_file, "secret")?;
    let node = find::node(&session.client, named).await?;
    let path = format!("/nodes/{}/secret", text(&node, "id"));
    let call = Call::post(path, &json!({"secret": secret.as_str()}));
    let rotated = session.client.json(call).await?;
    if rotated["completed"] == true {
        let name = text(&node, "name");
        let sentence =
            format!("{name} uses the new secret; make it the only line of the agent's secret file");
        return session.output.done(ROTATED, &rotated, &sentence);
    }
    if !session.output.is_table() {
        session.output.show(ROTATED, &rotated)?;
    }
    note("the present secret stays in use");
    let reason = rotated["reason"]
        .as_str()
        .unwrap_or("the agent does not accept the new secret");
    Err(Failure::Failed(reason.to_owned()))
}

fn status(node: &Value) -> String {
    let (status, reason) = (text(node, "status"), text(node, "status_reason"));
    if reason.is_empty() {
        status
    } else {
        format!("{status}, {reason}")
    }
}
