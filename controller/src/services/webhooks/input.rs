//! What callers declare of a webhook, checked.

use tonic::Status;
use wgfleet_proto::v1;
use zeroize::Zeroizing;

use crate::{
    domain::name::checked_name,
    services::{
        auth::random_token,
        event_service::known_kinds,
        status::{invalid, no_such_node, parse_id},
    },
    store::{Connection, NodeId, nodes, webhooks::WebhookSettings},
    webhooks::{WebhookUrl, check_trust},
};

const MAX_CA_BYTES: usize = 64 << 10;
const SECRET_CHARS: std::ops::RangeInclusive<usize> = 16..=256;

/// What deliveries are signed with.
pub(super) struct GivenSecret {
    pub(super) text: Zeroizing<String>,
    is_generated: bool,
}

impl GivenSecret {
    /// The given one, or else a new one.
    pub(super) fn new(given: Option<String>) -> Result<Self, Status> {
        let Some(text) = given.map(Zeroizing::new) else {
            return Ok(Self {
                text: random_token()?,
                is_generated: true,
            });
        };
        let is_plain = text.bytes().all(|byte| byte.is_ascii_graphic());
        if !is_plain || !SECRET_CHARS.contains(&text.len()) {
            let message = "a secret has 16 to 256 printable ASCII characters without spaces; leave \
                           it out and one is generated";
            return Err(invalid("secret", message));
        }
        Ok(Self {
            text,
            is_generated: false,
        })
    }

    /// Shown once, and only when nobody has it yet.
    pub(super) fn to_answer(&self) -> Option<String> {
        self.is_generated.then(|| self.text.to_string())
    }
}

pub(super) fn created(request: v1::CreateWebhookRequest) -> Result<WebhookSettings, Status> {
    let settings = WebhookSettings {
        name: checked_name(&request.name)?.to_owned(),
        url: request.url,
        enabled: request.enabled.unwrap_or(true),
        kinds: known_kinds("kinds", &request.kinds)?,
        node_id: node(&request.node_id)?,
        tls_ca_pem: ca_pem(request.tls_ca_pem)?,
    };
    checked(settings)
}

pub(super) fn patched(
    mut settings: WebhookSettings,
    patch: v1::UpdateWebhookRequest,
) -> Result<WebhookSettings, Status> {
    if let Some(name) = patch.name {
        checked_name(&name)?.clone_into(&mut settings.name);
    }
    if let Some(url) = patch.url {
        settings.url = url;
    }
    if let Some(enabled) = patch.enabled {
        settings.enabled = enabled;
    }
    if let Some(kinds) = patch.kinds {
        settings.kinds = known_kinds("kinds", &kinds.values)?;
    }
    if let Some(id) = patch.node_id {
        settings.node_id = node(&id)?;
    }
    if let Some(pem) = patch.tls_ca_pem {
        settings.tls_ca_pem = ca_pem(pem)?;
    }
    checked(settings)
}

/// Events of a node that is not there would never come.
pub(super) fn check_node(conn: &Connection, settings: &WebhookSettings) -> Result<(), Status> {
    match settings.node_id {
        Some(id) => nodes::get(conn, id).map(drop).map_err(Into::into),
        None => Ok(()),
    }
}

fn checked(mut settings: WebhookSettings) -> Result<WebhookSettings, Status> {
    let url = settings.url.trim().to_owned();
    let parsed: WebhookUrl = url
        .parse()
        .map_err(|error: crate::webhooks::InvalidWebhookUrl| invalid("url", error.to_string()))?;
    settings.url = url;
    check_trust(&parsed, settings.tls_ca_pem.as_deref())
        .map_err(|error| invalid("tls_ca_pem", error.to_string()))?;
    Ok(settings)
}

fn node(text: &str) -> Result<Option<NodeId>, Status> {
    match text {
        "" => Ok(None),
        id => parse_id(id, no_such_node).map(Some),
    }
}

/// Looked at whatever the URL is: one that speaks TLS may come later.
fn ca_pem(text: String) -> Result<Option<String>, Status> {
    if text.is_empty() {
        return Ok(None);
    }
    if text.len() > MAX_CA_BYTES {
        let message = format!("authorities have at most {MAX_CA_BYTES} bytes");
        return Err(invalid("tls_ca_pem", message));
    }
    let any: WebhookUrl = "https://localhost/".parse().expect("a URL");
    check_trust(&any, Some(&text)).map_err(|error| invalid("tls_ca_pem", error.to_string()))?;
    Ok(Some(text))
}
