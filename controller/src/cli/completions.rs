//! `wgfleet completions`: what a shell knows of the flags.

use std::io::{self, Write as _};

use clap_complete::Shell;

use super::{failure::Failure, flags::command};

/// Prints a shell's completions.
pub(super) fn print(shell: Shell) -> Result<(), Failure> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut command(), "wgfleet", &mut script);
    io::stdout().write_all(&script)?;
    Ok(())
}
