//! Every example of `docs/cli.md`, in its order.
//!
//! In what is expected, `…` stands for anything within a line. Columns may be further apart.

use std::{fs, path::Path};

use wgfleet_integration::wg::numbered_key;

use super::fleet::{Fleet, NEVER, Run, SECRETS, Shell, url};

/// A command of the page, and what the page says it answers.
struct Example {
    line: usize,
    command: String,
    answer: Vec<String>,
}

fn examples(page: &str) -> Vec<Example> {
    let mut examples: Vec<Example> = Vec::new();
    let mut is_console = false;
    for (number, line) in page.lines().enumerate() {
        if let Some(kind) = line.strip_prefix("```") {
            is_console = kind == "console";
        } else if !is_console {
        } else if let Some(command) = line.strip_prefix("$ ") {
            examples.push(Example {
                line: number + 1,
                command: command.to_owned(),
                answer: Vec::new(),
            });
        } else {
            let example = examples.last_mut().expect("a command comes first");
            example.answer.push(line.to_owned());
        }
    }
    examples
}

/// What a terminal would have shown; the page has notes and errors after answers.
fn shown(run: &Run) -> Vec<String> {
    let lines = run.stdout.lines().chain(run.stderr.lines());
    let mut lines: Vec<_> = lines.map(ToOwned::to_owned).collect();
    if run.status != 0 {
        lines.push(format!("exit code {}", run.status));
    }
    lines
}

fn is_like(expected: &str, actual: &str) -> bool {
    let words = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    let (expected, actual) = (words(expected), words(actual));
    let mut parts = expected.split('…');
    let Some(mut rest) = actual.strip_prefix(parts.next().unwrap_or_default()) else {
        return false;
    };
    let parts: Vec<_> = parts.collect();
    let Some((last, inner)) = parts.split_last() else {
        return rest.is_empty();
    };
    for part in inner {
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    rest.ends_with(last)
}

#[test]
fn every_example_of_the_page_does_what_it_says() {
    let fleet = Fleet::without_nodes(NEVER);
    let shell = Shell::new();
    for (name, secret) in [("node-1.secret", SECRETS[0]), ("node-2.secret", SECRETS[1])] {
        shell.file(name, secret);
    }
    let conf = format!(
        "[Interface]\nAddress = 10.8.1.1/24\nListenPort = 51820\n\n# desk of Anna\n[Peer]\nPublicKey = {}\n\
         PresharedKey = {}\nAllowedIPs = 10.8.1.10/32\nPersistentKeepalive = 25\n\n[Peer]\nPublicKey = {}\n\
         AllowedIPs = 10.8.1.11/32, 192.168.7.0/24\n",
        numbered_key(1),
        numbered_key(2),
        numbered_key(3)
    );
    shell.file("wg0.conf", &conf);
    let token = fleet.controller.data_dir().join("admin-token");
    // What the page calls it, and what it is.
    let names = [
        (
            "https://wgfleet.example.com:10086",
            url(fleet.controller.address()),
        ),
        ("http://10.0.0.1:10087", fleet.agent_url(0)),
        ("http://10.0.0.2:10087", fleet.agent_url(1)),
        (
            "/var/lib/wgfleet-controller/admin-token",
            token.display().to_string(),
        ),
    ];
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/cli.md");
    let page = fs::read_to_string(page).expect("the page");
    let examples = examples(&page);
    assert!(examples.len() > 30, "{}", examples.len());
    let mut wrong = String::new();
    for Example {
        line,
        command,
        answer,
    } in examples
    {
        let real = names.iter().fold(command.clone(), |text, (name, real)| {
            text.replace(name, real)
        });
        let shown = shown(&shell.line(&real)).into_iter().map(|line| {
            names
                .iter()
                .fold(line, |text, (name, real)| text.replace(real.as_str(), name))
        });
        let shown: Vec<_> = shown.collect();
        let is_right = shown.len() == answer.len()
            && answer
                .iter()
                .zip(&shown)
                .all(|(expected, actual)| is_like(expected, actual));
        if !is_right {
            wrong += &format!("docs/cli.md:{line}: $ {command}\n{}\n\n", shown.join("\n"));
        }
    }
    assert!(wrong.is_empty(), "these answer otherwise:\n{wrong}");
}

#[test]
fn an_ellipsis_stands_for_anything_within_a_line() {
    for (expected, actual, alike) in [
        ("a  b", "a b", true),
        ("a …", "a b c", true),
        ("… b …", "a b c", true),
        ("a … c", "a b c", true),
        ("a", "a b", false),
        ("… d", "a b c", false),
        ("b …", "a b c", false),
        ("…", "", true),
    ] {
        assert_eq!(is_like(expected, actual), alike, "{expected} {actual}");
    }
}
