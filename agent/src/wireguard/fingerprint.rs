//! Comparing preshared keys without keeping them.

use ring::{
    digest,
    rand::{self, SystemRandom},
};
use wire_contract::{PresharedKey, key::KEY_BYTES};
use zeroize::Zeroizing;

/// A keyed hash of a preshared key: equal for equal keys within this process, useless outside it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Fingerprint([u8; 32]);

impl std::fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Fingerprint(redacted)")
    }
}

/// So much of a key that it and a preshared key fill one block of SHA-256: a dump has thousands of them,
/// and an HMAC is two blocks each.
const OWN_KEY_BYTES: usize = 23;

/// Makes [`Fingerprint`]s under a key drawn at start and never stored.
///
/// What is hashed has one length only, so nothing can be appended to it, which is what HMAC guards
/// against.
#[derive(Clone)]
pub struct Fingerprinter(digest::Context);

impl Fingerprinter {
    /// Draws a key.
    ///
    /// # Panics
    /// When the system has no random numbers to give.
    #[must_use]
    pub fn new() -> Self {
        let key = rand::generate::<[u8; OWN_KEY_BYTES]>(&SystemRandom::new());
        let key = Zeroizing::new(key.expect("the system gives random numbers").expose());
        let mut keyed = digest::Context::new(&digest::SHA256);
        keyed.update(&*key);
        Self(keyed)
    }

    /// The fingerprint of a raw preshared key as the kernel shows it; `None` for all zeros, which is
    /// how it writes "none".
    #[must_use]
    pub fn of_raw(&self, preshared_key: &[u8; KEY_BYTES]) -> Option<Fingerprint> {
        if *preshared_key == [0; KEY_BYTES] {
            return None;
        }
        let mut hash = self.0.clone();
        hash.update(preshared_key);
        let hash = hash.finish();
        Some(Fingerprint(hash.as_ref().try_into().expect("32 bytes")))
    }

    /// The fingerprint of a preshared key; `None` for the key that stands for none.
    #[must_use]
    pub fn of(&self, preshared_key: &PresharedKey) -> Option<Fingerprint> {
        self.of_raw(&Zeroizing::new(*preshared_key.expose()))
    }
}

impl Default for Fingerprinter {
    fn default() -> Self {
        Self::new()
    }
}

impl std::fmt::Debug for Fingerprinter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Fingerprinter(redacted)")
    }
}
