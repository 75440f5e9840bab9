//! Where the agent's binary is, and whether it is the one these sources make.

use std::{
    env, fs,
    path::{Path, PathBuf},
    time::SystemTime,
};

const NAME: &str = "wgfleet-agent";
/// What the binary is made of.
const SOURCES: [&str; 3] = ["agent/src", "wire-contract/src", "agent/Cargo.toml"];

/// The agent's binary, of the profile the tests were built with; `WGFLEET_AGENT` names another.
///
/// # Panics
/// When it is missing, or older than its sources: what a test says about an old program means
/// nothing.
#[must_use]
pub fn path() -> PathBuf {
    if let Some(named) = env::var_os("WGFLEET_AGENT") {
        return PathBuf::from(named);
    }
    let program = env::current_exe().expect("a test program knows where it is");
    let profile = program
        .ancestors()
        .nth(2)
        .expect("target/<profile>/deps/<program>");
    let binary = profile.join(NAME);
    let sources = SOURCES.map(|source| workspace().join(source));
    check(&binary, &sources).unwrap_or_else(|problem| {
        panic!(
            "{} {problem}: build it with `cargo build -p {NAME}`",
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

fn newest(path: &Path) -> Option<SystemTime> {
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
