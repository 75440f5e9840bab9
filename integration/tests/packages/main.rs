//! The Debian packages: what is in them, and how they come and go. On a kernel with WireGuard, running:
//! `lab_packages`.

mod containers;
mod contents;
mod credentials;
mod life;
mod monitoring;
mod units;
