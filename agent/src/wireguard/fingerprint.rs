//! Comparing preshared keys without keeping them.

use ring::{hmac, rand::SystemRandom};
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

/// Makes [`Fingerprint`]s under a key drawn at start and never stored.
#[derive(Clone)]
pub struct Fingerprinter(hmac::Key);

impl Fingerprinter {
    /// Draws a key.
    ///
    /// # Panics
    /// When the system has no random numbers to give.
    #[must_use]
    pub fn new() -> Self {
        let key = hmac::Key::generate(hmac::HMAC_SHA256, &SystemRandom::new());
        Self(key.expect("the system gives random numbers"))
    }

    /// The fingerprint of a raw preshared key as the kernel shows it; `None` for all zeros, which is
    /// how it writes "none".
    #[must_use]
    pub fn of_raw(&self, preshared_key: &[u8; KEY_BYTES]) -> Option<Fingerprint> {
        if *preshared_key == [0; KEY_BYTES] {
            return None;
        }
        let mut fingerprint = [0; 32];
        fingerprint.copy_from_slice(hmac::sign(&self.0, preshared_key).as_ref());
        Some(Fingerprint(fingerprint))
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
