//! A configuration whose private key nobody keeps: shown in the answer that made it, and never again.

use askama::Template;
use axum::response::Response;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use qrcode::{EcLevel, QrCode, render::svg};
use wgfleet_proto::v1;
use zeroize::Zeroizing;

use super::super::{
    page::{Nav, Page, SignedIn, html},
    refusal::Refused,
};
use crate::facade::{Answer, Facade};

/// How a configuration says that the key is the client's own business.
const NO_KEY: &str = "# PrivateKey = ";

#[derive(Template)]
#[template(path = "peer_once.html")]
struct OncePage<'a> {
    page: Page,
    id: &'a str,
    name: &'a str,
    private_key: &'a str,
    /// Empty when there is none to be had now.
    config: Zeroizing<String>,
    why_none: String,
    file_name: String,
    /// As addresses that hold it themselves.
    download: Zeroizing<String>,
    /// Empty when no QR code holds it.
    qr: Zeroizing<String>,
}

pub(super) async fn show(
    facade: &mut Facade,
    signed: &SignedIn,
    peer: &v1::Peer,
    private_key: &str,
) -> Answer<Response> {
    let id = peer.id.clone();
    let asked = signed.caller.request(v1::GetPeerConfigRequest { id });
    let (config, file_name, why_none) = match facade.peers.get_config(asked).await {
        Ok(answer) => {
            let answer = answer.into_inner();
            let config = with_key(&Zeroizing::new(answer.config), private_key);
            (config, answer.file_name, String::new())
        }
        // The peer is made and its key can't be had again: it is shown all the same.
        Err(status) => {
            let why = Refused::from(status).sentence;
            (Zeroizing::default(), String::new(), why)
        }
    };
    html(&OncePage {
        page: Page::new(signed, Nav::Peers, &peer.name),
        id: &peer.id,
        name: &peer.name,
        private_key,
        download: data("text/plain", config.as_bytes()),
        qr: qr(&config),
        config,
        why_none,
        file_name,
    })
}

/// The configuration with the key in it.
pub(super) fn with_key(config: &str, private_key: &str) -> Zeroizing<String> {
    let mut whole = Zeroizing::new(String::with_capacity(config.len() + private_key.len()));
    for line in config.lines().filter(|line| !line.starts_with(NO_KEY)) {
        whole.push_str(line);
        whole.push('\n');
        if line == "[Interface]" {
            whole.push_str("PrivateKey = ");
            whole.push_str(private_key);
            whole.push('\n');
        }
    }
    whole
}

fn qr(config: &str) -> Zeroizing<String> {
    let code = QrCode::with_error_correction_level(config, EcLevel::M)
        .or_else(|_| QrCode::with_error_correction_level(config, EcLevel::L));
    let Some(code) = code.ok().filter(|_| !config.is_empty()) else {
        return Zeroizing::default();
    };
    let mut drawing = code.render::<svg::Color<'_>>();
    drawing.module_dimensions(8, 8).quiet_zone(true);
    data("image/svg+xml", Zeroizing::new(drawing.build()).as_bytes())
}

fn data(kind: &str, bytes: &[u8]) -> Zeroizing<String> {
    let mut address = Zeroizing::new(format!("data:{kind};base64,"));
    STANDARD.encode_string(bytes, &mut address);
    address
}

#[cfg(test)]
mod tests {
    use super::with_key;

    #[test]
    fn the_key_takes_its_place() {
        let config =
            "# PrivateKey of nobody\n[Interface]\n# PrivateKey = (yours)\nAddress = 10.8.0.2/32\n";
        let whole = with_key(config, "abc=");
        assert_eq!(
            whole.as_str(),
            "# PrivateKey of nobody\n[Interface]\nPrivateKey = abc=\nAddress = 10.8.0.2/32\n"
        );
    }
}
