//! One owner for each interface.
//!
//! The owner is a thread: it alone reads and writes its device, so nothing is written during a dump
//! and changes that arrive together go out together. What is asked of it:
//!
//! * a dump: one is made for all who asked before it began;
//! * a survey: sums over a dump that is recent, or made for it;
//! * a mutation: planned against the [`index`], recorded in the replay log, written, answered. A
//!   client that hangs up does not take its mutation back.

mod both;
mod dump_json;
mod handle;
pub mod index;
mod line;
pub mod mutation;
mod owner;
mod registry;
mod survey;

pub use dump_json::DumpJson;
pub use handle::Handle;
pub use mutation::{Mutation, Refusal};
pub use owner::{DeviceReport, Failure, MutationError};
pub use registry::{Interfaces, OwnerDied};
pub use survey::{PeerTraffic, Survey};
