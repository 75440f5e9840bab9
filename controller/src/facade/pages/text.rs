//! The words of the pages: sentences, and the words for states. Headings and labels stand in the
//! templates.

use axum::http::StatusCode;
use wgfleet_proto::v1::{NodeStatus, PeerState, SyncState, TokenRole};

pub(super) const SIGN_IN: &str = "Sign in";
pub(super) const NO_SUCH_TOKEN: &str =
    "That token is not valid: it was mistyped, revoked, or its time is up.";
pub(super) const SIGNED_OUT: &str = "You are signed out. Load the page again to sign in.";
pub(super) const CROSS_SITE: &str = "the request came from another site and was not carried out";
pub(super) const STALE_FORM: &str =
    "the form is from another session and was not carried out; load the page again and repeat it";
pub(super) const NOT_THIS_WAY: &str = "this address can't be used in this way";
pub(super) const NOTHING_HERE: &str = "there is nothing at this address";

/// What went wrong, as the heading of a page.
pub(super) fn heading(status: StatusCode) -> &'static str {
    match status {
        StatusCode::NOT_FOUND => "Not found",
        StatusCode::FORBIDDEN => "Not allowed",
        StatusCode::TOO_MANY_REQUESTS => "Too many requests",
        StatusCode::SERVICE_UNAVAILABLE | StatusCode::GATEWAY_TIMEOUT => "Not available right now",
        status if status.is_server_error() => "Something failed",
        _ => "That did not work",
    }
}

/// What a service says, as a sentence: it begins with a capital unless that would change a name, and
/// ends with a full stop.
pub(super) fn sentence(detail: &str) -> String {
    let detail = detail.trim();
    let first = detail.split_whitespace().next().unwrap_or_default();
    let is_word = first
        .bytes()
        .all(|byte| byte.is_ascii_lowercase() || byte == b',');
    let mut sentence = detail.to_owned();
    if is_word && let Some(first) = sentence.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    if !sentence.is_empty() && !sentence.ends_with(['.', '!', '?']) {
        sentence.push('.');
    }
    sentence
}

/// A role.
pub(super) const fn role(role: TokenRole) -> &'static str {
    match role {
        TokenRole::Admin => "admin",
        TokenRole::Operator => "operator",
        TokenRole::Viewer => "viewer",
        TokenRole::Unspecified => "unknown",
    }
}

/// A node's status: the word, and the class of its chip.
pub(super) const fn node_status(status: NodeStatus) -> (&'static str, &'static str) {
    match status {
        NodeStatus::Online => ("online", "good"),
        NodeStatus::Offline => ("offline", "bad"),
        NodeStatus::Error => ("error", "bad"),
        NodeStatus::Disabled => ("disabled", "off"),
        NodeStatus::Unspecified => ("unknown", "off"),
    }
}

/// A sync state: the word, and the class of its chip.
pub(super) const fn sync_state(state: SyncState) -> (&'static str, &'static str) {
    match state {
        SyncState::Applied => ("applied", "good"),
        SyncState::Pending => ("pending", "wait"),
        SyncState::Failed => ("failed", "bad"),
        SyncState::Unspecified => ("unknown", "off"),
    }
}

/// A peer's state: the word, and the class of its chip.
pub(super) const fn peer_state(state: PeerState) -> (&'static str, &'static str) {
    match state {
        PeerState::Active => ("active", "good"),
        PeerState::Disabled => ("disabled", "off"),
        PeerState::Expired => ("expired", "wait"),
        PeerState::QuotaUsedUp => ("quota used up", "wait"),
        PeerState::Unspecified => ("unknown", "off"),
    }
}

/// What happened, in the words that follow the name of what it happened to.
pub(super) fn event(name: &str) -> &'static str {
    match name {
        "node.created" => "node added",
        "node.changed" => "node changed",
        "node.deleted" => "node deleted",
        "node.status" => "node is",
        "peer.created" => "peer added",
        "peer.changed" => "peer changed",
        "peer.deleted" => "peer deleted",
        "peer.sync" => "peer is",
        "peer.online" => "peer came online",
        "peer.offline" => "peer went offline",
        "peer.expired" => "peer expired",
        _ => "something happened",
    }
}

pub(super) const SAVED: &str = "Saved.";
pub(super) const SAVED_NEEDS_CONFIG: &str =
    "Saved. The client needs its configuration again: scan or download it below.";
pub(super) const MOVED_NEEDS_CONFIG: &str =
    "Moved. The client needs its new configuration: scan or download it below.";
pub(super) const IS_ENABLED: &str = "The peer is enabled.";
pub(super) const IS_DISABLED: &str = "The peer is disabled. It keeps its addresses.";
pub(super) const NO_TARGET: &str = "choose the node to move to";
pub(super) const AS_THE_NODE: &str = "as the node has it";
pub(super) const OFF: &str = "off";
pub(super) const PRESHARED: &str = "there is one";
pub(super) const NOT_PRESHARED: &str = "none";
pub(super) const PRESHARED_UNKNOWN: &str = "not known: the peer was adopted";
pub(super) const KEY_KEPT: &str = "kept, encrypted";
pub(super) const KEY_NOT_KEPT: &str = "the client's alone";
pub(super) const EXPIRES: &str = "expires";
pub(super) const EXPIRED: &str = "expired";
pub(super) const ENABLED: &str = "enabled";
pub(super) const DISABLED: &str = "disabled";
pub(super) const DELETED: &str = "deleted";
pub(super) const MOVED: &str = "moved";
pub(super) const NOBODY_CHOSEN: &str = "no peer was chosen: tick those it is about";
pub(super) const TOO_MANY_CHOSEN: &str = "1000 peers at once are the most";
pub(super) const NOTHING_TO_DO: &str = "there is no such thing to do";
pub(super) const STILL_ADDING: &str =
    "peers are still being added: wait until that is done, or open its page";
pub(super) const NO_SUCH_JOB: &str =
    "there is nothing here any more: what was added is in the list of peers";
pub(super) const STOPPED: &str = "It stopped before the end.";
pub(super) const NOT_TRIED: (&str, &str) = ("not tried", "off");
pub(super) const ROW_ADDED: (&str, &str) = ("added", "good");
pub(super) const ROW_REFUSED: (&str, &str) = ("refused", "bad");
pub(super) const WRONG_COUNT: &str = "1 to 10000 peers can be added at once";
pub(super) const NO_NUMBER: &str = "put {n} into the pattern, where the number goes";
pub(super) const NO_CSV: &str = "this is no CSV";
pub(super) const NO_NAME_COLUMN: &str =
    "the first line must name the columns, and one of them must be \"name\"";
pub(super) const NO_LINES: &str = "there is no line after the one with the columns' names";
pub(super) const TOO_MANY_LINES: &str = "10000 lines at once are the most";
pub(super) const WRONG_CELLS: &str = "This line has more or fewer cells than there are columns.";

/// A peer that was added, and why where.
pub(super) fn added(name: &str, placement: &str) -> String {
    if placement.is_empty() {
        format!("{name} was added.")
    } else {
        format!("{name} was added on {placement}.")
    }
}

/// The hint of a number.
pub(super) fn at_most(most: &str) -> String {
    format!("{most} are the most.")
}

/// What CSV may hold.
pub(super) fn csv_hint(columns: &str) -> String {
    format!(
        "The first line names the columns. Known are {columns}. Only name must be there; an empty \
         cell is as below."
    )
}

/// How much of a quota is gone.
pub(super) fn quota_used(used: &str, quota: &str) -> String {
    format!("{used} of {quota} used")
}

/// What was done to some of many.
pub(super) fn of_many(done: usize, all: usize, what: &str) -> String {
    match (done, all) {
        (1, 1) => format!("1 peer was {what}."),
        _ if done == all => format!("{done} peers were {what}."),
        _ => format!("{done} of {all} peers were {what}."),
    }
}

/// A peer that was deleted, and whether its node knows.
pub(super) fn deleted(state: SyncState, reason: &str) -> String {
    if state == SyncState::Applied || reason.is_empty() {
        "The peer is deleted.".to_owned()
    } else {
        format!(
            "The peer is deleted, and taken off its node as soon as that can be done. {}",
            sentence(reason)
        )
    }
}

#[cfg(test)]
mod tests {
    use super::sentence;

    #[test]
    fn sentences() {
        for (said, shown) in [
            ("there is no such node", "There is no such node."),
            ("wg0 is taken", "wg0 is taken."),
            ("ip_pool_cidr: too small", "ip_pool_cidr: too small."),
            ("Already one.", "Already one."),
            ("", ""),
        ] {
            assert_eq!(sentence(said), shown);
        }
    }
}
