//! The protocol as text, and conversations with daemons that misbehave.

mod codec;
mod daemon;
mod order;
