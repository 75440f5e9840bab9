//! Commands in blocks and flags in sentences are the programs' own, also where no test runs them.

use std::{collections::BTreeSet, fs, process::Command};

use wgfleet_integration::{
    binary,
    pages::{self, Page},
};

/// How a block may be marked.
const INFOS: [&str; 8] = [
    "sh",
    "sh no-run",
    "sh on node",
    "sh on client",
    "console",
    "json",
    "text",
    "",
];

/// Programs, and commands of theirs that have flags of their own.
const PROGRAMS: [(&str, &[&str]); 4] = [
    ("wgfleet-agent", &[]),
    ("wgfleet-controller backup", &["backup"]),
    ("wgfleet-controller restore", &["restore"]),
    ("wgfleet-controller", &[]),
];

fn help(program: &str, command: &[&str]) -> String {
    let name = program.split(' ').next().expect("a name");
    let output = Command::new(binary::path(name))
        .args(command)
        .arg("--help")
        .output();
    String::from_utf8(output.expect("it runs").stdout).expect("text")
}

/// Words that are flags, as they stand in a help text or a command.
fn flags(text: &str) -> BTreeSet<String> {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '-');
    let flags = words.filter(|word| word.starts_with("--") && word.len() > 3);
    flags
        .map(|flag| flag.trim_end_matches('-').to_owned())
        .collect()
}

/// What begins a command that is one of ours, and its flags.
fn flags_of(command: &str) -> Option<(String, BTreeSet<String>)> {
    let begins = |name: &str| command.starts_with(&format!("{name} "));
    if begins("wgfleet") {
        // Its commands, and what they are about: `--help` behind them tells of the command.
        let words = command.split(' ').skip(1);
        let words: Vec<_> = words.take_while(|word| !word.starts_with('-')).collect();
        let known = flags(&help("wgfleet", &words));
        return Some((format!("wgfleet {}", words.join(" ")), known));
    }
    let (name, arguments) = PROGRAMS.iter().find(|(name, _)| begins(name))?;
    Some(((*name).to_owned(), flags(&help(name, arguments))))
}

/// Flags of all commands of all programs, as their manual pages have them.
fn flags_of_manual_pages() -> BTreeSet<String> {
    let directory = tempfile::tempdir().expect("a directory");
    let written = Command::new(binary::path("wgfleet-man"))
        .arg(directory.path())
        .status();
    assert!(written.expect("it runs").success());
    let pages = fs::read_dir(directory.path()).expect("a directory");
    let texts = pages.map(|page| fs::read_to_string(page.expect("a page").path()).expect("text"));
    // As they are written for troff: `\fB\-\-flag\fR`.
    let plain = |text: String| {
        ["\\fB", "\\fI", "\\fR"]
            .iter()
            .fold(text.replace("\\-", "-"), |text, font| {
                text.replace(font, " ")
            })
    };
    texts.flat_map(|text| flags(&plain(text))).collect()
}

/// The commands of a block, one a line, continuations joined.
fn commands(text: &str) -> Vec<String> {
    let joined = text.replace("\\\n", " ");
    joined
        .split(['\n', '|', ';', '&'])
        .map(|command| command.trim().trim_start_matches("sudo ").to_owned())
        .collect()
}

fn judge(page: &Page) -> Vec<String> {
    let mut found = Vec::new();
    let makefile = pages::page("Makefile").text;
    for block in page.blocks() {
        let place = format!("{} line {}", page.path, block.line);
        if !INFOS.contains(&block.info.as_str()) {
            found.push(format!("{place}: nobody knows what {:?} means", block.info));
        }
        if !block.info.starts_with("sh") {
            continue;
        }
        for command in commands(&block.text) {
            if let Some((name, known)) = flags_of(&command) {
                let wrong: Vec<_> = flags(&command).difference(&known).cloned().collect();
                found.extend(
                    wrong
                        .iter()
                        .map(|flag| format!("{place}: {name} has no {flag}")),
                );
            }
            let first = command.split(' ').next().unwrap_or_default();
            if let Some(target) = command.strip_prefix("make ") {
                let target = target.split(' ').next().expect("a word");
                if target != "#"
                    && !target.is_empty()
                    && !makefile.contains(&format!("\n{target}:"))
                {
                    found.push(format!("{place}: there is no make {target}"));
                }
            }
            let of_ours = ["packaging/", "integration/", "benches/", ".ci/"];
            if of_ours.iter().any(|room| first.starts_with(room))
                && !pages::root().join(first).is_file()
            {
                found.push(format!("{place}: there is no {first}"));
            }
        }
    }
    // A line that is indented so far is a block too, which nothing here would look at.
    for (number, line) in page.prose().lines().enumerate() {
        if line.starts_with("    ") {
            found.push(format!(
                "{} line {}: fence this block",
                page.path,
                number + 1
            ));
        }
    }
    found
}

#[test]
fn every_block_is_one_a_test_understands() {
    let found: Vec<_> = pages::all().iter().flat_map(judge).collect();
    assert_eq!(found, [""; 0]);
}

#[test]
fn nonsense_is_found() {
    let page = |text: &str| Page {
        path: "p".into(),
        text: text.into(),
    };
    for text in [
        "```sh no-run\nsudo wgfleet-agent \\\n  --nonsense 1\n```\n",
        "```sh\nwgfleet-controller backup --listen x FILE\n```\n",
        "```sh\nwgfleet peer add laptop --nonsense\n```\n",
        "```sh\nmake nonsense\n```\n",
        "```sh no-run\npackaging/nonsense\n```\n",
        "```shell\ntrue\n```\n",
        "text\n\n    true\n",
    ] {
        assert_eq!(judge(&page(text)).len(), 1, "{text}");
    }
    let good = "```sh\nwgfleet-controller --listen 127.0.0.1:0 & make test\n```\n";
    assert_eq!(judge(&page(good)), [""; 0]);
}

#[test]
fn flags_in_sentences_are_flags_of_ours() {
    let known = flags_of_manual_pages();
    let mut checked = 0;
    for page in pages::all() {
        let prose = page.prose();
        // Between backticks, and beginning with the flag: what stands there is ours.
        for quoted in prose
            .split('`')
            .skip(1)
            .step_by(2)
            .filter(|it| it.starts_with("--"))
        {
            let flag = flags(quoted).into_iter().next().expect("a flag");
            assert!(known.contains(&flag), "{}: `{quoted}`", page.path);
            checked += 1;
        }
    }
    assert!(checked > 20, "{checked}");
}

#[test]
fn variables_and_paths_of_the_packages_are_real() {
    let packaged = ["agent/Cargo.toml", "controller/Cargo.toml"].map(|path| pages::page(path).text);
    for page in [
        "docs/getting-started.md",
        "docs/deploying.md",
        "docs/operating.md",
    ] {
        let text = pages::page(page).text;
        let words = text.split(|c: char| c.is_whitespace() || ['`', '(', ')', ','].contains(&c));
        for path in words.filter(|word| word.starts_with("/usr/share/doc/wgfleet-")) {
            let directory = path
                .rsplit_once('/')
                .expect("a path")
                .0
                .trim_start_matches('/');
            let listed = packaged
                .iter()
                .any(|text| text.contains(&format!("\"{directory}/\"")));
            assert!(listed, "{page}: {path}");
        }
    }
    assert!(fs::metadata(pages::root().join("packaging/monitoring/prometheus.yml")).is_ok());
}
