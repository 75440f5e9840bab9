//! The built controller against the document it serves: what that says is true, whoever asks for what.

mod asker;
mod callers;
mod document;
mod fleet;
mod fuzzing;
mod mistakes;
mod values;
