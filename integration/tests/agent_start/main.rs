//! How the built agent starts, what it refuses to start with, and how it ends.

mod program;
mod refusals;
mod runs;
mod settings;
