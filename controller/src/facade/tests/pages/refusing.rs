//! Changes that no page of ours asked for, and refusals as pages.

use tonic::Status;

use super::{Browser, Fake};

#[tokio::test]
async fn a_change_needs_the_token_of_its_own_session() {
    let fake = Fake::new();
    let mut browser = Browser::signed_in(&fake).await;
    let mine = browser.get("/").await.csrf();
    let first = browser.cookie.clone();
    browser.cookie = None;
    browser.post("/sign-in", "token=secret-token", &[]).await;
    let other = browser.get("/").await.csrf();
    assert_ne!(mine, other);
    browser.cookie = first;
    for form in [
        String::new(),
        "csrf=".into(),
        "csrf=wrong".into(),
        format!("csrf={other}"),
    ] {
        let got = browser.post("/sign-out", &form, &[]).await;
        assert_eq!(got.status, 403, "{form}");
        assert!(
            got.text().contains("The form is from another session"),
            "{}",
            got.text()
        );
    }
    let got = browser
        .post("/sign-out", "", &[("x-csrf-token", &other)])
        .await;
    assert_eq!(got.status, 403);
    let got = browser
        .post("/sign-out", "", &[("x-csrf-token", &mine)])
        .await;
    assert_eq!(got.status, 303, "as htmx sends it");
}

#[tokio::test]
async fn a_change_comes_from_this_origin() {
    let mut browser = Browser::signed_in(&Fake::new()).await;
    let csrf = browser.get("/").await.csrf();
    for (path, form) in [
        ("/sign-out", format!("csrf={csrf}")),
        ("/sign-in", "token=secret-token".to_owned()),
    ] {
        for foreign in [
            [("origin", "https://evil.example"), ("x", "")],
            [("origin", "null"), ("x", "")],
            [("origin", "http://fleet.example:81"), ("x", "")],
            [
                ("origin", "http://fleet.example"),
                ("sec-fetch-site", "cross-site"),
            ],
            [
                ("origin", "http://fleet.example"),
                ("sec-fetch-site", "same-site"),
            ],
        ] {
            let got = browser.post(path, &form, &foreign).await;
            assert_eq!(got.status, 403, "{path} {foreign:?}");
            assert_eq!(got.header("set-cookie"), "");
        }
    }
    assert_eq!(browser.get("/").await.status, 200, "still signed in");
}

#[tokio::test]
async fn what_a_service_refuses_is_a_page_with_its_sentence() {
    let mut fake = Fake::new();
    let mut browser = Browser::signed_in(&fake).await;
    fake.refusal = Some(Status::unavailable("the store is <busy>"));
    let mut browser = Browser {
        router: super::over_with(&fake, super::PageOptions { secure: false }),
        cookie: browser.cookie.take(),
    };
    browser.post("/sign-in", "token=secret-token", &[]).await;
    let got = browser.get("/").await;
    assert_eq!(got.status, 503);
    assert!(got.header("content-type").starts_with("text/html"));
    assert!(
        got.text().contains("The store is &#60;busy&#62;."),
        "{}",
        got.text()
    );
    assert!(got.text().contains("Sign out"), "with the navigation");
    assert!(!got.header("retry-after").is_empty());

    let got = browser
        .get_with("/overview/now", &[("hx-request", "true")])
        .await;
    assert_eq!(got.status, 503);
    assert!(got.header("content-type").starts_with("text/plain"));
    assert_eq!(got.text(), "The store is <busy>.");
}

#[tokio::test]
async fn an_address_without_anything() {
    let mut browser = Browser::signed_in(&Fake::new()).await;
    let got = browser.get("/nothing").await;
    assert_eq!(got.status, 404);
    assert!(got.text().contains("There is nothing at this address."));
    for (path, accept) in [("/api/v1/nothing", "text/html"), ("/nothing", "*/*")] {
        let got = browser.get_with(path, &[("accept", accept)]).await;
        assert_eq!(got.status, 404);
        assert_eq!(
            got.header("content-type"),
            "application/problem+json",
            "{path}"
        );
    }
    let got = browser.send("DELETE", "/", "", &[]).await;
    assert_ne!(got.status, 200);
    let got = browser.get("/sign-out").await;
    assert_eq!(got.status, 405);
    assert!(
        got.text().contains("can&#39;t be used in this way"),
        "{}",
        got.text()
    );
}
