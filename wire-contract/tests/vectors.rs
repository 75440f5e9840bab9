//! Runs every golden case of `vectors/`, and shows that the files are what their generator writes.

use std::{path::PathBuf, process::Command};

use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Value, json};
use wire_contract::{
    ErrorCode,
    dto::{AddPeer, Device, Dump, Health, Interfaces, PeerAdded, PeerChanged, UpdatePeer},
    error::ErrorBody,
    path::{InvalidTarget, Resource, check_target},
    signing::{AuthFailure, Mac, Secret, SignedParts, Signer, Timestamp, Verifier, WINDOW},
};

fn vectors() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("vectors")
}

fn topic(name: &str) -> Value {
    let file = vectors().join(name);
    let bytes = std::fs::read(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    serde_json::from_slice(&bytes).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}

/// The cases of a topic; at least so many, so that an emptied file does not pass.
fn cases(topic: &Value, at_least: usize) -> &[Value] {
    let cases = topic["cases"].as_array().expect("a list of cases");
    assert!(cases.len() >= at_least, "only {} cases", cases.len());
    cases
}

fn text<'a>(case: &'a Value, field: &str) -> &'a str {
    case[field]
        .as_str()
        .unwrap_or_else(|| panic!("{field} of {case}"))
}

#[test]
fn the_files_are_what_the_generator_writes() {
    let generator = vectors().join("generate.py");
    let run = Command::new("python3")
        .arg(&generator)
        .arg("--check")
        .output();
    let run =
        run.expect("this test needs python3 in PATH: it holds the vectors to their generator");
    let said = String::from_utf8_lossy(&run.stderr);
    assert!(
        run.status.success(),
        "{said}; run {} and look at the diff",
        generator.display()
    );
}

#[test]
fn signing() {
    let topic = topic("signing.json");
    assert_eq!(topic["window_seconds"], WINDOW.as_secs());
    for case in cases(&topic, 40) {
        assert_eq!(signing_verdict(case), text(case, "verdict"), "{case}");
        let name = text(case, "name");
        let timestamp = text(case, "timestamp");
        if text(case, "verdict") == "accepted" && !timestamp.starts_with('0') {
            let signer = Signer::new(&Secret::new(text(case, "secret")).unwrap());
            let signature = signer.sign(parts(case), timestamp.parse().unwrap());
            assert_eq!(signature, text(case, "signature").to_lowercase(), "{name}");
        }
    }
}

fn parts(case: &Value) -> SignedParts<'_> {
    SignedParts {
        method: text(case, "method"),
        target: text(case, "target"),
        body: text(case, "body").as_bytes(),
    }
}

fn signing_verdict(case: &Value) -> &'static str {
    if check_target(text(case, "target")).is_err() {
        return "bad_target";
    }
    let Ok(mac) = Mac::parse(text(case, "signature").as_bytes()) else {
        return "malformed_signature";
    };
    let verifier = Verifier::new(&Secret::new(text(case, "secret")).unwrap(), None);
    let timestamp = Timestamp::parse(text(case, "timestamp").as_bytes()).expect("well-formed");
    match verifier.verify(parts(case), timestamp, &mac) {
        Ok(()) => "accepted",
        Err(failure) => failure.reason(),
    }
}

#[test]
fn time_window() {
    let topic = topic("time-window.json");
    assert_eq!(topic["window_seconds"], WINDOW.as_secs());
    for case in cases(&topic, 30) {
        let now = case["now"].as_i64().expect("Unix seconds");
        let parsed = Timestamp::parse(text(case, "timestamp").as_bytes());
        let verdict = match parsed.and_then(|timestamp| timestamp.check(now)) {
            Ok(()) => "accepted",
            Err(AuthFailure::OutsideWindow(_)) => "outside_window",
            Err(_) => "malformed",
        };
        assert_eq!(verdict, text(case, "verdict"), "{case}");
    }
}

#[test]
fn requests() {
    for case in cases(&topic("requests.json"), 90) {
        match text(case, "request") {
            "AddPeer" => run_request::<AddPeer>(case),
            "UpdatePeer" => run_request::<UpdatePeer>(case),
            other => panic!("a request named {other}"),
        }
    }
}

fn run_request<T: DeserializeOwned + Serialize>(case: &Value) {
    let read = serde_json::from_str::<T>(text(case, "body"));
    match case.get("refused") {
        None => {
            let meant = read.unwrap_or_else(|error| panic!("{case}: {error}"));
            assert_eq!(
                serde_json::to_value(meant).unwrap(),
                case["normal"],
                "{case}"
            );
        }
        Some(field) => {
            let error = read
                .err()
                .unwrap_or_else(|| panic!("taken: {case}"))
                .to_string();
            let named = field
                .as_str()
                .is_none_or(|field| error.starts_with(&format!("{field}: ")));
            assert!(named, "{case}: {error}");
        }
    }
}

#[test]
fn responses() {
    for case in cases(&topic("responses.json"), 20) {
        match text(case, "response") {
            "Health" => run_response::<Health>(case),
            "Dump" => run_response::<Dump>(case),
            "PeerAdded" => run_response::<PeerAdded>(case),
            "PeerChanged" => run_response::<PeerChanged>(case),
            "Interfaces" => run_response::<Interfaces>(case),
            "Device" => run_response::<Device>(case),
            other => panic!("a response named {other}"),
        }
    }
}

fn run_response<T: DeserializeOwned + Serialize>(case: &Value) {
    let read: T = serde_json::from_str(&case["body"].to_string())
        .unwrap_or_else(|error| panic!("{case}: {error}"));
    assert_eq!(serde_json::to_value(read).unwrap(), case["means"], "{case}");
}

#[test]
fn errors() {
    let topic = topic("errors.json");
    let cases = cases(&topic, ErrorCode::ALL.len());
    assert_eq!(cases.len(), ErrorCode::ALL.len());
    for (case, code) in cases.iter().zip(ErrorCode::ALL) {
        assert_eq!(case["error"], code.as_str());
        assert_eq!(case["status"], code.status());
        let body: ErrorBody = serde_json::from_value(case["body"].clone()).unwrap();
        assert_eq!(body.error, *code);
        let written = ErrorBody::new(*code, body.message);
        assert_eq!(serde_json::to_value(written).unwrap(), case["body"]);
    }
}

#[test]
fn targets() {
    for case in cases(&topic("targets.json"), 80) {
        let read = Resource::parse(text(case, "target"));
        match case.get("refused") {
            None => {
                let resource = read.unwrap_or_else(|error| panic!("{case}: {error}"));
                assert_eq!(described(&resource), case["resource"], "{case}");
            }
            Some(why) => {
                let why_not = match read.err().unwrap_or_else(|| panic!("taken: {case}")) {
                    InvalidTarget::Malformed => "malformed",
                    InvalidTarget::NoSuchRoute => "no_such_route",
                    InvalidTarget::Interface(_) => "interface",
                    InvalidTarget::PublicKey(_) => "public_key",
                };
                assert_eq!(why_not, why, "{case}");
            }
        }
    }
}

fn described(resource: &Resource) -> Value {
    match resource {
        Resource::Health => json!({"kind": "health"}),
        Resource::Interfaces => json!({"kind": "interfaces"}),
        Resource::Device(interface) => json!({"kind": "device", "interface": interface}),
        Resource::Dump(interface) => json!({"kind": "dump", "interface": interface}),
        Resource::Peers(interface) => json!({"kind": "peers", "interface": interface}),
        Resource::Peer(interface, key) => {
            json!({"kind": "peer", "interface": interface, "public_key": key})
        }
    }
}
