//! The words of the pages: sentences, and the words for states. Headings and labels stand in the
//! templates.

use axum::http::StatusCode;
use wgfleet_proto::v1::{
    ChangeAction, DeliveryOutcome, NodeStatus, PeerState, SyncState, TokenRole, UnmanagedPeers,
};

pub(super) const SIGN_IN: &str = "Sign in";
pub(super) const NO_SUCH_TOKEN: &str =
    "That token is not valid: it was mistyped, revoked, or its time is up.";
pub(super) const SIGNED_OUT: &str = "You are signed out. Load the page again to sign in.";
pub(super) const CROSS_SITE: &str = "the request came from another site and was not carried out";
pub(super) const STALE_FORM: &str =
    "the form is from another session and was not carried out; load the page again and repeat it";
pub(super) const NOT_THIS_WAY: &str = "this address can't be used in this way";
pub(super) const NO_TIME: &str = "this is no time: write it as 2026-03-01T12:00, in UTC";
pub(super) const NO_SUCH_ROLE: &str = "choose one of the roles";
pub(super) const WEBHOOK_ADDED: &str = "The webhook was added.";
pub(super) const WEBHOOK_CHANGED: &str = "The webhook was changed.";
pub(super) const WEBHOOK_ENABLED: &str = "It is told of what happens from now on.";
pub(super) const WEBHOOK_DISABLED: &str = "It is not told of anything any more.";
pub(super) const WEBHOOK_DELETED: &str = "The webhook was deleted.";
pub(super) const NOTHING_HERE: &str = "there is nothing at this address";

pub(super) const SAVED: &str = "Saved.";
pub(super) const MAY_NOT_CHANGE: &str =
    "the token you signed in with may look at this and not change it";
pub(super) const AWAITS_CONFIRMATION: &str = "Changes wait for your word.";
pub(super) const NO_NUMBER: &str = "a whole number is needed here";
pub(super) const NO_LABEL: &str = "a label is written key=value, each on a line of its own";
pub(super) const NO_SUCH_CHOICE: &str = "that is none of the choices";
pub(super) const OUTDATED: &str = "Somebody else changed the node since you opened this form. What you typed is kept; \
     where it differs, the field says what is saved now. Save again to put yours in its place.";
pub(super) const NO_SECRET_YET: &str = "There is no secret to test with: type the agent's own. A generated one can be tested on the \
     node's page, once the agent has it.";
pub(super) const CHOOSE_FOR_PEERS: &str =
    "The node has peers: choose what becomes of them, then delete it.";
pub(super) const SECRET_ROTATED: &str =
    "The agent took the new secret. Make it the only line of the agent's secret file.";
pub(super) const APPLIED: &str = "The node is as declared.";
pub(super) const NOT_ALL_APPLIED: &str = "Not everything is applied yet.";
pub(super) const NOT_UNMANAGED: &str =
    "that peer is not on the node any more, or it is declared by now";
/// What the test of a connection checks, in its order.
pub(super) const CHECKS: [&str; 4] = [
    "The agent answers",
    "It accepts the secret",
    "It refuses a wrong signature",
    "It has the interface",
];

/// A peer that nobody had declared is declared.
pub(super) fn adopted(name: &str) -> String {
    format!("It is the peer “{name}” now.")
}

/// What becomes of peers that nobody declared.
pub(super) const fn unmanaged(policy: UnmanagedPeers) -> &'static str {
    match policy {
        UnmanagedPeers::Unspecified | UnmanagedPeers::Ignore => "shown and left alone",
        UnmanagedPeers::Adopt => "adopted",
        UnmanagedPeers::Remove => "removed",
    }
}

/// The policy was changed to that.
pub(super) const fn unmanaged_chosen(policy: UnmanagedPeers) -> &'static str {
    match policy {
        UnmanagedPeers::Unspecified | UnmanagedPeers::Ignore => {
            "Peers that nobody declared are left alone from now on."
        }
        UnmanagedPeers::Adopt => "Peers that nobody declared are adopted from now on.",
        UnmanagedPeers::Remove => {
            "Peers that nobody declared are to be removed. That waits until you confirm the plan below."
        }
    }
}

/// A step of a plan: the word, and the class of its chip.
pub(super) const fn change(action: ChangeAction) -> (&'static str, &'static str) {
    match action {
        ChangeAction::Add => ("add", "good"),
        ChangeAction::Update => ("change", "wait"),
        ChangeAction::Remove => ("remove", "bad"),
        ChangeAction::Unspecified => ("unknown", "off"),
    }
}

/// A field of a peer on a node.
pub(super) fn peer_field(name: &str) -> &'static str {
    match name {
        "allowed_ips" => "Allowed IPs",
        "persistent_keepalive" => "Keepalive, s",
        "preshared_key" => "Preshared key",
        "endpoint" => "Endpoint",
        _ => "Something else",
    }
}

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

/// What became of a token that was revoked.
pub(super) fn token_revoked(name: &str) -> String {
    format!("The token “{name}” is refused from now on.")
}

/// How a ping went.
pub(super) fn pinged(is_well: bool, latency_ms: u32, error: &str) -> String {
    if is_well {
        format!("The ping was answered after {latency_ms} ms.")
    } else {
        format!("The ping failed. {}", sentence(error))
    }
}

/// Whether a token is in use: the word, and the class of its chip.
pub(super) const fn token_state(revoked: bool, expired: bool) -> (&'static str, &'static str) {
    if revoked {
        ("revoked", "off")
    } else if expired {
        ("expired", "wait")
    } else {
        ("in use", "good")
    }
}

/// How telling a webhook goes: the word, and the class of its chip.
pub(super) const fn webhook_state(enabled: bool, failing: bool) -> (&'static str, &'static str) {
    if !enabled {
        ("disabled", "off")
    } else if failing {
        ("failing", "bad")
    } else {
        ("enabled", "good")
    }
}

/// How a try to deliver went: the word, and the class of its chip.
pub(super) const fn delivery_outcome(outcome: DeliveryOutcome) -> (&'static str, &'static str) {
    match outcome {
        DeliveryOutcome::Delivered => ("delivered", "good"),
        DeliveryOutcome::Failed => ("failed", "wait"),
        DeliveryOutcome::GivenUp => ("given up", "bad"),
        DeliveryOutcome::Skipped => ("skipped", "off"),
        DeliveryOutcome::Unspecified => ("unknown", "off"),
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

pub(super) const IN_ERROR: &str = "in error";
pub(super) const OFFLINE: &str = "offline";
pub(super) const WITH_BACKLOG: &str = "with peers that wait or failed";

/// What happened, in the words that follow the name of what it happened to.
pub(super) fn event(name: &str) -> String {
    match happened(name) {
        Some((who, what)) => format!("{who} {what}"),
        None => "something happened".to_owned(),
    }
}

/// What happened to so many peers of one node, in the words that follow its name. `count` is of more
/// than one.
pub(super) fn event_of_peers(name: &str, count: &str) -> String {
    let what = match happened(name) {
        Some((_, "is")) => "are",
        Some((_, what)) => what,
        None => "changed",
    };
    format!("{count} peers {what}")
}

/// How often it happened.
pub(super) fn times(count: &str) -> String {
    format!(", {count} times")
}

/// Why it happened to one of many.
pub(super) fn such_as(reason: &str) -> String {
    format!("The last: {reason}")
}

/// More than were counted.
pub(super) fn or_more(count: usize) -> String {
    format!("{count} or more")
}

fn happened(name: &str) -> Option<(&'static str, &'static str)> {
    Some(match name {
        "node.created" => ("node", "added"),
        "node.changed" => ("node", "changed"),
        "node.deleted" => ("node", "deleted"),
        "node.status" => ("node", "is"),
        "peer.created" => ("peer", "added"),
        "peer.changed" => ("peer", "changed"),
        "peer.deleted" => ("peer", "deleted"),
        "peer.sync" => ("peer", "is"),
        "peer.online" => ("peer", "came online"),
        "peer.offline" => ("peer", "went offline"),
        "peer.expired" => ("peer", "expired"),
        _ => return None,
    })
}

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
pub(super) const NO_PLACE_FOR_NUMBER: &str = "put {n} into the pattern, where the number goes";
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
