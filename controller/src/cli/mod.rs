//! The command line `wgfleet`: a client of the documented REST API, and of nothing else.
//!
//! A command reads its flags ([`flags`]), asks the controller through the [`client`] and writes what
//! came of it to the [`output`]. It knows no more of the controller than any other program could:
//! what is asked and answered here stands in `docs/controller.md`.
//!
//! No secret is ever taken from the command line, where every user of the host could read it: tokens
//! and keys come from files, standard input or the environment.
//!
//! Read first: [`flags`] for what there is to say, then `node` for how a command looks.

mod audit;
mod backup;
mod client;
mod completions;
mod confirm;
mod credentials;
mod events;
mod failure;
mod find;
mod flags;
mod login;
mod node;
mod output;
mod peer;
mod progress;
mod secret;
mod session;
mod status;
#[cfg(test)]
mod tests;
mod token;
mod values;

use std::{ffi::OsString, process::ExitCode};

use clap::Parser as _;

use self::{
    failure::Failure,
    flags::{Cli, Command},
    session::Session,
};

pub use flags::command;

/// Runs a command line and says how it ended; see `docs/cli.md` for the exit codes.
pub fn main(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    let cli = match Cli::try_parse_from(args) {
        Ok(cli) => cli,
        Err(message) => {
            // Nobody left to tell when this can't be printed.
            let _ = message.print();
            return if message.use_stderr() {
                ExitCode::from(failure::USAGE)
            } else {
                ExitCode::SUCCESS
            };
        }
    };
    match start(cli) {
        Ok(()) => ExitCode::SUCCESS,
        // Whoever read this has seen enough.
        Err(Failure::Output(error)) if error.kind() == std::io::ErrorKind::BrokenPipe => {
            ExitCode::SUCCESS
        }
        Err(failure) => {
            eprintln!("wgfleet: {}", output::plain(&failure.to_string()));
            ExitCode::from(failure.exit_code())
        }
    }
}

fn start(cli: Cli) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::Failed(format!("the system refused what is needed: {error}")))?;
    runtime.block_on(run(cli))
}

async fn run(cli: Cli) -> Result<(), Failure> {
    let Cli { options, command } = cli;
    match command {
        Command::Completions { shell } => return completions::print(shell),
        Command::Login { controller } => return login::login(options, controller).await,
        Command::Logout => return login::logout(&options),
        _ => {}
    }
    let session = Session::open(&options)?;
    match command {
        Command::Status => status::run(&session).await,
        Command::Node { command } => node::run(&session, command).await,
        Command::Peer { command } => peer::run(&session, command).await,
        Command::Events(flags) => events::run(&session, flags).await,
        Command::Token { command } => token::run(&session, command).await,
        Command::Audit(flags) => audit::run(&session, flags).await,
        Command::Backup(flags) => backup::run(&session, flags).await,
        Command::Completions { .. } | Command::Login { .. } | Command::Logout => {
            unreachable!("they need no session")
        }
    }
}
