//! What the tests of the built programs stand on.
//!
//! [`lab`] puts a test on a kernel that has WireGuard, [`netns`] makes several hosts of it, [`wg`] asks
//! `wg` and `ip` what that kernel holds, [`agent`] runs the agent's binary and [`client`] speaks to it
//! with full control over every byte, [`controller`] runs the controller's binary and calls its REST
//! API, [`simulated_fleet`] runs many of both, [`browser`] plays stories in a real browser, [`relay`] lets
//! that reach into the lab,
//! [`wireguard_go`] runs a WireGuard outside the kernel, [`disk`] is one that can be full, [`tls`] makes
//! certificates, [`demo`] runs `make demo`, [`packages`] installs packages in a scratch root, [`machine`]
//! boots a Debian machine with systemd, and [`pages`] reads README and `docs/`. [`backend_suite`] holds
//! every implementation of the WireGuard boundary to one behaviour. The tests themselves are in `tests/`;
//! those named `lab_*` need a kernel with WireGuard.
//!
//! Nothing here is linked into a program that ships, and nothing here skips: what a test lacks, it
//! fails for, saying what to do.
//!
//! Read first: [`lab`], then `tests/lab_smoke.rs`.

pub mod agent;
pub mod backend_suite;
pub mod binary;
pub mod browser;
pub mod client;
pub mod controller;
pub mod demo;
pub mod disk;
pub mod lab;
pub mod machine;
pub mod netns;
pub mod packages;
pub mod pages;
pub mod process;
pub mod relay;
pub mod simulated_fleet;
pub mod tls;
mod wait;
pub mod wg;
pub mod wireguard_go;

pub use wait::{StopOnDrop, eventually, poll};
