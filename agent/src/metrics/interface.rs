//! What the owner of an interface counts.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};

/// Seconds: a dump of a few peers takes less than a millisecond, one of 100,000 some tenths of one.
const DUMP_BUCKETS: [f64; 14] = [
    0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0,
];

/// One interface's reads and writes, since its owner began.
#[derive(Debug)]
pub struct InterfaceMetrics {
    pub(super) dump_duration: Histogram,
    pub(super) dump_failures: AtomicU64,
    pub(super) dump_retries: AtomicU64,
    pub(super) writes: AtomicU64,
    pub(super) write_failures: AtomicU64,
    pub(super) batch_size: Histogram,
}

impl Default for InterfaceMetrics {
    fn default() -> Self {
        Self {
            dump_duration: Histogram::new(DUMP_BUCKETS),
            dump_failures: AtomicU64::new(0),
            dump_retries: AtomicU64::new(0),
            writes: AtomicU64::new(0),
            write_failures: AtomicU64::new(0),
            // Up to as many requests as wait for an owner.
            batch_size: Histogram::new(exponential_buckets(1.0, 2.0, 13)),
        }
    }
}

impl InterfaceMetrics {
    /// A dump was read, or failed. `retries` is how often dumps were begun again, in all.
    pub fn dumped(&self, took: Duration, succeeded: bool, retries: u64) {
        self.dump_duration.observe(took.as_secs_f64());
        self.dump_failures
            .fetch_add(u64::from(!succeeded), Ordering::Relaxed);
        self.dump_retries.store(retries, Ordering::Relaxed);
    }

    /// So many changes were written together, or could not be.
    pub fn wrote(&self, changes: usize, succeeded: bool) {
        self.writes.fetch_add(1, Ordering::Relaxed);
        self.write_failures
            .fetch_add(u64::from(!succeeded), Ordering::Relaxed);
        let changes = u32::try_from(changes).unwrap_or(u32::MAX);
        self.batch_size.observe(changes.into());
    }
}
