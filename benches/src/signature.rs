//! One signed request, checked and made by the contract's code, and its bytes beside it for `ring`
//! alone.

use ring::hmac;
use wire_contract::signing::{AuthFailure, Mac, Secret, SignedParts, Signer, Timestamp, Verifier};

/// Sizes of bodies that are measured, in bytes.
pub const BODY_BYTES: [usize; 3] = [0, 200, 64 * 1024];

const SECRET: &[u8] = b"the benches share this secret of 43 bytes.!";
const TIMESTAMP: u64 = 1_790_000_000;
const METHOD: &str = "POST";
const TARGET: &str = "/wg/wg0/peers";

/// A request whose body has a certain size.
pub struct Signature {
    signer: Signer,
    verifier: Verifier,
    body: Vec<u8>,
    /// As the headers carry them.
    timestamp: String,
    signature: String,
    bare_key: hmac::Key,
    gathered: Vec<u8>,
    tag: hmac::Tag,
}

impl Signature {
    /// A request with a body of `body_bytes`.
    ///
    /// # Panics
    /// When the contract and `ring` do not come to the same signature.
    #[must_use]
    pub fn of(body_bytes: usize) -> Self {
        let secret = Secret::new(SECRET).expect("long enough");
        let signer = Signer::new(&secret);
        let body = vec![b'x'; body_bytes];
        let parts = SignedParts {
            method: METHOD,
            target: TARGET,
            body: &body,
        };
        let signature = signer.sign(parts, TIMESTAMP);
        let timestamp = TIMESTAMP.to_string();
        let gathered = [
            METHOD.as_bytes(),
            TARGET.as_bytes(),
            &body,
            timestamp.as_bytes(),
        ]
        .join(&b'|');
        let bare_key = hmac::Key::new(hmac::HMAC_SHA256, SECRET);
        let tag = hmac::sign(&bare_key, &gathered);
        let made = Mac::parse(signature.as_bytes()).expect("hex");
        assert_eq!(made.as_bytes(), tag.as_ref());
        Self {
            signer,
            verifier: Verifier::new(&secret, None),
            body,
            timestamp,
            signature,
            bare_key,
            gathered,
            tag,
        }
    }

    fn parts(&self) -> SignedParts<'_> {
        SignedParts {
            method: METHOD,
            target: TARGET,
            body: &self.body,
        }
    }

    /// What the agent's gate does: both headers read, the time window, the signature.
    ///
    /// # Errors
    /// Never: the request is signed rightly.
    #[inline]
    pub fn verify(&self) -> Result<(), AuthFailure> {
        let mac = Mac::parse(self.signature.as_bytes())?;
        let timestamp = Timestamp::parse(self.timestamp.as_bytes())?;
        timestamp.check(TIMESTAMP.cast_signed())?;
        self.verifier.verify(self.parts(), timestamp, &mac)
    }

    /// `ring::hmac::verify` of the same bytes, gathered beforehand.
    ///
    /// # Errors
    /// Never: the bytes are signed rightly.
    #[inline]
    pub fn verify_bare(&self) -> Result<(), ring::error::Unspecified> {
        hmac::verify(&self.bare_key, &self.gathered, self.tag.as_ref())
    }

    /// What a client does: the value of the header.
    #[inline]
    #[must_use]
    pub fn sign(&self) -> String {
        self.signer.sign(self.parts(), TIMESTAMP)
    }

    /// `ring::hmac::sign` of the same bytes, gathered beforehand.
    #[inline]
    #[must_use]
    pub fn sign_bare(&self) -> hmac::Tag {
        hmac::sign(&self.bare_key, &self.gathered)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_size_verifies_both_ways() {
        for bytes in BODY_BYTES {
            let request = Signature::of(bytes);
            request.verify().expect("signed rightly");
            request.verify_bare().expect("signed rightly");
            let bare: Vec<u8> = request.sign_bare().as_ref().to_vec();
            let ours = Mac::parse(request.sign().as_bytes()).expect("hex");
            assert_eq!(ours.as_bytes().as_slice(), bare);
        }
    }
}
