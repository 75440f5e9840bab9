//! The stable codes of refusals, and what each of them means.

/// What a program is told, and what that means.
pub(super) const CODES: &[(&str, &str)] = &[
    (
        "address_refused",
        "An address can't be given: it is its network's own, or reserved.",
    ),
    ("address_taken", "Another peer has the address."),
    ("agent_shared", "Other nodes share the agent."),
    ("agent_url_taken", "Another agent has this URL."),
    (
        "answer_not_kept",
        "It was done, but the answer could not be kept: send it again with the same key.",
    ),
    (
        "backup_running",
        "Another backup is being read: come back later.",
    ),
    (
        "body_too_large",
        "The body has more bytes than the controller takes.",
    ),
    (
        "config_incomplete",
        "The private key is not kept, so a QR code would be of no use.",
    ),
    (
        "config_too_long",
        "The configuration is longer than a QR code holds.",
    ),
    (
        "etag_mismatch",
        "It was changed since it was read: read it again and decide anew.",
    ),
    (
        "event_too_old",
        "What followed this event is not kept any more: read the lists again and follow from now on.",
    ),
    (
        "forbidden",
        "The token's role, or its scope, does not allow this.",
    ),
    (
        "idempotency_key_reused",
        "The key came with another request before.",
    ),
    (
        "interface_taken",
        "Another node has this interface of the agent.",
    ),
    (
        "internal",
        "The controller failed; its log has the reason under the request id.",
    ),
    (
        "invalid_field",
        "A field, a parameter or a header is not as it must be; `field` names it.",
    ),
    ("last_admin_token", "Nobody could manage tokens any more."),
    ("malformed_json", "The body is no JSON object."),
    ("name_taken", "Another one has the name."),
    ("no_free_address", "No address is left in the node's pools."),
    (
        "no_node_fits",
        "No node takes the peer; `detail` says what is wrong with each.",
    ),
    (
        "node_awaits_confirmation",
        "Nothing is written to the node until its plan is confirmed.",
    ),
    ("node_disabled", "The node is disabled."),
    ("node_full", "The node has as many peers as it may."),
    (
        "node_has_peers",
        "The node has peers: say what becomes of them.",
    ),
    (
        "node_key_unknown",
        "The node's public key is not known yet.",
    ),
    (
        "node_not_found",
        "There is no such node, or the token is not for it.",
    ),
    (
        "node_not_settled",
        "The node was not seen as it should be in time: try again later.",
    ),
    ("node_unreachable", "The node's agent does not answer."),
    ("not_ready", "The store can't be read."),
    (
        "outside_scope",
        "The node would be outside the token's scope.",
    ),
    (
        "overloaded",
        "Too many changes wait to be written: come back later.",
    ),
    (
        "peer_expired",
        "The peer's time is up: give it a later one.",
    ),
    ("peer_moving", "The peer is on its way to another node."),
    (
        "peer_not_found",
        "There is no such peer, or the token is not for it.",
    ),
    (
        "peer_quota_used_up",
        "The peer has nothing left of its quota.",
    ),
    (
        "plan_changed",
        "The plan is another one by now: look at it again.",
    ),
    (
        "pool_invalid",
        "The pools are not networks that peers could get addresses from.",
    ),
    (
        "pool_leaves_out_addresses",
        "Addresses in use would be outside the pools.",
    ),
    (
        "public_key_taken",
        "Another peer of the node, or another node, has the key.",
    ),
    (
        "rate_limited",
        "Too many requests: come back after `Retry-After`.",
    ),
    (
        "request_running",
        "The first request with this key is still under way.",
    ),
    (
        "rotation_overtaken",
        "Another rotation came between: call again.",
    ),
    ("secret_differs", "The agent has another secret."),
    ("secret_taken", "Another agent has this secret."),
    (
        "store_unavailable",
        "The store can't be used just now; nothing was changed.",
    ),
    ("timed_out", "The body did not arrive in time."),
    ("token_not_found", "There is no such token."),
    ("too_many_streams", "Too many readers follow events."),
    (
        "too_many_webhooks",
        "There are as many webhooks as there may be.",
    ),
    ("unauthenticated", "There is no valid token."),
    ("webhook_not_found", "There is no such webhook."),
];

/// What a code means.
///
/// # Panics
/// When it is none.
pub(super) fn meaning(code: &str) -> &'static str {
    let found = CODES.iter().find(|(known, _)| *known == code);
    found.unwrap_or_else(|| panic!("{code} is no code")).1
}
