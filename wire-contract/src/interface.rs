//! Names of network interfaces.

use std::{fmt, str::FromStr, sync::Arc};

/// Longest name Linux takes, in bytes.
pub const MAX_INTERFACE_NAME_BYTES: usize = 15;

/// A name an interface may have: 1 to 15 bytes, no `/`, no whitespace, not `.` or `..`.
///
/// `:` is refused as the kernel refuses it, and so are control characters: NUL, at which it would cut
/// the name short, and those that would garble a log or a terminal.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct InterfaceName(Arc<str>);

/// Not a name Linux would take.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "an interface name has 1 to 15 bytes without '/', ':', whitespace or control characters, and is not '.' or '..'"
)]
pub struct InvalidInterfaceName;

impl InterfaceName {
    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for InterfaceName {
    type Err = InvalidInterfaceName;

    fn from_str(text: &str) -> Result<Self, InvalidInterfaceName> {
        let refused = |c: char| c == '/' || c == ':' || c.is_whitespace() || c.is_control();
        let fits = (1..=MAX_INTERFACE_NAME_BYTES).contains(&text.len());
        if !fits || text == "." || text == ".." || text.contains(refused) {
            return Err(InvalidInterfaceName);
        }
        Ok(Self(text.into()))
    }
}

impl fmt::Display for InterfaceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for InterfaceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "InterfaceName({:?})", self.as_str())
    }
}

crate::text::string_serde!(InterfaceName, "an interface name");
