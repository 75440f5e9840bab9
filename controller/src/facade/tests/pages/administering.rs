//! The pages for administrators: audit, tokens, webhooks, backup; and the API for all.

use tonic::{Code, Status};
use wgfleet_proto::v1::TokenRole;

use super::{super::ID, Browser, Fake, Got};
use crate::services::status::refuse;

const HOSTILE: &str = "<script>alert(1)</script>\"' onload=x";
const ESCAPED: &str = "&#60;script&#62;alert(1)&#60;/script&#62;&#34;&#39; onload=x";

/// Every page for administrators.
fn paths() -> Vec<String> {
    let webhook = format!("/webhooks/{ID}");
    vec![
        "/audit".into(),
        "/tokens".into(),
        "/tokens/new".into(),
        format!("/tokens/{ID}/revoke"),
        "/webhooks".into(),
        "/webhooks/rows".into(),
        "/webhooks/new".into(),
        webhook.clone(),
        format!("{webhook}/now"),
        format!("{webhook}/edit"),
        format!("{webhook}/delete"),
        "/backup".into(),
    ]
}

async fn admin(fake: &Fake) -> Browser {
    let mut fake = fake.clone();
    fake.role = Some(TokenRole::Admin);
    Browser::signed_in(&fake).await
}

/// One whose session is good and whose calls are refused.
async fn refused(role: TokenRole, status: Status) -> Browser {
    let mut fake = Fake::refusing(status);
    fake.role = Some(role);
    Browser::signed_in(&fake).await
}

async fn send(browser: &mut Browser, path: &str, form: &str) -> Got {
    let csrf = browser.get("/api").await.csrf();
    let form = format!("csrf={csrf}&{form}");
    browser.post(path, &form, &[]).await
}

#[tokio::test]
async fn names_are_text_on_every_page() {
    let mut fake = Fake::new();
    fake.name = Some(HOSTILE.into());
    let mut browser = admin(&fake).await;
    for path in paths().iter().map(String::as_str).chain(["/api"]) {
        let got = browser.get(path).await;
        assert_eq!(got.status, 200, "{path}: {}", got.text());
        assert!(!got.text().contains("<script>alert"), "{path}");
        assert!(!got.text().contains("\"' onload"), "{path}");
        // Whoever is signed in is named at the top of a page; the others are its own.
        let has_own = !["/tokens/new", "/webhooks/new", "/backup", "/api"].contains(&path);
        let is_part = path.ends_with("/rows");
        let least = usize::from(!is_part) + usize::from(has_own);
        let shown = got.text().matches(ESCAPED).count();
        let is_now = path.ends_with("/now");
        assert!(is_now || shown >= least, "{path}: {}", got.text());
    }
}

#[tokio::test]
async fn whoever_is_no_administrator_is_told_so_and_shown_nothing() {
    for role in [TokenRole::Operator, TokenRole::Viewer] {
        let why = "this takes a token of the role admin";
        let status = refuse(Code::PermissionDenied, "forbidden", None, why);
        let mut browser = refused(role, status).await;
        for path in paths() {
            let got = browser.get(&path).await;
            assert_eq!(got.status, 403, "{path}");
            assert!(got.text().contains("This takes a token"), "{path}");
            assert!(!got.text().contains("192.0.2.7"), "{path}");
        }
        for path in ["/tokens/new", "/webhooks/new", "/backup"] {
            let got = send(&mut browser, path, "name=a&role=viewer&url=b").await;
            assert_eq!(got.status, 403, "{path}");
            assert!(got.text().contains("This takes a token"), "{path}");
        }
        let nav = browser.get("/api").await;
        assert_eq!(nav.status, 200, "what can be called is no secret");
        for link in ["/audit", "/tokens", "/webhooks", "/backup"] {
            let link = format!("<li><a href=\"{link}\"");
            assert!(!nav.text().contains(&link), "{role:?} {link}");
        }
    }
}

#[tokio::test]
async fn changes_need_the_token_of_the_session() {
    let fake = Fake::new();
    let mut browser = admin(&fake).await;
    let before = fake.calls();
    for path in [
        "/tokens/new".to_owned(),
        format!("/tokens/{ID}/revoke"),
        "/webhooks/new".into(),
        format!("/webhooks/{ID}/edit"),
        format!("/webhooks/{ID}/ping"),
        format!("/webhooks/{ID}/enable"),
        format!("/webhooks/{ID}/disable"),
        format!("/webhooks/{ID}/delete"),
        "/backup".into(),
    ] {
        for form in ["", "csrf=guessed"] {
            let got = browser.post(&path, form, &[]).await;
            assert_eq!(got.status, 403, "{path} {form}");
        }
    }
    let asked = fake.asked.lock().expect("not poisoned");
    let messages: Vec<_> = asked[before..].iter().map(|(message, _)| message).collect();
    assert_eq!(messages, [""; 0]);
}

#[tokio::test]
async fn the_audit_tells_what_changed_and_is_asked_as_it_was_filtered() {
    let fake = Fake::new();
    let mut browser = admin(&fake).await;
    let got = browser
        .get("/audit?actor=ci&action=&object_kind=peer&since=2026-03-01T12:00&cursor=x")
        .await;
    for shown in [
        "2026-03-01 12:00:00",
        "peer.update",
        "192.0.2.7",
        &format!("href=\"/peers/{ID}\""),
        "<dt>enabled</dt><dd><ins>false</ins></dd>",
        "href=\"/audit?actor=ci&#38;object_kind=peer&#38;since=2026-03-01T12%3A00&#38;cursor=abc\"",
        "href=\"/audit\"",
        "value=\"ci\"",
    ] {
        assert!(got.text().contains(shown), "{shown}: {}", got.text());
    }
    let asked = fake.last();
    for part in [
        "actor: \"ci\"",
        "object_kind: \"peer\"",
        "since: Some(1772366400)",
        "until: None",
        "cursor: \"x\"",
    ] {
        assert!(asked.contains(part), "{part} in {asked}");
    }
    let got = browser.get("/audit?since=noon&actor=ci").await;
    assert_eq!(got.status, 400);
    assert!(got.text().contains("id=\"refused\""), "{}", got.text());
    assert!(got.text().contains("value=\"ci\""), "what was typed stays");
    let got = browser.get("/audit?colour=red").await;
    assert_eq!(got.status, 400);
}

#[tokio::test]
async fn a_token_is_shown_once_and_only_where_it_was_made() {
    let fake = Fake::new();
    let mut browser = admin(&fake).await;
    let form =
        "name=ci&role=viewer&label_scope=team%3Dred%0D%0Aregion%3Deu&expires_at=2026-03-01T12:00";
    let made = send(&mut browser, "/tokens/new", form).await;
    assert_eq!(made.status, 200, "{}", made.text());
    assert_eq!(made.text().matches("wgf_drawn").count(), 1);
    assert_eq!(made.header("cache-control"), "no-store");
    let asked = fake.last();
    for part in [
        "name: \"ci\"",
        "role: Viewer",
        "\"team\": \"red\"",
        "\"region\": \"eu\"",
        "expires_at: Some(1772366400)",
    ] {
        assert!(asked.contains(part), "{part} in {asked}");
    }
    for path in ["/tokens", "/tokens/new", "/audit", "/"] {
        let got = browser.get(path).await;
        assert!(!got.text().contains("wgf_drawn"), "{path}");
    }
}

#[tokio::test]
async fn what_was_typed_into_a_refused_form_stays_but_for_secrets() {
    let taken = || {
        refuse(
            Code::AlreadyExists,
            "name_taken",
            Some("name"),
            "it is taken",
        )
    };
    let typed = "name=ci+2&role=viewer&label_scope=team%3Dred&expires_at=";
    let mut browser = refused(TokenRole::Admin, taken()).await;
    let got = send(&mut browser, "/tokens/new", typed).await;
    assert_eq!(got.status, 409);
    for shown in [
        "It is taken.",
        "value=\"ci 2\"",
        ">team=red</textarea>",
        "value=\"viewer\" selected",
    ] {
        assert!(got.text().contains(shown), "{shown}: {}", got.text());
    }
    for (form, said) in [
        ("name=a&role=king", "Choose one of the roles."),
        ("name=a&role=viewer&label_scope=team", "“team” is no label"),
        ("name=a&role=viewer&expires_at=soon", "This is no time"),
    ] {
        let fake = Fake::new();
        let mut browser = admin(&fake).await;
        let got = send(&mut browser, "/tokens/new", form).await;
        assert_eq!(got.status, 400, "{form}");
        assert!(got.text().contains(said), "{said}: {}", got.text());
    }

    // A webhook's form lists nodes, which are refused here as well: that is told instead.
    let mut browser = refused(TokenRole::Admin, taken()).await;
    let form = "name=b&url=https%3A%2F%2Fx.example&secret=a-secret-of-mine-1";
    let got = send(&mut browser, "/webhooks/new", form).await;
    assert_eq!(got.status, 409);
    assert!(!got.text().contains("a-secret-of-mine-1"));
}

#[tokio::test]
async fn a_token_is_revoked_after_a_question() {
    let fake = Fake::new();
    let mut browser = admin(&fake).await;
    let path = format!("/tokens/{ID}/revoke");
    let asked = browser.get(&path).await;
    assert!(asked.text().contains("Revoke “ci”?"), "{}", asked.text());
    let got = send(&mut browser, &path, "").await;
    assert_eq!(
        (got.status.as_u16(), got.header("location")),
        (303, "/tokens")
    );
    assert!(fake.last().contains(ID), "{}", fake.last());
    let list = browser.get("/tokens").await;
    assert!(
        list.text()
            .contains("The token “ci” is refused from now on.")
    );
    assert!(!browser.get("/tokens").await.text().contains("from now on"));
    let unknown = ID.replace('1', "2");
    let got = browser.get(&format!("/tokens/{unknown}/revoke")).await;
    assert_eq!(got.status, 404);
}

#[tokio::test]
async fn a_webhook_from_its_making_to_its_end() {
    let fake = Fake::new();
    let mut browser = admin(&fake).await;
    let form = "name=billing&url=https%3A%2F%2Fexample.com%2Fhook&kinds=peer.created&kinds=peer.deleted&enabled=true&node_id=&secret=&tls_ca_pem=";
    let made = send(&mut browser, "/webhooks/new", form).await;
    assert_eq!(made.text().matches("shown once").count(), 1, "the secret");
    let asked = fake.last();
    for part in [
        "secret: None",
        "enabled: Some(true)",
        "[\"peer.created\", \"peer.deleted\"]",
    ] {
        assert!(asked.contains(part), "{part} in {asked}");
    }

    let path = format!("/webhooks/{ID}");
    let got = browser.get(&path).await;
    for shown in [
        "https://example.com/hook",
        "given up",
        "It answered 500.",
        "12 ms",
        "data-live-every",
        "cursor=41",
    ] {
        assert!(got.text().contains(shown), "{shown}: {}", got.text());
    }
    let part = browser.get(&format!("{path}/now?cursor=41")).await;
    assert!(part.text().trim_start().starts_with("<div id=\"now\""));
    assert!(
        part.text().contains("now?cursor=41"),
        "it stays on its page"
    );

    for (act, message, to) in [
        ("edit", "kinds: Some(StringList { values: [] })", &path),
        ("disable", "enabled: Some(false), kinds: None", &path),
        ("enable", "enabled: Some(true), kinds: None", &path),
        ("ping", "TestWebhookRequest", &path),
        ("delete", "DeleteWebhookRequest", &"/webhooks".to_owned()),
    ] {
        let got = send(&mut browser, &format!("{path}/{act}"), "name=b&url=c").await;
        assert_eq!(
            (got.status.as_u16(), got.header("location")),
            (303, to.as_str()),
            "{act}"
        );
        assert!(fake.last().contains(message), "{act}: {}", fake.last());
    }
    let said = browser.get("/webhooks").await;
    assert!(said.text().contains("The webhook was deleted."));
}

#[tokio::test]
async fn a_backup_is_streamed_as_the_api_does_it() {
    let mut browser = admin(&Fake::new()).await;
    let page = browser.get("/backup").await;
    assert!(page.text().contains("The master key is not in it."));
    let csrf = page.csrf();
    let encoding = [("accept-encoding", "gzip")];
    let got = browser
        .post("/backup", &format!("csrf={csrf}"), &encoding)
        .await;
    assert_eq!(got.status, 200, "{}", got.text());
    assert_eq!(got.header("content-type"), "application/octet-stream");
    assert_eq!(got.header("content-encoding"), "", "its length is told");
    assert_eq!(
        got.header("content-length"),
        got.body.len().to_string().as_str()
    );
    assert!(got.header("content-disposition").contains(".backup\""));
    assert_eq!(got.header("cache-control"), "no-store");
}

#[tokio::test]
async fn the_api_is_small_on_the_wire() {
    let mut browser = Browser::signed_in(&Fake::new()).await;
    let got = browser
        .get_with("/api", &[("accept-encoding", "gzip")])
        .await;
    assert_eq!(got.header("content-encoding"), "gzip");
    assert!(got.body.len() < 60_000, "{} bytes", got.body.len());
    let got = browser.get("/api").await;
    assert!(got.text().contains("href=\"/api/v1/openapi.json\""));
    assert!(got.text().contains("id=\"createPeer\""));
}
