//! HOSTILE.md, line 38: every route, asked by those who may not.

use serde_json::json;
use wgfleet_integration::{client::Client, controller};

use super::{asker::Asker, document::Document, mistakes::UNKNOWN};

#[test]
fn hostile_38_who_asks_too_often_is_told_when_to_come_back() {
    let limits = ["--token-rate", "1", "--token-burst", "1"];
    let controller = controller::Config::new().arguments(&limits).start();
    let (document, rest) = (Document::served_by(&controller), controller.rest());
    let client = Client::new(controller.address().clone(), "");
    for operation in document.operations() {
        let path = operation.path.replace("{id}", UNKNOWN);
        let wire = rest.wire(
            &operation.method,
            &path,
            Asker::example(&operation).as_ref(),
        );
        // Now and then one is let in.
        let mut answers = (0..20).filter_map(|_| {
            let _ = rest.get("/whoami");
            client.send_wire(&wire).ok()
        });
        let answer = answers.find(|answer| answer.status == 429);
        let answer = answer.unwrap_or_else(|| panic!("{path} is never too much"));
        document.assert_refused(&operation, "too many of them", &answer);
        let seconds = answer.header("retry-after").map(str::parse::<u64>);
        assert!(matches!(seconds, Some(Ok(1..))), "{answer:?}");
    }
}

#[test]
fn hostile_38_strangers_and_those_who_see_less_are_refused() {
    let asker = Asker::start();
    let elsewhere = json!({"name": "elsewhere", "role": "admin", "label_scope": {"region": "us"}});
    let elsewhere = asker.rest.create("/tokens", &elsewhere);
    let stranger = asker.fleet.controller.rest_with("wgf_of_nobody");
    let elsewhere = asker
        .fleet
        .controller
        .rest_with(elsewhere["token"].as_str().expect("a token"));
    for operation in asker.document.operations() {
        let path = asker.path(&operation);
        let example = Asker::example(&operation);
        let wire = stranger.wire(&operation.method, &path, example.as_ref());
        let asked = "no token";
        let status = asker
            .document
            .assert_refused(&operation, asked, &asker.send(&wire));
        assert_eq!(status, 401);
        let mut wire = asker.rest.wire(&operation.method, &path, example.as_ref());
        wire.remove("Authorization");
        let status = asker
            .document
            .assert_refused(&operation, asked, &asker.send(&wire));
        assert_eq!(status, 401);
        if operation.path.contains("{id}") {
            let wire = elsewhere.wire(&operation.method, &path, example.as_ref());
            let asked = "another scope";
            let status = asker
                .document
                .assert_refused(&operation, asked, &asker.send(&wire));
            assert!(status == 404 || status == 403, "{path}: {status}");
        }
    }
}
