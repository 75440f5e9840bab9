//! Tests of the built programs and of what several parts must do alike.
//!
//! [`backend_suite`] holds every implementation of the WireGuard boundary to one behaviour.

pub mod backend_suite;
