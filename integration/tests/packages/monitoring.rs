//! What Prometheus and Grafana are given: valid, and about metrics there are.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::Value;

fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../packaging/monitoring")
}

fn read(name: &str) -> String {
    fs::read_to_string(directory().join(name)).expect("a file")
}

fn promtool(arguments: &[&str]) {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("promtool");
    let found = Command::new(script).output().expect("the script is there");
    assert!(found.status.success(), "{found:?}");
    let promtool = String::from_utf8(found.stdout).expect("a path");
    let judged = Command::new(promtool.trim())
        .args(arguments)
        .current_dir(directory())
        .output()
        .expect("promtool runs");
    assert!(judged.status.success(), "{arguments:?}: {judged:?}");
}

#[test]
fn prometheus_understands_the_configuration_and_the_rules_fire() {
    promtool(&["check", "config", "prometheus.yml"]);
    promtool(&["check", "rules", "wgfleet-alerts.yml"]);
    promtool(&["test", "rules", "wgfleet-alerts.test.yml"]);
}

/// Names of our metrics in a text, without what a histogram adds.
fn named(text: &str) -> BTreeSet<String> {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    let ours = words.filter(|word| {
        word.starts_with("wgfleet_controller_") || word.starts_with("wgfleet_agent_")
    });
    ours.map(|word| {
        let suffixes = ["_bucket", "_count", "_sum"];
        let cut = suffixes.iter().find_map(|suffix| word.strip_suffix(suffix));
        cut.unwrap_or(word).to_owned()
    })
    .collect()
}

#[test]
fn alerts_and_dashboard_name_metrics_that_are_documented() {
    let documented = read("../../docs/agent.md") + &read("../../docs/operating.md");
    let used = named(&(read("wgfleet-alerts.yml") + &read("grafana-dashboard.json")));
    assert!(used.len() > 15, "{used:?}");
    for name in used {
        let short = name.split('_').skip(2).collect::<Vec<_>>().join("_");
        assert!(documented.contains(&format!("`{short}`")), "{name}");
    }
}

#[test]
fn the_dashboard_is_whole() {
    let dashboard: Value = serde_json::from_str(&read("grafana-dashboard.json")).expect("JSON");
    let panels = dashboard["panels"].as_array().expect("panels");
    let ids: BTreeSet<_> = panels.iter().map(|panel| panel["id"].to_string()).collect();
    assert_eq!(ids.len(), panels.len(), "each has its own id");
    for panel in panels {
        assert!(
            panel["title"].is_string() && panel["gridPos"]["w"].is_u64(),
            "{panel}"
        );
        for target in panel["targets"].as_array().expect("targets") {
            let expression = target["expr"].as_str().expect("an expression");
            let rule = expression.replace("$__rate_interval", "5m");
            promtool_parses(&rule);
        }
    }
}

/// promtool judges expressions in rules only.
fn promtool_parses(expression: &str) {
    let rules = tempfile::NamedTempFile::with_suffix(".yml").expect("a file");
    let quoted = serde_json::to_string(expression).expect("JSON is YAML");
    let text = format!("groups: [{{name: g, rules: [{{record: r, expr: {quoted}}}]}}]\n");
    fs::write(rules.path(), text).expect("written");
    promtool(&["check", "rules", rules.path().to_str().expect("UTF-8")]);
}
