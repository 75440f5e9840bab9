//! What callers say about webhooks.

use serde::Deserialize;
use wgfleet_proto::v1;

use super::super::{
    input::{Patch, given, required},
    problem::Problem,
};

/// A webhook to add.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct CreateWebhook {
    name: Option<String>,
    url: Option<String>,
    secret: Option<String>,
    enabled: Option<bool>,
    kinds: Option<Vec<String>>,
    node_id: Option<String>,
    tls_ca_pem: Option<String>,
}

impl TryFrom<CreateWebhook> for v1::CreateWebhookRequest {
    type Error = Problem;

    fn try_from(webhook: CreateWebhook) -> Result<Self, Problem> {
        Ok(Self {
            name: required("name", webhook.name)?,
            url: required("url", webhook.url)?,
            secret: webhook.secret,
            enabled: webhook.enabled,
            kinds: webhook.kinds.unwrap_or_default(),
            node_id: webhook.node_id.unwrap_or_default(),
            tls_ca_pem: webhook.tls_ca_pem.unwrap_or_default(),
        })
    }
}

/// A patch of a webhook. What can't be cleared can't be `null`.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct PatchWebhook {
    #[serde(deserialize_with = "given")]
    name: Option<String>,
    #[serde(deserialize_with = "given")]
    url: Option<String>,
    #[serde(deserialize_with = "given")]
    enabled: Option<bool>,
    kinds: Patch<Vec<String>>,
    node_id: Patch<String>,
    tls_ca_pem: Patch<String>,
}

impl PatchWebhook {
    pub(super) fn message(self, id: String) -> v1::UpdateWebhookRequest {
        let kinds = self.kinds.or_cleared(Vec::new());
        v1::UpdateWebhookRequest {
            id,
            name: self.name,
            url: self.url,
            enabled: self.enabled,
            kinds: kinds.map(|values| v1::StringList { values }),
            node_id: self.node_id.or_cleared(String::new()),
            tls_ca_pem: self.tls_ca_pem.or_cleared(String::new()),
        }
    }
}
