//! Who may come in to the built controller, what they see there, how much they may ask, and what the
//! audit says of them.

mod common;
mod grpc;
mod limits;
mod scope;
mod slow;
mod story;
