//! The forms of values, as schemas: what a text or a number must be to be taken.
//!
//! They stand here because the checks behind them are the services': a fuzzer that reads the document
//! and calls the built controller finds where the two differ.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde_json::{Value, json};
use wire_contract::interface::MAX_INTERFACE_NAME_BYTES;

use super::super::{nodes, shape, tokens, webhooks};
use crate::domain::{labels, name};

/// Base64 of 32 bytes: the last character before the `=` has four bits only.
const KEY: &str = "[A-Za-z0-9+/]{42}[AEIMQUYcgkosw048]=";
const NETWORK: &str = "^[0-9A-Fa-f:.]+(/[0-9]{1,3})?$";

macro_rules! forms {
    ($($(#[$doc:meta])* $name:ident = $schema:expr;)*) => {$(
        $(#[$doc])*
        pub(in crate::facade) struct $name;

        impl JsonSchema for $name {
            fn inline_schema() -> bool {
                true
            }

            fn schema_name() -> Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                schema($schema)
            }
        }
    )*};
}

forms! {
    /// The id of anything.
    Uuid = json!({"type": "string", "format": "uuid"});
    /// The name of anything.
    Name = json!({"type": "string", "minLength": 1, "maxLength": name::MAX_CHARS, "pattern": "\\S"});
    /// An interface on an agent's host.
    Interface = json!({
        "type": "string", "minLength": 1, "maxLength": MAX_INTERFACE_NAME_BYTES,
        "pattern": "^[^/:\\s\\x00-\\x1f\\x7f]+$",
    });
    /// An agent.
    AgentUrl = json!({
        "type": "string", "minLength": 1, "maxLength": 2048,
        "pattern": "^\\s*([Hh][Tt][Tt][Pp][Ss]?|[Uu][Nn][Ii][Xx]):",
    });
    /// An endpoint of a webhook.
    HookUrl = json!({
        "type": "string", "minLength": 1, "maxLength": 2048,
        "pattern": "^\\s*[Hh][Tt][Tt][Pp][Ss]?://",
    });
    /// Where clients connect to; empty for none.
    Endpoint = json!({"type": "string", "maxLength": 260, "pattern": "^\\s*(\\S+:[0-9]{1,5})?\\s*$"});
    /// Pools; empty for none.
    Pools = json!({"type": "string", "pattern": "^[0-9A-Fa-f:./,\\s]*$"});
    /// A key that must be there.
    Key = json!({"type": "string", "pattern": format!("^{KEY}$")});
    /// A key, or empty for none.
    OptionalKey = json!({"type": "string", "pattern": format!("^\\s*({KEY})?\\s*$")});
    /// A key, or the word for a drawn one.
    KeyOrGenerate = json!({"type": "string", "pattern": format!("^({KEY}|generate)$")});
    /// The same of a new peer, which the node may have already.
    KeyGenerateOrKeep = json!({"type": "string", "pattern": format!("^({KEY}|generate|keep)$")});
    /// What an agent and the controller share.
    Secret = json!({"type": "string", "minLength": 16, "maxLength": 1024});
    /// What deliveries are signed with.
    HookSecret = json!({"type": "string", "pattern": "^[!-~]{16,256}$"});
    /// A certificate's fingerprint; empty for none.
    Pin = json!({"type": "string", "pattern": "^\\s*((:*[0-9A-Fa-f]){64}:*)?\\s*$"});
    /// Certificates; empty for none.
    Pem = json!({"type": "string", "maxLength": 65536});
    /// Labels.
    Labels = json!({
        "type": "object", "maxProperties": labels::MAX_LABELS,
        "additionalProperties": {"type": "string", "pattern": "^[A-Za-z0-9._/-]{1,63}$"},
        "example": {"region": "eu"},
    });
    /// Networks that are given.
    Networks = json!({
        "type": "array", "maxItems": 1024, "items": {"type": "string", "pattern": NETWORK},
    });
    /// Networks that nobody is given, ranges among them.
    Reserved = json!({
        "type": "array", "maxItems": 256,
        "items": {"type": "string", "pattern": "^[0-9A-Fa-f:./\\-\\s]+$"},
    });
    /// Servers and search domains.
    Dns = json!({
        "type": "array", "maxItems": 16, "items": {"type": "string", "minLength": 1, "maxLength": 253},
    });
    /// An MTU; 0 for none.
    Mtu = json!({"type": "integer", "minimum": 0, "maximum": 65535});
    /// An MTU that must be one.
    GivenMtu = json!({"type": "integer", "minimum": 576, "maximum": 65535});
    /// Seconds between keepalives; 0 is off.
    Keepalive = json!({"type": "integer", "minimum": 0, "maximum": 65535});
    /// A number of 32 bits.
    Count = json!({"type": "integer", "format": "int64", "minimum": 0, "maximum": u32::MAX});
    /// A number of 64 bits.
    Total = json!({"type": "integer", "format": "int64", "minimum": 0});
    /// A quota that must be one.
    Quota = json!({"type": "integer", "format": "int64", "minimum": 1, "maximum": i64::MAX});
    /// A quota; 0 takes it away.
    QuotaPatch = json!({"type": "integer", "format": "int64", "minimum": 0, "maximum": i64::MAX});
    /// Thousandths.
    Permille = json!({"type": "integer", "minimum": 0, "maximum": 1000});
    /// A point in time.
    Time = json!({"type": "string", "format": "date-time", "example": "2026-03-01T12:00:00Z"});
    /// A point in time to come.
    Future = json!({"type": "string", "format": "date-time", "example": "2099-03-01T12:00:00Z"});
    /// Kinds of events.
    Kinds = json!({"type": "array", "items": kind()});
    /// A kind of events.
    EventKind = kind();
    /// A kind of events, or the one of a test.
    Kind = with(kind(), "ping");
    /// A node's status.
    Status = words(&nodes::STATUSES);
    /// What happens to peers nobody declared.
    Unmanaged = words(&nodes::UNMANAGED);
    /// A step of a plan.
    Action = words(&nodes::ACTIONS);
    /// Where a peer stands on its node.
    SyncState = words(&shape::SYNC_STATES);
    /// Whether a peer is let in.
    PeerState = words(&shape::PEER_STATES);
    /// A quota's period.
    Period = words(&shape::QUOTA_PERIODS);
    /// What a token may do.
    Role = words(&tokens::ROLES);
    /// How a try to deliver went.
    Outcome = words(&webhooks::OUTCOMES);
    /// The status of an answer.
    HttpStatus = json!({"type": "integer", "minimum": 100, "maximum": 599});
    /// Anything.
    Object = json!({"type": "object"});
}

/// A JSON object as a schema.
pub(super) fn schema(value: Value) -> Schema {
    value.try_into().expect("an object")
}

/// One of some words.
pub(super) fn words<T>(words: &[(&str, T)]) -> Value {
    let known: Vec<_> = words.iter().map(|(word, _)| *word).collect();
    json!({"type": "string", "enum": known})
}

pub(super) fn kind() -> Value {
    json!({"type": "string", "enum": crate::events::KINDS})
}

fn with(mut words: Value, word: &str) -> Value {
    if let Some(known) = words["enum"].as_array_mut() {
        known.push(word.into());
    }
    words
}
