//! `wgfleet-man DIR`: writes the manual pages of all programs into DIR, made from their flags.
//!
//! No part of any program that ships: those stay as small as they are.

use std::{env, fs, io, path::Path, process::ExitCode};

use clap::Command;
use clap_mangen::Man;

/// Of daemons and what belongs to them.
const SYSTEM_ADMINISTRATION: &str = "8";
const MANUAL: &str = "wgfleet";

fn main() -> ExitCode {
    let Some(directory) = env::args_os().nth(1) else {
        eprintln!("usage: wgfleet-man DIR");
        return ExitCode::from(64);
    };
    match write_all(Path::new(&directory)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("wgfleet-man: {}: {error}", directory.display());
            ExitCode::FAILURE
        }
    }
}

fn write_all(directory: &Path) -> io::Result<()> {
    fs::create_dir_all(directory)?;
    let mut pages = vec![(SYSTEM_ADMINISTRATION, wgfleet_agent::config::command())];
    let of_controller = wgfleet_controller::config::commands().into_iter();
    pages.extend(of_controller.map(|command| (SYSTEM_ADMINISTRATION, command)));
    for (section, command) in pages {
        write(directory, section, command)?;
    }
    Ok(())
}

/// A command of a command, `a b`, has the page `a-b`.
fn write(directory: &Path, section: &str, command: Command) -> io::Result<()> {
    let title = command.get_name().replace(' ', "-");
    let source = format!("{MANUAL} {}", env!("CARGO_PKG_VERSION"));
    let page = Man::new(command)
        .title(title.to_uppercase())
        .section(section)
        .source(source)
        .manual(MANUAL);
    let mut text = Vec::new();
    page.render(&mut text)?;
    fs::write(directory.join(format!("{title}.{section}")), text)
}
