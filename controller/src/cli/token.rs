//! `wgfleet token`: who may come in.

use std::path::PathBuf;

use clap::{Subcommand, ValueEnum};
use serde_json::{Value, json};

use super::{
    client::{Call, Query},
    confirm,
    credentials::write_private,
    failure::Failure,
    find::{self, text},
    output::{Column, age, labels},
    session::Session,
    values::{Label, Time, object},
};

pub(super) const COLUMNS: &[Column] = &[
    Column::of("name").headed("NAME"),
    Column::of("role").headed("ROLE"),
    Column::of("label_scope").headed("SCOPE").as_(labels),
    Column::of("expires_at").headed("EXPIRES"),
    Column::of("revoked_at").headed("REVOKED"),
    Column::of("last_used_at").headed("LAST USED").as_(age),
    Column::of("created_at"),
    Column::of("id").headed("ID"),
];

/// What can be done with tokens.
#[derive(Debug, Subcommand)]
pub(super) enum TokenCommand {
    /// List all tokens, those that expired or were revoked too
    List,

    /// Make a token; its text is shown this once
    Create {
        /// Who or what will use it: the audit tells by it who did something
        name: String,

        /// What it may do: look, change nodes and peers, or everything
        #[arg(long, value_enum)]
        role: Role,

        /// Only nodes with this label, and the peers on them, exist for it; repeatable
        #[arg(long = "scope", value_name = "KEY=VALUE")]
        scope: Vec<Label>,

        /// When it stops being valid: 2026-03-01T12:00:00Z, or 30d from now
        #[arg(long, value_name = "TIME")]
        expires: Option<Time>,

        /// Write the token there instead of showing it; only you can read the file
        #[arg(long, value_name = "FILE")]
        file: Option<PathBuf>,
    },

    /// Revoke a token, from the next request on
    Revoke {
        /// Its name or id
        token: String,

        /// Don't ask
        #[arg(long)]
        yes: bool,
    },
}

/// What a token may do.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(super) enum Role {
    Admin,
    Operator,
    Viewer,
}

/// Does it.
pub(super) async fn run(session: &Session, command: TokenCommand) -> Result<(), Failure> {
    match command {
        TokenCommand::List => {
            let tokens = find::all(&session.client, &Query::of("/tokens"), None).await?;
            session.output.list(COLUMNS, &tokens)
        }
        TokenCommand::Create {
            name,
            role,
            scope,
            expires,
            file,
        } => {
            let role = role.to_possible_value().expect("each has a word");
            let mut token = json!({"name": name, "role": role.get_name()});
            if !scope.is_empty() {
                token["label_scope"] = object(&scope);
            }
            if let Some(expires) = expires {
                token["expires_at"] = expires.ahead().into();
            }
            let made = session.client.json(Call::post("/tokens", &token)).await?;
            show_made(session, made, file)
        }
        TokenCommand::Revoke { token, yes } => {
            let token = find_token(session, &token).await?;
            let name = text(&token, "name");
            confirm::ask(yes, &format!("Revoke the token {name}?"))?;
            let call = Call::revoke(format!("/tokens/{}", text(&token, "id")));
            let revoked = session.client.json(call).await?;
            session
                .output
                .done(COLUMNS, &revoked, &format!("revoked the token {name}"))
        }
    }
}

fn show_made(session: &Session, mut made: Value, file: Option<PathBuf>) -> Result<(), Failure> {
    let (name, secret) = (text(&made, "name"), text(&made, "token"));
    let output = &session.output;
    if let Some(path) = file {
        write_private(&path, format!("{secret}\n").as_bytes(), false)?;
        if let Some(fields) = made.as_object_mut() {
            fields.remove("token");
        }
        let sentence = format!("made the token {name}; it is in {}", path.display());
        return output.done(COLUMNS, &made, &sentence);
    }
    let columns = [COLUMNS, &[Column::of("token")]].concat();
    let sentence = format!("made the token {name}; it is shown this once:");
    output.done(&columns, &made, &sentence)?;
    if output.is_table() {
        output.line(&secret)?;
    }
    Ok(())
}

/// The token of that id, or the one of that name that was not revoked.
async fn find_token(session: &Session, named: &str) -> Result<Value, Failure> {
    let tokens = find::all(&session.client, &Query::of("/tokens"), None).await?;
    let by_id = |token: &&Value| token["id"] == named;
    let by_name = |token: &&Value| token["name"] == named && token["revoked_at"].is_null();
    let found = tokens
        .iter()
        .find(by_id)
        .or_else(|| tokens.iter().find(by_name));
    found
        .cloned()
        .ok_or_else(|| Failure::Failed(format!("there is no token named {named} in use")))
}
