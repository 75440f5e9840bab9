//! Request and response bodies, field for field as documented.
//!
//! Requests are read strictly: a known field given twice, of the wrong type or with a bad value is an
//! error that names the field; an unknown field is ignored. Responses are read leniently, because
//! agents in the field differ: see [`DumpPeer`].

mod request;
mod response;

pub use request::{AddPeer, PresharedKeyChange, UpdatePeer};
pub use response::{
    AddedPeer, Device, Dump, DumpPeer, Health, Interface, Interfaces, PeerAdded, PeerChanged,
    SuccessStatus,
};
