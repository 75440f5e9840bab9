//! The rules of the house: who may use what, and what may stand where.
//!
//! Dependencies between crates come from `cargo metadata`, those within a crate from the paths its
//! sources name. Every rule has a test that it finds a violation; rules for crates that are not
//! written yet hold from their first line.

#[path = "architecture/crates.rs"]
mod crates;
#[path = "architecture/hostile.rs"]
mod hostile;
#[path = "architecture/layout.rs"]
mod layout;
#[path = "architecture/paths.rs"]
mod paths;
#[path = "architecture/sources.rs"]
mod sources;

use std::path::Path;

/// The top of the workspace.
fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("this crate is in a workspace")
}

/// Fails with every violation, one a line.
#[track_caller]
fn assert_none(violations: &[String]) {
    assert!(
        violations.is_empty(),
        "the rules of the house are broken:\n{}",
        violations.join("\n")
    );
}
