//! What can be said on the command line.

use std::path::PathBuf;

use clap::{Args, CommandFactory as _, Parser, Subcommand};
use clap_complete::Shell;

use super::{
    audit::AuditFlags, backup::BackupFlags, events::EventsFlags, node::NodeCommand, output::Format,
    peer::PeerCommand, token::TokenCommand,
};

const EXIT_CODES: &str = "\
Exit codes: 0 done, 1 refused or failed, 64 a bad flag or setting, 65 bad content of a file, 69 the \
controller is unavailable, 74 a file can't be read or written, 77 the token is missing or may not do this.";

/// Manages a fleet of WireGuard nodes and their peers
#[derive(Debug, Parser)]
#[command(name = "wgfleet", version, after_help = EXIT_CODES)]
#[command(disable_help_subcommand = true)]
pub(super) struct Cli {
    #[command(flatten)]
    pub(super) options: Options,

    #[command(subcommand)]
    pub(super) command: Command,
}

/// What every command takes. No secret among it: those are in files, variables or the credentials.
#[derive(Debug, Args)]
#[command(next_help_heading = "Options of all commands")]
pub(super) struct Options {
    /// The controller, instead of the one logged in to last: http://, https:// or unix:///
    #[arg(
        long,
        global = true,
        env = "WGFLEET_URL",
        hide_env_values = true,
        value_name = "URL"
    )]
    pub(super) url: Option<String>,

    /// File with the token, or - for standard input; the variable WGFLEET_TOKEN may hold it too
    #[arg(long, global = true, value_name = "FILE")]
    pub(super) token_file: Option<PathBuf>,

    /// Authorities that sign the controller's certificate, PEM, instead of the system's
    #[arg(
        long,
        global = true,
        env = "WGFLEET_CA_FILE",
        hide_env_values = true,
        value_name = "FILE"
    )]
    pub(super) ca_file: Option<PathBuf>,

    /// Form of the output
    #[arg(
        long,
        short,
        global = true,
        value_enum,
        default_value_t,
        hide_possible_values = true
    )]
    #[arg(value_name = "table|json|csv")]
    pub(super) output: Format,
}

/// What there is to do.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Try a token and keep it for the commands that follow
    ///
    /// The token is asked for on a terminal, and otherwise read from standard input, --token-file or
    /// the variable WGFLEET_TOKEN. It is kept in $XDG_CONFIG_HOME/wgfleet/credentials.toml, which only
    /// its owner can read.
    Login {
        /// The controller: http://HOST:PORT, https://HOST:PORT or unix:///PATH
        #[arg(value_name = "URL")]
        controller: Option<String>,
    },

    /// Forget the token of a controller
    Logout,

    /// Show how the whole fleet is
    Status,

    /// Look at nodes and change them
    Node {
        #[command(subcommand)]
        command: NodeCommand,
    },

    /// Look at peers and change them
    Peer {
        #[command(subcommand)]
        command: PeerCommand,
    },

    /// Follow what happens, until interrupted
    Events(EventsFlags),

    /// Look at tokens, make and revoke them
    Token {
        #[command(subcommand)]
        command: TokenCommand,
    },

    /// Show who did what, newest first
    Audit(AuditFlags),

    /// Download a copy of the controller's store
    Backup(BackupFlags),

    /// Print completions for a shell
    Completions {
        /// The shell
        shell: Shell,
    },
}

/// All commands and flags, for whoever makes manual pages or completions of them.
#[must_use]
pub fn command() -> clap::Command {
    Cli::command()
}
