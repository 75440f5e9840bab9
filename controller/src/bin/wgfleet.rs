//! `wgfleet`: the controller's command line.

use std::process::ExitCode;

fn main() -> ExitCode {
    wgfleet_controller::cli::main(std::env::args_os())
}
