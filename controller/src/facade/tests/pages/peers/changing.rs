//! What is done to peers by forms.

use tonic::{Code, Status};

use super::{Fake, ID, as_admin, asked, of, post};
use crate::services::status::refuse;

#[tokio::test]
async fn nothing_is_done_without_the_token_of_the_session() {
    let fake = Fake::new();
    let mut browser = as_admin(&fake).await;
    for path in [
        "/peers/chosen",
        "/peers/new",
        "/peers/many",
        &of("/edit"),
        &of("/move"),
        &of("/enable"),
        &of("/disable"),
        &of("/delete"),
    ] {
        let got = browser
            .post(path, &format!("csrf=guessed&do=delete&id={ID}&name=a"), &[])
            .await;
        assert_eq!(got.status, 403, "{path}");
    }
    assert_eq!(asked(&fake, "").len(), 0);
}

#[tokio::test]
async fn a_peer_is_added_as_it_was_typed() {
    let fake = Fake::new();
    let mut browser = as_admin(&fake).await;
    let form = "name=laptop&node=node-1&selector=&public_key=&preshared=given&preshared_key=PSK\
                &keep_private_key=true&allowed_ips=10.8.0.9%2F32%2C+fd00%3A%3A9%2F128&labels=a%3Db\
                &persistent_keepalive=25&enabled=true&quota_bytes=5+GB&quota_period=week\
                &expires_at=2030-01-01T00%3A00&dns=1.1.1.1&mtu=1400&client_allowed_ips=0.0.0.0%2F0";
    let got = post(&mut browser, "/peers/new", form).await;
    assert_eq!(got.status, 303, "{}", got.text());
    assert_eq!(got.header("location"), of(""));
    let message = asked(&fake, "CreatePeerRequest").pop().expect("asked");
    for part in [
        "name: \"laptop\"",
        ID,
        "keep_private_key: Some(true)",
        "Key(\"PSK\")",
        "\"fd00::9/128\"",
        "persistent_keepalive: Some(25)",
        "{\"a\": \"b\"}",
        "enabled: Some(true)",
        "expires_at: Some(1893456000)",
        "dns: [\"1.1.1.1\"]",
        "mtu: Some(1400)",
        "client_allowed_ips: [\"0.0.0.0/0\"]",
        "quota_bytes: Some(5000000000)",
        "quota_period: Week",
    ] {
        assert!(message.contains(part), "{part} in {message}");
    }
    let page = browser.get(&of("")).await;
    let said = "laptop was added on node-1: 3 of 100 peers at weight 100.";
    assert!(page.text().contains(said), "{}", page.text());
}

#[tokio::test]
async fn what_was_typed_is_kept_when_it_is_refused() {
    let mut fake = Fake::new();
    let taken = refuse(
        Code::AlreadyExists,
        "address_taken",
        Some("allowed_ips"),
        "10.8.0.9/32 is <taken>",
    );
    fake.only = Some("CreatePeerRequest");
    fake.refusal = Some(taken);
    let mut browser = as_admin(&fake).await;
    let form =
        "name=%3Cb%3E&allowed_ips=10.8.0.9%2F32&preshared=given&preshared_key=MYSECRET&mtu=1400";
    let got = post(&mut browser, "/peers/new", form).await;
    assert_eq!(got.status, 409);
    for shown in [
        "10.8.0.9/32 is &#60;taken&#62;.",
        "value=\"&#60;b&#62;\"",
        "value=\"10.8.0.9/32\"",
        "value=\"1400\"",
        "<option value=\"given\" selected>",
        "aria-invalid=\"true\"",
    ] {
        assert!(got.text().contains(shown), "{shown}: {}", got.text());
    }
    assert!(!got.text().contains("MYSECRET"), "a key is not shown again");
    assert!(
        !got.text()
            .contains("keep_private_key\" type=\"checkbox\" value=\"true\" checked")
    );
    for (typed, said) in [
        ("mtu=much", "no whole number"),
        ("quota_bytes=much", "no amount"),
        ("node=nowhere", "no node named"),
    ] {
        let got = post(&mut browser, "/peers/new", &format!("name=kept&{typed}")).await;
        assert_eq!(got.status, 400);
        assert!(got.text().contains(said), "{}", got.text());
        assert!(got.text().contains("value=\"kept\""));
    }
}

#[tokio::test]
async fn a_key_that_nobody_keeps_is_shown_once() {
    let fake = Fake::new();
    let mut browser = as_admin(&fake).await;
    let got = post(&mut browser, "/peers/new", "name=laptop&enabled=true").await;
    assert_eq!(got.status, 200, "{}", got.text());
    for shown in [
        "This is shown once.",
        "PrivateKey = a drawn key",
        "data:image/svg+xml;base64,",
        "download=\"lap&#34;top",
        "PrivateKey = a drawn key",
    ] {
        assert!(got.text().contains(shown), "{shown}: {}", got.text());
    }
    let page = browser.get(&of("")).await;
    assert!(!page.text().contains("a drawn key"));
}

#[tokio::test]
async fn an_edit_sends_what_is_other_now_and_the_version_it_was_made_on() {
    let fake = Fake::new();
    let mut browser = as_admin(&fake).await;
    let page = browser.get(&of("/edit")).await;
    assert!(
        page.text().contains("name=\"etag\" value=\"v1\""),
        "{}",
        page.text()
    );
    let form = "etag=v1&name=renamed&public_key=key&preshared=keep&allowed_ips=10.8.0.2%2F32\
                &persistent_keepalive=25&enabled=true&quota_period=month";
    let got = post(&mut browser, &of("/edit"), form).await;
    assert_eq!(
        (got.status.as_u16(), got.header("location")),
        (303, &*of(""))
    );
    let message = asked(&fake, "UpdatePeerRequest").pop().expect("asked");
    assert!(message.contains("name: Some(\"renamed\")"), "{message}");
    assert!(message.contains("if_match: [\"v1\"]"), "{message}");
    assert_eq!(message.matches("Some(").count(), 1, "{message}");
    let page = browser.get(&of("")).await;
    assert!(
        page.text()
            .contains("The client needs its configuration again")
    );

    // Neither a mark for any version nor none at all.
    for form in ["etag=*&name=a", "name=a"] {
        post(&mut browser, &of("/edit"), form).await;
        let message = asked(&fake, "UpdatePeerRequest").pop().expect("asked");
        assert!(message.contains("if_match: [\"\"]"), "{message}");
    }
}

#[tokio::test]
async fn an_edit_of_another_version_keeps_what_was_typed() {
    let mut fake = Fake::new();
    let stale = refuse(
        Code::FailedPrecondition,
        "etag_mismatch",
        None,
        "it is another one by now",
    );
    fake.only = Some("UpdatePeerRequest");
    fake.refusal = Some(stale);
    let mut browser = as_admin(&fake).await;
    let form = "etag=v0&name=mine&public_key=key&labels=a%3Db&preshared=none";
    let got = post(&mut browser, &of("/edit"), form).await;
    assert_eq!(got.status, 412);
    for shown in [
        "It is another one by now.",
        "value=\"mine\"",
        "value=\"a=b\"",
        "value=\"v0\"",
        "Load it as it is now",
    ] {
        assert!(got.text().contains(shown), "{shown}: {}", got.text());
    }
}

#[tokio::test]
async fn buttons_of_one_peer() {
    let mut fake = Fake::new();
    let mut browser = as_admin(&fake).await;
    for (button, form, message, to) in [
        ("/enable", "", "EnablePeerRequest", of("")),
        ("/disable", "", "DisablePeerRequest", of("")),
        ("/move", "node=node-1", "UpdatePeerRequest", of("")),
        ("/delete", "", "DeletePeerRequest", "/peers".to_owned()),
    ] {
        let got = post(&mut browser, &of(button), form).await;
        assert_eq!(
            (got.status.as_u16(), got.header("location")),
            (303, &*to),
            "{button}"
        );
        let sent = asked(&fake, message).pop().expect("asked");
        assert!(sent.contains(ID), "{sent}");
    }
    let got = post(&mut browser, &of("/move"), "node=nowhere").await;
    assert_eq!(got.status, 400);
    assert!(
        got.text().contains("There is no node named nowhere."),
        "{}",
        got.text()
    );
    assert!(got.text().contains("value=\"nowhere\""), "it is kept");
    fake.only = Some("DeletePeerRequest");
    fake.refusal = Some(Status::unavailable("busy"));
    let mut browser = as_admin(&fake).await;
    let got = post(&mut browser, &of("/delete"), "").await;
    assert_eq!(got.status, 503);
    assert!(got.text().contains("Busy."), "{}", got.text());
}

#[tokio::test]
async fn one_thing_is_done_to_all_that_were_chosen() {
    let mut fake = Fake::new();
    let other = ID.replace('8', "9");
    let both = format!("id={ID}&id={other}&id={ID}&back=q%3Da%26sort%3Dname");
    for (act, message) in [
        ("enable", "EnablePeerRequest"),
        ("disable", "DisablePeerRequest"),
        ("move&node=node-1", "UpdatePeerRequest"),
    ] {
        let mut browser = as_admin(&fake).await;
        let got = post(&mut browser, "/peers/chosen", &format!("do={act}&{both}")).await;
        assert_eq!(
            (got.status.as_u16(), got.header("location")),
            (303, "/peers?q=a&sort=name")
        );
        assert_eq!(asked(&fake, message).len(), 2, "each once");
        let page = browser.get("/peers").await;
        assert!(page.text().contains("2 peers were"), "{}", page.text());
    }
    let mut browser = as_admin(&fake).await;
    // The second is refused.
    let got = post(&mut browser, "/peers/chosen", &format!("do=delete&{both}")).await;
    assert_eq!(got.status, 200);
    for shown in [
        "1 of 2 peers were deleted.",
        "No such peer.",
        "href=\"/peers?q=a&#38;sort=name\"",
    ] {
        assert!(got.text().contains(shown), "{shown}: {}", got.text());
    }
    for (form, said) in [
        ("do=delete".to_owned(), "No peer was chosen"),
        (format!("do=move&id={ID}"), "Choose the node to move to"),
        (format!("do=shout&id={ID}"), "no such thing"),
    ] {
        let got = post(&mut browser, "/peers/chosen", &form).await;
        assert_eq!(got.status, 400);
        assert!(got.text().contains(said), "{}", got.text());
    }
    fake.only = Some("DisablePeerRequest");
    fake.refusal = Some(Status::not_found("there is no such peer"));
    let mut browser = as_admin(&fake).await;
    let got = post(&mut browser, "/peers/chosen", &format!("do=disable&{both}")).await;
    assert!(
        got.text().contains("0 of 2 peers were disabled."),
        "{}",
        got.text()
    );
    assert_eq!(got.text().matches("There is no such peer.").count(), 2);
}
