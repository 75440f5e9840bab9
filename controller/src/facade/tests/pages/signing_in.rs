//! Signing in and out.

use tonic::Status;

use super::{Browser, Fake, PageOptions};

#[tokio::test]
async fn a_stranger_is_sent_to_sign_in_and_comes_back_to_where_they_were_going() {
    let mut browser = Browser::over(&Fake::new());
    let got = browser.get("/?range=week&x=a%20b").await;
    assert_eq!(got.status, 303);
    assert_eq!(
        got.header("location"),
        "/sign-in?next=%2F%3Frange%3Dweek%26x%3Da%2520b"
    );
    let form = browser.get(got.header("location")).await;
    assert_eq!(form.status, 200);
    assert!(
        form.text().contains("value=\"/?range=week&#38;x=a%20b\""),
        "{}",
        form.text()
    );

    let next = "token=secret-token&next=%2Fnodes%3Fq%3Da";
    let got = browser.post("/sign-in", next, &[]).await;
    assert_eq!(
        (got.status.as_u16(), got.header("location")),
        (303, "/nodes?q=a")
    );
    assert_eq!(browser.get("/").await.status, 200);
}

#[tokio::test]
async fn the_cookie_is_for_this_site_and_no_script() {
    for (secure, name, flags) in [
        (
            false,
            "wgfleet_session=",
            "; Path=/; HttpOnly; SameSite=Strict",
        ),
        (
            true,
            "__Host-wgfleet_session=",
            "; Path=/; HttpOnly; SameSite=Strict; Secure",
        ),
    ] {
        let mut browser = Browser::with(&Fake::new(), PageOptions { secure });
        let got = browser.post("/sign-in", "token=secret-token", &[]).await;
        let cookie = got.header("set-cookie");
        let value = cookie
            .strip_prefix(name)
            .and_then(|rest| rest.strip_suffix(flags));
        assert_eq!(value.map(str::len), Some(43), "32 random bytes: {cookie}");
        assert!(!cookie.contains("secret-token"));
    }
}

#[tokio::test]
async fn a_session_that_was_brought_along_is_never_adopted() {
    let mut browser = Browser::over(&Fake::new());
    let planted = format!("wgfleet_session={}", "A".repeat(43));
    browser.cookie = Some(planted.clone());
    browser.post("/sign-in", "token=secret-token", &[]).await;
    let mine = browser.cookie.replace(planted.clone());
    assert_ne!(mine, Some(planted));
    assert_eq!(
        browser.get("/").await.status,
        303,
        "what was planted stays worthless"
    );
}

#[tokio::test]
async fn signing_in_again_ends_the_session_before() {
    let mut browser = Browser::signed_in(&Fake::new()).await;
    let before = browser.cookie.clone();
    browser.post("/sign-in", "token=secret-token", &[]).await;
    assert_ne!(browser.cookie, before);
    browser.cookie = before;
    assert_eq!(browser.get("/").await.status, 303);
}

#[tokio::test]
async fn signing_out_ends_the_session() {
    let mut browser = Browser::signed_in(&Fake::new()).await;
    let cookie = browser.cookie.clone();
    let csrf = browser.get("/").await.csrf();
    let got = browser
        .post("/sign-out", &format!("csrf={csrf}"), &[])
        .await;
    assert_eq!(
        (got.status.as_u16(), got.header("location")),
        (303, "/sign-in")
    );
    assert!(got.header("set-cookie").ends_with("; Max-Age=0"));
    browser.cookie = cookie;
    assert_eq!(browser.get("/").await.status, 303);
}

#[tokio::test]
async fn a_wrong_token_is_refused_beside_the_form() {
    let mut fake = Fake::new();
    fake.closed = Some(Status::unauthenticated("no"));
    let mut browser = Browser::over(&fake);
    let got = browser
        .post("/sign-in", "token=wrong-one&next=/nodes", &[])
        .await;
    assert_eq!(got.status, 401);
    assert!(got.text().contains("That token is not valid"));
    assert!(got.text().contains("value=\"/nodes\""));
    assert!(!got.text().contains("wrong-one"), "it may be nearly right");
    assert_eq!(browser.cookie, None);
}

#[tokio::test]
async fn a_token_that_is_revoked_ends_its_session() {
    let fake = Fake::new();
    let browser = Browser::signed_in(&fake).await;
    let mut closed = fake.clone();
    closed.closed = Some(Status::unauthenticated("revoked"));
    let mut later = Browser::over(&closed);
    later.cookie = browser.cookie;
    let got = later.get("/").await;
    assert_eq!(
        (got.status.as_u16(), got.header("location")),
        (303, "/sign-in")
    );
}

#[tokio::test]
async fn parts_of_a_page_are_told_in_their_own_way_that_the_session_is_over() {
    let mut browser = Browser::over(&Fake::new());
    let part = [
        ("hx-request", "true"),
        ("hx-current-url", "http://fleet.example/nodes?q=a"),
    ];
    let got = browser.get_with("/overview/now", &part).await;
    assert_eq!(got.status, 401);
    assert_eq!(got.header("hx-redirect"), "/sign-in?next=%2Fnodes%3Fq%3Da");
    for path in ["/live", "/overview/throughput"] {
        let got = browser.get_with(path, &[("accept", "*/*")]).await;
        assert_eq!(got.status, 401, "{path}");
    }
}

#[tokio::test]
async fn nobody_is_sent_elsewhere_after_signing_in() {
    for next in [
        "https://evil.example/",
        "//evil.example",
        "/%5Cevil.example",
        "javascript:1",
    ] {
        let mut browser = Browser::over(&Fake::new());
        let form = format!("token=secret-token&next={next}");
        let got = browser.post("/sign-in", &form, &[]).await;
        assert_eq!(got.header("location"), "/", "{next}");
        let got = browser.get(&format!("/sign-in?next={next}")).await;
        assert_eq!(got.header("location"), "/", "{next}");
    }
}
