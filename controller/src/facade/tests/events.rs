//! The stream of events.

use axum::{body::Body, http::Method};
use tonic::Code;

use super::{Fake, ID, answer, request, send};
use crate::services::status::refuse;

#[tokio::test]
async fn events_are_pieces_of_a_stream() {
    let fake = Fake::new();
    let answered = send(
        &fake,
        Method::GET,
        "/api/v1/events?after=5&kind=peer.deleted",
    )
    .await;
    assert_eq!(answered.status, 200);
    assert_eq!(answered.header("content-type"), Some("text/event-stream"));
    assert_eq!(answered.header("cache-control"), Some("no-store"));
    let text = String::from_utf8(answered.body).expect("text");
    let expected = format!(
        ": here\nid: 6\n\n\
         id: 7\nevent: peer.deleted\ndata: {{\"id\":\"7\",\"kind\":\"peer.deleted\",\
         \"occurred_at\":\"2026-03-01T12:00:00Z\",\"peer_id\":\"{ID}\",\"node_id\":\"{ID}\",\
         \"public_key\":\"a key\"}}\n\n\
         : too slow\nevent: stream.ended\ndata: {{\"code\":\"too_slow\",\"detail\":\"too slow\"}}\n\n"
    );
    assert_eq!(text, expected);
    let asked = fake.last();
    assert!(asked.contains("after_id: \"5\""), "{asked}");
    assert!(asked.contains("kinds: [\"peer.deleted\"]"), "{asked}");
}

#[tokio::test]
async fn the_header_of_a_reader_that_comes_back_counts() {
    let fake = Fake::new();
    let again = request(Method::GET, "/api/v1/events?after=5").header("last-event-id", "42");
    let answered = answer(&fake, again.body(Body::empty()).expect("a request")).await;
    assert_eq!(answered.status, 200);
    assert!(fake.last().contains("after_id: \"42\""), "{}", fake.last());
    let answered = send(&fake, Method::GET, "/api/v1/events?since=5").await;
    let field = Some("since".to_owned());
    assert_eq!(answered.problem(), (400, "invalid_field".into(), field));
}

#[tokio::test]
async fn an_id_that_is_too_old_is_gone() {
    let refusal = refuse(
        Code::OutOfRange,
        "event_too_old",
        Some("after_id"),
        "too old",
    );
    let answered = send(
        &Fake::refusing(refusal),
        Method::GET,
        "/api/v1/events?after=5",
    )
    .await;
    let (status, code, _) = answered.problem();
    assert_eq!((status, code.as_str()), (410, "event_too_old"));
}
