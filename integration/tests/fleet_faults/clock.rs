//! A clock that is wrong: the controller's own, or an agent's.

use std::{fs, time::Duration};

use serde_json::{Value, json};
use tempfile::TempDir;
use wgfleet_integration::{
    agent::{Agent, Config},
    client::now,
    poll,
};

use super::runner::{Controller, PATIENCE, text, url};

/// The dynamic linker knows what `$LIB` is on this machine.
const LIBRARY: &str = "/usr/$LIB/faketime/libfaketimeMT.so.1";
const MINUTES_10: i64 = 600;
/// How far a shown skew may be from the real one, seconds: a round trip on a busy machine, and how
/// long the library keeps what it has read.
const TOLERANCE: i64 = 20;

/// What a program takes for the time of day: set off from the real one. Timers go on as they do.
struct OwnClock(TempDir);

impl OwnClock {
    fn new(offset_s: i64) -> Self {
        let clock = Self(TempDir::with_prefix("wgfleet-clock-").expect("a directory"));
        clock.set(offset_s);
        clock
    }

    fn set(&self, offset_s: i64) {
        let (new, path) = (self.0.path().join("new"), self.0.path().join("offset"));
        fs::write(&new, format!("{offset_s:+}\n")).expect("written");
        fs::rename(new, path).expect("renamed");
    }

    /// The environment of a program that goes by it.
    fn variables(&self) -> Vec<(&'static str, String)> {
        let file = self.0.path().join("offset").to_string_lossy().into_owned();
        vec![
            ("LD_PRELOAD", LIBRARY.into()),
            ("FAKETIME_TIMESTAMP_FILE", file),
            ("FAKETIME_CACHE_DURATION", "1".into()),
            ("FAKETIME_DONT_FAKE_MONOTONIC", "1".into()),
            ("NO_FAKE_STAT", "1".into()),
        ]
    }
}

fn has_library(log: &str) {
    let ignored = log.contains("cannot be preloaded");
    assert!(!ignored, "integration/prepare installs faketime:\n{log}");
}

struct Story {
    clock: OwnClock,
    agent: Agent,
    controller: Controller,
    node: String,
}

impl Story {
    fn new(offset_s: i64) -> Self {
        let clock = OwnClock::new(offset_s);
        let agent = Config::simulated("wg0", 0).start();
        let mut controller = Controller::prepare();
        for (name, value) in clock.variables() {
            controller.set_variable(name, &value);
        }
        controller.run();
        has_library(&controller.log());
        Self::of(clock, agent, controller)
    }

    /// The same where the agent has the wrong one.
    fn with_agents(offset_s: i64) -> Self {
        let clock = OwnClock::new(offset_s);
        let config = clock
            .variables()
            .into_iter()
            .fold(Config::simulated("wg0", 0), |config, (name, value)| {
                config.variable(name, &value)
            });
        let agent = config.start();
        has_library(&agent.log());
        Self::of(clock, agent, Controller::start())
    }

    fn of(clock: OwnClock, agent: Agent, controller: Controller) -> Self {
        let node = controller.add("a", &url(&agent), &json!({}));
        Self {
            clock,
            agent,
            controller,
            node,
        }
    }

    fn node(&self) -> Value {
        self.controller.get(&format!("/nodes/{}", self.node))
    }

    fn peer(&self, name: &str, more: &Value) -> Value {
        let mut body = json!({ "name": name, "node_id": self.node, "preshared_key": "generate" });
        for (field, value) in more.as_object().into_iter().flatten() {
            body[field] = value.clone();
        }
        self.controller.create_peer(&body).expect(201)
    }

    /// The status says by how much the clocks differ, and that the agent's is on that `side`.
    fn is_named(&self, side: &str) {
        let mut last = Value::Null;
        let named = poll(PATIENCE, || {
            last = self.node();
            let said = last["status_reason"].as_str().unwrap_or_default();
            let by = said.strip_prefix("the agent's clock is ")?;
            let (seconds, rest) = by.split_once(" s ")?;
            let seconds: i64 = seconds.parse().ok()?;
            let right = rest.starts_with(side) && (seconds - MINUTES_10).abs() <= TOLERANCE;
            (right && last["status"] == "error").then_some(())
        });
        assert!(named.is_some(), "not {side}: {last}");
    }

    /// The agent has exactly these.
    fn holds(&self, peers: &[&Value]) {
        let mut wanted: Vec<_> = peers.iter().map(|peer| text(&peer["public_key"])).collect();
        wanted.sort_unstable();
        let mut last = Vec::new();
        let agrees = poll(PATIENCE, || {
            let dump = self.agent.client().dump("wg0");
            let shown = dump["peers"].as_array().expect("a list").iter();
            last = shown.map(|peer| text(&peer["public_key"])).collect();
            last.sort_unstable();
            (last == wanted).then_some(())
        });
        assert!(agrees.is_some(), "{last:?} is not {wanted:?}");
    }
}

#[test]
fn hostile_35_a_controller_started_with_a_wrong_clock_names_it_and_recovers() {
    let story = Story::new(MINUTES_10);
    story.is_named("behind the controller's");
    let waiting = story.peer("waiting", &json!({}));
    assert_ne!(waiting["sync"]["state"], "applied", "{waiting}");
    assert!(
        waiting["sync"]["reason"]
            .as_str()
            .is_some_and(|why| why.contains("clock")),
        "{waiting}"
    );
    story.holds(&[]);
    story.clock.set(0);
    story.controller.await_status(&story.node, "online");
    story.holds(&[&waiting]);
    let path = format!("/peers/{}", text(&waiting["id"]));
    story.controller.await_in_sync(&story.node, PATIENCE);
    assert_eq!(story.controller.get(&path)["sync"]["state"], "applied");
}

#[test]
fn hostile_35_a_controllers_clock_that_jumps_loses_no_change() {
    let story = Story::new(0);
    story.controller.await_status(&story.node, "online");
    let kept = story.peer("kept", &json!({}));
    let expires_at = u64::try_from(MINUTES_10 / 2).expect("positive") + now();
    let expiring = story.peer("expiring", &json!({ "expires_at": rfc3339(expires_at) }));
    let deleted = story.peer("deleted", &json!({}));
    story.holds(&[&kept, &expiring, &deleted]);

    let mut all = vec![kept, expiring];
    for (offset, side) in [
        (MINUTES_10, "behind the controller's"),
        (-MINUTES_10, "ahead of the controller's"),
    ] {
        story.clock.set(offset);
        story.is_named(side);
        let name = format!("made {side}");
        let late = story.peer(&name, &json!({}));
        assert_ne!(late["sync"]["state"], "applied", "{late}");
        let path = format!("/peers/{}", text(&deleted["id"]));
        if offset > 0 {
            story
                .controller
                .call("DELETE", &path, &Value::Null)
                .expect(200);
        }
        // By its own clock it would take the expired one away. It can't, and by then it need not.
        let dump = story.agent.client().dump("wg0");
        assert!(
            dump["peers"]
                .as_array()
                .is_some_and(|peers| peers.len() >= 2),
            "{dump}"
        );
        story.clock.set(0);
        story.controller.await_status(&story.node, "online");
        all.push(late);
        story.holds(&all.iter().collect::<Vec<_>>());
        story.controller.await_in_sync(&story.node, PATIENCE);
    }
    for peer in &all {
        let path = format!("/peers/{}", text(&peer["id"]));
        assert_eq!(
            story.controller.get(&path)["sync"]["state"],
            "applied",
            "{peer}"
        );
    }
}

#[test]
fn hostile_35_an_agents_clock_that_jumps_loses_no_change() {
    let story = Story::with_agents(0);
    let kept = story.peer("kept", &json!({}));
    story.controller.await_status(&story.node, "online");
    let client = story.agent.client();
    let mut all = vec![kept];
    for (offset, side) in [
        (MINUTES_10, "ahead of the controller's"),
        (-MINUTES_10, "behind the controller's"),
    ] {
        story.clock.set(offset);
        story.is_named(side);
        assert_eq!(
            client.get("/health").status,
            401,
            "signed by the right clock"
        );
        let late = story.peer(&format!("made {side}"), &json!({}));
        assert_ne!(late["sync"]["state"], "applied", "{late}");
        story.clock.set(0);
        story.controller.await_status(&story.node, "online");
        all.push(late);
        story.holds(&all.iter().collect::<Vec<_>>());
        story.controller.await_in_sync(&story.node, PATIENCE);
    }
}

/// A time as the API takes it.
fn rfc3339(unix_s: u64) -> String {
    let time = std::time::UNIX_EPOCH + Duration::from_secs(unix_s);
    let text = httpdate::fmt_http_date(time);
    // Sun, 06 Nov 1994 08:49:37 GMT
    let parts: Vec<&str> = text.split(' ').collect();
    let months = "JanFebMarAprMayJunJulAugSepOctNovDec";
    let month = months.find(parts[2]).expect("a month") / 3 + 1;
    format!("{}-{month:02}-{}T{}Z", parts[3], parts[1], parts[4])
}
