//! Where agents are said to be.

use crate::agent_client::{AgentUrl, InvalidAgentUrl};

fn parsed(text: &str) -> AgentUrl {
    text.parse()
        .unwrap_or_else(|error| panic!("{text}: {error}"))
}

#[test]
fn normalised_and_read_back() {
    for (given, normal) in [
        ("http://127.0.0.1:8080", "http://127.0.0.1:8080"),
        ("http://127.0.0.1:8080/", "http://127.0.0.1:8080"),
        ("HTTP://Node1.Example.COM:80/", "http://node1.example.com"),
        (" http://node1.example.com: ", "http://node1.example.com"),
        ("https://h:443/agent/", "https://h/agent"),
        ("https://h:80/Agent/7", "https://h:80/Agent/7"),
        ("http://[2001:DB8:0:0::1]:8080", "http://[2001:db8::1]:8080"),
        ("http://[::1]", "http://[::1]"),
        (
            "unix:///run/wgfleet/agent.sock",
            "unix:///run/wgfleet/agent.sock",
        ),
        (
            "unix:/run//wgfleet/./agent.sock",
            "unix:///run/wgfleet/agent.sock",
        ),
    ] {
        let url = parsed(given);
        assert_eq!(url.to_string(), normal, "{given}");
        assert_eq!(parsed(normal), url);
    }
    assert_ne!(parsed("http://h"), parsed("https://h"));
    assert_ne!(parsed("http://h/a"), parsed("http://h/A"));
}

#[test]
fn refused_with_the_reason() {
    use InvalidAgentUrl as Invalid;

    for (given, reason) in [
        ("", Invalid::Scheme),
        ("node1:8080", Invalid::Scheme),
        ("ftp://h", Invalid::Scheme),
        ("http:h", Invalid::Scheme),
        ("http://u:p@h", Invalid::UserInfo),
        ("http://@h", Invalid::UserInfo),
        ("http://h?x=1", Invalid::Query),
        ("http://h/a?", Invalid::Query),
        ("http://h/#", Invalid::Fragment),
        ("http://", Invalid::Host),
        ("http://:8080", Invalid::Host),
        ("http://h h", Invalid::Host),
        ("http://h\r\nX: y", Invalid::Host),
        ("http://nöde", Invalid::Host),
        ("http://a..b", Invalid::Host),
        ("http://[::1", Invalid::Host),
        ("http://[fe80::1%eth0]", Invalid::Host),
        ("http://::1:8080", Invalid::Host),
        ("http://[::1]8080", Invalid::Host),
        ("http://h:0", Invalid::Port),
        ("http://h:65536", Invalid::Port),
        ("http://h:+80", Invalid::Port),
        ("http://h:x", Invalid::Port),
        ("http://h//a", Invalid::Prefix),
        ("http://h/a/../b", Invalid::Prefix),
        ("http://h/a|b", Invalid::Prefix),
        ("http://h/%2e", Invalid::Prefix),
        ("unix://", Invalid::SocketPath),
        ("unix:///", Invalid::SocketPath),
        ("unix://run/agent.sock", Invalid::SocketPath),
        ("unix:///run/agent/", Invalid::SocketPath),
        ("unix:///run/a?b", Invalid::Query),
    ] {
        assert_eq!(given.parse::<AgentUrl>(), Err(reason), "{given}");
    }
    let long = format!("unix:///{}", "x".repeat(107));
    assert_eq!(long.parse::<AgentUrl>(), Err(Invalid::SocketPath));
    let long = format!("http://h/{}", "x".repeat(2048));
    assert_eq!(long.parse::<AgentUrl>(), Err(Invalid::TooLong));
}

#[test]
fn errors_do_not_repeat_what_was_given() {
    let error = "http://admin:hunter2@h".parse::<AgentUrl>().unwrap_err();
    assert!(!format!("{error} {error:?}").contains("hunter2"));
}

#[test]
fn plain_http_to_another_host_is_exposed() {
    for (url, exposed) in [
        ("http://node1", true),
        ("http://10.0.0.1", true),
        ("https://node1", false),
        ("http://127.0.0.1", false),
        ("http://[::1]", false),
        ("http://localhost:8080", false),
        ("unix:///run/a.sock", false),
    ] {
        assert_eq!(parsed(url).is_exposed(), exposed, "{url}");
    }
}
