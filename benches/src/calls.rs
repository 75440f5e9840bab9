//! Counts the system calls of a process, with `strace`.

use std::{
    fs, io,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process};
use wgfleet_integration::poll;

const PATIENCE: Duration = Duration::from_secs(20);
/// So many of the most frequent are shown.
const SHOWN: usize = 12;

/// System calls by name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Calls(Vec<(String, u64)>);

impl Calls {
    /// All of them.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.0.iter().map(|(_, count)| count).sum()
    }

    /// The most frequent, each divided by `among`, for people.
    #[must_use]
    #[allow(clippy::cast_precision_loss, reason = "for people")]
    pub fn most(&self, among: u32) -> String {
        let mut sorted = self.0.clone();
        sorted.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        let shown = sorted
            .iter()
            .take(SHOWN)
            .map(|(name, count)| format!("{name} {:.2}", *count as f64 / f64::from(among)));
        shown.collect::<Vec<_>>().join(", ")
    }
}

/// System calls that `command` makes from its start to its end.
///
/// # Errors
/// When `strace` can't run it, or it fails.
pub fn of_command(command: &[&str]) -> io::Result<Calls> {
    let report = report_path();
    let status = Command::new("strace")
        .args(["-f", "-c", "-o"])
        .arg(&report)
        .arg("--")
        .args(command)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .status()?;
    if !status.success() {
        return Err(io::Error::other(format!("{command:?}: {status}")));
    }
    read_report(&report)
}

/// System calls that a running process, all its threads, makes while `during` runs.
///
/// # Errors
/// When `strace` can't be attached, and those of `during`.
pub fn of_process(pid: u32, during: impl FnOnce() -> io::Result<()>) -> io::Result<Calls> {
    let report = report_path();
    let mut strace = Command::new("strace")
        .args(["-f", "-c", "-o"])
        .arg(&report)
        .args(["-p", &pid.to_string()])
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .spawn()?;
    let attached = poll(PATIENCE, || is_traced(pid).then_some(()));
    let done = attached.map_or_else(|| Err(io::ErrorKind::TimedOut.into()), |()| during());
    stop(&mut strace)?;
    done?;
    read_report(&report)
}

fn report_path() -> PathBuf {
    std::env::temp_dir().join(format!("calls-of-{}", std::process::id()))
}

/// Whether every thread of a process has a tracer.
fn is_traced(pid: u32) -> bool {
    let Ok(threads) = fs::read_dir(format!("/proc/{pid}/task")) else {
        return false;
    };
    threads.flatten().all(|thread| {
        let status = fs::read_to_string(thread.path().join("status")).unwrap_or_default();
        status
            .lines()
            .any(|line| line.starts_with("TracerPid:") && !line.ends_with("\t0"))
    })
}

fn stop(strace: &mut Child) -> io::Result<()> {
    let pid = i32::try_from(strace.id()).ok().and_then(Pid::from_raw);
    kill_process(pid.expect("a process has a number"), Signal::INT)?;
    strace.wait().map(drop)
}

fn read_report(report: &Path) -> io::Result<Calls> {
    let text = fs::read_to_string(report)?;
    fs::remove_file(report)?;
    Ok(parse(&text))
}

/// Lines such as `60.00    0.000600          10        60         2 read`, where the errors may be
/// missing, between two rulers.
fn parse(text: &str) -> Calls {
    let table = text.lines().skip_while(|line| !is_ruler(line)).skip(1);
    let rows = table.take_while(|line| !is_ruler(line));
    let read = |line: &str| {
        let fields: Vec<_> = line.split_whitespace().collect();
        Some(((*fields.last()?).to_owned(), fields.get(3)?.parse().ok()?))
    };
    Calls(rows.filter_map(read).collect())
}

fn is_ruler(line: &str) -> bool {
    line.starts_with("------")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_are_read_off_the_table() {
        let text = "\
% time     seconds  usecs/call     calls    errors syscall
------ ----------- ----------- --------- --------- ----------------
 60.00    0.000600          10        60           read
 40.00    0.000400          10        40         2 futex
------ ----------- ----------- --------- --------- ----------------
100.00    0.001000          10       100         2 total
";
        let calls = parse(text);
        assert_eq!(calls.total(), 100);
        assert_eq!(calls.most(10), "read 6.00, futex 4.00");
        assert_eq!(parse("").total(), 0);
    }
}
