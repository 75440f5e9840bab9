//! How often a token may call, and how often a source may fail to show one.

use std::{
    net::{IpAddr, Ipv6Addr},
    num::NonZeroU32,
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use governor::{
    DefaultDirectRateLimiter, DefaultKeyedRateLimiter, Quota,
    clock::{Clock as _, DefaultClock},
};

use crate::store::TokenId;

/// Lines about failures in the log: so many a second.
const LOG_PER_S: NonZeroU32 = NonZeroU32::new(1).unwrap();
/// After so many new failures the sources that have calmed down are forgotten.
const FORGET_EVERY: u64 = 1024;

/// How much is allowed. A rate of 0 is no limit at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AccessLimits {
    /// Calls of one token, a second.
    pub token_rate: u32,
    /// Calls of one token at once.
    pub token_burst: u32,
    /// Failed authentications of one source, a second.
    pub auth_failure_rate: u32,
    /// Failed authentications of one source at once.
    pub auth_failure_burst: u32,
}

impl Default for AccessLimits {
    fn default() -> Self {
        Self {
            token_rate: 200,
            token_burst: 400,
            auth_failure_rate: 10,
            auth_failure_burst: 20,
        }
    }
}

/// Where a call comes from, as far as limits go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Source {
    /// An IPv4 address, or the /64 of an IPv6 address: that is what one host has.
    Ip(IpAddr),
    /// A unix socket, or this very process.
    Local,
}

impl Source {
    pub(super) fn named(text: &str) -> Self {
        let Ok(address) = text.parse::<IpAddr>() else {
            return Self::Local;
        };
        Self::Ip(match address.to_canonical() {
            IpAddr::V6(v6) => {
                let network = v6.to_bits() & !u128::from(u64::MAX);
                IpAddr::V6(Ipv6Addr::from_bits(network))
            }
            v4 @ IpAddr::V4(_) => v4,
        })
    }
}

pub(super) struct Limiters {
    calls: Option<DefaultKeyedRateLimiter<TokenId>>,
    failures: Option<DefaultKeyedRateLimiter<Source>>,
    failures_seen: AtomicU64,
    log: DefaultDirectRateLimiter,
    suppressed: AtomicU64,
    clock: DefaultClock,
}

impl Limiters {
    pub(super) fn new(limits: AccessLimits) -> Self {
        let failures = quota(limits.auth_failure_rate, limits.auth_failure_burst);
        Self {
            calls: quota(limits.token_rate, limits.token_burst).map(DefaultKeyedRateLimiter::keyed),
            failures: failures.map(DefaultKeyedRateLimiter::keyed),
            failures_seen: AtomicU64::new(0),
            log: DefaultDirectRateLimiter::direct(Quota::per_second(LOG_PER_S)),
            suppressed: AtomicU64::new(0),
            clock: DefaultClock::default(),
        }
    }

    /// Counts a call.
    ///
    /// # Errors
    /// How many seconds to wait.
    pub(super) fn call(&self, token: TokenId) -> Result<(), u64> {
        let Some(limiter) = &self.calls else {
            return Ok(());
        };
        limiter
            .check_key(&token)
            .map_err(|until| whole_seconds(until.wait_time_from(self.clock.now())))
    }

    /// Counts a failed authentication.
    ///
    /// # Errors
    /// How many seconds to wait, once the source has used up its allowance.
    pub(super) fn failure(&self, source: Source) -> Result<(), u64> {
        let Some(limiter) = &self.failures else {
            return Ok(());
        };
        if self.failures_seen.fetch_add(1, Ordering::Relaxed) % FORGET_EVERY == FORGET_EVERY - 1 {
            limiter.retain_recent();
        }
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
}

fn quota(rate: u32, burst: u32) -> Option<Quota> {
    let rate = NonZeroU32::new(rate)?;
    Some(Quota::per_second(rate).allow_burst(NonZeroU32::new(burst).unwrap_or(NonZeroU32::MIN)))
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

    #[test]
    fn one_host_is_one_source() {
        let named = Source::named;
        assert_eq!(named("2001:db8::1"), named("2001:db8::ffff:1"));
        assert_ne!(named("2001:db8::1"), named("2001:db8:0:1::1"));
        assert_eq!(named("::ffff:192.0.2.1"), named("192.0.2.1"));
        assert_ne!(named("192.0.2.1"), named("192.0.2.2"));
        assert_eq!(named("unix"), Source::Local);
    }

    #[test]
    fn each_has_an_allowance_of_its_own() {
        let limits = AccessLimits {
            token_rate: 1,
            token_burst: 2,
            auth_failure_rate: 1,
            auth_failure_burst: 1,
        };
        let limiters = Limiters::new(limits);
        let (one, other) = (TokenId::generate(), TokenId::generate());
        let calls = [one, one, one, other].map(|token| limiters.call(token).is_ok());
        assert_eq!(calls, [true, true, false, true]);
        let (here, there) = (Source::named("192.0.2.1"), Source::named("192.0.2.2"));
        let failures = [here, here, there].map(|source| limiters.failure(source).is_ok());
        assert_eq!(failures, [true, false, true]);
        assert!(limiters.may_log().is_some() && limiters.may_log().is_none());
    }

    #[test]
    fn zero_is_no_limit() {
        let limits = AccessLimits {
            token_rate: 0,
            auth_failure_rate: 0,
            ..AccessLimits::default()
        };
        let (limiters, token) = (Limiters::new(limits), TokenId::generate());
        assert!((0..10_000).all(|_| limiters.call(token).is_ok()));
        assert!((0..10_000).all(|_| limiters.failure(Source::Local).is_ok()));
    }
}
