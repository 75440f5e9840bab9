//! The table of nodes, and the page of one.

use wgfleet_proto::v1::TokenRole;

use super::{super::ID, Browser, Fake};

fn at(rest: &str) -> String {
    format!("/nodes/{ID}{rest}")
}

async fn as_role(role: TokenRole) -> Browser {
    let mut fake = Fake::new();
    fake.role = Some(role);
    Browser::signed_in(&fake).await
}

#[tokio::test]
async fn the_table_says_what_is_wrong_and_asks_again_row_by_row() {
    let mut browser = Browser::signed_in(&Fake::new()).await;
    let got = browser.get("/nodes?sort=peers&q=a%26b").await;
    assert_eq!(got.status, 200);
    let row = format!("id=\"node-{ID}\" data-live=\"node:{ID}\" hx-get=\"/nodes/{ID}/row\"");
    for shown in [
        "node-1",
        "<span class=\"chip bad\">offline</span>",
        "Connection refused.",
        "3 ms",
        "aria-sort=\"descending\"><a href=\"/nodes?q=a%26b&#38;sort=peers\">Peers",
        "hx-get=\"/nodes/rows?q=a%26b&#38;sort=peers\"",
        "value=\"a&#38;b\"",
        "Add Node",
        row.as_str(),
    ] {
        assert!(got.text().contains(shown), "{shown}: {}", got.text());
    }
    let part = browser.get(&at("/row")).await;
    assert!(part.text().starts_with("<tr id="), "{}", part.text());
    let part = browser.get("/nodes/rows").await;
    assert!(part.text().contains("<div id=\"nodes\""));
    assert!(!part.text().contains("<html"));
    for wrong in ["status=none", "sort=x", "page=0", "other=1"] {
        let got = browser.get(&format!("/nodes?{wrong}")).await;
        assert_eq!(got.status, 400, "{wrong}");
    }
}

#[tokio::test]
async fn all_nodes_are_one_call() {
    let fake = Fake::new();
    let mut browser = Browser::signed_in(&fake).await;
    let before = fake.calls();
    browser
        .get("/nodes?status=online&label=region%3Deu&page=9")
        .await;
    assert_eq!(fake.calls(), before + 1);
    assert_eq!(
        fake.last(),
        "ListNodesRequest { page: Some(PageRequest { page_size: 1000, cursor: \"\" }), status: \
         Online, label: {\"region\": \"eu\"}, q: \"\" }"
    );
}

#[tokio::test]
async fn a_viewer_sees_no_buttons_and_no_forms() {
    let mut browser = as_role(TokenRole::Viewer).await;
    for path in ["/nodes".to_owned(), at(""), at("/drift"), at("/row")] {
        let got = browser.get(&path).await;
        assert_eq!(got.status, 200, "{path}");
        for button in ["Add Node", "/edit", "/disable", "/sync", "/adopt", "/test"] {
            assert!(!got.text().contains(button), "{path}: {button}");
        }
    }
    for path in [
        "/nodes/new".to_owned(),
        at("/adopt?public_key=b"),
        at("/edit"),
        at("/secret"),
        at("/delete"),
    ] {
        let got = browser.get(&path).await;
        assert_eq!(got.status, 403, "{path}");
        assert!(got.text().contains("may look at this and not change it"));
    }
}

#[tokio::test]
async fn names_of_nodes_are_text_and_nothing_else() {
    let mut fake = Fake::new();
    fake.name = Some("<script>alert(1)</script>\"' onload=x".into());
    let mut browser = Browser::signed_in(&fake).await;
    let pages = [
        "/nodes".to_owned(),
        at(""),
        at("/edit"),
        at("/secret"),
        at("/adopt?public_key=b"),
        at("/delete"),
        at("/row"),
        at("/now"),
    ];
    for path in pages {
        let got = browser.get(&path).await;
        assert_eq!(got.status, 200, "{path}");
        assert!(!got.text().contains("<script>alert"), "{path}");
        assert!(!got.text().contains("\"' onload"), "{path}");
        let escaped = "&#60;script&#62;alert(1)&#60;/script&#62;&#34;&#39; onload=x";
        assert!(got.text().contains(escaped), "{path}: {}", got.text());
    }
}

#[tokio::test]
async fn one_node_with_its_parts() {
    let mut browser = Browser::signed_in(&Fake::new()).await;
    let got = browser.get(&at("")).await;
    for shown in [
        "offline",
        "Connection refused.",
        "http://127.0.0.1:8080",
        "region=eu",
        "10.8.0.0/24, fd00:8::/64",
        "laptop",
        "The node is offline.",
        "hx-trigger=\"load\"",
        "/peers?node_id=",
    ] {
        assert!(got.text().contains(shown), "{shown}: {}", got.text());
    }
    for part in ["/now", "/peers", "/statuses", "/drift"] {
        let got = browser.get(&at(part)).await;
        assert_eq!(got.status, 200, "{part}");
        assert!(got.text().contains("hx-trigger=\"live\""), "{part}");
        assert!(!got.text().contains("<html"), "{part}");
    }
    let got = browser.get(&at("/throughput?range=hour")).await;
    let plot: serde_json::Value = serde_json::from_slice(&got.body).expect("JSON");
    assert_eq!(plot["step_s"], 10);
    for wrong in ["/nodes/1", "/nodes/x/edit", &at("?other=1")] {
        assert!(browser.get(wrong).await.status.is_client_error(), "{wrong}");
    }
}

#[tokio::test]
async fn drift_is_shown_field_by_field_and_applied_as_it_was_seen() {
    let fake = Fake::new();
    let mut browser = Browser::signed_in(&fake).await;
    let got = browser.get(&at("?drift=true")).await;
    for shown in [
        "<td>Keepalive, s</td><td class=\"mono\"><del>none</del></td><td class=\"mono\"><ins>25</ins></td>",
        "Another peer owns an address.",
        "Peers nobody declared: 1",
        "10.8.0.9/32",
    ] {
        assert!(got.text().contains(shown), "{shown}: {}", got.text());
    }
    let csrf = got.csrf();
    let form = format!("csrf={csrf}&confirm=seen");
    let got = browser.post(&at("/sync"), &form, &[]).await;
    assert_eq!(
        (got.status.as_u16(), got.header("location")),
        (303, &*at(""))
    );
    let asked = format!("SyncNodeRequest {{ id: \"{ID}\", confirm: Some(\"seen\") }}");
    assert_eq!(fake.last(), asked);
    let got = browser.get(&at("")).await;
    let told = "Not everything is applied yet. The node is offline.";
    assert!(got.text().contains(told), "{}", got.text());
    browser
        .post(&at("/sync"), &format!("csrf={csrf}&confirm="), &[])
        .await;
    assert_eq!(fake.last(), asked.replace("Some(\"seen\")", "None"));
}

#[tokio::test]
async fn what_can_t_be_applied_is_said_on_the_page_of_the_node() {
    let mut fake = Fake::new();
    let status = tonic::Status::failed_precondition("the plan is another one by now");
    (fake.refusal, fake.only) = (Some(status), Some("SyncNodeRequest"));
    let mut browser = Browser::signed_in(&fake).await;
    let csrf = browser.get(&at("")).await.csrf();
    let got = browser
        .post(&at("/sync"), &format!("csrf={csrf}"), &[])
        .await;
    assert_eq!(got.status, 409);
    for shown in ["The plan is another one by now.", "laptop", "id=\"drift\""] {
        assert!(got.text().contains(shown), "{shown}: {}", got.text());
    }
}

#[tokio::test]
async fn a_node_that_can_t_be_read_says_so_in_place_of_its_drift() {
    let mut fake = Fake::new();
    let status = tonic::Status::unavailable("connection refused");
    (fake.refusal, fake.only) = (Some(status), Some("PlanNodeRequest"));
    let mut browser = Browser::signed_in(&fake).await;
    let got = browser.get(&at("/drift")).await;
    assert_eq!(got.status, 200);
    assert!(got.text().contains("Connection refused."), "{}", got.text());
}

#[tokio::test]
async fn peers_that_nobody_declared() {
    let fake = Fake::new();
    let mut browser = Browser::signed_in(&fake).await;
    let csrf = browser.get(&at("")).await.csrf();
    let form = format!("csrf={csrf}&unmanaged_peers=remove");
    let got = browser.post(&at("/unmanaged"), &form, &[]).await;
    assert_eq!(got.status, 303);
    let asked = fake.last();
    assert!(asked.contains("unmanaged_peers: Remove"), "{asked}");
    assert!(asked.contains("name: None, agent_url: None"), "{asked}");
}

#[tokio::test]
async fn one_of_them_is_adopted_with_the_key_it_has_or_with_one_that_is_typed() {
    let mut fake = Fake::new();
    let mut browser = Browser::signed_in(&fake).await;
    let got = browser.get(&at("?drift=true")).await;
    let link = format!("href=\"/nodes/{ID}/adopt?public_key=b\"");
    assert!(got.text().contains(&link), "{}", got.text());
    let got = browser.get(&at("/adopt?public_key=b")).await;
    for shown in [
        "10.8.0.9/32",
        "25 s",
        "value=\"adopted b\"",
        "type=\"password\"",
    ] {
        assert!(got.text().contains(shown), "{shown}: {}", got.text());
    }
    let csrf = got.csrf();
    for (typed, choice) in [("", "Keep(true)"), ("k%2Bk%3D", "Key(")] {
        let form = format!("csrf={csrf}&public_key=b&name=a+peer&preshared_key={typed}");
        let got = browser.post(&at("/adopt"), &form, &[]).await;
        assert_eq!(got.status, 303, "{}", got.text());
        let asked = fake.last();
        let expected = format!("CreatePeerRequest {{ name: \"a peer\", node_id: \"{ID}\"");
        assert!(asked.starts_with(&expected), "{asked}");
        assert!(asked.contains("allowed_ips: [\"10.8.0.9/32\"]"), "{asked}");
        assert!(asked.contains("persistent_keepalive: Some(25)"), "{asked}");
        assert!(asked.contains(choice), "{asked}");
        let got = browser.get(&at("")).await;
        assert!(!got.text().contains("k+k="), "the key is shown again");
    }
    for (method, query) in [("GET", "?public_key=another"), ("POST", "")] {
        let form = format!("csrf={csrf}&public_key=another&name=a");
        let path = at(&format!("/adopt{query}"));
        let got = browser.send(method, &path, &form, &[]).await;
        assert_eq!(got.status, 400);
        assert!(got.text().contains("not on the node any more"));
    }

    let status = tonic::Status::already_exists("another peer has this address");
    (fake.refusal, fake.only) = (Some(status), Some("CreatePeerRequest"));
    let mut browser = Browser::signed_in(&fake).await;
    let csrf = browser.get(&at("")).await.csrf();
    let form = format!("csrf={csrf}&public_key=b&name=mine&preshared_key=x");
    let got = browser.post(&at("/adopt"), &form, &[]).await;
    assert_eq!(got.status, 409);
    for shown in ["Another peer has this address.", "value=\"mine\""] {
        assert!(got.text().contains(shown), "{shown}: {}", got.text());
    }
}
