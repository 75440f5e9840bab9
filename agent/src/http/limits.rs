//! How much of what is allowed.

use std::{
    net::{IpAddr, Ipv6Addr},
    num::NonZeroU32,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use governor::{
    DefaultDirectRateLimiter, DefaultKeyedRateLimiter, Quota,
    clock::{Clock as _, DefaultClock},
};
use tokio::sync::Semaphore;

/// Largest body that is read.
pub(super) const MAX_BODY_BYTES: usize = 256 * 1024;
/// All bodies together that are not verified yet.
const UNVERIFIED_BYTES: usize = 64 * 1024 * 1024;
/// How long a body may take.
pub(super) const BODY_TIMEOUT: Duration = Duration::from_secs(10);
/// Failed authentications a source may cause: so many a second, so many at once.
const FAILURES_PER_SEC: NonZeroU32 = NonZeroU32::new(10).unwrap();
const FAILURE_BURST: NonZeroU32 = NonZeroU32::new(20).unwrap();
/// After so many new failures the sources that have calmed down are forgotten.
const FORGET_EVERY: u64 = 1024;

/// Where a request comes from, as far as limits go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Source {
    /// An IPv4 address, or the /64 of an IPv6 address: that is what one host has.
    Ip(IpAddr),
    /// A unix socket.
    Unix,
}

impl From<IpAddr> for Source {
    fn from(address: IpAddr) -> Self {
        Self::Ip(match address.to_canonical() {
            IpAddr::V6(v6) => {
                let network = v6.to_bits() & !u128::from(u64::MAX);
                IpAddr::V6(Ipv6Addr::from_bits(network))
            }
            v4 @ IpAddr::V4(_) => v4,
        })
    }
}

impl std::fmt::Display for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Ip(address) => address.fmt(f),
            Self::Unix => f.write_str("unix"),
        }
    }
}

/// The limits of one agent.
pub struct Limits {
    failures: DefaultKeyedRateLimiter<Source>,
    failures_seen: AtomicU64,
    signed: Option<DefaultKeyedRateLimiter<Source>>,
    log: DefaultDirectRateLimiter,
    suppressed: AtomicU64,
    unverified: Arc<Semaphore>,
    clock: DefaultClock,
}

impl Limits {
    /// With `signed_per_sec`, a source may send that many authentic requests a second.
    #[must_use]
    pub fn new(signed_per_sec: Option<NonZeroU32>) -> Self {
        let failures = Quota::per_second(FAILURES_PER_SEC).allow_burst(FAILURE_BURST);
        Self {
            failures: DefaultKeyedRateLimiter::keyed(failures),
            failures_seen: AtomicU64::new(0),
            signed: signed_per_sec
                .map(|rate| DefaultKeyedRateLimiter::keyed(Quota::per_second(rate))),
            log: DefaultDirectRateLimiter::direct(failures),
            suppressed: AtomicU64::new(0),
            unverified: Arc::new(Semaphore::new(UNVERIFIED_BYTES)),
            clock: DefaultClock::default(),
        }
    }

    /// Counts a failed authentication.
    ///
    /// # Errors
    /// How many seconds to wait, once the source has used up its allowance.
    pub(super) fn failure(&self, source: Source) -> Result<(), u64> {
        if self.failures_seen.fetch_add(1, Ordering::Relaxed) % FORGET_EVERY == FORGET_EVERY - 1 {
            self.failures.retain_recent();
        }
        self.check(&self.failures, source)
    }

    /// Counts an authentic request.
    ///
    /// # Errors
    /// How many seconds to wait.
    pub(super) fn signed(&self, source: Source) -> Result<(), u64> {
        self.signed
            .as_ref()
            .map_or(Ok(()), |limiter| self.check(limiter, source))
    }

    fn check(&self, limiter: &DefaultKeyedRateLimiter<Source>, source: Source) -> Result<(), u64> {
        limiter
            .check_key(&source)
            .map_err(|until| whole_seconds(until.wait_time_from(self.clock.now())))
    }

    /// Whether a line about a failure may be logged, and how many were not since the last one.
    pub(super) fn may_log(&self) -> Option<u64> {
        if self.log.check().is_ok() {
            return Some(self.suppressed.swap(0, Ordering::Relaxed));
        }
        self.suppressed.fetch_add(1, Ordering::Relaxed);
        None
    }

    /// Room for bodies that are not verified yet, in bytes.
    pub(super) fn unverified(&self) -> &Arc<Semaphore> {
        &self.unverified
    }
}

/// Rounded up. Never zero: the wait may be over by the time it is looked at, and "retry after 0
/// seconds" would call for a loop.
const fn whole_seconds(wait: Duration) -> u64 {
    let seconds = wait.as_secs();
    if wait.subsec_nanos() > 0 || seconds == 0 {
        seconds + 1
    } else {
        seconds
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_is_rounded_up_and_never_zero() {
        for (millis, seconds) in [(0, 1), (1, 1), (1_000, 1), (1_001, 2), (9_999, 10)] {
            assert_eq!(whole_seconds(Duration::from_millis(millis)), seconds);
        }
    }
}
