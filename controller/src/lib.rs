//! The wgfleet controller: knows what the peers of every node should be, and makes it so.
//!
//! A change enters through the [`facade`] (HTTP) or straight through a gRPC service in [`services`],
//! is committed to the [`store`] with the node's next generation, and is carried to the node by its
//! worker in [`dispatch`]. What a change comes to is decided in [`domain`], which does no I/O.
//!
//! The controller never sends a queued operation: a worker sends what the store says now.
//!
//! Read first: [`domain`] for the decisions, [`dispatch`] for how they reach a node.

pub mod agent_client;
pub mod cli;
pub mod config;
pub mod copying;
pub mod dispatch;
pub mod domain;
pub mod etag;
pub mod events;
pub mod facade;
pub mod failpoint;
pub mod history;
pub mod metrics;
pub mod run;
pub mod services;
pub mod store;
pub mod webhooks;
