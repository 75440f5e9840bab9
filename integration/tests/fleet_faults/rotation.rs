//! Moving an agent to another secret, killed at each step.

use serde_json::json;
use wgfleet_integration::agent::{Agent, Config, SECRET};

use super::runner::{Controller, PATIENCE, url};

const NEW: &str = "the-secret-that-follows-the-first-is-48-bytes-ok";

#[test]
fn hostile_10_a_rotation_killed_at_each_step_leaves_a_secret_that_works() {
    for place in ["secret.kept_as_next", "secret.proven", "secret.promoted"] {
        let mut agent = both();
        let mut controller = Controller::start();
        let node = controller.add("a", &url(&agent), &json!({}));
        controller.await_status(&node, "online");
        controller.kill();

        assert!(controller.try_run(Some(place)));
        let path = format!("/nodes/{node}/secret");
        let answer = controller.try_call("POST", &path, &json!({ "secret": NEW }));
        assert!(answer.is_err(), "{place}: it lived: {answer:?}");
        assert!(!controller.ended().success());

        // While the agent holds both: whichever the controller has works.
        controller.run();
        works(&controller, &node, &format!("after-{place}"));
        // Asked again it goes on from where it was.
        let again = controller.call("POST", &path, &json!({ "secret": NEW }));
        assert_eq!(again.expect(200)["completed"], true, "{place}");
        let_go(&mut agent);
        works(&controller, &node, &format!("retired-{place}"));
        assert_eq!(agent.client_with(SECRET).get("/health").status, 401);
        assert_eq!(agent.client_with(NEW).get("/health").status, 200);
    }
}

#[test]
fn hostile_10_the_agent_lets_go_first_and_the_controller_follows() {
    let mut agent = both();
    let mut controller = Controller::start();
    let node = controller.add("a", &url(&agent), &json!({}));
    controller.await_status(&node, "online");
    controller.kill();
    assert!(controller.try_run(Some("secret.kept_as_next")));
    let path = format!("/nodes/{node}/secret");
    let answer = controller.try_call("POST", &path, &json!({ "secret": NEW }));
    assert!(answer.is_err(), "it lived: {answer:?}");
    assert!(!controller.ended().success());
    let_go(&mut agent);
    controller.run();
    works(&controller, &node, "followed");
}

/// An agent that takes both secrets, and stays where it is over restarts.
fn both() -> Agent {
    let agent = Config::simulated("wg0", 0).unix_socket();
    agent.secrets(&[SECRET, NEW]).start()
}

/// The agent forgets the first secret.
fn let_go(agent: &mut Agent) {
    agent.write_secrets(NEW);
    agent.terminate();
    agent.restart();
}

/// A new peer arrives in the agent.
fn works(controller: &Controller, node: &str, name: &str) {
    controller.await_status(node, "online");
    let peer = json!({ "name": name, "node_id": node });
    controller.create_peer(&peer).expect(201);
    controller.await_in_sync(node, PATIENCE);
}
