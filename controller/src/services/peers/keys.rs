//! Keys that are drawn here for clients that bring none.

use ring::rand::{SecureRandom as _, SystemRandom};
use tonic::Status;
use wire_contract::{PresharedKey, PublicKey, key::KEY_BYTES};
use zeroize::Zeroizing;

use crate::services::status::internal;

/// A client's key pair. No `Debug`: it is a secret.
pub(super) struct KeyPair {
    /// Clamped, as `wg genkey` writes it.
    pub(super) private: Zeroizing<[u8; KEY_BYTES]>,
    /// What it comes to.
    pub(super) public: PublicKey,
}

impl KeyPair {
    /// Draws pairs until the public key's base64 has no `/`: some agents can't address one that has.
    /// Every second pair will do.
    ///
    /// # Errors
    /// When the system has no randomness.
    pub(super) fn generate() -> Result<Self, Status> {
        loop {
            let pair = Self::from_bytes(random_key()?);
            if !pair.public.to_base64().as_bytes().contains(&b'/') {
                return Ok(pair);
            }
        }
    }

    fn from_bytes(mut private: Zeroizing<[u8; KEY_BYTES]>) -> Self {
        clamp(&mut private);
        // Wipes itself when dropped.
        let secret = x25519_dalek::StaticSecret::from(*private);
        let public = x25519_dalek::PublicKey::from(&secret).to_bytes();
        Self {
            private,
            public: PublicKey::from_bytes(public),
        }
    }
}

/// A new preshared key.
///
/// # Errors
/// When the system has no randomness.
pub(super) fn draw_preshared_key() -> Result<PresharedKey, Status> {
    Ok(PresharedKey::from_bytes(*random_key()?))
}

/// A private key in base64, wiped when dropped.
pub(super) fn private_base64(private: &[u8; KEY_BYTES]) -> Zeroizing<String> {
    PresharedKey::from_bytes(*private).expose_base64()
}

/// RFC 7748, section 5: every implementation does it before use, and `wg` before it shows one.
fn clamp(private: &mut [u8; KEY_BYTES]) {
    private[0] &= 0b1111_1000;
    private[31] &= 0b0111_1111;
    private[31] |= 0b0100_0000;
}

fn random_key() -> Result<Zeroizing<[u8; KEY_BYTES]>, Status> {
    let mut key = Zeroizing::new([0; KEY_BYTES]);
    SystemRandom::new()
        .fill(key.as_mut())
        .map_err(|_| internal("the system gave no random bytes"))?;
    Ok(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(text: &str) -> [u8; KEY_BYTES] {
        let byte = |at: usize| u8::from_str_radix(&text[2 * at..2 * at + 2], 16).expect("hex");
        std::array::from_fn(byte)
    }

    /// RFC 7748, section 6.1.
    #[test]
    fn public_keys_are_those_of_the_standard() {
        let alice = "77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a";
        let bob = "5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb";
        for (private, public) in [
            (
                alice,
                "8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a",
            ),
            (
                bob,
                "de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f",
            ),
        ] {
            let pair = KeyPair::from_bytes(Zeroizing::new(hex(private)));
            assert_eq!(pair.public.as_bytes(), &hex(public));
        }
    }

    #[test]
    fn pairs_are_clamped_and_addressable() {
        for _ in 0..50 {
            let pair = KeyPair::generate().expect("a pair");
            assert!(!pair.public.to_string().contains('/'));
            let mut clamped = *pair.private;
            clamp(&mut clamped);
            assert_eq!(clamped, *pair.private);
        }
    }
}
