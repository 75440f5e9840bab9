//! `wgfleet peer qr`: the client's configuration, to be scanned.

use std::{
    io::{self, IsTerminal as _},
    path::Path,
};

use qrcode::{EcLevel, QrCode, render::unicode::Dense1x2};

use crate::cli::{
    client::{Call, Query},
    credentials::write_private,
    failure::Failure,
    find::{self, text},
    session::Session,
};

/// Bright white on black, whatever the terminal's own colours are: light modules are the blocks.
const COLOURS: &str = "\u{1b}[40;97m";
const RESET: &str = "\u{1b}[0m";

/// Draws it, or writes it into a file.
pub(super) async fn run(
    session: &Session,
    named: &str,
    file: Option<&Path>,
) -> Result<(), Failure> {
    let peer = find::peer(&session.client, named).await?;
    let path = format!("/peers/{}", text(&peer, "id"));
    let format = format_of(file)?;
    // The controller also knows when there can't be one, and why.
    let image = Query::of(&format!("{path}/qr")).with("format", format);
    let image = session.client.body(Call::get(image)).await?;
    if let Some(file) = file {
        write_private(file, &image, false)?;
        return session.output.line(&format!("wrote {}", file.display()));
    }
    let config = session
        .client
        .text(Call::get(format!("{path}/config")))
        .await?;
    session
        .output
        .raw(&drawn(config.as_bytes(), io::stdout().is_terminal())?)
}

fn format_of(file: Option<&Path>) -> Result<&'static str, Failure> {
    let Some(file) = file else { return Ok("svg") };
    match file.extension().and_then(|extension| extension.to_str()) {
        Some("png") => Ok("png"),
        Some("svg") => Ok("svg"),
        _ => Err(Failure::Usage(
            "the file of a QR code ends in .png or .svg".into(),
        )),
    }
}

/// Two modules a character, one above the other.
fn drawn(config: &[u8], is_terminal: bool) -> Result<String, Failure> {
    let code = QrCode::with_error_correction_level(config, EcLevel::L)
        .map_err(|_| Failure::Failed("the configuration is too long for a QR code".into()))?;
    let drawn = code
        .render::<Dense1x2>()
        .dark_color(Dense1x2::Light)
        .light_color(Dense1x2::Dark)
        .build();
    let lines = drawn.lines().map(|line| {
        if is_terminal {
            format!("{COLOURS}{line}{RESET}\n")
        } else {
            format!("{line}\n")
        }
    });
    Ok(lines.collect())
}
