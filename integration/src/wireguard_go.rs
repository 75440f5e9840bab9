//! Runs wireguard-go: WireGuard outside the kernel, on a tun device.
//!
//! Its socket is in `/run/wireguard`, which all network namespaces of a host share; so, like
//! everything that touches the network, it is for tests that have a `/run` of their own.

use std::{
    os::unix::net::UnixStream,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use rustix::process::Signal;

use crate::{eventually, lab, process::Process, wg};

const TO_LISTEN: Duration = Duration::from_secs(20);

/// One interface and its daemon. Killed when dropped.
pub struct WireguardGo {
    name: String,
    process: Process,
}

impl WireguardGo {
    /// Makes an interface, gives it a fresh private key and sets it up.
    ///
    /// # Panics
    /// When this machine lacks what that takes, saying what to install or load.
    #[must_use]
    #[track_caller]
    pub fn start(name: &str) -> Self {
        let mut daemon = Self {
            name: name.to_owned(),
            process: Process::default(),
        };
        daemon.restart();
        daemon
    }

    /// Starts it again after [`WireguardGo::kill`] or [`WireguardGo::terminate`], under another key.
    ///
    /// # Panics
    /// As [`WireguardGo::start`] does, and when it is running.
    #[track_caller]
    pub fn restart(&mut self) {
        assert!(
            lab::is_inside(),
            "wireguard-go is for tests declared with lab_test! or host_test!"
        );
        assert!(
            Path::new("/dev/net/tun").exists(),
            "there is no /dev/net/tun: load the module (modprobe tun) or let the container have it"
        );
        assert!(
            installed("wireguard-go"),
            "wireguard-go is missing: apt-get install wireguard-go, or run integration/prepare"
        );
        let mut command = Command::new("wireguard-go");
        command.args(["--foreground", &self.name]);
        self.process.spawn(command.env("LOG_LEVEL", "error"));
        // Not by asking `wg`: it removes a socket that refuses it, as one left by a kill does, and
        // so takes from the daemon what that is about to remove or has just made.
        let socket = self.socket();
        eventually(TO_LISTEN, "wireguard-go listens", || {
            assert!(
                self.process.is_running(),
                "wireguard-go ended:\n{}",
                self.process.log()
            );
            UnixStream::connect(&socket).is_ok().then_some(())
        });
        wg::set_fresh_key(&self.name);
        wg::ip(&["link", "set", &self.name, "up"]);
    }

    /// SIGKILL: the tun device goes with it, its socket file stays.
    ///
    /// # Panics
    /// When it is not running.
    pub fn kill(&mut self) {
        self.process.kill();
    }

    /// SIGTERM: it takes its socket with it.
    ///
    /// # Panics
    /// When it does not end.
    pub fn terminate(&mut self) {
        // It does not say how it ended, and nobody depends on it.
        let _ = self.process.terminate();
    }

    /// Stops it where it is: it neither answers nor ends.
    pub fn freeze(&self) {
        self.process.signal(Signal::STOP);
    }

    /// Lets it go on after [`WireguardGo::freeze`].
    pub fn thaw(&self) {
        self.process.signal(Signal::CONT);
    }

    /// Where it listens.
    #[must_use]
    pub fn socket(&self) -> PathBuf {
        Path::new("/run/wireguard").join(format!("{}.sock", self.name))
    }
}

fn installed(program: &str) -> bool {
    std::env::var_os("PATH")
        .is_some_and(|path| std::env::split_paths(&path).any(|at| at.join(program).exists()))
}
