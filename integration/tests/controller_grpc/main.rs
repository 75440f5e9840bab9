//! The inner services over their socket: the built controller's `--grpc-listen`, called by the
//! generated clients as another program on the host would.

mod caller;
mod story;
mod tokens;
mod watching;
