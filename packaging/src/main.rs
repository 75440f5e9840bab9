//! `wgfleet-man DIR`: writes the manual pages of all programs into DIR, made from their flags.
//!
//! No part of any program that ships: those stay as small as they are.

use std::{env, fs, io, path::Path, process::ExitCode};

use clap::Command;
use clap_mangen::Man;

/// Of what anybody may use.
const COMMANDS: &str = "1";
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
    let mut of_people = Vec::new();
    let mut wgfleet = wgfleet_controller::cli::command();
    // Whole names and flags of all commands are handed down.
    wgfleet.build();
    with_subcommands(&wgfleet, &mut of_people);
    pages.extend(of_people.into_iter().map(|command| (COMMANDS, command)));
    for (section, command) in pages {
        write(directory, section, command)?;
    }
    Ok(())
}

/// Each command of a command after it.
fn with_subcommands(command: &Command, all: &mut Vec<Command>) {
    all.push(command.clone());
    for inner in command.get_subcommands() {
        with_subcommands(inner, all);
    }
}

/// A command of a command, `a b`, has the page `a-b`.
fn write(directory: &Path, section: &str, command: Command) -> io::Result<()> {
    let name = command.get_display_name().unwrap_or(command.get_name());
    let title = name.replace(' ', "-");
    let source = format!("{MANUAL} {}", env!("CARGO_PKG_VERSION"));
    // The line that `whatis` and `apropos` read names a page by one word.
    let page = Man::new(command.display_name(title.clone()))
        .title(title.to_uppercase())
        .section(section)
        .source(source)
        .manual(MANUAL);
    let mut text = Vec::new();
    page.render(&mut text)?;
    fs::write(directory.join(format!("{title}.{section}")), text)
}
