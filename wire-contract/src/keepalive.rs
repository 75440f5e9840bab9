//! How often a peer is sent an empty packet to keep a path open.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, de};

/// Persistent keepalive interval in seconds; 0 is off.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct Keepalive(u16);

impl Keepalive {
    /// No keepalives.
    pub const OFF: Self = Self(0);

    /// One every so many seconds; 0 is off.
    #[must_use]
    pub const fn from_secs(seconds: u16) -> Self {
        Self(seconds)
    }

    /// Seconds; 0 is off.
    #[must_use]
    pub const fn as_secs(self) -> u16 {
        self.0
    }
}

impl fmt::Display for Keepalive {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl<'de> Deserialize<'de> for Keepalive {
    /// Numbers only. A refusal says what the range is and never repeats a text: it may be long.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Seconds;

        impl de::Visitor<'_> for Seconds {
            type Value = Keepalive;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a whole number of seconds from 0 to 65535, 0 being off")
            }

            fn visit_u64<E: de::Error>(self, seconds: u64) -> Result<Keepalive, E> {
                let out_of_range = |_| E::invalid_value(de::Unexpected::Unsigned(seconds), &self);
                u16::try_from(seconds).map(Keepalive).map_err(out_of_range)
            }

            fn visit_i64<E: de::Error>(self, seconds: i64) -> Result<Keepalive, E> {
                let out_of_range = |_| E::invalid_value(de::Unexpected::Signed(seconds), &self);
                u16::try_from(seconds).map(Keepalive).map_err(out_of_range)
            }

            fn visit_str<E: de::Error>(self, _: &str) -> Result<Keepalive, E> {
                Err(E::invalid_type(de::Unexpected::Other("string"), &self))
            }
        }

        // Not `deserialize_u16`: JSON would then refuse a text by itself, and repeat it.
        deserializer.deserialize_any(Seconds)
    }
}
