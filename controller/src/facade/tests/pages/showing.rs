//! What pages show, and to whom.

use serde_json::{Value, json};
use wgfleet_proto::v1::TokenRole;

use super::{Browser, Fake};

#[tokio::test]
async fn names_are_text_and_nothing_else() {
    let mut fake = Fake::new();
    fake.name = Some("<script>alert(1)</script>\"' onload=x".into());
    let mut browser = Browser::signed_in(&fake).await;
    let got = browser.get("/").await;
    assert!(!got.text().contains("<script>alert"), "{}", got.text());
    assert!(!got.text().contains("\"' onload"));
    // The token's, the node's, the busiest peer's, and that of the peer something happened to.
    let escaped = "&#60;script&#62;alert(1)&#60;/script&#62;&#34;&#39; onload=x";
    assert_eq!(got.text().matches(escaped).count(), 4);
}

#[tokio::test]
async fn a_viewer_sees_less() {
    for (role, shown) in [
        (TokenRole::Admin, true),
        (TokenRole::Operator, false),
        (TokenRole::Viewer, false),
    ] {
        let mut fake = Fake::new();
        fake.role = Some(role);
        let mut browser = Browser::signed_in(&fake).await;
        let got = browser.get("/").await;
        for (link, is_shown) in [
            ("/nodes", true),
            ("/api", true),
            ("/audit", shown),
            ("/tokens", shown),
            ("/backup", shown),
        ] {
            let link = format!("<li><a href=\"{link}\"");
            assert_eq!(got.text().contains(&link), is_shown, "{role:?} {link}");
        }
    }
}

#[tokio::test]
async fn calls_are_made_for_who_signed_in_and_counted_once() {
    let fake = Fake::new();
    let mut browser = Browser::signed_in(&fake).await;
    browser.get("/overview/now").await;
    let (_, metadata) = fake.last_with_metadata();
    let said = |name| {
        metadata
            .get(name)
            .map(|value| value.to_str().expect("ASCII").to_owned())
    };
    assert_eq!(
        said("authorization").as_deref(),
        Some("Bearer secret-token")
    );
    assert_eq!(said("x-wgfleet-source").as_deref(), Some("192.0.2.7"));
    assert_eq!(said("x-wgfleet-counted").as_deref(), Some("yes"));
    assert!(said("x-request-id").is_some());
}

#[tokio::test]
async fn throughput_is_in_columns_with_gaps() {
    let mut browser = Browser::signed_in(&Fake::new()).await;
    let got = browser.get("/overview/throughput?range=hour").await;
    let plot: Value = serde_json::from_slice(&got.body).expect("JSON");
    assert_eq!(plot["step_s"], json!(60));
    let length = |column: &str| plot[column].as_array().map(Vec::len);
    assert_eq!(length("at"), Some(60));
    assert_eq!((length("down"), length("up")), (Some(60), Some(60)));
    assert!(
        plot["up"]
            .as_array()
            .expect("a column")
            .contains(&Value::Null)
    );
    let got = browser.get("/overview/throughput?range=aeon").await;
    assert_eq!(got.status, 400);
}

#[tokio::test]
async fn live_tells_topics_and_where_to_go_on() {
    let mut browser = Browser::signed_in(&Fake::new()).await;
    let got = browser
        .get_with("/live", &[("accept", "text/event-stream")])
        .await;
    assert_eq!(got.header("content-type"), "text/event-stream");
    let id = super::super::ID;
    let told = format!("retry: 3000\n\nid: 7\ndata: node-peers:{id} peer:{id} peers\n\n");
    assert_eq!(got.text(), told);
}
