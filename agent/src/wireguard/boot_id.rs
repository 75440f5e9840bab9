//! Which boot of the host this is.

use std::fs;

use super::BackendError;

/// Differs from one boot to the next.
const BOOT_ID_FILE: &str = "/proc/sys/kernel/random/boot_id";

/// The identity of this boot, as the kernel writes it.
pub(super) fn of_this_host() -> Result<String, BackendError> {
    let boot_id = fs::read_to_string(BOOT_ID_FILE).map_err(|source| BackendError::Io {
        doing: "reading the boot id",
        source,
    })?;
    Ok(boot_id.trim().to_owned())
}
