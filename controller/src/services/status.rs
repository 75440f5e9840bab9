//! The one mapping from what goes wrong to what a caller is told.
//!
//! Every refusal carries a stable code for programs in the metadata [`CODE`], the field it is about
//! in [`FIELD`] where there is one, and one sentence for people. The text behind a code may change,
//! the code does not.

use tonic::{Code, Status, metadata::MetadataValue};

use crate::{
    dispatch::DispatchError,
    domain::{
        allocation::{AddressesLeftOut, InvalidPool, InvalidReserved},
        labels::InvalidLabels,
        name::InvalidName,
        placement::NoPlace,
    },
    store::StoreError,
};

/// Metadata key of the stable code.
pub const CODE: &str = "wgfleet-code";
/// Metadata key of the field a refusal is about.
pub const FIELD: &str = "wgfleet-field";

/// Metadata key of the whole seconds after which to come back, never 0.
pub const RETRY_AFTER: &str = "wgfleet-retry-after";
/// When to come back to a writer that had no room.
const OVERLOADED_S: u64 = 1;

/// A refusal with its stable code.
#[must_use]
pub fn refuse(
    code: Code,
    wgfleet_code: &'static str,
    field: Option<&str>,
    message: impl Into<String>,
) -> Status {
    let mut status = Status::new(code, message);
    let metadata = status.metadata_mut();
    metadata.insert(CODE, MetadataValue::from_static(wgfleet_code));
    // Field names are ours and ASCII; one that is not is left out.
    if let Some(field) = field.and_then(|field| field.parse().ok()) {
        metadata.insert(FIELD, field);
    }
    status
}

/// The same with the seconds after which to come back.
#[must_use]
pub fn retry_after(mut status: Status, wait_s: u64) -> Status {
    let metadata = status.metadata_mut();
    metadata.insert(RETRY_AFTER, MetadataValue::from(wait_s.max(1)));
    status
}

/// Too many of them.
#[must_use]
pub fn rate_limited(what: &str, wait_s: u64) -> Status {
    let message = format!("{what}; come back in {wait_s} s");
    let status = refuse(Code::ResourceExhausted, "rate_limited", None, message);
    retry_after(status, wait_s)
}

/// A field that can't be what it is.
#[must_use]
pub fn invalid(field: &str, message: impl Into<String>) -> Status {
    refuse(Code::InvalidArgument, "invalid_field", Some(field), message)
}

/// How many items a page is to have.
///
/// # Errors
/// INVALID_ARGUMENT for more than 1000.
pub fn page_size(page: &wgfleet_proto::v1::PageRequest) -> Result<usize, Status> {
    const DEFAULT: usize = 100;
    const MAX: usize = 1000;
    match usize::try_from(page.page_size) {
        Ok(0) => Ok(DEFAULT),
        Ok(size) if size <= MAX => Ok(size),
        _ => Err(invalid("page_size", "a page has 1 to 1000 items")),
    }
}

/// There is no such node.
#[must_use]
pub fn no_such_node() -> Status {
    refuse(Code::NotFound, "node_not_found", None, "no such node")
}

/// Reads an id. One that is none is nobody's, so the answer is the same as for a foreign one.
///
/// # Errors
/// `missing` as it is.
pub fn parse_id<T: std::str::FromStr>(
    text: &str,
    missing: impl FnOnce() -> Status,
) -> Result<T, Status> {
    text.parse().map_err(|_| missing())
}

/// The stable code of a status, if it has one.
#[must_use]
pub fn wgfleet_code(status: &Status) -> Option<&str> {
    status.metadata().get(CODE)?.to_str().ok()
}

/// The field a status is about, if it is about one.
#[must_use]
pub fn wgfleet_field(status: &Status) -> Option<&str> {
    status.metadata().get(FIELD)?.to_str().ok()
}

impl From<StoreError> for Status {
    fn from(error: StoreError) -> Self {
        let message = error.to_string();
        match error {
            StoreError::NotFound { what } => not_found(what, message),
            StoreError::Conflict { what, .. } => conflict(what, message),
            StoreError::InUse { .. } => {
                refuse(Code::FailedPrecondition, "node_has_peers", None, message)
            }
            StoreError::NoFreeAddress { .. } => {
                refuse(Code::ResourceExhausted, "no_free_address", None, message)
            }
            StoreError::AddressRefused { .. } => refuse(
                Code::InvalidArgument,
                "address_refused",
                Some("allowed_ips"),
                message,
            ),
            StoreError::LeftOut { .. } => pool_leaves_out(message),
            StoreError::Unavailable(_) | StoreError::Closed => {
                tracing::warn!(%message, "the store is unavailable");
                let sentence = "the store is unavailable just now; nothing was changed";
                refuse(Code::Unavailable, "store_unavailable", None, sentence)
            }
            StoreError::Overloaded => {
                let status = refuse(Code::Unavailable, "overloaded", None, message);
                retry_after(status, OVERLOADED_S)
            }
            StoreError::Corrupt { .. }
            | StoreError::Newer { .. }
            | StoreError::Held { .. }
            | StoreError::MasterKey(_)
            | StoreError::Sealed { .. }
            | StoreError::Internal(_) => internal(&message),
        }
    }
}

impl From<DispatchError> for Status {
    fn from(error: DispatchError) -> Self {
        let message = error.to_string();
        let failed = Code::FailedPrecondition;
        match error {
            DispatchError::NoSuchNode => no_such_node(),
            DispatchError::Disabled => refuse(failed, "node_disabled", None, message),
            DispatchError::Unreachable(_) => {
                refuse(Code::Unavailable, "node_unreachable", None, message)
            }
            DispatchError::PlanChanged(_) => {
                refuse(failed, "plan_changed", Some("confirm"), message)
            }
            DispatchError::Store(error) => error.into(),
        }
    }
}

impl From<InvalidName> for Status {
    fn from(error: InvalidName) -> Self {
        invalid("name", error.to_string())
    }
}

impl From<InvalidLabels> for Status {
    fn from(error: InvalidLabels) -> Self {
        invalid("labels", error.to_string())
    }
}

impl From<InvalidPool> for Status {
    fn from(error: InvalidPool) -> Self {
        let message = error.to_string();
        let field = Some("ip_pool_cidr");
        refuse(Code::InvalidArgument, "pool_invalid", field, message)
    }
}

impl From<InvalidReserved> for Status {
    fn from(error: InvalidReserved) -> Self {
        invalid("reserved_ips", error.to_string())
    }
}

impl From<AddressesLeftOut> for Status {
    fn from(error: AddressesLeftOut) -> Self {
        pool_leaves_out(error.to_string())
    }
}

impl From<NoPlace> for Status {
    fn from(error: NoPlace) -> Self {
        let message = error.to_string();
        refuse(Code::ResourceExhausted, "no_node_fits", None, message)
    }
}

/// A bug or a damaged store: the log gets the text, the caller does not.
#[must_use]
pub fn internal(message: &str) -> Status {
    tracing::error!(message, "a request failed inside");
    let sentence = "the controller failed inside; its log says how";
    refuse(Code::Internal, "internal", None, sentence)
}

fn pool_leaves_out(message: String) -> Status {
    let code = "pool_leaves_out_addresses";
    refuse(
        Code::FailedPrecondition,
        code,
        Some("ip_pool_cidr"),
        message,
    )
}

fn not_found(what: &'static str, message: String) -> Status {
    let code = match what {
        "node" => "node_not_found",
        "peer" => "peer_not_found",
        "token" => "token_not_found",
        "webhook" => "webhook_not_found",
        "cursor" => return invalid("cursor", "the cursor is not one of this list"),
        _ => "not_found",
    };
    refuse(Code::NotFound, code, None, message)
}

/// `what` is how the store calls the thing that both want.
fn conflict(what: &'static str, message: String) -> Status {
    let (code, field) = match what {
        "name" => ("name_taken", Some("name")),
        "interface of this agent" => ("interface_taken", Some("wg_interface")),
        "interface public key" | "public key on this node" => {
            ("public_key_taken", Some("public_key"))
        }
        "agent URL" => ("agent_url_taken", Some("agent_url")),
        "secret" => ("secret_taken", Some("secret")),
        "address" | "allowed IP" => ("address_taken", Some("allowed_ips")),
        // Somebody else made the same request a moment ago; its answer is looked up.
        "request" => ("request_running", None),
        "pool" => {
            let field = Some("ip_pool_cidr");
            return refuse(Code::InvalidArgument, "pool_invalid", field, message);
        }
        _ => ("conflict", None),
    };
    refuse(Code::AlreadyExists, code, field, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_carries_its_code_and_field() {
        let status = Status::from(StoreError::Conflict {
            what: "name",
            other: "the node a".into(),
        });
        assert_eq!(status.code(), Code::AlreadyExists);
        assert_eq!(wgfleet_code(&status), Some("name_taken"));
        assert_eq!(wgfleet_field(&status), Some("name"));
        assert_eq!(status.message(), "the name is taken by the node a");
    }

    #[test]
    fn what_is_for_the_log_stays_there() {
        let status = Status::from(StoreError::Internal("row 7 of table x".into()));
        assert_eq!(status.code(), Code::Internal);
        assert!(!status.message().contains("row 7"));
        let status = Status::from(StoreError::Unavailable("/var/lib/x is full".into()));
        assert_eq!(wgfleet_code(&status), Some("store_unavailable"));
        assert!(!status.message().contains("/var"));
    }
}
