//! What is made of the flags: completions for shells, and manual pages.

use std::{fs, io, path::Path};

use clap_complete::Shell;

use super::{failure::Failure, flags::command};

const NAME: &str = "wgfleet";

/// Prints a shell's completions.
pub(super) fn completions(shell: Shell) -> Result<(), Failure> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut command(), NAME, &mut script);
    io::Write::write_all(&mut io::stdout(), &script)?;
    Ok(())
}

/// Writes a manual page for the program and one for each of its commands.
pub(super) fn man_pages(directory: &Path) -> Result<(), Failure> {
    fs::create_dir_all(directory).map_err(Failure::writing(directory))?;
    clap_mangen::generate_to(command(), directory).map_err(Failure::writing(directory))
}
