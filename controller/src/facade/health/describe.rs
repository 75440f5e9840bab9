//! The routes that say whether the program lives, for programs.

use schemars::JsonSchema;
use serde::Serialize;

use super::super::openapi::Operation;

const TAG: &str = "Service";

/// In a word.
#[derive(JsonSchema, Serialize)]
struct Health {
    status: &'static str,
}

pub(in crate::facade) fn operations() -> Vec<Operation> {
    vec![
        Operation::get("/healthz", "isAlive")
            .public()
            .does(TAG, "Whether the program runs", "")
            .answers(&Health { status: "ok" }, "It does."),
        Operation::get("/readyz", "isReady")
            .public()
            .does(TAG, "Whether the controller can do its work", "")
            .refuses(503, &["not_ready"])
            .answers(&Health { status: "ready" }, "It can."),
    ]
}
