//! The request signature.
//!
//! ```text
//! signature = lowercase hex( HMAC-SHA256( secret, METHOD "|" TARGET "|" BODY "|" TIMESTAMP ) )
//! ```
//!
//! TARGET is the request target as it stands on the wire, BODY the raw bytes sent, TIMESTAMP the
//! bytes of `X-Timestamp`.

use std::{fmt, time::Duration};

use ring::hmac;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

/// Header that carries the signature in hex.
pub const SIGNATURE_HEADER: &str = "x-signature";
/// Header that carries the Unix time of signing, in seconds.
pub const TIMESTAMP_HEADER: &str = "x-timestamp";
/// How far a timestamp may lie from the receiver's clock, either way. Exactly this much passes.
pub const WINDOW: Duration = Duration::from_secs(300);
/// Shortest secret that is taken.
pub const MIN_SECRET_BYTES: usize = 16;
/// Secrets shorter than this deserve a warning.
pub const RECOMMENDED_SECRET_BYTES: usize = 32;

const MAC_BYTES: usize = 32;

/// A secret shared between one agent and its controller. Wiped when dropped, never shown.
#[derive(Clone)]
pub struct Secret(Zeroizing<Vec<u8>>);

/// The secret is shorter than [`MIN_SECRET_BYTES`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a secret must have at least {MIN_SECRET_BYTES} bytes, this one has {0}")]
pub struct SecretTooShort(pub usize);

impl Secret {
    /// Takes the bytes of the secret's text as they are.
    ///
    /// # Errors
    /// [`SecretTooShort`].
    pub fn new(bytes: impl Into<Vec<u8>>) -> Result<Self, SecretTooShort> {
        let bytes = Zeroizing::new(bytes.into());
        if bytes.len() < MIN_SECRET_BYTES {
            return Err(SecretTooShort(bytes.len()));
        }
        Ok(Self(bytes))
    }

    /// Whether it is shorter than [`RECOMMENDED_SECRET_BYTES`].
    #[must_use]
    pub fn is_weak(&self) -> bool {
        self.0.len() < RECOMMENDED_SECRET_BYTES
    }

    fn key(&self) -> hmac::Key {
        hmac::Key::new(hmac::HMAC_SHA256, &self.0)
    }
}

impl PartialEq for Secret {
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl Eq for Secret {}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(redacted)")
    }
}

/// What a signature is made over.
///
/// Two different requests never gather to the same bytes as long as the target has passed
/// [`check_target`](crate::path::check_target): the method has no `/`, so the first `|/` ends it; the
/// target has no `|`; the timestamp is digits, so the last `|` ends the body.
#[derive(Debug, Clone, Copy)]
pub struct SignedParts<'a> {
    /// The method token as sent.
    pub method: &'a str,
    /// The request target as sent: percent-encoded as it is, query included.
    pub target: &'a str,
    /// The raw body; empty when there is none.
    pub body: &'a [u8],
}

impl SignedParts<'_> {
    /// Calls `whole` with the signed bytes, gathered on the stack in little more room than they need:
    /// clearing a large buffer takes as long as hashing a small request. Where they are many they are
    /// not worth a copy, and `hashed` is called with their HMAC under `key`.
    #[inline]
    fn under<R>(
        &self,
        key: &hmac::Key,
        timestamp: &[u8],
        whole: impl FnOnce(&[u8]) -> R,
        hashed: impl FnOnce(hmac::Tag) -> R,
    ) -> R {
        const SEPARATORS: usize = 3;
        let len =
            self.method.len() + self.target.len() + self.body.len() + timestamp.len() + SEPARATORS;
        match len {
            0..=128 => whole(self.gather(timestamp, &mut [0; 128])),
            129..=320 => whole(self.gather(timestamp, &mut [0; 320])),
            321..=1024 => whole(self.gather(timestamp, &mut [0; 1024])),
            _ => hashed(self.hash(key, timestamp)),
        }
    }

    #[inline(always)]
    fn gather<'b>(&self, timestamp: &[u8], buffer: &'b mut [u8]) -> &'b [u8] {
        let at = put(buffer, 0, self.method.as_bytes());
        buffer[at] = b'|';
        let at = put(buffer, at + 1, self.target.as_bytes());
        buffer[at] = b'|';
        let at = put(buffer, at + 1, self.body);
        buffer[at] = b'|';
        let end = put(buffer, at + 1, timestamp);
        &buffer[..end]
    }

    fn hash(&self, key: &hmac::Key, timestamp: &[u8]) -> hmac::Tag {
        let mut context = hmac::Context::with_key(key);
        context.update(self.method.as_bytes());
        context.update(b"|");
        context.update(self.target.as_bytes());
        context.update(b"|");
        context.update(self.body);
        context.update(b"|");
        context.update(timestamp);
        context.sign()
    }
}

/// Copies `part` to its place; gives the place behind it.
#[inline(always)]
fn put(buffer: &mut [u8], at: usize, part: &[u8]) -> usize {
    let end = at + part.len();
    buffer[at..end].copy_from_slice(part);
    end
}

/// Signs requests. The key schedule is computed once.
#[derive(Clone)]
pub struct Signer(hmac::Key);

impl Signer {
    /// A signer for `secret`.
    #[must_use]
    pub fn new(secret: &Secret) -> Self {
        Self(secret.key())
    }

    /// The value of [`SIGNATURE_HEADER`] for a request sent with `timestamp` (Unix seconds, in
    /// decimal) in [`TIMESTAMP_HEADER`].
    #[must_use]
    pub fn sign(&self, parts: SignedParts<'_>, timestamp: u64) -> String {
        let timestamp = timestamp.to_string();
        let key = &self.0;
        let whole = |message: &[u8]| hmac::sign(key, message);
        let tag = parts.under(key, timestamp.as_bytes(), whole, |tag| tag);
        faster_hex::hex_string(tag.as_ref())
    }
}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Signer(redacted)")
    }
}

/// Why a request was not accepted as authentic. For the log alone: the answer is one and the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AuthFailure {
    /// Not exactly one signature header.
    #[error("expected exactly one X-Signature header, found {0}")]
    SignatureCount(usize),
    /// Not 64 hex digits.
    #[error("X-Signature is not 64 hex digits")]
    SignatureShape,
    /// Not exactly one timestamp header.
    #[error("expected exactly one X-Timestamp header, found {0}")]
    TimestampCount(usize),
    /// Not `^[0-9]{1,12}$`.
    #[error("X-Timestamp is not 1 to 12 digits")]
    TimestampShape,
    /// More than [`WINDOW`] away from the receiver's clock.
    #[error("the request was signed {0} s from this clock; more than 300 s apart is refused")]
    OutsideWindow(i64),
    /// The signature belongs to another message or another secret.
    #[error("the signature does not match")]
    WrongSignature,
}

impl AuthFailure {
    /// A short stable name, for metrics and log fields.
    #[must_use]
    pub const fn reason(self) -> &'static str {
        match self {
            Self::SignatureCount(_) => "signature_count",
            Self::SignatureShape => "signature_shape",
            Self::TimestampCount(_) => "timestamp_count",
            Self::TimestampShape => "timestamp_shape",
            Self::OutsideWindow(_) => "outside_window",
            Self::WrongSignature => "wrong_signature",
        }
    }
}

/// A signature as a request carried it; nothing is proven yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Mac([u8; MAC_BYTES]);

impl Mac {
    /// Reads 64 hex digits, either case.
    ///
    /// # Errors
    /// [`AuthFailure::SignatureShape`].
    pub fn parse(header: &[u8]) -> Result<Self, AuthFailure> {
        let mut bytes = [0; MAC_BYTES];
        if header.len() != 2 * MAC_BYTES {
            return Err(AuthFailure::SignatureShape);
        }
        faster_hex::hex_decode(header, &mut bytes).map_err(|_| AuthFailure::SignatureShape)?;
        Ok(Self(bytes))
    }

    /// Takes the raw MAC, as a log of earlier requests holds it.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; MAC_BYTES]) -> Self {
        Self(bytes)
    }

    /// The raw MAC.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; MAC_BYTES] {
        &self.0
    }
}

/// A timestamp as a request carried it: its value, and the very bytes that were signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timestamp<'a> {
    text: &'a [u8],
    seconds: i64,
}

impl<'a> Timestamp<'a> {
    /// Reads `^[0-9]{1,12}$`.
    ///
    /// # Errors
    /// [`AuthFailure::TimestampShape`].
    pub fn parse(text: &'a [u8]) -> Result<Self, AuthFailure> {
        if !(1..=12).contains(&text.len()) {
            return Err(AuthFailure::TimestampShape);
        }
        let mut seconds = 0;
        for byte in text {
            let digit = byte.wrapping_sub(b'0');
            if digit > 9 {
                return Err(AuthFailure::TimestampShape);
            }
            seconds = seconds * 10 + i64::from(digit);
        }
        Ok(Self { text, seconds })
    }

    /// Unix seconds.
    #[must_use]
    pub const fn seconds(&self) -> i64 {
        self.seconds
    }

    /// Checks it against the receiver's clock, in Unix seconds.
    ///
    /// # Errors
    /// [`AuthFailure::OutsideWindow`] with how far ahead of the clock it is.
    pub fn check(&self, now: i64) -> Result<(), AuthFailure> {
        let ahead = self.seconds.saturating_sub(now);
        if ahead.unsigned_abs() > WINDOW.as_secs() {
            return Err(AuthFailure::OutsideWindow(ahead));
        }
        Ok(())
    }
}

/// Checks signatures against the current secret and, while one is being introduced, the next.
#[derive(Clone)]
pub struct Verifier {
    current: hmac::Key,
    next: Option<hmac::Key>,
}

impl Verifier {
    /// Accepts `current`, and `next` where there is one.
    #[must_use]
    pub fn new(current: &Secret, next: Option<&Secret>) -> Self {
        Self {
            current: current.key(),
            next: next.map(Secret::key),
        }
    }

    /// Checks, in constant time, that `mac` signs these parts. Whether the timestamp is recent is
    /// [`Timestamp::check`]'s to say.
    ///
    /// # Errors
    /// [`AuthFailure::WrongSignature`].
    pub fn verify(
        &self,
        parts: SignedParts<'_>,
        timestamp: Timestamp<'_>,
        mac: &Mac,
    ) -> Result<(), AuthFailure> {
        let signed_by = |key| {
            parts.under(
                key,
                timestamp.text,
                |message| hmac::verify(key, message, &mac.0).is_ok(),
                |tag| tag.as_ref().ct_eq(&mac.0).into(),
            )
        };
        if signed_by(&self.current) || self.next.as_ref().is_some_and(signed_by) {
            Ok(())
        } else {
            Err(AuthFailure::WrongSignature)
        }
    }
}

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Verifier(redacted)")
    }
}
