//! README and `docs/`: what they say can be done and found. Pages that need a kernel: `lab_docs`.

mod commands;
mod links;
mod running;
