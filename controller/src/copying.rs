//! `backup` and `restore`: copies of the store, made and put back from the command line.

use std::{
    io,
    time::{SystemTime, UNIX_EPOCH},
};

use crate::{
    config::Copying,
    store::{
        backup::{self, BackupError},
        described::Described,
        restore::{self, RestoreError},
    },
};

/// Copies the store. What was done, for people.
///
/// # Errors
/// See [`BackupError`].
pub fn back_up(copying: &Copying, force: bool) -> Result<String, BackupError> {
    let described = backup::to_file(&copying.data_dir, &copying.master_key, &copying.file, force)?;
    Ok(format!(
        "{} holds {}. The master key is not in it: keep a copy of that apart",
        copying.file.display(),
        content(&described)
    ))
}

/// Puts a copy in the place of the store. What was done, for people.
///
/// # Errors
/// See [`RestoreError`].
pub fn restore(copying: &Copying) -> Result<String, RestoreError> {
    let now_s = now_s().map_err(|error| RestoreError::File {
        path: copying.data_dir.clone(),
        reason: error.to_string(),
    })?;
    let (file, data_dir) = (&copying.file, &copying.data_dir);
    let restored = restore::restore(file, data_dir, &copying.master_key, now_s)?;
    let kept = match &restored.kept {
        Some(kept) => format!(". The store that was there is now {}", kept.display()),
        None => String::new(),
    };
    Ok(format!(
        "restored {} from {}{kept}. Start the controller and confirm the plan of each node: until \
         then nothing is written to a node that differs",
        content(&restored.described),
        file.display()
    ))
}

fn content(described: &Described) -> String {
    let Described { nodes, peers, .. } = described;
    format!("{nodes} nodes and {peers} peers")
}

fn now_s() -> io::Result<i64> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let now = now.map_err(|_| io::Error::other("the clock of this host stands before 1970"))?;
    i64::try_from(now.as_secs()).map_err(io::Error::other)
}
