//! What it starts with, what it refuses, and what it warns of.

use std::{fs, os::unix::fs::PermissionsExt};

use wgfleet_integration::{
    agent::Config,
    tls::{Authority, CertificateFiles, believing},
};

use crate::common::Secured;

const USAGE: Option<i32> = Some(64);
const WARNING: &str = "can be reached from other hosts without TLS";

#[track_caller]
fn assert_refused(arguments: &[&str], words: &[&str]) {
    let config = Config::simulated("wg0", 0).arguments(arguments);
    let (status, log) = config.start_in_vain();
    assert_eq!(status.code(), USAGE, "{log}");
    for word in words {
        assert!(log.contains(word), "no {word:?} in {log}");
    }
    assert!(
        !log.contains("panicked") && !log.contains("PRIVATE"),
        "{log}"
    );
}

#[test]
fn one_of_the_two_flags_alone_is_refused() {
    let directory = tempfile::tempdir().expect("a directory");
    let files = CertificateFiles::new(directory.path(), &Authority::new().issue());
    let [cert, cert_file, key, key_file] = files.arguments();
    assert_refused(
        &[cert, cert_file],
        &["--tls-cert: only together with --tls-key"],
    );
    assert_refused(
        &[key, key_file],
        &["--tls-key: only together with --tls-cert"],
    );
}

#[test]
fn files_that_will_not_do_are_named() {
    let directory = tempfile::tempdir().expect("a directory");
    let (made, other) = (Authority::new().issue(), Authority::new().issue());
    let files = CertificateFiles::new(directory.path(), &made);
    let (cert, key) = (files.certificate.clone(), files.key.clone());
    let refused = |words: &[&str]| assert_refused(&files.arguments(), words);

    fs::write(&key, &other.key).expect("written");
    refused(&["--tls-cert", "--tls-key", "can't be used together"]);
    for content in ["", "no key at all", &made.certificate] {
        fs::write(&key, content).expect("written");
        refused(&["--tls-key", "key.pem"]);
    }
    fs::remove_file(&key).expect("removed");
    refused(&["--tls-key", "No such file"]);
    fs::write(&key, &made.key).expect("written");
    for content in ["", "no certificate at all", &made.key] {
        fs::write(&cert, content).expect("written");
        refused(&["--tls-cert", "cert.pem"]);
    }
    fs::remove_file(&cert).expect("removed");
    refused(&["--tls-cert", "No such file"]);
}

#[test]
fn a_key_that_others_can_read_is_warned_about() {
    let directory = tempfile::tempdir().expect("a directory");
    let authority = Authority::new();
    let files = CertificateFiles::new(directory.path(), &authority.issue());
    let start = || {
        Config::simulated("wg0", 0)
            .arguments(&files.arguments())
            .start()
    };
    let warning = "others than its owner can read or change it";
    assert!(!start().log().contains(warning));
    fs::set_permissions(&files.key, fs::Permissions::from_mode(0o644)).expect("its owner may");
    let agent = start();
    let log = agent.log();
    assert!(log.contains(warning) && log.contains("mode 644"), "{log}");
    let client = agent.client().secured(&believing(&[&authority]));
    assert_eq!(client.get("/health").status, 200);
}

#[test]
fn tcp_off_loopback_without_tls_is_warned_about_once() {
    let warnings = |config: Config| config.start().log().matches(WARNING).count();
    let plain = || Config::simulated("wg0", 0);
    assert_eq!(warnings(plain().listen("0.0.0.0:0")), 1);
    let two = plain()
        .listen("0.0.0.0:0")
        .arguments(&["--listen", "[::]:0"]);
    assert_eq!(warnings(two), 1);
    assert_eq!(warnings(plain()), 0);
    assert_eq!(warnings(plain().listen("[::1]:0")), 0);
    assert_eq!(warnings(plain().unix_socket()), 0);
    let watched = ["--metrics-listen", "0.0.0.0:0"];
    let log = plain().arguments(&watched).start().log();
    assert_eq!(
        (log.matches(WARNING).count(), log.matches("WARN").count()),
        (0, 1),
        "{log}"
    );
    assert!(
        log.contains("the metrics on 0.0.0.0:0 can be read"),
        "{log}"
    );
    let secured = Secured::start_with(&["--listen", "0.0.0.0:0"]);
    assert_eq!(secured.agent.log().matches(WARNING).count(), 0);
}
