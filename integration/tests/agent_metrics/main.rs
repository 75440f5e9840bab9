//! The built agent's metrics: what the page says, to whom, and what is judged of it by Prometheus itself.

mod bounds;
mod common;
mod page;
