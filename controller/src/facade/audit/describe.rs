//! The route of the audit, for programs.

use wgfleet_proto::v1;

use super::{
    super::openapi::{Operation, parameters, samples},
    Entry, Page,
};

pub(in crate::facade) fn operations() -> Vec<Operation> {
    let entry = v1::AuditEntry {
        id: 4711,
        at: samples::NOON,
        actor: "billing".into(),
        source: "192.0.2.7".into(),
        action: "peer.update".into(),
        object_kind: "peer".into(),
        object_id: samples::PEER.into(),
        before: r#"{"name":"laptop"}"#.into(),
        after: r#"{"name":"desktop"}"#.into(),
    };
    let page: Page<Entry> = Page::new(vec![entry], samples::page());
    let filters = vec![
        parameters::text("actor", "A token's name, or `controller`."),
        parameters::text("action", "Such as `peer.create`."),
        parameters::text("object_kind", "Such as `peer`."),
        parameters::text("object_id", "The id of what was changed."),
        parameters::text("source", "The address it came from, or `unix`."),
        parameters::time("since", "2026-03-01T00:00:00Z", "Not before this."),
        parameters::time("until", "2026-03-02T00:00:00Z", "Before this."),
    ];
    let operation = Operation::get("/audit", "listAudit")
        .does(
            "Audit",
            "What was done, newest first",
            "What is given of the filter holds together.",
        )
        .page()
        .query(filters)
        .answers(&page, "A page of entries.");
    vec![operation]
}
