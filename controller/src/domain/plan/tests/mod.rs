//! Plans: examples of every rule, then properties against a model of the kernel.

mod converge;
mod examples;
mod model;
