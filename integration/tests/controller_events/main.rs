//! Events and webhooks of the built controller: none is missed, none is told twice, whatever dies in
//! between.

mod fleet;
mod following;
mod hooks;
mod presence;
mod reader;
mod receiver;
mod refusals;
mod tries;
mod trust;
