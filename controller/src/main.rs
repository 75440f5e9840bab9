//! `wgfleet-controller`: configuration, build, run, drain.

use std::process::ExitCode;

use wgfleet_controller::{
    config::{Config, ConfigError, EXIT_USAGE, LogFormat},
    run,
};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let config = match Config::load(std::env::args_os()) {
        Ok(config) => config,
        Err(ConfigError::Flags(message)) => {
            // Nobody left to tell when this can't be printed.
            let _ = message.print();
            return if message.use_stderr() {
                ExitCode::from(EXIT_USAGE)
            } else {
                ExitCode::SUCCESS
            };
        }
        Err(error) => {
            eprintln!("wgfleet-controller: {error}");
            return ExitCode::from(EXIT_USAGE);
        }
    };
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
