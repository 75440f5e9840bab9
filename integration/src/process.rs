//! A program under test: its process and everything it has written to standard error.

use std::{
    io::{BufRead, BufReader},
    process::{Child, Command, ExitStatus, Stdio},
    sync::{Arc, Mutex},
    thread,
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process};

use crate::{lab, poll};

const TO_START: Duration = Duration::from_secs(20);
const TO_STOP: Duration = Duration::from_secs(10);

/// A program that may be started again and again, and keeps one log. Killed when dropped.
#[derive(Debug, Default)]
pub struct Process {
    running: Option<Child>,
    log: Arc<Mutex<String>>,
    /// How much of the log earlier runs wrote.
    earlier: usize,
    reader: Option<thread::JoinHandle<()>>,
}

impl Process {
    /// Starts it.
    ///
    /// # Panics
    /// When it is still running, or can't be started.
    #[track_caller]
    pub fn spawn(&mut self, command: &mut Command) {
        assert!(self.running.is_none(), "it is still running");
        self.earlier = self.log().len();
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program starts");
        let stderr = child.stderr.take().expect("piped");
        let log = Arc::clone(&self.log);
        self.running = Some(child);
        self.reader = Some(thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                let mut log = log.lock().expect("nobody panics with it");
                log.push_str(&line);
                log.push('\n');
            }
        }));
    }

    /// Waits for a line of this run's log that `find` makes something of.
    ///
    /// # Panics
    /// When the program ends first, or says nothing of the kind in time.
    #[track_caller]
    pub fn await_line<T>(&mut self, find: impl Fn(&str) -> Option<T>) -> T {
        self.await_line_within(TO_START, find)
    }

    /// The same for a program that takes longer to start.
    ///
    /// # Panics
    /// When the program ends first, or says nothing of the kind in time.
    #[track_caller]
    pub fn await_line_within<T>(
        &mut self,
        within: Duration,
        find: impl Fn(&str) -> Option<T>,
    ) -> T {
        let mut ended = None;
        let found = poll(within, || {
            // What it said last may come to us after its end: the log is whole when its reader is done.
            let is_whole = self
                .reader
                .as_ref()
                .is_none_or(thread::JoinHandle::is_finished);
            if let Some(found) = self.log()[self.earlier..].lines().find_map(&find) {
                return Some(Ok(found));
            }
            if let Some(status) = ended.filter(|_| is_whole) {
                return Some(Err(status));
            }
            let child = self.running.as_mut().expect("just started");
            ended = child.try_wait().expect("a child can be waited for");
            None
        });
        match found {
            Some(Ok(found)) => found,
            Some(Err(status)) => panic!("the program ended ({status}):\n{}", self.log()),
            None => panic!("the program does not say it started:\n{}", self.log()),
        }
    }

    /// Its process id.
    ///
    /// # Panics
    /// When it is not running.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.running.as_ref().expect("it runs").id()
    }

    /// Whether it was started and has not ended yet.
    pub fn is_running(&mut self) -> bool {
        let ended = |child: &mut Child| child.try_wait().is_ok_and(|status| status.is_some());
        self.running.as_mut().is_some_and(|child| !ended(child))
    }

    /// What it wrote to standard error, since it was first started.
    ///
    /// # Panics
    /// Never: nothing panics while it holds the lock.
    #[must_use]
    pub fn log(&self) -> String {
        self.log.lock().expect("nobody panics with it").clone()
    }

    /// SIGKILL: it has no say in it.
    ///
    /// # Panics
    /// When it is not running.
    pub fn kill(&mut self) {
        self.signal(Signal::KILL);
        self.await_end(TO_STOP).expect("nothing survives SIGKILL");
    }

    /// SIGTERM; gives how it ended.
    ///
    /// # Panics
    /// When it does not end.
    pub fn terminate(&mut self) -> ExitStatus {
        self.signal(Signal::TERM);
        let ended = self.await_end(TO_STOP);
        ended.unwrap_or_else(|| panic!("SIGTERM did not end it:\n{}", self.log()))
    }

    /// Sends it a signal.
    ///
    /// # Panics
    /// When it is not running.
    pub fn signal(&self, signal: Signal) {
        let child = self.running.as_ref().expect("it runs");
        kill_process(Pid::from_child(child), signal).expect("a child takes signals");
    }

    /// Waits for it to end by itself, for as long as a start may take.
    ///
    /// # Panics
    /// When it is still running after that.
    #[track_caller]
    pub fn ended(&mut self) -> ExitStatus {
        self.await_end(TO_START)
            .unwrap_or_else(|| panic!("it runs:\n{}", self.log()))
    }

    fn await_end(&mut self, within: Duration) -> Option<ExitStatus> {
        let mut child = self.running.take().expect("it runs");
        let status = lab::await_exit(&mut child, within);
        if let Some(reader) = self.reader.take() {
            reader.join().expect("reading the log does not panic");
        }
        status
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if let Some(mut child) = self.running.take() {
            // It may have ended by itself; either way it is gone.
            let _ = child.kill();
            let _ = child.wait();
        }
        if thread::panicking() {
            eprintln!("--- the program's log ---\n{}", self.log());
        }
    }
}
