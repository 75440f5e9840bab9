//! `wgfleet peer config`: what the client needs.

use std::path::Path;

use crate::cli::{
    client::Call,
    credentials::write_private,
    failure::Failure,
    find::{self, text},
    output::note,
    session::Session,
};

/// Prints it, or writes it into a file.
pub(super) async fn run(
    session: &Session,
    named: &str,
    file: Option<&Path>,
) -> Result<(), Failure> {
    let peer = find::peer(&session.client, named).await?;
    let call = Call::get(format!("/peers/{}/config", text(&peer, "id")));
    let config = session.client.text(call).await?;
    match file {
        Some(path) => {
            write_private(path, config.as_bytes(), false)?;
            session.output.line(&format!("wrote {}", path.display()))?;
        }
        None => session.output.raw(&config)?,
    }
    if peer["private_key_kept"] != true {
        note("the private key is not in it: only the client has it");
    }
    Ok(())
}
