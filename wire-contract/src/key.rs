//! WireGuard keys: 32 bytes, written as canonical base64.

use std::{fmt, str::FromStr};

use base64::{Engine, engine::general_purpose::STANDARD};
use subtle::ConstantTimeEq;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

/// Bytes in a key.
pub const KEY_BYTES: usize = 32;
/// Characters of a key in base64, the closing `=` included.
pub const KEY_BASE64_CHARS: usize = 44;

/// A key was not the canonical base64 of 32 bytes. Deliberately silent about what was given: it may
/// have been a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a key must be the base64 of exactly 32 bytes: 44 characters, the last one '='")]
pub struct InvalidKey;

/// The identity of a peer or of a device: a Curve25519 public key.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PublicKey([u8; KEY_BYTES]);

impl PublicKey {
    /// Takes the raw key.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; KEY_BYTES]) -> Self {
        Self(bytes)
    }

    /// The raw key.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; KEY_BYTES] {
        &self.0
    }

    /// The key in base64, in a fixed buffer: what a dump of thousands of peers writes without
    /// touching the heap.
    #[must_use]
    pub fn to_base64(&self) -> Base64Key {
        Base64Key(encode(&self.0))
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.to_base64().as_str())
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({self})")
    }
}

impl FromStr for PublicKey {
    type Err = InvalidKey;

    fn from_str(text: &str) -> Result<Self, InvalidKey> {
        decode(text).map(|bytes| Self(*bytes))
    }
}

crate::text::string_serde!(PublicKey, "a public key in base64");

/// A [`PublicKey`] as its 44 base64 characters.
#[derive(Clone, Copy)]
pub struct Base64Key([u8; KEY_BASE64_CHARS]);

impl Base64Key {
    /// The characters, all of them ASCII.
    #[must_use]
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).expect("base64 is ASCII")
    }

    /// The characters as bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; KEY_BASE64_CHARS] {
        &self.0
    }
}

/// A symmetric key mixed into a peer's handshake. Wiped when dropped, compared in constant time and
/// never shown by `Debug`.
///
/// The kernel stores "no preshared key" as 32 zero bytes; [`PresharedKey::is_none`] tells.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct PresharedKey([u8; KEY_BYTES]);

impl PresharedKey {
    /// Takes the raw key.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; KEY_BYTES]) -> Self {
        Self(bytes)
    }

    /// The raw key. The caller must not log, store in the clear or return it.
    #[must_use]
    pub const fn expose(&self) -> &[u8; KEY_BYTES] {
        &self.0
    }

    /// The key in base64, wiped when dropped: for the request that carries it and nothing else.
    #[must_use]
    pub fn expose_base64(&self) -> Zeroizing<String> {
        let characters = Zeroizing::new(encode(&self.0));
        Zeroizing::new(
            std::str::from_utf8(&*characters)
                .expect("base64 is ASCII")
                .to_owned(),
        )
    }

    /// Whether this is the all-zero key, which WireGuard takes for "none".
    #[must_use]
    pub fn is_none(&self) -> bool {
        self.0.ct_eq(&[0; KEY_BYTES]).into()
    }
}

impl PartialEq for PresharedKey {
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl Eq for PresharedKey {}

impl fmt::Debug for PresharedKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PresharedKey(redacted)")
    }
}

impl FromStr for PresharedKey {
    type Err = InvalidKey;

    fn from_str(text: &str) -> Result<Self, InvalidKey> {
        decode(text).map(|bytes| Self(*bytes))
    }
}

impl serde::Serialize for PresharedKey {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.expose_base64())
    }
}

impl<'de> serde::Deserialize<'de> for PresharedKey {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        crate::text::deserialize(deserializer, "a preshared key in base64")
    }
}

fn encode(bytes: &[u8; KEY_BYTES]) -> [u8; KEY_BASE64_CHARS] {
    let mut characters = [0; KEY_BASE64_CHARS];
    STANDARD
        .encode_slice(bytes, &mut characters)
        .expect("32 bytes make 44 characters");
    characters
}

fn decode(text: &str) -> Result<Zeroizing<[u8; KEY_BYTES]>, InvalidKey> {
    if text.len() != KEY_BASE64_CHARS {
        return Err(InvalidKey);
    }
    // One byte more than a key: the decoder wants room for whole groups of three.
    let mut bytes = Zeroizing::new([0; KEY_BYTES + 1]);
    match STANDARD.decode_slice(text, &mut *bytes) {
        Ok(KEY_BYTES) => {
            let mut key = Zeroizing::new([0; KEY_BYTES]);
            key.copy_from_slice(&bytes[..KEY_BYTES]);
            Ok(key)
        }
        _ => Err(InvalidKey),
    }
}
