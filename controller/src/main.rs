//! `wgfleet-controller`: configuration, build, run, drain.

use std::{
    fmt::Display,
    io::{self, Write},
    process::ExitCode,
};

use wgfleet_controller::{
    config::{Command, Config, ConfigError, EXIT_USAGE, LogFormat},
    copying, run,
};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    match Command::load(std::env::args_os()) {
        Ok(Command::Serve(config)) => serve(*config),
        Ok(Command::Backup(copying, force)) => report(copying::back_up(&copying, force)),
        Ok(Command::Restore(copying)) => report(copying::restore(&copying)),
        Err(ConfigError::Flags(message)) => {
            // Nobody left to tell when this can't be printed.
            let _ = message.print();
            if message.use_stderr() {
                ExitCode::from(EXIT_USAGE)
            } else {
                ExitCode::SUCCESS
            }
        }
        Err(error) => {
            eprintln!("wgfleet-controller: {error}");
            ExitCode::from(EXIT_USAGE)
        }
    }
}

fn serve(config: Config) -> ExitCode {
    start_log(config.log_format);
    match run::run(config) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("{error}");
            eprintln!("wgfleet-controller: {error}");
            ExitCode::FAILURE
        }
    }
}

fn report(outcome: Result<String, impl Display>) -> ExitCode {
    match outcome {
        Ok(done) => {
            // It is done whether or not anybody is there to be told.
            let _ = writeln!(io::stdout(), "{done}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("wgfleet-controller: {error}");
            ExitCode::FAILURE
        }
    }
}

fn start_log(format: LogFormat) {
    let filter = tracing_subscriber::EnvFilter::try_from_env("WGFLEET_LOG")
        .unwrap_or_else(|_| "info".into());
    let log = tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_env_filter(filter);
    match format {
        LogFormat::Text => log.with_ansi(false).init(),
        LogFormat::Json => log.json().flatten_event(true).init(),
    }
}
