//! What the page says.

use std::{
    io::Write,
    path::Path,
    process::{Command, Stdio},
    time::Duration,
};

use serde_json::json;
use wgfleet_integration::{
    agent::{Config, SECRET},
    client::Request,
    eventually,
    wg::numbered_key,
};

use crate::common::{Watched, sample};

const SOON: Duration = Duration::from_secs(10);

/// Prometheus' own judge; what it prints is what is wrong.
fn promtool(page: &str) -> String {
    let find = Path::new(env!("CARGO_MANIFEST_DIR")).join("promtool");
    let found = Command::new(find)
        .stderr(Stdio::inherit())
        .output()
        .expect("the script runs");
    assert!(found.status.success(), "promtool can be had");
    let promtool = String::from_utf8(found.stdout).expect("a path");
    let mut judge = Command::new(promtool.trim())
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("promtool runs");
    let mut input = judge.stdin.take().expect("piped");
    input.write_all(page.as_bytes()).expect("it reads");
    drop(input);
    let verdict = judge.wait_with_output().expect("it ends");
    let said = [verdict.stdout, verdict.stderr].concat();
    format!("{}{}", String::from_utf8_lossy(&said), verdict.status)
}

/// What every page is made after.
fn use_it(watched: &Watched) {
    let client = watched.agent.client();
    for number in 0..3 {
        let peer = json!({
            "public_key": numbered_key(number),
            "preshared_key": numbered_key(1000 + number),
            "allowed_ips": [format!("10.0.0.{number}/32")],
        });
        assert_eq!(client.post_peer("wg0", &peer).status, 200);
    }
    assert_eq!(client.delete_peer("wg0", &numbered_key(0)).status, 200);
    assert_eq!(client.get("/nowhere/made-up").status, 404);
    let mut forged = client.prepare(&Request::get("/health/forged"));
    forged.replace("X-Signature", "0".repeat(64));
    assert_eq!(client.send_wire(&forged).expect("an answer").status, 401);
}

#[test]
fn promtool_finds_nothing_wrong_with_it() {
    for arguments in [&[][..], &["--metrics-per-peer"]] {
        let watched = Watched::start(5, arguments);
        assert_eq!(
            promtool(&watched.page()),
            "exit status: 0",
            "before any request"
        );
        use_it(&watched);
        assert_eq!(
            promtool(&watched.page()),
            "exit status: 0",
            "{}",
            watched.page()
        );
    }
    let wrong = "# TYPE a_total gauge\na_total 1\nb 1\n";
    assert!(
        !promtool(wrong).ends_with("exit status: 0"),
        "the judge judges"
    );
}

#[test]
fn what_was_done_is_counted() {
    let watched = Watched::start(5, &[]);
    use_it(&watched);
    let kept = watched.agent.client().keep_alive();
    assert_eq!(kept.get("/health").status, 200);
    let page = watched.page();
    for (series, value) in [
        (
            r#"http_requests_total{route="/health",method="GET",status="200"}"#,
            1,
        ),
        (
            r#"http_requests_total{route="/wg/{interface}/peers",method="POST",status="200"}"#,
            3,
        ),
        (
            r#"http_requests_total{route="/wg/{interface}/peers/{public_key}",method="DELETE",status="200"}"#,
            1,
        ),
        (
            r#"http_requests_total{route="unknown",method="GET",status="404"}"#,
            1,
        ),
        (
            r#"http_requests_total{route="unauthenticated",method="GET",status="401"}"#,
            1,
        ),
        (
            r#"authentication_failures_total{reason="wrong_signature"}"#,
            1,
        ),
        (r#"interface_up{interface="wg0"}"#, 1),
        (r#"interface_peers{interface="wg0"}"#, 7),
        (r#"interface_writes_total{interface="wg0"}"#, 4),
        (r#"interface_dump_retries_total{interface="wg0"}"#, 0),
        ("replay_memory_entries", 4),
    ] {
        assert_eq!(sample(&page, series), value, "{series}");
    }
    // Those before are closed when the agent has seen their end.
    eventually(SOON, "the kept connection is the only one", || {
        (sample(&watched.page(), "open_connections") == 1).then_some(())
    });
    drop(kept);
    eventually(SOON, "it is closed", || {
        (sample(&watched.page(), "open_connections") == 0).then_some(())
    });
    let version = env!("CARGO_PKG_VERSION");
    let build = format!(r#"build_info{{version="{version}",backend="simulated"}}"#);
    assert_eq!(sample(&page, &build), 1);
}

#[test]
fn it_tells_no_secret_and_no_key_unless_told_to() {
    let watched = Watched::start(5, &[]);
    use_it(&watched);
    let dump = watched.agent.client().dump("wg0");
    let keys: Vec<_> = dump["peers"].as_array().expect("a list").iter().collect();
    let keys: Vec<_> = keys
        .iter()
        .map(|peer| peer["public_key"].as_str().expect("a key"))
        .collect();
    assert_eq!(keys.len(), 7);
    let page = watched.page();
    for word in keys
        .iter()
        .copied()
        .chain([SECRET, "made-up", "forged", "10.0.0."])
    {
        assert!(!page.contains(word), "{word} in {page}");
    }
    let watched = Watched::start(5, &["--metrics-per-peer"]);
    use_it(&watched);
    let page = watched.page();
    let own = watched.agent.client().get("/wg/wg0").json();
    assert!(!page.contains(own["public_key"].as_str().expect("a key")));
    for number in 0..3 {
        assert!(
            !page.contains(&numbered_key(1000 + number)),
            "a preshared key"
        );
        let series = format!(
            r#"wgfleet_agent_peer_receive_bytes_total{{interface="wg0",public_key="{}"}}"#,
            numbered_key(number)
        );
        assert_eq!(page.contains(&series), number > 0, "{series}");
    }
}

#[test]
fn peers_are_shown_by_flag_variable_or_not() {
    let shows = |arguments: &[&str]| Watched::start(1, arguments).page().contains("public_key=");
    assert!(shows(&["--metrics-per-peer"]));
    assert!(shows(&["--metrics-per-peer=true"]));
    assert!(!shows(&["--metrics-per-peer=false"]));
    assert!(!shows(&[]));
    for (value, expected) in [("1", true), ("true", true), ("0", false)] {
        let config = Config::simulated("wg0", 1).variable("WGFLEET_METRICS_PER_PEER", value);
        let page = Watched::of(config).page();
        assert_eq!(page.contains("public_key="), expected, "{value}");
    }
}
