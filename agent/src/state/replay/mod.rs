//! Replay memory: every mutation that authenticated, until its timestamp leaves the window.
//!
//! The contract has no nonce, so a request heard on the wire could be sent again. Within the window
//! the agent knows each MAC it has seen; outside it the timestamp is refused. What is remembered is
//! in a log on disk before the change is made, so that a crash at any point forgets nothing:
//!
//! | record | written | synced |
//! |---|---|---|
//! | begun | before the kernel is touched | yes, once for all that arrive together |
//! | applied | after, before the answer | with the next begun: losing it costs a client an answer, not safety |
//! | refused | before the answer | yes |

mod log;
mod memory;
mod record;

pub use log::LogError;
pub use memory::{Admission, PeerId, ReplayMemory, Ticket};
