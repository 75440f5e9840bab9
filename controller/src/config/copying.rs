//! `backup` and `restore` on the command line: the few settings that say where the store is.

use std::{ffi::OsString, path::PathBuf};

use clap::{Args, CommandFactory, Parser};

use super::{ConfigError, DEFAULT_DATA_DIR, flags, master_key_source};
use crate::store::{MasterKeySource, open::MASTER_KEY_FILE};

const EXIT_CODES: &str =
    "Exit codes: 0 done, 64 a bad flag, variable or file of settings, 1 anything else.";

/// Where the store is, as `serve` is told it.
#[derive(Debug, Args)]
struct Place {
    /// Where everything is kept [default: /var/lib/wgfleet-controller]
    #[arg(long, env = "WGFLEET_DATA_DIR", value_name = "DIR")]
    data_dir: Option<PathBuf>,

    /// The key that opens the secrets in the store [default: master-key in the data directory]
    #[arg(long, env = "WGFLEET_MASTER_KEY_FILE", value_name = "FILE")]
    master_key_file: Option<PathBuf>,

    /// The TOML file of `serve`, for these two settings
    #[arg(long, env = "WGFLEET_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
}

/// Copies the store into FILE, whether or not a controller runs.
#[derive(Debug, Parser)]
#[command(
    name = "wgfleet-controller backup",
    bin_name = "wgfleet-controller backup"
)]
#[command(version, about = "Copies the store into FILE, whether or not a controller runs", long_about = None, after_help = EXIT_CODES)]
struct BackupFlags {
    /// The copy; it never holds the master key, which must be kept apart
    file: PathBuf,

    /// Replace FILE if it exists
    #[arg(long)]
    force: bool,

    #[command(flatten)]
    place: Place,
}

/// Puts the backup FILE in the place of the store, which is kept beside it. The controller must be
/// stopped.
#[derive(Debug, Parser)]
#[command(
    name = "wgfleet-controller restore",
    bin_name = "wgfleet-controller restore"
)]
#[command(version, about = "Puts the backup FILE in the place of the store; stop the controller first", long_about = None, after_help = EXIT_CODES)]
struct RestoreFlags {
    /// The backup
    file: PathBuf,

    #[command(flatten)]
    place: Place,
}

/// A copy to make or to put back, and where the store is.
#[derive(Debug)]
pub struct Copying {
    /// The copy.
    pub file: PathBuf,
    /// Where the store is.
    pub data_dir: PathBuf,
    /// The key that opens the secrets in it.
    pub master_key: MasterKeySource,
}

impl Copying {
    fn new(file: PathBuf, place: Place) -> Result<Self, ConfigError> {
        let settings = match place.config.as_deref() {
            Some(path) => flags::read_file(path)?,
            None => flags::File::default(),
        };
        let data_dir = place.data_dir.or(settings.data_dir);
        let data_dir = data_dir.unwrap_or_else(|| DEFAULT_DATA_DIR.into());
        let key = place.master_key_file.or(settings.master_key_file);
        let key = key.unwrap_or_else(|| data_dir.join(MASTER_KEY_FILE));
        Ok(Self {
            file,
            data_dir,
            master_key: master_key_source(key),
        })
    }
}

/// Their command lines.
pub(super) fn commands() -> [clap::Command; 2] {
    [BackupFlags::command(), RestoreFlags::command()]
}

/// The copy to make, and whether it may replace another.
pub(super) fn backup(args: Vec<OsString>) -> Result<(Copying, bool), ConfigError> {
    let flags = BackupFlags::try_parse_from(args)?;
    Ok((Copying::new(flags.file, flags.place)?, flags.force))
}

/// The copy to put back.
pub(super) fn restore(args: Vec<OsString>) -> Result<Copying, ConfigError> {
    let flags = RestoreFlags::try_parse_from(args)?;
    Copying::new(flags.file, flags.place)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::config::Command;

    fn load(args: &[&str]) -> Result<Command, ConfigError> {
        let args = std::iter::once("wgfleet-controller").chain(args.iter().copied());
        Command::load(args.map(OsString::from))
    }

    #[test]
    fn the_store_is_where_serve_has_it() {
        let Ok(Command::Backup(copying, false)) = load(&["backup", "b", "--data-dir", "/d"]) else {
            panic!("a backup");
        };
        assert_eq!((copying.file, copying.data_dir), ("b".into(), "/d".into()));
        let MasterKeySource::File(key) = copying.master_key else {
            panic!("a file");
        };
        assert_eq!(key, Path::new("/d/master-key"));
        let directory = tempfile::tempdir().expect("a directory");
        let config = directory.path().join("controller.toml");
        let text = "listen = \"127.0.0.1:1\"\ndata_dir = \"/e\"\nmaster_key_file = \"/k\"\n";
        std::fs::write(&config, text).expect("written");
        let config = config.to_str().expect("UTF-8");
        let Ok(Command::Restore(copying)) = load(&["restore", "--config", config, "b"]) else {
            panic!("a restore");
        };
        assert_eq!(copying.data_dir, Path::new("/e"));
        let MasterKeySource::File(key) = copying.master_key else {
            panic!("a file");
        };
        assert_eq!(key, Path::new("/k"));
        let forced = load(&["backup", "--force", "b"]);
        assert!(matches!(forced, Ok(Command::Backup(_, true))));
    }

    #[test]
    fn what_is_no_command_is_serve() {
        for args in [&[][..], &["serve"], &["--poll-interval", "5s"]] {
            assert!(matches!(load(args), Ok(Command::Serve(_))), "{args:?}");
        }
        for args in [
            &["backup"][..],
            &["backup", "a", "b"],
            &["restore", "--force", "a"],
            &["backup", "a", "--listen", "127.0.0.1:1"],
            &["--data-dir", "/d", "backup", "a"],
        ] {
            assert!(matches!(load(args), Err(ConfigError::Flags(_))), "{args:?}");
        }
    }
}
