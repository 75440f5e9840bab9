//! A file that is not what it shall be yet: private, and gone when it never comes to that.

use std::{
    fs::{self, File, OpenOptions},
    io,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use rustix::process::{Pid, test_kill_process};

const END: &str = ".part";

/// An empty file of mode 0600 that nobody had before; removed when dropped.
pub(super) struct Part {
    path: PathBuf,
    is_placed: bool,
}

impl Part {
    /// Beside `file`, under a name of this process alone. What a process that died left of the same
    /// file is removed.
    pub(super) fn beside(file: &Path) -> io::Result<Self> {
        let name = file.file_name();
        let name = name.ok_or_else(|| io::Error::from(io::ErrorKind::IsADirectory))?;
        let begin = format!(".{}.", name.to_string_lossy());
        let directory = directory(file);
        for entry in fs::read_dir(directory)? {
            let name = entry?.file_name();
            let process = name.to_str().and_then(|name| {
                let rest = name.strip_prefix(&begin)?.strip_suffix(END)?;
                rest.parse().ok().and_then(Pid::from_raw)
            });
            if process
                .is_some_and(|process| test_kill_process(process) == Err(rustix::io::Errno::SRCH))
            {
                remove(&directory.join(name))?;
            }
        }
        Self::at(directory.join(format!("{begin}{}{END}", std::process::id())))
    }

    /// At `path`, which is this process's alone: what is there was left by one that died.
    pub(super) fn at(path: PathBuf) -> io::Result<Self> {
        remove(&path)?;
        OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&path)?;
        let is_placed = false;
        Ok(Self { path, is_placed })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Waits until the content is on disk.
    pub(super) fn sync(&self) -> io::Result<()> {
        File::open(&self.path)?.sync_all()
    }

    /// It has its name.
    pub(super) fn placed(mut self) {
        self.is_placed = true;
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        if !self.is_placed {
            // The next one tries again.
            let _ = remove(&self.path);
        }
    }
}

/// Removes a file that may not be there.
pub(super) fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => removed,
    }
}

/// Waits until the names in the directory of `file` are on disk.
pub(super) fn sync_directory(file: &Path) -> io::Result<()> {
    File::open(directory(file))?.sync_all()
}

fn directory(file: &Path) -> &Path {
    match file.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    }
}
