//! `wgfleet-agent`: configuration, build, run, drain.

use std::process::ExitCode;

use wgfleet_agent::{
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
            eprintln!("wgfleet-agent: {error}");
            return ExitCode::from(EXIT_USAGE);
        }
    };
    start_log(config.log_format);
    match run::run(config) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Once, in the form asked for; a log that is switched off must not hide it.
            if tracing::enabled!(tracing::Level::ERROR) {
                tracing::error!("{error}");
            } else {
                eprintln!("wgfleet-agent: {error}");
            }
            ExitCode::FAILURE
        }
    }
}

fn start_log(format: LogFormat) {
    let filter = tracing_subscriber::EnvFilter::try_from_env("WGFLEET_LOG")
        .unwrap_or_else(|_| "info,netlink_proto=warn".into());
    let log = tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_env_filter(filter);
    match format {
        LogFormat::Text => log.with_ansi(false).init(),
        LogFormat::Json => {
            log.json().flatten_event(true).init();
            // One object a line, whatever happens.
            std::panic::set_hook(Box::new(|panic| tracing::error!("{panic}")));
        }
    }
}
