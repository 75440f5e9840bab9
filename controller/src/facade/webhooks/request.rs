//! What callers say about webhooks.

use schemars::JsonSchema;
use serde::Deserialize;
use wgfleet_proto::v1;

use super::super::{
    input::{Patch, given, required},
    openapi::format,
    problem::Problem,
};

/// A webhook to add.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(extend("required" = ["name", "url"]))]
pub(super) struct CreateWebhook {
    #[schemars(with = "format::Name")]
    name: Option<String>,
    /// `https://`; `http://` to this host only.
    #[schemars(with = "format::HookUrl")]
    url: Option<String>,
    /// Generated when absent, and shown this once.
    #[schemars(with = "Option<format::HookSecret>")]
    secret: Option<String>,
    /// `true` when absent.
    enabled: Option<bool>,
    /// Which kinds of events; all when absent or empty.
    #[schemars(with = "Option<format::Kinds>")]
    kinds: Option<Vec<String>>,
    /// Only events of this node and its peers.
    node_id: Option<String>,
    /// The authorities to trust instead of the system's.
    #[schemars(with = "Option<format::Pem>")]
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
#[derive(Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(super) struct PatchWebhook {
    #[serde(deserialize_with = "given")]
    #[schemars(with = "format::Name")]
    name: Option<String>,
    #[serde(deserialize_with = "given")]
    #[schemars(with = "format::HookUrl")]
    url: Option<String>,
    #[serde(deserialize_with = "given")]
    #[schemars(with = "bool")]
    enabled: Option<bool>,
    /// Empty or `null` is all.
    #[schemars(with = "Option<format::Kinds>")]
    kinds: Patch<Vec<String>>,
    /// Empty or `null` is all.
    #[schemars(with = "Option<String>")]
    node_id: Patch<String>,
    /// Empty or `null` for the system's.
    #[schemars(with = "Option<format::Pem>")]
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
