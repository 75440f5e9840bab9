//! The route of backups, for programs.

use serde_json::json;

use super::super::openapi::Operation;

pub(in crate::facade) fn operations() -> Vec<Operation> {
    let bytes = json!({"type": "string", "format": "binary"});
    let operation = Operation::post_anew("/backup", "createBackup")
        .does(
            "Backup",
            "A copy of the store as a download",
            "As it is at one moment, read again as a whole before it is sent. It never holds the master \
             key. Each call makes a new copy: an `Idempotency-Key` is not looked at.",
        )
        .refuses(503, &["backup_running"])
        .sends(&[("application/octet-stream", bytes)], "The copy.")
        .header("Content-Disposition")
        .header("Content-Length");
    vec![operation]
}
