//! A small disk of its own for a program under test: full or read-only, it hurts nobody else.
//!
//! It is a tmpfs in a mount namespace that a process of its own keeps. Needs root.

use std::{
    fs::{self, File},
    io::{ErrorKind, Write},
    path::{Path, PathBuf},
    process::Command,
};

use tempfile::TempDir;

use crate::process::Process;

/// What takes up the room.
const FILLER: &str = "filler";

/// An empty disk. Gone when dropped, with all that is on it.
#[derive(Debug)]
pub struct Disk {
    place: TempDir,
    keeper: Process,
}

impl Disk {
    /// Of that many MiB.
    ///
    /// # Panics
    /// When it can't be mounted: that needs root.
    #[must_use]
    #[track_caller]
    pub fn new(mebibytes: u32) -> Self {
        let place = TempDir::with_prefix("wgfleet-disk-").expect("a temporary directory");
        let script = format!(
            "mount -t tmpfs -o size={mebibytes}m,mode=0700 tmpfs \"$0\" && echo mounted >&2 && exec sleep infinity"
        );
        let mut keeper = Process::default();
        keeper.spawn(
            Command::new("unshare")
                .args(["--mount", "--propagation", "private", "bash", "-c", &script])
                .arg(place.path()),
        );
        keeper.await_line(|line| (line == "mounted").then_some(()));
        Self { place, keeper }
    }

    /// Where it is for programs started with [`Disk::command`].
    #[must_use]
    pub fn path(&self) -> &Path {
        self.place.path()
    }

    /// The same place for everybody else.
    ///
    /// # Panics
    /// Never: a temporary directory has an absolute path.
    #[must_use]
    pub fn from_outside(&self) -> PathBuf {
        let path = self.path().strip_prefix("/").expect("absolute");
        PathBuf::from(format!("/proc/{}/root", self.keeper.pid())).join(path)
    }

    /// A program that has this disk.
    #[must_use]
    pub fn command(&self, program: impl AsRef<Path>) -> Command {
        let mut command = Command::new("nsenter");
        command.arg(format!("--mount=/proc/{}/ns/mnt", self.keeper.pid()));
        command.arg("--").arg(program.as_ref());
        command
    }

    /// Leaves no room on it.
    ///
    /// # Panics
    /// When it does not fill up.
    pub fn fill(&self) {
        let mut filler =
            File::create(self.from_outside().join(FILLER)).expect("room for an empty file");
        let full = (0..1 << 20).find_map(|_| filler.write_all(&[0; 4096]).err());
        assert_eq!(
            full.expect("it is small").kind(),
            ErrorKind::StorageFull,
            "full for another reason"
        );
    }

    /// Takes away what [`Disk::fill`] put there.
    ///
    /// # Panics
    /// When it was not filled.
    pub fn make_room(&self) {
        fs::remove_file(self.from_outside().join(FILLER)).expect("it was filled");
    }

    /// Nothing can be written from now on, or can again. The kernel allows that only while no file
    /// on it is open for writing.
    ///
    /// # Panics
    /// When one is.
    #[track_caller]
    pub fn set_read_only(&self, is: bool) {
        let options = if is { "remount,ro" } else { "remount,rw" };
        let mut mount = self.command("mount");
        mount.args(["-o", options]).arg(self.path());
        let status = mount.status().expect("mount is installed");
        assert!(status.success(), "mount -o {options}: {status}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_fills_up_and_has_room_again() {
        let disk = Disk::new(1);
        let file = disk.from_outside().join("file");
        fs::write(&file, [0; 5000]).expect("there is room");
        disk.fill();
        let refused = fs::write(disk.from_outside().join("more"), [0; 5000]);
        assert_eq!(refused.unwrap_err().kind(), ErrorKind::StorageFull);
        disk.make_room();
        disk.set_read_only(true);
        assert_eq!(
            fs::write(&file, "x").unwrap_err().kind(),
            ErrorKind::ReadOnlyFilesystem
        );
        disk.set_read_only(false);
        fs::write(&file, "x").expect("writable again");
        assert!(!disk.path().join("file").exists(), "it is nobody else's");
        let listed = disk.command("ls").arg(disk.path()).output().expect("ls");
        assert_eq!(String::from_utf8_lossy(&listed.stdout), "file\nmore\n");
    }
}
