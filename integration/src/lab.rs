//! Puts a test on a kernel that has WireGuard.
//!
//! [`lab_test!`](crate::lab_test) declares an ordinary `#[test]`. Run outside, it starts itself once
//! more under `integration/lab/run`, and passes when that inner run did exactly this one test, and
//! passed. Inside, it runs its body. [`host_test!`](crate::host_test) does the same on the running
//! kernel, for what needs no WireGuard in it. So each such test has a kernel, or at least a network, of its
//! own, whichever runner started it.

use std::{
    env, fmt,
    fs::File,
    io::{self, Read},
    os::{
        fd::{AsFd, OwnedFd},
        unix::net::UnixStream,
    },
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    thread,
    time::Duration,
};

use crate::wait::poll;

/// Set inside the lab.
const INSIDE: &str = "WGFLEET_IN_LAB";
/// What the first test to run may spend on building a kernel, beside its own time.
const KERNEL_BUILD: Duration = Duration::from_secs(30 * 60);

/// Which kernel a test needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kernel {
    /// One that has WireGuard.
    WithWireGuard,
    /// The running one, whatever it has.
    Running,
}

/// What a test in the lab may use.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Time for the test itself; booting included, building a kernel not.
    pub time: Duration,
    /// Memory of a User Mode Linux kernel, in MiB.
    pub memory_mib: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            time: Duration::from_secs(120),
            memory_mib: 1024,
        }
    }
}

/// An inner run that did not pass.
#[derive(Debug)]
pub struct LabFailure {
    /// What went wrong, in one sentence.
    pub reason: String,
    /// Everything the inner run printed.
    pub output: String,
}

impl fmt::Display for LabFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}\n--- inside the lab ---\n{}",
            self.reason, self.output
        )
    }
}

/// Declares a `#[test]` that runs in the lab.
///
/// ```text
/// lab_test! {
///     fn a_new_interface_has_no_peers() {
///         wg::add_interface("wg0");
///         assert!(wg::show("wg0").peers.is_empty());
///     }
/// }
/// ```
///
/// `fn name() with (limits) { body }` gives it other [`Limits`].
#[macro_export]
macro_rules! lab_test {
    ($(#[$attribute:meta])* fn $name:ident() $body:block) => {
        $crate::lab_test! {
            $(#[$attribute])* fn $name() with ($crate::lab::Limits::default()) $body
        }
    };
    ($(#[$attribute:meta])* fn $name:ident() with ($limits:expr) $body:block) => {
        $(#[$attribute])*
        #[test]
        fn $name() {
            let kernel = $crate::lab::Kernel::WithWireGuard;
            $crate::lab::test(kernel, module_path!(), stringify!($name), $limits, || $body);
        }
    };
}

/// Declares a `#[test]` that runs on the running kernel, in namespaces of its own; otherwise like
/// [`lab_test!`](crate::lab_test).
#[macro_export]
macro_rules! host_test {
    (fn $name:ident() $body:block) => {
        #[test]
        fn $name() {
            let (kernel, limits) = ($crate::lab::Kernel::Running, $crate::lab::Limits::default());
            $crate::lab::test(kernel, module_path!(), stringify!($name), limits, || $body);
        }
    };
}

/// What [`lab_test!`](crate::lab_test) and [`host_test!`](crate::host_test) expand to.
///
/// # Panics
/// When the test fails.
pub fn test(kernel: Kernel, module_path: &str, name: &str, limits: Limits, body: impl FnOnce()) {
    if is_inside() {
        return body();
    }
    if let Err(failure) = run_inside_on(kernel, &test_path(module_path, name), limits) {
        panic!("{failure}");
    }
}

/// Whether this process runs in the lab.
#[must_use]
pub fn is_inside() -> bool {
    env::var_os(INSIDE).is_some()
}

/// A test's name as the test runner knows it: without the crate.
fn test_path(module_path: &str, name: &str) -> String {
    match module_path.split_once("::") {
        Some((_crate, modules)) => format!("{modules}::{name}"),
        None => name.to_owned(),
    }
}

/// Runs the test `path` of this very test program in the lab, on a kernel that has WireGuard.
///
/// # Errors
/// [`LabFailure`] when it did not pass, did not end in time, or is not there.
pub fn run_inside(path: &str, limits: Limits) -> Result<(), LabFailure> {
    run_inside_on(Kernel::WithWireGuard, path, limits)
}

/// A test that runs in the lab while this one goes on outside, with a line between them.
#[derive(Debug)]
pub struct Beside(thread::JoinHandle<Result<(), LabFailure>>);

impl Beside {
    /// Starts the test of that name in the lab; gives this end of the line, too. The other one is
    /// [`line`] there.
    ///
    /// # Panics
    /// When the system has no sockets left.
    #[must_use]
    pub fn start(module_path: &str, name: &str, limits: Limits) -> (Self, UnixStream) {
        let (ours, theirs) = UnixStream::pair().expect("a pair of sockets");
        let path = test_path(module_path, name);
        let run = move || {
            let line = Stdio::from(OwnedFd::from(theirs));
            run_with(&["-i"], line, &path, limits)
        };
        (Self(thread::spawn(run)), ours)
    }

    /// Waits for its end.
    ///
    /// # Errors
    /// [`LabFailure`] when it did not pass, did not end in time, or is not there.
    ///
    /// # Panics
    /// When the lab can't be started.
    pub fn ended(self) -> Result<(), LabFailure> {
        self.0.join().expect("the lab can be started")
    }
}

/// The line to the test outside, of one that [`Beside`] started.
///
/// # Errors
/// What the system says.
pub fn line() -> io::Result<File> {
    let line = io::stdin().as_fd().try_clone_to_owned()?;
    Ok(File::from(line))
}

fn run_inside_on(kernel: Kernel, path: &str, limits: Limits) -> Result<(), LabFailure> {
    let on: &[&str] = match kernel {
        Kernel::Running => &["-r"],
        Kernel::WithWireGuard => &[],
    };
    run_with(on, Stdio::null(), path, limits)
}

fn run_with(options: &[&str], input: Stdio, path: &str, limits: Limits) -> Result<(), LabFailure> {
    let test_program = env::current_exe().expect("a test program knows where it is");
    let mut command = Command::new(run_script());
    command
        .args(options)
        .args(["-t", &limits.time.as_secs().to_string()])
        .args(["-m", &format!("{}M", limits.memory_mib)])
        .arg(test_program)
        .args([
            "--exact",
            path,
            "--nocapture",
            "--include-ignored",
            "--test-threads=1",
        ])
        .env(INSIDE, "1")
        .stdin(input);
    let (status, output) = run_captured(&mut command, limits.time + KERNEL_BUILD);
    let failed = |reason: String| {
        Err(LabFailure {
            reason,
            output: output.clone(),
        })
    };
    match status {
        None => failed(format!("the lab did not come back; '{path}' was killed")),
        Some(status) if !status.success() => failed(format!("'{path}' failed: {status}")),
        Some(_) if !ran_exactly_one(&output) => {
            failed(format!("'{path}' did not run: no test has that name"))
        }
        Some(_) => Ok(()),
    }
}

/// A misspelt name passes with 0 tests; that must not count.
fn ran_exactly_one(output: &str) -> bool {
    output
        .lines()
        .any(|line| line.starts_with("test result: ok. 1 passed; 0 failed; 0 ignored;"))
}

fn run_script() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("lab/run")
}

/// Runs `command` to its end or to the deadline (then `None`, and it is killed) and gives what it
/// printed: standard output, then standard error.
fn run_captured(command: &mut Command, within: Duration) -> (Option<ExitStatus>, String) {
    let mut child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("could not start {command:?}: {error}"));
    let out = gather(child.stdout.take().expect("piped"));
    let err = gather(child.stderr.take().expect("piped"));
    let status = await_exit(&mut child, within);
    let text = |thread: thread::JoinHandle<Vec<u8>>| {
        String::from_utf8_lossy(&thread.join().expect("reading a pipe")).into_owned()
    };
    (status, text(out) + &text(err))
}

fn gather(mut pipe: impl Read + Send + 'static) -> thread::JoinHandle<Vec<u8>> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        // What was read before an error is worth showing; the exit status tells the rest.
        let _ = pipe.read_to_end(&mut bytes);
        bytes
    })
}

/// Waits for `child`; kills it, and gives `None`, when `within` has passed.
pub(crate) fn await_exit(child: &mut Child, within: Duration) -> Option<ExitStatus> {
    let ended = poll(within, || {
        child.try_wait().expect("a child can be waited for")
    });
    if ended.is_none() {
        child.kill().expect("a child can be killed");
        child.wait().expect("a child can be waited for");
    }
    ended
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_runner_knows_a_test_without_its_crate() {
        assert_eq!(test_path("lab_smoke", "boots"), "boots");
        assert_eq!(
            test_path("lab_smoke::peers::many", "boots"),
            "peers::many::boots"
        );
    }

    #[test]
    fn only_one_passed_test_counts_as_one() {
        let line = |n| format!("\ntest result: ok. {n} passed; 0 failed; 0 ignored; 0 measured;\n");
        assert!(ran_exactly_one(&line(1)));
        assert!(!ran_exactly_one(&line(0)));
        assert!(!ran_exactly_one(&line(11)));
        assert!(!ran_exactly_one(""));
    }

    #[test]
    fn a_command_that_hangs_is_killed() {
        let (status, output) = run_captured(
            Command::new("bash")
                .args(["-c", "echo before; exec sleep 1000"])
                .stdin(Stdio::null()),
            Duration::from_millis(300),
        );
        assert_eq!(status, None);
        assert_eq!(output, "before\n");
    }
}
