//! `wgfleet node test`.

use std::{fs, path::PathBuf};

use clap::Args;
use serde_json::{Value, json};

use crate::cli::{
    client::Call,
    failure::Failure,
    find::{self, text},
    output::{Column, yes_no},
    secret,
    session::Session,
};

const COLUMNS: &[Column] = &[
    Column::of("ok").as_(yes_no),
    Column::of("reason"),
    Column::of("reachable").as_(yes_no),
    Column::of("secret_accepted").as_(yes_no),
    Column::of("wrong_signature_refused").as_(yes_no),
    Column::of("interface_found").as_(yes_no),
    Column::of("latency_ms"),
    Column::of("version"),
    Column::of("public_key"),
];

/// What to try.
#[derive(Debug, Args)]
pub(in crate::cli) struct TestFlags {
    /// Its name or id
    #[arg(required_unless_present = "agent_url", conflicts_with = "agent_url")]
    node: Option<String>,

    /// Instead of a node: where an agent is
    #[arg(long, value_name = "URL", requires_all = ["interface", "secret_file"])]
    agent_url: Option<String>,

    /// Its WireGuard interface
    #[arg(long, value_name = "NAME", requires = "agent_url")]
    interface: Option<String>,

    /// File with the secret shared with it, or - for standard input
    #[arg(long, value_name = "FILE", requires = "agent_url")]
    secret_file: Option<PathBuf>,

    /// SHA-256 of the one certificate the agent may show
    #[arg(long, value_name = "SHA256", requires = "agent_url")]
    tls_pin: Option<String>,

    /// Authorities that sign the agent's certificate, PEM
    #[arg(long, value_name = "FILE", requires = "agent_url")]
    tls_ca_file: Option<PathBuf>,
}

/// Tries it; what does not work is a failure.
pub(super) async fn run(session: &Session, flags: TestFlags) -> Result<(), Failure> {
    let call = match &flags.node {
        Some(named) => {
            let node = find::node(&session.client, named).await?;
            Call::post(format!("/nodes/{}/test", text(&node, "id")), &json!({}))
        }
        None => Call::post("/nodes/test", &unsaved(&flags)?),
    };
    let result = session.client.json(call).await?;
    session.output.show(COLUMNS, &result)?;
    if result["ok"] == true {
        return Ok(());
    }
    let reason = result["reason"].as_str().unwrap_or("the test failed");
    Err(Failure::Failed(reason.to_owned()))
}

fn unsaved(flags: &TestFlags) -> Result<Value, Failure> {
    let mut node = json!({"agent_url": flags.agent_url, "wg_interface": flags.interface});
    if let Some(path) = &flags.secret_file {
        node["secret"] = secret::read(path, "secret")?.as_str().into();
    }
    if let Some(pin) = &flags.tls_pin {
        node["tls_pin_sha256"] = pin.as_str().into();
    }
    if let Some(path) = &flags.tls_ca_file {
        node["tls_ca_pem"] = fs::read_to_string(path)
            .map_err(Failure::reading(path))?
            .into();
    }
    Ok(node)
}
