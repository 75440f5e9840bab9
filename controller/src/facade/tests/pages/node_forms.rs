//! The forms of nodes: what they send, and what is left of them when it is refused.

use axum::http::StatusCode;
use tonic::Status;

use super::{super::ID, Browser, Fake};
use crate::facade::problem::named;

const TYPED: &str = "name=berlin+%3C1%3E&agent_url=http%3A%2F%2F10.0.0.1%3A8080&wg_interface=wg7\
    &endpoint=vpn.example.com%3A1&ip_pool_cidr=10.9.0.0%2F24&weight=50&max_peers=9";

fn at(rest: &str) -> String {
    format!("/nodes/{ID}{rest}")
}

/// Signed in, with the token of the forms.
async fn over(fake: &Fake) -> (Browser, String) {
    let mut browser = Browser::signed_in(fake).await;
    let csrf = browser.get("/nodes").await.csrf();
    (browser, csrf)
}

fn refusing(only: &'static str, status: Status) -> Fake {
    let mut fake = Fake::refusing(status);
    fake.only = Some(only);
    fake
}

/// Fails unless the page has a field of that name with that value.
#[track_caller]
fn has_value(page: &str, name: &str, value: &str) {
    let (_, field) = page
        .split_once(&format!("name=\"{name}\""))
        .unwrap_or_else(|| panic!("no {name}"));
    let (field, _) = field.split_once('>').expect("its end");
    assert!(
        field.contains(&format!("value=\"{value}\"")),
        "{name}: {field}"
    );
}

#[tokio::test]
async fn add_node_has_the_documented_fields_in_their_order() {
    let (mut browser, _) = over(&Fake::new()).await;
    let got = browser.get("/nodes/new").await;
    let labels = got.text().split("<label for=\"f-").skip(1).map(|rest| {
        let (_, label) = rest.split_once('>').expect("a tag");
        label.split_once('<').expect("its end").0
    });
    let expected = [
        "Name",
        "Agent URL",
        "WireGuard Interface",
        "Endpoint",
        "IP Pool CIDR",
        "Weight",
        "Max Peers",
        "Shared Secret",
    ];
    assert_eq!(labels.collect::<Vec<_>>(), expected);
    has_value(got.text(), "weight", "100");
    has_value(got.text(), "max_peers", "0");
}

#[tokio::test]
async fn every_change_needs_its_csrf_token() {
    let fake = Fake::new();
    let (mut browser, _) = over(&fake).await;
    let before = fake.calls();
    let mut paths = vec!["/nodes/new".to_owned(), "/nodes/test".to_owned()];
    let of_one = [
        "/sync",
        "/unmanaged",
        "/adopt",
        "/enable",
        "/disable",
        "/test",
        "/edit",
        "/secret",
        "/delete",
    ];
    paths.extend(of_one.map(at));
    for path in paths {
        for csrf in ["", "csrf=wrong&"] {
            let form = format!("{csrf}{TYPED}&secret=x&peers=forget");
            let got = browser.post(&path, &form, &[]).await;
            assert_eq!(got.status, 403, "{path}");
        }
    }
    assert_eq!(fake.calls(), before, "nothing was asked of any service");
}

#[tokio::test]
async fn a_generated_secret_is_shown_in_the_answer_and_nowhere_else() {
    let fake = Fake::new();
    let (mut browser, csrf) = over(&fake).await;
    let got = browser
        .post("/nodes/new", &format!("csrf={csrf}&{TYPED}&secret="), &[])
        .await;
    assert_eq!(got.status, StatusCode::CREATED);
    assert!(got.text().contains("<code id=\"secret\">drawn</code>"));
    assert!(got.text().contains("/etc/wgfleet/agent.secret"));
    let asked = fake.last();
    for part in [
        "name: \"berlin <1>\"",
        "wg_interface: \"wg7\"",
        "weight: Some(50)",
        "max_peers: 9",
        "secret: None",
    ] {
        assert!(asked.contains(part), "{part}: {asked}");
    }
    let got = browser
        .post(
            "/nodes/new",
            &format!("csrf={csrf}&{TYPED}&secret=+own"),
            &[],
        )
        .await;
    assert_eq!(
        (got.status.as_u16(), got.header("location")),
        (303, &*at(""))
    );
    assert!(fake.last().contains("secret: Some(\" own\")"));
    assert!(!browser.get(&at("")).await.text().contains("own\""));
}

#[tokio::test]
async fn a_refusal_stands_beside_its_field_and_what_was_typed_stays() {
    let status = Status::already_exists("the name berlin <1> is taken");
    let fake = refusing("CreateNodeRequest", named(status, "name_taken", "name"));
    let (mut browser, csrf) = over(&fake).await;
    let form = format!("csrf={csrf}&{TYPED}&secret=my+own+secret");
    let got = browser.post("/nodes/new", &form, &[]).await;
    assert_eq!(got.status, 409);
    let page = got.text();
    let beside = "id=\"h-name\"><strong class=\"wrong\" role=\"alert\">The name berlin &#60;1&#62; is taken.";
    assert!(page.contains(beside), "{page}");
    assert!(page.contains("aria-invalid"));
    for (name, value) in [
        ("name", "berlin &#60;1&#62;"),
        ("agent_url", "http://10.0.0.1:8080"),
        ("wg_interface", "wg7"),
        ("endpoint", "vpn.example.com:1"),
        ("ip_pool_cidr", "10.9.0.0/24"),
        ("weight", "50"),
        ("max_peers", "9"),
        ("secret", "my own secret"),
    ] {
        has_value(page, name, value);
    }
    let got = browser
        .post(
            "/nodes/new",
            &format!("csrf={csrf}&name=x&weight=much"),
            &[],
        )
        .await;
    assert_eq!(got.status, 400);
    assert!(got.text().contains("A whole number is needed here."));
    has_value(got.text(), "weight", "much");
}

#[tokio::test]
async fn a_refusal_about_no_field_of_the_form_stands_above_it() {
    for field in ["", "public_key"] {
        let status = Status::unavailable("the store is busy");
        let status = named(status, "unavailable", field);
        let (mut browser, csrf) = over(&refusing("CreateNodeRequest", status)).await;
        let form = format!("csrf={csrf}&{TYPED}");
        let got = browser.post("/nodes/new", &form, &[]).await;
        assert_eq!(got.status, 503);
        assert!(
            got.text().contains("id=\"refused\">The store is busy."),
            "{field}"
        );
        has_value(got.text(), "wg_interface", "wg7");
    }
}

#[tokio::test]
async fn a_connection_is_tested_before_the_node_is_created() {
    let fake = Fake::new();
    let (mut browser, csrf) = over(&fake).await;
    let form = format!("csrf={csrf}&{TYPED}&secret=wrong");
    let got = browser
        .post("/nodes/test", &form, &[("hx-request", "true")])
        .await;
    assert_eq!(got.status, 200);
    assert!(!got.text().contains("<html"));
    for shown in [
        "The connection does not work.",
        "The agent refused the signature: wrong secret.",
        "It accepts the secret: no",
        "It has the interface: not tried",
    ] {
        assert!(got.text().contains(shown), "{shown}: {}", got.text());
    }
    assert!(fake.last().contains("Unsaved"), "{}", fake.last());

    let got = browser.post("/nodes/test", &form, &[]).await;
    assert!(got.text().contains("wrong secret"), "without scripts");
    has_value(got.text(), "agent_url", "http://10.0.0.1:8080");

    let before = fake.calls();
    let form = format!("csrf={csrf}&{TYPED}&secret=");
    let got = browser
        .post("/nodes/test", &form, &[("hx-request", "true")])
        .await;
    assert!(got.text().contains("no secret to test with"));
    assert_eq!(fake.calls(), before);

    let form = format!("csrf={csrf}");
    let got = browser.post(&at("/test"), &form, &[]).await;
    assert!(got.text().contains("wrong secret") && got.text().contains("laptop"));
}

/// What the form of the node the services show would send.
fn untouched() -> String {
    let form = [
        ("name", "node-1"),
        ("enabled", "true"),
        ("agent_url", "http://127.0.0.1:8080"),
        ("wg_interface", "wg0"),
        ("ip_pool_cidr", "10.8.0.0/24, fd00:8::/64"),
        ("weight", "100"),
        ("max_peers", "0"),
        ("labels", "region=eu"),
        ("unmanaged_peers", "adopt"),
        ("etag", "v1"),
    ];
    form_urlencoded::Serializer::new(String::new())
        .extend_pairs(form)
        .finish()
}

#[tokio::test]
async fn an_edit_sends_what_was_changed_over_the_version_that_was_shown() {
    let fake = Fake::new();
    let (mut browser, csrf) = over(&fake).await;
    let got = browser.get(&at("/edit")).await;
    has_value(got.text(), "etag", "v1");
    has_value(got.text(), "ip_pool_cidr", "10.8.0.0/24, fd00:8::/64");
    let form = format!(
        "csrf={csrf}&{}",
        untouched().replace("weight=100", "weight=7")
    );
    let got = browser.post(&at("/edit"), &form, &[]).await;
    assert_eq!(
        (got.status.as_u16(), got.header("location")),
        (303, &*at(""))
    );
    let asked = fake.last();
    for part in [
        "weight: Some(7)",
        "if_match: [\"v1\"]",
        "name: None",
        "labels: None",
        "unmanaged_peers: Unspecified",
        "enabled: None",
    ] {
        assert!(asked.contains(part), "{part}: {asked}");
    }
}

#[tokio::test]
async fn an_edit_of_an_older_version_keeps_what_was_typed() {
    let status = Status::failed_precondition("it was changed meanwhile");
    let status = named(status, "etag_mismatch", "if-match");
    let (mut browser, csrf) = over(&refusing("UpdateNodeRequest", status)).await;
    let typed = untouched()
        .replace("etag=v1", "etag=v0")
        .replace("name=node-1", "name=mine");
    let got = browser
        .post(&at("/edit"), &format!("csrf={csrf}&{typed}"), &[])
        .await;
    assert_eq!(got.status, 412);
    let page = got.text();
    assert!(page.contains("Somebody else changed the node"), "{page}");
    assert!(
        page.contains("Saved meanwhile: <code>node-1</code>"),
        "{page}"
    );
    assert_eq!(page.matches("Saved meanwhile").count(), 1);
    has_value(page, "name", "mine");
    has_value(page, "etag", "v1");
}

#[tokio::test]
async fn deleting_says_what_becomes_of_the_peers() {
    let fake = Fake::new();
    let (mut browser, csrf) = over(&fake).await;
    for (chosen, sent) in [
        ("move", "Move"),
        ("delete", "Delete"),
        ("forget", "Forget"),
        ("", "Refuse"),
    ] {
        let form = format!("csrf={csrf}&peers={chosen}");
        let got = browser.post(&at("/delete"), &form, &[]).await;
        assert_eq!(
            (got.status.as_u16(), got.header("location")),
            (303, "/nodes")
        );
        let asked = fake.last();
        assert!(asked.contains(&format!("peers: {sent}")), "{asked}");
    }
    let got = browser.get("/nodes").await;
    assert!(got.text().contains("node-1 was deleted."), "{}", got.text());
}

#[tokio::test]
async fn buttons_lead_back_to_where_they_were() {
    let fake = Fake::new();
    let (mut browser, csrf) = over(&fake).await;
    for (action, message) in [
        ("enable", "EnableNodeRequest"),
        ("disable", "DisableNodeRequest"),
    ] {
        for (from, to) in [("list", "/nodes".to_owned()), ("", at(""))] {
            let form = format!("csrf={csrf}&from={from}");
            let got = browser.post(&at(&format!("/{action}")), &form, &[]).await;
            assert_eq!((got.status.as_u16(), got.header("location")), (303, &*to));
            assert!(fake.last().starts_with(message));
        }
    }
}

#[tokio::test]
async fn a_secret_is_rotated() {
    let fake = Fake::new();
    let (mut browser, csrf) = over(&fake).await;
    let got = browser
        .post(&at("/secret"), &format!("csrf={csrf}&secret=next"), &[])
        .await;
    assert_eq!(
        (got.status.as_u16(), got.header("location")),
        (303, &*at(""))
    );
    assert!(fake.last().contains("secret: Some(\"next\")"));
    assert!(
        browser
            .get(&at(""))
            .await
            .text()
            .contains("took the new secret")
    );
    browser
        .post(&at("/secret"), &format!("csrf={csrf}"), &[])
        .await;
    assert!(fake.last().contains("secret: None"));
}
