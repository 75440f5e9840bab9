//! The pages of peers, looked at. Changes are in `changing`.

mod changing;

use tonic::Status;
use wgfleet_proto::v1::TokenRole;

use super::{super::ID, Browser, Fake, Got};

const HOSTILE: &str = "<script>alert(1)</script>\"' onload=x";

async fn as_admin(fake: &Fake) -> Browser {
    let mut fake = fake.clone();
    fake.role.get_or_insert(TokenRole::Admin);
    Browser::signed_in(&fake).await
}

/// Sends that form with the token of the session.
async fn post(browser: &mut Browser, path: &str, form: &str) -> Got {
    let csrf = browser.get("/peers").await.csrf();
    browser
        .post(path, &format!("csrf={csrf}&{form}"), &[])
        .await
}

fn of(rest: &str) -> String {
    format!("/peers/{ID}{rest}")
}

/// The messages of that type, in order.
fn asked(fake: &Fake, name: &str) -> Vec<String> {
    let asked = fake.asked.lock().expect("not poisoned");
    let messages = asked.iter().map(|(message, _)| message.clone());
    messages
        .filter(|message| message.starts_with(name))
        .collect()
}

#[tokio::test]
async fn the_table_asks_for_a_page_with_every_filter() {
    let fake = Fake::new();
    let mut browser = as_admin(&fake).await;
    let got = browser
        .get(
            "/peers?q=lap&node=node-1&label=a%3Db+c%3Dd&online=true&sync=failed&state=expired\
             &enabled=false&expires_before=2026-03-01T12%3A00&sort=-rx_bytes_total&cursor=c&before=",
        )
        .await;
    assert_eq!(got.status, 200, "{}", got.text());
    let message = asked(&fake, "ListPeersRequest").pop().expect("asked");
    for part in [
        "page_size: 50, cursor: \"c\"",
        ID,
        "q: \"lap\"",
        "\"a\": \"b\"",
        "\"c\": \"d\"",
        "online: Some(true)",
        "sync: Failed",
        "enabled: Some(false)",
        "expires_before: Some(1772366400)",
        "sort: RxBytesTotalDesc",
        "state: Expired",
    ] {
        assert!(message.contains(part), "{part} in {message}");
    }
    for shown in [
        "1 of 7",
        "The node is offline.",
        "15.9 EiB",
        "10.8.0.2/32",
        "value=\"lap\"",
        "aria-sort=\"descending\"",
        "rel=\"prev\"",
        "rel=\"next\"",
        &format!("data-live=\"peer:{ID}\""),
        "hx-trigger=\"live consume\"",
        "data-live-many",
    ] {
        assert!(got.text().contains(shown), "{shown}: {}", got.text());
    }
}

#[tokio::test]
async fn empty_fields_are_no_filters() {
    let fake = Fake::new();
    let mut browser = as_admin(&fake).await;
    let got = browser
        .get("/peers?q=&node=&label=&online=&sync=&state=&enabled=&expires_before=&sort=")
        .await;
    assert_eq!(got.status, 200);
    let with_none = asked(&fake, "ListPeersRequest").pop();
    browser.get("/peers").await;
    assert_eq!(asked(&fake, "ListPeersRequest").pop(), with_none);
}

#[tokio::test]
async fn a_filter_that_is_none_is_said_beside_what_was_typed() {
    let fake = Fake::new();
    let mut browser = as_admin(&fake).await;
    for (query, said) in [
        ("label=team", "is no label"),
        ("expires_before=soon", "is no time"),
        ("sync=perhaps", "Sync must be one of"),
        ("node=nowhere", "There is no node named nowhere."),
    ] {
        let got = browser.get(&format!("/peers?q=kept&{query}")).await;
        assert_eq!(got.status, 400, "{query}");
        assert!(got.text().contains(said), "{}", got.text());
        assert!(got.text().contains("value=\"kept\""));
    }
    assert_eq!(asked(&fake, "ListPeersRequest").len(), 0);
    assert_eq!(browser.get("/peers?qq=a").await.status, 400, "misspelt");
}

#[tokio::test]
async fn names_are_text_on_every_page() {
    let mut fake = Fake::new();
    fake.name = Some(HOSTILE.into());
    let mut browser = as_admin(&fake).await;
    let mut all = Vec::new();
    for path in ["", "/row", "/now", "/edit"] {
        all.push(browser.get(&of(path)).await);
    }
    all.push(browser.get("/peers").await);
    all.push(browser.get("/peers/rows").await);
    fake.only = Some("EnablePeerRequest");
    fake.refusal = Some(Status::not_found("<b>gone</b>"));
    let mut other = as_admin(&fake).await;
    all.push(post(&mut other, "/peers/chosen", &format!("do=enable&id={ID}")).await);
    for got in all {
        assert_eq!(got.status, 200, "{}", got.text());
        let escaped = "&#60;script&#62;alert(1)&#60;/script&#62;&#34;&#39; onload=x";
        assert!(got.text().contains(escaped), "{}", got.text());
        for raw in ["<script>alert", "\"' onload", "<b>gone"] {
            assert!(!got.text().contains(raw), "{}", got.text());
        }
    }
}

#[tokio::test]
async fn a_configuration_is_a_file_with_a_safe_name() {
    let mut browser = as_admin(&Fake::new()).await;
    let got = browser.get(&of("/config")).await;
    assert_eq!(got.text(), "[Interface]\n");
    assert_eq!(
        got.header("content-disposition"),
        "attachment; filename=\"lap_top__.conf\""
    );
    assert_eq!(got.header("cache-control"), "no-store");
    let got = browser.get(&of("/qr?v=1")).await;
    assert_eq!(got.header("content-type"), "image/svg+xml");
    assert_eq!(got.text(), "an image");
}

#[tokio::test]
async fn a_viewer_sees_neither_keys_nor_buttons() {
    let mut fake = Fake::new();
    fake.role = Some(TokenRole::Viewer);
    let mut browser = Browser::signed_in(&fake).await;
    for path in [
        "/peers".to_owned(),
        of(""),
        of("/row"),
        of("/now"),
        of("/client"),
    ] {
        let got = browser.get(&path).await;
        assert_eq!(got.status, 200);
        for hidden in [
            "checkbox",
            "<dialog",
            "/peers/new",
            "/edit",
            "Disable",
            "[Interface]",
            "/qr",
            "/config",
        ] {
            let page = got
                .text()
                .replace("<option value=\"disabled\">Disabled", "");
            let page = page.replace("<option value=\"false\">Disabled", "");
            assert!(!page.contains(hidden), "{hidden} on {path}: {page}");
        }
    }
    assert_eq!(asked(&fake, "GetPeerConfigRequest").len(), 0);
    assert_eq!(asked(&fake, "ListAuditRequest").len(), 0);
}

#[tokio::test]
async fn traffic_of_a_peer_is_in_columns() {
    let fake = Fake::new();
    let mut browser = as_admin(&fake).await;
    let got = browser.get(&of("/traffic?range=hour")).await;
    assert_eq!(got.status, 200);
    let message = fake.last();
    assert!(message.contains("step_s: 300"), "{message}");
    let got = browser.get(&of("/traffic?range=aeon")).await;
    assert_eq!(got.status, 400);
}
