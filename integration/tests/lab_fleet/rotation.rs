//! A node's agent moves to another secret, its kernel's peers none the wiser.

use serde_json::{Value, json};
use wgfleet_integration::{agent::Agent, eventually, lab_test};

use crate::fleet::{Fleet, SOON, limits, text};

lab_test! {
    fn a_secret_is_moved_to_only_when_the_agent_takes_it() with (limits()) {
        let mut fleet = Fleet::new();
        fleet.peer("kept", Some(0));
        let path = format!("/nodes/{}/secret", fleet.nodes[0]);
        let rotate = |fleet: &Fleet, body: &Value| {
            let answer = fleet.rest.post(&path, body);
            assert_eq!(answer.status, 200, "{answer:?}");
            answer.json()
        };
        let drawn = rotate(&fleet, &json!({}));
        assert_eq!(drawn["completed"], false, "{drawn}");
        let new = text(&drawn["secret"]);
        let old = fleet.hosts[0].secret.clone();

        // The agent does not have it: nothing is moved to, and the old one goes on working.
        let refused = rotate(&fleet, &json!({"secret": new}));
        assert_eq!(refused["completed"], false, "{refused}");
        assert!(text(&refused["reason"]).contains("refused the signature"), "{refused}");
        fleet.polls_pass(0);
        fleet.await_status(0, "online");
        fleet.peer("meanwhile", Some(0));
        assert!(fleet.agrees(0));
        assert_eq!(fleet.hosts[0].agent.client_with(&new).get("/health").status, 401);

        // It holds both: proven, and moved to.
        read_again(&mut fleet, &format!("{old}\n{new}"));
        let done = rotate(&fleet, &json!({"secret": new}));
        assert_eq!((&done["completed"], &done["reason"]), (&json!(true), &json!(null)), "{done}");
        assert!(!done.to_string().contains(&new), "it is shown once: {done}");
        assert_eq!(rotate(&fleet, &json!({"secret": new}))["completed"], true, "asked twice");

        // It lets go of the old one.
        read_again(&mut fleet, &new);
        let agent = &fleet.hosts[0].agent;
        assert_eq!(agent.client_with(&old).get("/health").status, 401);
        assert_eq!(agent.client_with(&new).get("/health").status, 200);
        fleet.await_status(0, "online");
        fleet.peer("after", Some(0));
        assert!(fleet.agrees(0));
        assert_eq!(fleet.hosts[0].shown().len(), 3);
        fleet.await_status(1, "online");
        assert!(!fleet.controller.log().contains(&new), "a secret in the log");
    }
}

/// The agent of the first host takes these from now on.
fn read_again(fleet: &mut Fleet, secrets: &str) {
    let agent = &mut fleet.hosts[0].agent;
    agent.write_secrets(secrets);
    let told = |agent: &Agent| agent.log().matches("the secrets were read again").count();
    let before = told(agent);
    agent.signal(rustix::process::Signal::HUP);
    eventually(SOON, "the secrets are read again", || {
        (told(agent) > before).then_some(())
    });
}
