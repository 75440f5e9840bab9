//! An in-memory fake with the quirks of the kernel.
