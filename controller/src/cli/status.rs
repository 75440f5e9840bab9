//! `wgfleet status`: how the whole fleet is.

use serde_json::Value;

use super::{
    failure::Failure,
    output::{Column, rate, since},
    session::Session,
};

const COLUMNS: &[Column] = &[
    Column::of("version"),
    Column::of("uptime_s").as_(since),
    Column::of("nodes.online"),
    Column::of("nodes.offline"),
    Column::of("nodes.error"),
    Column::of("nodes.disabled"),
    Column::of("peers.total"),
    Column::of("peers.online"),
    Column::of("peers.applied"),
    Column::of("peers.pending"),
    Column::of("peers.failed"),
    Column::of("rx_bytes_per_s").as_(rate),
    Column::of("tx_bytes_per_s").as_(rate),
];

const TROUBLED: &[Column] = &[
    Column::of("name").headed("NODE"),
    Column::of("status").headed("STATUS"),
    Column::of("pending").headed("PENDING"),
    Column::of("failed").headed("FAILED"),
    Column::of("reason").headed("REASON"),
];

const TALKERS: &[Column] = &[
    Column::of("name").headed("PEER"),
    Column::of("rx_bytes_per_s").headed("RX").as_(rate),
    Column::of("tx_bytes_per_s").headed("TX").as_(rate),
];

/// Shows it.
pub(super) async fn run(session: &Session) -> Result<(), Failure> {
    let output = &session.output;
    let fleet = session.client.read("/overview").await?;
    if !output.is_table() {
        return output.show(COLUMNS, &fleet);
    }
    output.line(&format!(
        "controller {} at {}, up {}",
        fleet["version"].as_str().unwrap_or_default(),
        session.client.url(),
        since(&fleet["uptime_s"])
    ))?;
    output.line(&format!(
        "nodes   {}",
        counts(&fleet["nodes"], &["online", "offline", "error", "disabled"])
    ))?;
    output.line(&format!(
        "peers   {}",
        counts(
            &fleet["peers"],
            &["total", "online", "applied", "pending", "failed"]
        )
    ))?;
    output.line(&format!(
        "traffic {} received, {} sent",
        rate(&fleet["rx_bytes_per_s"]),
        rate(&fleet["tx_bytes_per_s"])
    ))?;
    for (title, columns, items) in [
        ("Not well:", TROUBLED, &fleet["troubled_nodes"]),
        ("Busiest:", TALKERS, &fleet["top_talkers"]),
    ] {
        let items = items.as_array().map_or(&[][..], Vec::as_slice);
        if !items.is_empty() {
            output.line("")?;
            output.line(title)?;
            output.list(columns, items)?;
        }
    }
    Ok(())
}

/// `2 online, 1 offline`: the first always, others where there are any.
fn counts(of: &Value, names: &[&str]) -> String {
    let counts = names.iter().enumerate().filter_map(|(at, name)| {
        let count = of[*name].as_u64()?;
        (at == 0 || count > 0).then(|| format!("{count} {name}"))
    });
    counts.collect::<Vec<_>>().join(", ")
}
