//! Where our programs are, and whether they are the ones these sources make.

use std::{
    env, fs,
    path::{Path, PathBuf},
    time::SystemTime,
};

/// What each is made of. (Not its manifest: what packages are made of stands there too, and cargo builds
/// nothing anew for that.)
const SOURCES: [(&str, &[&str]); 4] = [
    ("wgfleet-agent", &["agent/src", "wire-contract/src"]),
    (
        "wgfleet-controller",
        &[
            "controller/src",
            "controller/ui",
            "proto",
            "wire-contract/src",
        ],
    ),
    (
        "wgfleet-man",
        &[
            "packaging/src",
            "agent/src/config",
            "controller/src/cli",
            "controller/src/config",
        ],
    ),
    (
        "wgfleet",
        &[
            "controller/src/bin",
            "controller/src/cli",
            "controller/src/agent_client",
            "controller/src/domain",
            "wire-contract/src",
        ],
    ),
];

/// The binary of that name, of the profile the tests were built with; for `wgfleet-agent` the
/// variable `WGFLEET_AGENT` names another, and so on.
///
/// # Panics
/// When it is missing, or older than its sources: what a test says about an old program means
/// nothing.
#[must_use]
pub fn path(name: &str) -> PathBuf {
    let variable = name.to_uppercase().replace('-', "_");
    if let Some(named) = env::var_os(variable) {
        return PathBuf::from(named);
    }
    let program = env::current_exe().expect("a test program knows where it is");
    let profile = program
        .ancestors()
        .nth(2)
        .expect("target/<profile>/deps/<program>");
    let binary = profile.join(name);
    let (_, sources) = SOURCES
        .iter()
        .find(|(of, _)| *of == name)
        .expect("one of our programs");
    let sources: Vec<_> = sources
        .iter()
        .map(|source| workspace().join(source))
        .collect();
    check(&binary, &sources).unwrap_or_else(|problem| {
        panic!(
            "{} {problem}: build it with `cargo build --bin {name}`",
            binary.display()
        )
    });
    binary
}

fn workspace() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("this crate is in a workspace")
}

fn check(binary: &Path, sources: &[PathBuf]) -> Result<(), &'static str> {
    let built = modified(binary).ok_or("is missing")?;
    let changed = sources.iter().filter_map(|source| newest(source)).max();
    if changed > Some(built) {
        Err("is older than its sources")
    } else {
        Ok(())
    }
}

/// Unit tests are no part of the program: cargo does not build it anew for them.
pub(crate) fn newest(path: &Path) -> Option<SystemTime> {
    if path.ends_with("tests") || path.ends_with("tests.rs") {
        return None;
    }
    let Ok(entries) = fs::read_dir(path) else {
        return modified(path);
    };
    entries
        .filter_map(|entry| newest(&entry.ok()?.path()))
        .max()
}

fn modified(path: &Path) -> Option<SystemTime> {
    fs::metadata(path).ok()?.modified().ok()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn only_a_binary_newer_than_its_sources_will_do() {
        let directory = tempfile::tempdir().unwrap();
        let (binary, sources) = (
            directory.path().join("binary"),
            directory.path().join("src"),
        );
        fs::create_dir(&sources).unwrap();
        let source = fs::File::create(sources.join("main.rs")).unwrap();
        assert_eq!(
            check(&binary, std::slice::from_ref(&sources)),
            Err("is missing")
        );
        fs::write(&binary, "").unwrap();
        source
            .set_modified(SystemTime::now() - Duration::from_secs(60))
            .unwrap();
        assert_eq!(check(&binary, std::slice::from_ref(&sources)), Ok(()));
        source
            .set_modified(SystemTime::now() + Duration::from_secs(60))
            .unwrap();
        assert_eq!(check(&binary, &[sources]), Err("is older than its sources"));
    }
}
