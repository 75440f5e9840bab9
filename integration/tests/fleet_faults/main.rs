//! What the world does to a controller, and what it must answer: the built program with built
//! agents on simulated interfaces, proxies that lie, and servers that are no agents.

mod certificates;
mod clock;
mod disk;
mod doubles;
mod drift;
mod kills;
mod leaving;
mod lying;
mod model;
mod refusals;
mod rotation;
mod runner;
mod scale;
mod server;
mod syncing;
mod tls;
