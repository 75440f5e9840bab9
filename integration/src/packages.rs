//! The Debian packages of the programs under test, and scratch roots to install them in.
//!
//! A [`Root`] is this machine's own system in a chroot: what is written there lands in memory and is
//! gone with the mount namespace, so it can be had in [`host_test!`](crate::host_test) and
//! [`lab_test!`](crate::lab_test) alone. No systemd runs in it; `lab/systemctl` stands in for it.

use std::{
    env,
    fs::{self, File},
    path::{Path, PathBuf},
    process::{Command, Output},
    time::SystemTime,
};

use rustix::fs::{FlockOperation, flock};

use crate::{binary, lab};

/// What a package is made from, besides programs.
const SOURCES: [&str; 4] = [
    "packaging",
    "agent/Cargo.toml",
    "controller/Cargo.toml",
    "docs",
];

/// Both packages, as a test needs them.
pub const ALL: [&str; 2] = ["wgfleet-agent", "wgfleet-controller"];

/// Shell lines that make, of the packages in `/tmp`, a later version with another default in each
/// configuration file: in `/tmp/later`.
pub const LATER_VERSION: &str = r#"
mkdir /tmp/later
for package in /tmp/wgfleet-*.deb; do
  dpkg-deb -R "$package" /tmp/unpacked
  sed -i 's/^Version: .*/Version: 99.0-1/' /tmp/unpacked/DEBIAN/control
  for file in /tmp/unpacked/etc/wgfleet/*.toml; do echo '# a new default' >>"$file"; done
  dpkg-deb -Zgzip -z1 -b /tmp/unpacked "/tmp/later/${package##*/}" >/dev/null
  rm -rf /tmp/unpacked
done
"#;

/// Builds both if need be: what a test does before it goes into the lab.
///
/// # Panics
/// When they can't be built.
#[track_caller]
pub fn make() {
    for name in ALL {
        // Made and found; where it is matters inside.
        let _ = package(name);
    }
}

/// The package of that name, built if need be. Inside the lab it has to be there already: call this
/// outside first.
///
/// # Panics
/// When it can't be built, with what the script said.
#[must_use]
#[track_caller]
pub fn package(name: &str) -> PathBuf {
    let programs = [
        "wgfleet-agent",
        "wgfleet-controller",
        "wgfleet",
        "wgfleet-man",
    ];
    let programs = programs.map(binary::path);
    let profile_directory = programs[0].parent().expect("target/<profile>");
    let output = profile_directory.join("packages");
    fs::create_dir_all(&output).expect("a directory");
    let lock = File::create(output.join("lock")).expect("a file");
    flock(&lock, FlockOperation::LockExclusive).expect("a lock");
    if let Some(found) = fresh(&output, name, &programs) {
        return found;
    }
    assert!(
        !lab::is_inside(),
        "no package {name}; build it outside the lab first"
    );
    let profile = profile_directory.file_name().and_then(|name| name.to_str());
    let profile = match profile {
        None | Some("debug") => "dev",
        Some(other) => other,
    };
    let built = Command::new(workspace().join("packaging/build"))
        .arg(profile)
        .arg(&output)
        .env("NO_BUILD", "1")
        .env(
            "CARGO_TARGET_DIR",
            profile_directory.parent().expect("target"),
        )
        .output()
        .expect("the script is there");
    assert!(built.status.success(), "{}", text(&built.stderr));
    fresh(&output, name, &programs).unwrap_or_else(|| panic!("no package {name} in {output:?}"))
}

fn workspace() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("this crate is in a workspace")
}

/// The package, if it is newer than all it is made from.
fn fresh(directory: &Path, name: &str, programs: &[PathBuf]) -> Option<PathBuf> {
    let sources = SOURCES.iter().map(|source| workspace().join(source));
    let newest = sources
        .chain(programs.iter().cloned())
        .filter_map(|path| binary::newest(&path))
        .max();
    let mut found = files(directory).into_iter().filter(|path| {
        let file = path.file_name().and_then(|file| file.to_str());
        file.is_some_and(|file| file.starts_with(&format!("{name}_")) && file.ends_with(".deb"))
    });
    let found = found.next()?;
    let made: Option<SystemTime> = fs::metadata(&found).ok()?.modified().ok();
    (made > newest).then_some(found)
}

fn files(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).expect("the directory is there");
    entries
        .map(|entry| entry.expect("an entry").path())
        .collect()
}

/// A system to install packages in.
#[derive(Debug)]
pub struct Root(PathBuf);

impl Root {
    /// As this machine is, without anything of ours; the packages lie in its `/tmp`. It has the network
    /// and the kernel of the caller, a `/run` of its own, and `systemctl`.
    ///
    /// # Panics
    /// When the kernel does not allow it.
    #[must_use]
    #[track_caller]
    pub fn new(packages: &[&str]) -> Self {
        Self::named("scratch", packages)
    }

    /// The same, where there are several.
    ///
    /// # Panics
    /// When the kernel does not allow it.
    #[must_use]
    #[track_caller]
    pub fn named(name: &str, packages: &[&str]) -> Self {
        assert!(lab::is_inside(), "only in a mount namespace of its own");
        let base = env::temp_dir().join(name);
        let made = Command::new("bash")
            .args(["-euo", "pipefail", "-c", MAKE])
            .arg(&base)
            .arg(workspace().join("integration/lab/systemctl"))
            .args(packages.iter().map(|name| package(name)))
            .output()
            .expect("bash is installed");
        assert!(made.status.success(), "{}", text(&made.stderr));
        Self(base.join("root"))
    }

    /// Lets `ssh HOST COMMAND …` in this one run a command in that one.
    ///
    /// # Panics
    /// When the kernel does not allow it.
    #[track_caller]
    pub fn reach_by_ssh(&self, other: &Self) {
        let made = Command::new("bash")
            .args(["-euo", "pipefail", "-c", REACH])
            .args([&self.0, &other.0])
            .output()
            .expect("bash is installed");
        assert!(made.status.success(), "{}", text(&made.stderr));
    }

    /// Shows it a directory of the caller's, mounts in it included, at the same path.
    ///
    /// # Panics
    /// When there is no such directory.
    #[track_caller]
    pub fn share(&self, directory: &str) {
        let here = self.path(directory);
        fs::create_dir_all(&here).expect("a directory");
        let bound = Command::new("mount")
            .arg("--rbind")
            .arg(directory)
            .arg(&here)
            .output()
            .expect("mount is installed");
        assert!(bound.status.success(), "{}", text(&bound.stderr));
    }

    /// A path of it, as seen from outside.
    #[must_use]
    pub fn path(&self, path: &str) -> PathBuf {
        self.0.join(path.trim_start_matches('/'))
    }

    /// Runs lines in it, as root, and gives all they print.
    ///
    /// # Panics
    /// When one fails.
    #[track_caller]
    pub fn shell(&self, lines: &str) -> String {
        let output = self.try_shell(lines);
        let said = text(&output.stdout) + &text(&output.stderr);
        assert!(
            output.status.success(),
            "{}\n--- lines ---\n{lines}\n--- output ---\n{said}",
            output.status
        );
        said
    }

    /// Runs lines in it, as root.
    ///
    /// # Panics
    /// When bash does not start.
    #[must_use]
    pub fn try_shell(&self, lines: &str) -> Output {
        Command::new("chroot")
            .arg(&self.0)
            .args(["bash", "-euo", "pipefail", "-c", lines])
            .current_dir("/")
            .env_clear()
            .envs([
                ("PATH", "/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"),
                ("HOME", "/root"),
                ("LC_ALL", "C.UTF-8"),
                ("DEBIAN_FRONTEND", "noninteractive"),
            ])
            .output()
            .expect("chroot is installed")
    }

    /// What a unit has written to its log.
    ///
    /// # Panics
    /// When it never ran.
    #[must_use]
    #[track_caller]
    pub fn log(&self, unit: &str) -> String {
        let log = self.path(&format!("/run/units/{unit}.service.log"));
        fs::read_to_string(log).expect("it was started")
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Arguments: the root that reaches, and the one that is reached.
const REACH: &str = r#"
mkdir -p "$0/mnt/other"
mount --rbind "$1" "$0/mnt/other"
cat >"$0/usr/local/bin/ssh" <<'SSH'
#!/bin/bash
shift
exec chroot /mnt/other bash -c "$*"
SSH
chmod 0755 "$0/usr/local/bin/ssh"
"#;

/// Arguments: where, the stand-in for systemctl, packages.
const MAKE: &str = r#"
base=$0 systemctl=$1
shift
mkdir -p "$base"/{upper,work,root}
mount -t overlay overlay -o "lowerdir=/,upperdir=$base/upper,workdir=$base/work" "$base/root"
root=$base/root
mount --rbind /dev "$root/dev"
mount -t proc proc "$root/proc"
for directory in run tmp; do mount -t tmpfs "$directory" "$root/$directory"; done
chmod 1777 "$root/tmp"
mkdir -p "$root/run/systemd/system"
install -m 0755 "$systemctl" "$root/usr/bin/systemctl"
# What a person types before each command of an administrator.
printf '#!/bin/sh\nexec "$@"\n' >"$root/usr/local/bin/sudo"
chmod 0755 "$root/usr/local/bin/sudo"
rm -f "$root/usr/sbin/policy-rc.d"
# Of the packages of this machine those that ours depend on: to read what all of them hold takes a minute
# in the lab.
database=$root/var/lib/dpkg
known=(libc6 systemd init-system-helpers)
status=$(dpkg-query -s "${known[@]}" | sed -E '/^(Pre-)?Depends:/d')
for directory in "$database" "$root/var/lib/apt" "$root/var/cache/apt"; do
  mount -t tmpfs tmpfs "$directory"
done
mkdir -p "$database"/{info,updates,triggers,parts} "$root/var/lib/apt/lists/partial" \
  "$root/var/cache/apt/archives/partial"
echo "$status" >"$database/status"
touch "$database/available" "$database"/info/{libc6:"$(dpkg --print-architecture)",systemd,init-system-helpers}.list
cp "$@" "$root/tmp/"
# dpkg renames each new directory, which an overlay can't do on a tmpfs without extended attributes, as User
# Mode Linux has it; a directory that is there is as good.
if [ "${WG_LAB_MODE:-}" = uml ]; then
  for package; do
    dpkg-deb -c "$package" | sed -n 's|^d.* \./||p' | (cd "$root" && xargs mkdir -p)
  done
fi
"#;

/// Declares a `#[test]` with a [`Root`] that holds both packages in its `/tmp`; otherwise like
/// [`host_test!`](crate::host_test), or with `WithWireGuard` like [`lab_test!`](crate::lab_test).
#[macro_export]
macro_rules! root_test {
    (fn $name:ident($root:ident) $body:block) => {
        $crate::root_test! { Running fn $name($root) $body }
    };
    ($kernel:ident fn $name:ident($root:ident) $body:block) => {
        #[test]
        fn $name() {
            if !$crate::lab::is_inside() {
                $crate::packages::make();
            }
            let limits = $crate::lab::Limits {
                time: std::time::Duration::from_secs(400),
                ..$crate::lab::Limits::default()
            };
            let kernel = $crate::lab::Kernel::$kernel;
            $crate::lab::test(kernel, module_path!(), stringify!($name), limits, || {
                let $root = $crate::packages::Root::new(&$crate::packages::ALL);
                $body
            });
        }
    };
}
