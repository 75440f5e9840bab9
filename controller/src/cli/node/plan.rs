//! `wgfleet node plan`: what would be written to a node.

use serde_json::{Value, json};

use crate::cli::{
    failure::Failure,
    find::{self, text},
    output::{Column, raw, text as listed},
    session::Session,
};

const COLUMNS: &[Column] = &[
    Column::of("what").headed("WHAT"),
    Column::of("public_key").headed("PUBLIC KEY"),
    Column::of("detail").headed("DETAIL"),
];

/// Shows it.
pub(super) async fn run(session: &Session, named: &str) -> Result<(), Failure> {
    let (client, output) = (&session.client, &session.output);
    let node = find::node(client, named).await?;
    let (id, name) = (text(&node, "id"), text(&node, "name"));
    let plan = client.read(format!("/nodes/{id}/plan")).await?;
    if output.is_json() {
        return output.show(&[], &plan);
    }
    let rows = rows(&plan);
    if !output.is_table() {
        return output.list(COLUMNS, &rows);
    }
    output.line(&match plan["in_sync"].as_bool() {
        Some(true) => format!("{name} is as declared"),
        _ => format!("{name} is not as declared; this would be written to it:"),
    })?;
    if !rows.is_empty() {
        output.line("")?;
        output.list(COLUMNS, &rows)?;
    }
    if plan["needs_confirmation"] == true {
        let reason = text(&plan, "confirmation_reason");
        output.line("")?;
        output.line(&format!(
            "It waits for an operator: {reason}. If it is what you want:"
        ))?;
        output.line(&format!(
            "wgfleet node sync {name} --confirm {}",
            text(&plan, "hash")
        ))?;
    }
    Ok(())
}

/// A row for each change, each that is not possible, and each peer nobody declared.
fn rows(plan: &Value) -> Vec<Value> {
    let all = |field: &str| plan[field].as_array().cloned().unwrap_or_default();
    let changes = all("changes").into_iter().map(|change| {
        json!({"what": change["action"], "public_key": change["public_key"], "detail": fields(&change)})
    });
    let blocked = all("blocked").into_iter().map(|change| {
        let what = format!("can't {}", raw(&change["action"]));
        json!({"what": what, "public_key": change["public_key"], "detail": change["reason"]})
    });
    let unmanaged = all("unmanaged").into_iter().map(|peer| {
        let detail = listed(&peer["allowed_ips"]);
        json!({"what": "undeclared", "public_key": peer["public_key"], "detail": detail})
    });
    changes.chain(blocked).chain(unmanaged).collect()
}

/// `allowed_ips: 10.0.0.1/32 → 10.0.0.2/32`, and why it waits if it does.
fn fields(change: &Value) -> String {
    let fields = change["fields"].as_object().into_iter().flatten();
    let shown = fields.map(|(name, change)| match change["from"].as_str() {
        Some(from) => format!("{name}: {from} → {}", raw(&change["to"])),
        None => format!("{name}: {}", raw(&change["to"])),
    });
    let reason = change["reason"].as_str().map(ToOwned::to_owned);
    shown.chain(reason).collect::<Vec<_>>().join("; ")
}
