//! Changes of what is another version by now are refused, when callers say which one they have seen.

use tonic::{Code, Status};

use super::status::refuse;
pub(super) use crate::etag::of_node;

/// Refuses a change of something that is another version by now. No tags: any version will do.
///
/// # Errors
/// `etag_mismatch`.
pub(super) fn check(if_match: &[String], present: &str) -> Result<(), Status> {
    if if_match.is_empty() || if_match.iter().any(|tag| tag == present || tag == "*") {
        return Ok(());
    }
    let message = "it was changed meanwhile: read it again, and decide anew";
    let code = Code::FailedPrecondition;
    Err(refuse(code, "etag_mismatch", Some("if-match"), message))
}
