//! What must outlive the process.
//!
//! [`replay`] remembers every mutation that authenticated until its timestamp has left the window;
//! [`directory`] keeps two agents from sharing one state directory.

pub mod directory;
pub mod replay;
