//! Signing requests, and never the same mutation twice in one second by accident.

use std::{
    collections::HashSet,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use hyper::Method;
use tokio::time::sleep;
use wire_contract::signing::{Secret, SignedParts, Signer};

use super::clock::WallClock;

/// Mutations remembered within one second; beyond that the next one waits for the next second.
const MAX_REMEMBERED: usize = 16_384;

/// A request as it goes on the wire. Sent again, it is the same to the byte.
#[derive(Clone)]
pub(super) struct Signed {
    pub(super) method: Method,
    pub(super) target: String,
    pub(super) body: Bytes,
    pub(super) timestamp: u64,
    pub(super) signature: String,
}

/// Signs for one agent.
pub(super) struct SigningDesk {
    signer: Signer,
    clock: WallClock,
    this_second: Mutex<ThisSecond>,
    next_nonce: AtomicU64,
    takes_nonce: AtomicBool,
}

/// What was signed in the current second. An agent answers a MAC it has seen from its memory, or
/// refuses it, so a mutation meant anew needs another MAC.
#[derive(Default)]
struct ThisSecond {
    second: u64,
    signatures: HashSet<String>,
}

enum Fresh {
    Yes(Signed),
    /// The same was signed in this second.
    Repeated,
    /// No room to remember more in this second.
    Full,
}

impl SigningDesk {
    pub(super) fn new(secret: &Secret, clock: WallClock) -> Self {
        // Counting on from the clock: a client made anew within the second must not begin with the
        // numbers of the one before it.
        let first_nonce = u64::from(clock.now().subsec_nanos());
        Self {
            signer: Signer::new(secret),
            clock,
            this_second: Mutex::default(),
            next_nonce: AtomicU64::new(first_nonce),
            takes_nonce: AtomicBool::new(false),
        }
    }

    pub(super) const fn clock(&self) -> &WallClock {
        &self.clock
    }

    /// Whether the agent has said that it takes `?n=`.
    pub(super) fn set_takes_nonce(&self, takes_nonce: bool) {
        self.takes_nonce.store(takes_nonce, Ordering::Relaxed);
    }

    /// Signs a GET. Repeating one is harmless.
    pub(super) fn sign_get(&self, target: String) -> Signed {
        self.signed(
            Method::GET,
            target,
            Bytes::new(),
            self.clock.now().as_secs(),
        )
    }

    /// A GET whose signature is wrong in one digit.
    pub(super) fn sign_get_wrongly(&self, target: String) -> Signed {
        let mut signed = self.sign_get(target);
        let first = if signed.signature.starts_with('0') {
            "1"
        } else {
            "0"
        };
        signed.signature.replace_range(..1, first);
        signed
    }

    /// Signs a POST, PUT or DELETE as one the agent has not seen: with a counter where it takes one,
    /// else by waiting for the next second.
    pub(super) async fn sign_mutation(&self, method: Method, target: &str, body: Bytes) -> Signed {
        let mut numbered = target.to_owned();
        loop {
            match self.try_sign(&method, &numbered, &body) {
                Fresh::Yes(signed) => return signed,
                Fresh::Repeated if self.takes_nonce.load(Ordering::Relaxed) => {
                    let nonce = self.next_nonce.fetch_add(1, Ordering::Relaxed);
                    numbered = format!("{target}?n={nonce}");
                }
                Fresh::Repeated | Fresh::Full => sleep(until_next_second(self.clock.now())).await,
            }
        }
    }

    fn try_sign(&self, method: &Method, target: &str, body: &Bytes) -> Fresh {
        let mut this = self
            .this_second
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        // Read under the lock, so that no other call is already in a later second.
        let second = self.clock.now().as_secs();
        if this.second != second {
            *this = ThisSecond {
                second,
                signatures: HashSet::new(),
            };
        }
        let signed = self.signed(method.clone(), target.to_owned(), body.clone(), second);
        if this.signatures.contains(&signed.signature) {
            Fresh::Repeated
        } else if this.signatures.len() >= MAX_REMEMBERED {
            Fresh::Full
        } else {
            this.signatures.insert(signed.signature.clone());
            Fresh::Yes(signed)
        }
    }

    fn signed(&self, method: Method, target: String, body: Bytes, timestamp: u64) -> Signed {
        let parts = SignedParts {
            method: method.as_str(),
            target: &target,
            body: &body,
        };
        let signature = self.signer.sign(parts, timestamp);
        Signed {
            method,
            target,
            body,
            timestamp,
            signature,
        }
    }
}

fn until_next_second(now: Duration) -> Duration {
    // A little beyond: timers may be early by the clock that is signed with.
    Duration::from_millis(1_001) - Duration::from_nanos(now.subsec_nanos().into())
}
