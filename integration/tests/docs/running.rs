//! Pages whose commands need no WireGuard are run as they stand.

use std::{env, fs, path::Path, process::Command};

use wgfleet_integration::{
    agent, binary,
    client::Address,
    host_test,
    pages::{self, Page},
};

/// Runs lines in an empty directory, our programs at hand, and gives what they print.
#[track_caller]
fn run(lines: &str) -> String {
    let directory = tempfile::tempdir().expect("a directory");
    let programs = ["wgfleet-agent", "wgfleet-controller", "wgfleet"].map(binary::path);
    let programs = programs[0].parent().expect("a directory");
    let path = env::var("PATH").expect("a path");
    let log = directory.path().join("output");
    // Programs that go on in the background must not keep a pipe open.
    let output = fs::File::create(&log).expect("a file");
    let status = Command::new("bash")
        .args(["-euo", "pipefail", "-c", lines])
        .current_dir(directory.path())
        .env("PATH", format!("{}:{path}", programs.display()))
        .stdout(output.try_clone().expect("a file"))
        .stderr(output)
        .status()
        .expect("bash is installed");
    let said = fs::read_to_string(&log).expect("what it printed");
    assert!(status.success(), "{status}\n{lines}\n--- said ---\n{said}");
    said
}

fn has_commands(page: &Page) -> bool {
    page.blocks().iter().any(|block| block.info == "sh")
}

host_test! {
    fn readme_runs_a_fleet() {
        let page = pages::page("README.md");
        let said = run(&page.script("false"));
        assert!(said.contains("PrivateKey = "), "the peer's configuration: {said}");
        assert!(said.contains("\"status\":\"online\""), "{said}");
    }
}

host_test! {
    fn the_contracts_example_is_accepted() {
        let page = pages::page("docs/wire-contract.md");
        assert!(has_commands(&page));
        let agent = agent::Config::simulated("wg0", 2).listen("127.0.0.1:8080").start();
        assert!(matches!(agent.address(), Address::Tcp(_)));
        let said = run(&format!("SECRET='{}'\n{}", agent::SECRET, page.script("false")));
        assert!(said.contains("\"interface\":\"wg0\""), "{said}");
    }
}

#[test]
fn every_page_with_commands_is_run_by_a_test() {
    // The others by `lab_docs`, and the program in controller.md by `docs_script`.
    let run_somewhere = [
        "README.md",
        "docs/controller.md",
        "docs/deploying.md",
        "docs/getting-started.md",
        "docs/operating.md",
        "docs/wire-contract.md",
    ];
    for page in pages::all().iter().filter(|page| has_commands(page)) {
        assert!(run_somewhere.contains(&page.path.as_str()), "{}", page.path);
        assert!(Path::new(&page.path).extension().is_some());
    }
}
