//! Generates the services from `proto/`. protox compiles the files, so no protoc is needed.

use std::{error::Error, path::Path};

const FILES: [&str; 10] = [
    "wgfleet/v1/common.proto",
    "wgfleet/v1/nodes.proto",
    "wgfleet/v1/peers.proto",
    "wgfleet/v1/dispatch.proto",
    "wgfleet/v1/events.proto",
    "wgfleet/v1/tokens.proto",
    "wgfleet/v1/audit.proto",
    "wgfleet/v1/webhooks.proto",
    "wgfleet/v1/history.proto",
    "wgfleet/v1/backup.proto",
];

fn main() -> Result<(), Box<dyn Error>> {
    let root = Path::new("proto");
    println!("cargo::rerun-if-changed=proto");
    let descriptors = protox::compile(FILES, [root])?;
    tonic_prost_build::configure()
        // Labels in one order everywhere: in answers, hashes and tests.
        .btree_map(".")
        .compile_fds(descriptors)?;
    Ok(())
}
