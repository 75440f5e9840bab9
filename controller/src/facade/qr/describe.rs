//! The route of QR codes, for programs.

use serde_json::json;

use super::{
    super::{
        input::OfPeer,
        openapi::{Operation, parameters},
    },
    FORMATS,
};

pub(in crate::facade) fn operations() -> Vec<Operation> {
    let svg = json!({"type": "string"});
    let png = json!({"type": "string", "format": "binary"});
    let format = "Without it, PNG for those whose `Accept` names it and not SVG.";
    let operation = Operation::get("/peers/{id}/qr", "getPeerQr")
        .does(
            "Peers",
            "The client's configuration as a QR code",
            "To be scanned by the client.",
        )
        .of::<OfPeer>()
        .query(vec![parameters::word("format", &FORMATS, format)])
        .refuses(
            409,
            &["config_incomplete", "config_too_long", "node_key_unknown"],
        )
        .sends(
            &[("image/svg+xml", svg), ("image/png", png)],
            "The picture.",
        )
        .header("Vary");
    vec![operation]
}
