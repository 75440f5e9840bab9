//! Settings, wherever they come from.

use std::{fs, os::unix::fs::PermissionsExt, path::Path};

use super::*;

fn load(args: &[&str]) -> Result<Config, ConfigError> {
    let args = std::iter::once("wgfleet-controller").chain(args.iter().copied());
    Config::load(args.map(OsString::from))
}

fn refused(args: &[&str]) -> String {
    load(args).expect_err("refused").to_string()
}

fn file(directory: &Path, name: &str, text: &str, mode: u32) -> String {
    let path = directory.join(name);
    fs::write(&path, text).expect("written");
    fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect("set");
    path.display().to_string()
}

#[test]
fn defaults_with_and_without_the_command() {
    for args in [&[][..], &["serve"]] {
        let config = load(args).expect("good");
        assert_eq!(config.listen.to_string(), "127.0.0.1:10086");
        assert_eq!(config.data_dir, Path::new("/var/lib/wgfleet-controller"));
        assert!(matches!(
            &config.master_key,
            MasterKeySource::File(path) if path == Path::new("/var/lib/wgfleet-controller/master-key")
        ));
        assert_eq!(config.poll_interval, Duration::from_secs(10));
        assert_eq!(config.online_window, Duration::from_secs(180));
        assert!(config.grpc_listen.is_none() && config.tls.is_none());
        assert!(config.local_agent.is_none());
    }
}

#[test]
fn flags_go_before_the_file() {
    let directory = tempfile::tempdir().expect("a directory");
    let text = "listen = \"127.0.0.1:1\"\npoll_interval = \"2m\"\nlog_format = \"json\"\n";
    let path = file(directory.path(), "controller.toml", text, 0o644);
    let config = load(&["serve", "--config", &path, "--listen", "[::1]:2"]).expect("good");
    assert_eq!(config.listen.to_string(), "[::1]:2");
    assert_eq!(config.poll_interval, Duration::from_secs(120));
    assert_eq!(config.log_format, LogFormat::Json);
}

#[test]
fn a_file_must_hold_what_is_known() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = file(directory.path(), "a.toml", "lisen = \"127.0.0.1:1\"", 0o644);
    assert!(refused(&["--config", &path]).contains("lisen"));
    let path = file(directory.path(), "b.toml", "poll_interval = 10", 0o644);
    assert!(refused(&["--config", &path]).contains("poll_interval"));
    assert!(refused(&["--config", "/nowhere.toml"]).starts_with("--config /nowhere.toml: "));
}

#[test]
fn bad_values_are_named() {
    for (args, name) in [
        (&["--listen", "localhost"][..], "--listen"),
        (&["--poll-interval", "10"], "--poll-interval"),
        (&["--poll-interval", "0s"], "--poll-interval"),
        (&["--poll-interval", "25h"], "--poll-interval"),
        (&["--online-window", "soon"], "--online-window"),
        (&["--grpc-listen", "unix:"], "--grpc-listen"),
        (&["--grpc-listen", "0.0.0.0:10087"], "--grpc-listen"),
        (&["--grpc-listen", "192.0.2.1:10087"], "--grpc-listen"),
        (&["--tls-cert", "a"], "--tls-key"),
        (&["--tls-key", "a"], "--tls-cert"),
        (
            &["--local-agent", "http://127.0.0.1:8080"],
            "--local-secret-file",
        ),
        (&["--local-secret-file", "/nowhere"], "--local-agent"),
        (
            &[
                "--local-agent",
                "ftp://a",
                "--local-secret-file",
                "/nowhere",
            ],
            "--local-agent",
        ),
    ] {
        let message = refused(args);
        assert!(
            message.starts_with(&format!("{name}: ")),
            "{args:?}: {message}"
        );
    }
    assert!(refused(&["--metrics-listen", "a"]).starts_with("--metrics-listen: "));
    assert!(matches!(load(&["sevre"]), Err(ConfigError::Flags(_))));
}

#[test]
fn grpc_stays_on_this_host() {
    for (text, expected) in [
        (
            "127.0.0.1:1",
            GrpcListen::Loopback(([127, 0, 0, 1], 1).into()),
        ),
        ("unix:/run/a.sock", GrpcListen::Unix("/run/a.sock".into())),
    ] {
        let config = load(&["--grpc-listen", text]).expect("good");
        assert_eq!(config.grpc_listen, Some(expected));
    }
    assert!(load(&["--grpc-listen", "[::ffff:127.0.0.1]:1"]).is_ok());
}

#[test]
fn the_local_secret_is_the_first_line_of_a_private_file() {
    let directory = tempfile::tempdir().expect("a directory");
    let text = "\n first-secret-of-some-length \nthe-next-one\n";
    let path = file(directory.path(), "secret", text, 0o640);
    let args = [
        "--local-agent",
        "unix:///run/a.sock",
        "--local-secret-file",
        &path,
    ];
    let agent = load(&args).expect("good").local_agent.expect("an agent");
    assert_eq!(agent.secret.as_str(), "first-secret-of-some-length");
    assert!(!format!("{agent:?}").contains("first-secret"));

    file(directory.path(), "secret", text, 0o644);
    assert!(refused(&args).contains("chmod 600"));
    file(directory.path(), "secret", "\n\n", 0o600);
    assert!(refused(&args).contains("is empty"));
}

#[test]
fn limits_are_set_and_lifted() {
    let limits = load(&[]).expect("good").limits;
    assert_eq!(
        limits.access,
        crate::services::auth::AccessLimits::default()
    );
    assert_eq!(limits.server, crate::facade::ServerLimits::default());
    let args = [
        "--token-rate=0",
        "--auth-failure-rate=3",
        "--max-connections=7",
        "--max-body-bytes=4096",
        "--head-timeout=1s",
        "--body-timeout=2s",
        "--store-queue=5",
    ];
    let limits = load(&args).expect("good").limits;
    assert_eq!(limits.access.token_rate, 0);
    let failures = (
        limits.access.auth_failure_rate,
        limits.access.auth_failure_burst,
    );
    assert_eq!(failures, (3, 6));
    assert_eq!(limits.server.max_connections, 7);
    assert_eq!(limits.server.body.max_bytes, 4096);
    assert_eq!(limits.server.head_timeout, Duration::from_secs(1));
    assert_eq!(limits.server.body.timeout, Duration::from_secs(2));
    assert_eq!(limits.store_queue, 5);
    for (arg, name) in [
        ("--token-burst=0", "--token-burst"),
        ("--auth-failure-burst=0", "--auth-failure-burst"),
        ("--max-connections=0", "--max-connections"),
        ("--max-body-bytes=1023", "--max-body-bytes"),
        ("--head-timeout=0s", "--head-timeout"),
        ("--body-timeout=soon", "--body-timeout"),
        ("--store-queue=0", "--store-queue"),
    ] {
        assert!(refused(&[arg]).starts_with(&format!("{name}: ")), "{arg}");
    }
    let directory = tempfile::tempdir().expect("a directory");
    let path = file(directory.path(), "a.toml", "token_rate = 9\n", 0o644);
    let limits = load(&["--config", &path]).expect("good").limits;
    assert_eq!(
        (limits.access.token_rate, limits.access.token_burst),
        (9, 18)
    );
}
