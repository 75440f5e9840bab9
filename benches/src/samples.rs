//! Times of one thing, measured again and again.

use std::time::{Duration, Instant};

/// Times of one thing.
#[derive(Debug, Clone)]
pub struct Samples {
    /// What was measured.
    pub name: &'static str,
    times: Vec<Duration>,
}

impl Samples {
    /// None yet.
    #[must_use]
    pub const fn new(name: &'static str) -> Self {
        Self {
            name,
            times: Vec::new(),
        }
    }

    /// Does it once more and keeps the time.
    pub fn measure<T>(&mut self, once: impl FnOnce() -> T) -> T {
        let started = Instant::now();
        let result = once();
        self.times.push(started.elapsed());
        result
    }

    /// The middle one of all times.
    ///
    /// # Panics
    /// When nothing was measured.
    #[must_use]
    pub fn median(&self) -> Duration {
        let mut times = self.times.clone();
        times.sort_unstable();
        times[times.len() / 2]
    }

    /// The time that `percent` of all stay within.
    ///
    /// # Panics
    /// When nothing was measured.
    #[must_use]
    pub fn percentile(&self, percent: usize) -> Duration {
        let mut times = self.times.clone();
        times.sort_unstable();
        times[(times.len() * percent / 100).min(times.len() - 1)]
    }

    /// The shortest and the longest time.
    ///
    /// # Panics
    /// When nothing was measured.
    #[must_use]
    pub fn range(&self) -> (Duration, Duration) {
        let shortest = self.times.iter().min().expect("measured");
        let longest = self.times.iter().max().expect("measured");
        (*shortest, *longest)
    }

    /// How many times as long as `baseline` it takes, by the medians.
    #[must_use]
    pub fn ratio_to(&self, baseline: &Self) -> f64 {
        self.median().as_secs_f64() / baseline.median().as_secs_f64()
    }

    /// How many times as long as `baseline` it takes: the median of the rounds' ratios. Both were
    /// measured in turns, so that what slowed a round down slowed both.
    ///
    /// # Panics
    /// When nothing was measured.
    #[must_use]
    pub fn ratio_by_rounds(&self, baseline: &Self) -> f64 {
        let rounds = self.times.iter().zip(&baseline.times);
        let mut ratios: Vec<_> = rounds
            .map(|(time, baseline)| time.as_secs_f64() / baseline.as_secs_f64())
            .collect();
        ratios.sort_unstable_by(f64::total_cmp);
        ratios[ratios.len() / 2]
    }

    /// All of them, in the order they were measured in.
    #[must_use]
    pub fn times(&self) -> &[Duration] {
        &self.times
    }

    /// Keeps a time measured elsewhere.
    pub fn add(&mut self, time: Duration) {
        self.times.push(time);
    }

    /// A row of a Markdown table: name, median, shortest to longest, ratio to `baseline`.
    #[must_use]
    pub fn row(&self, baseline: &Self) -> String {
        let (shortest, longest) = self.range();
        format!(
            "| {} | {:.1} ms | {:.1} to {:.1} ms | {:.2} × |",
            self.name,
            millis(self.median()),
            millis(shortest),
            millis(longest),
            self.ratio_to(baseline),
        )
    }
}

/// Measures both once to get warm, then in turns.
pub fn in_turns(
    rounds: usize,
    (one, mut do_one): (&mut Samples, impl FnMut()),
    (other, mut do_other): (&mut Samples, impl FnMut()),
) {
    do_one();
    do_other();
    for _ in 0..rounds {
        one.measure(&mut do_one);
        other.measure(&mut do_other);
    }
}

/// Milliseconds, for people.
#[must_use]
pub fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}
