//! A token's life, and what is left of it in the audit.

use std::time::{Duration, SystemTime};

use serde_json::{Value, json};
use wgfleet_integration::{client::Response, controller, eventually};

use crate::common::{assert_refused, node, token};

#[test]
fn a_token_is_made_used_revoked_and_remembered() {
    let mut controller = controller::Config::new().start();
    let admin = controller.rest();
    let made = admin.create("/tokens", &json!({"name": "ci", "role": "operator"}));
    let text = made["token"].as_str().expect("shown once").to_owned();
    assert!(text.starts_with("wgf_"), "{text}");
    let id = made["id"].as_str().expect("an id").to_owned();
    let ci = controller.rest_with(&text);
    assert_eq!(ci.read("/whoami")["name"], "ci");
    let made_by_ci = ci.create("/nodes", &node("node-1", "red", 1));
    let node_path = format!("/nodes/{}", made_by_ci["id"].as_str().expect("an id"));
    let patched = ci.patch(&node_path, &json!({"weight": 7}));
    assert_eq!(patched.status, 200, "{patched:?}");

    let listed = admin.read("/tokens");
    assert_eq!(listed["total"], 2);
    let used = |listed: &Value| items(listed)[1]["last_used_at"].clone();
    let used_at = used(&listed);
    assert!(used_at.is_string(), "{listed}");
    assert!(!listed.to_string().contains(&text));
    let revoked = admin.delete(&format!("/tokens/{id}"));
    assert_eq!(revoked.status, 200, "{revoked:?}");
    assert_refused(&ci.get("/nodes"), 401, "unauthenticated");

    controller.terminate();
    controller.restart();
    let ci = controller.rest_with(&text);
    assert_refused(&ci.get("/nodes"), 401, "unauthenticated");
    let admin = controller.rest();
    let kept = used(&admin.read("/tokens"));
    assert_eq!(
        kept, used_at,
        "it is kept, and who is refused did not use it"
    );
    let audit = admin.read("/audit?actor=ci");
    assert_eq!(audit["total"], 2, "{audit}");
    let update = &audit["items"][0];
    assert_eq!(update["action"], "node.update");
    assert_eq!(update["source"], "127.0.0.1");
    assert_eq!(update["before"], json!({"weight": 100}));
    assert_eq!(update["after"], json!({"weight": 7}));
    let all = admin.read("/audit");
    let actions: Vec<_> = items(&all).iter().map(|it| &it["action"]).collect();
    let expected = ["token.revoke", "node.update", "node.create", "token.create"];
    assert_eq!(actions, expected, "{all}");
    let whole = all.to_string() + &controller.log();
    for secret in [text.as_str(), "the secret of the agent"] {
        assert!(!whole.contains(secret), "{secret} is told");
    }
    let pages = admin.read("/audit?limit=3");
    let cursor = pages["next_cursor"].as_str().expect("there is more");
    let rest = admin.read(&format!("/audit?limit=3&cursor={cursor}"));
    assert_eq!(items(&rest).len(), 1);
    assert_eq!(rest["next_cursor"], Value::Null);
}

fn items(list: &Value) -> &[Value] {
    list["items"].as_array().expect("a list")
}

#[test]
fn each_role_may_what_it_may() {
    let controller = controller::Config::new().start();
    let (_, viewer) = token(&controller, &json!({"name": "v", "role": "viewer"}));
    let (_, operator) = token(&controller, &json!({"name": "o", "role": "operator"}));
    let forbidden = |answer: &Response| assert_refused(answer, 403, "forbidden");
    assert_eq!(viewer.get("/nodes").status, 200);
    forbidden(&viewer.post("/nodes", &node("node-1", "red", 1)));
    let made = operator.create("/nodes", &node("node-1", "red", 1));
    forbidden(&viewer.delete(&format!("/nodes/{}", made["id"].as_str().expect("an id"))));
    for rest in [&viewer, &operator] {
        forbidden(&rest.get("/tokens"));
        forbidden(&rest.get("/audit"));
        forbidden(&rest.post("/tokens", &json!({"name": "x", "role": "viewer"})));
    }
    let admin = controller.rest();
    let id = admin.read("/whoami")["id"]
        .as_str()
        .expect("an id")
        .to_owned();
    let last = admin.delete(&format!("/tokens/{id}"));
    assert_refused(&last, 409, "last_admin_token");
}

#[test]
fn a_caller_is_checked_before_a_body_is_read() {
    let controller = controller::Config::new().start();
    let (_, viewer) = token(&controller, &json!({"name": "v", "role": "viewer"}));
    let stranger = controller.rest_with("wgf_a-guess");
    let malformed = Value::String("{".into());
    for path in ["/nodes", "/peers", "/tokens", "/nodes/x/sync"] {
        assert_refused(&stranger.post(path, &malformed), 401, "unauthenticated");
        assert_refused(&viewer.post(path, &malformed), 403, "forbidden");
    }
    let admin = controller.rest();
    assert_refused(&admin.post("/nodes", &malformed), 400, "malformed_json");
    for rest in [&stranger, &viewer, &admin] {
        assert_refused(&rest.post("/nowhere", &malformed), 404, "route_not_found");
    }
}

#[test]
fn a_token_ends_when_its_time_is_up() {
    let controller = controller::Config::new().start();
    let now = SystemTime::now() + Duration::from_secs(8);
    let soon = httpdate::fmt_http_date(now);
    // "Mon, 23 Nov 2026 04:34:53 GMT"
    let parts: Vec<_> = soon.split([' ', ',']).filter(|it| !it.is_empty()).collect();
    let months = "JanFebMarAprMayJunJulAugSepOctNovDec";
    let month = months.find(parts[2]).expect("a month") / 3 + 1;
    let at = format!("{}-{month:02}-{}T{}Z", parts[3], parts[1], parts[4]);
    let body = json!({"name": "guest", "role": "viewer", "expires_at": at});
    let (_, guest) = token(&controller, &body);
    assert_eq!(guest.get("/nodes").status, 200);
    let refused = eventually(Duration::from_secs(40), "it expires", || {
        let answer = guest.get("/nodes");
        (answer.status != 200).then_some(answer)
    });
    assert_refused(&refused, 401, "unauthenticated");
    let past = json!({"name": "late", "role": "viewer", "expires_at": at});
    let late = controller.rest().post("/tokens", &past);
    assert_refused(&late, 400, "invalid_field");
}
