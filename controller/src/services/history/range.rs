//! Which spans are answered: of what length, and from where to where.

use tonic::Status;
use wgfleet_proto::v1::{HistoryPoint, HistoryRange};

use crate::{
    domain::counters::Traffic,
    services::status::invalid,
    store::samples::{NODE_RESOLUTIONS_S, PEER_RESOLUTIONS_S, Sample, Spans, aligned},
};

const DAY_S: i64 = 86_400;
/// What is asked for when nothing is.
const DEFAULT_S: i64 = DAY_S;
/// Points when the step is left to us.
const CHOSEN_POINTS: i64 = 400;
/// The most points of an answer: a day in spans of 10 s, widened to whole ones.
const MAX_POINTS: i64 = 8641;
/// The most stored spans an answer is made of.
const MAX_SPANS: i64 = 10_000;
/// How far a span may begin before the oldest that is kept: pruning takes its time.
const LENIENT_S: i64 = 3600;

/// What is kept of nodes or of peers.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Kept {
    /// Lengths of stored spans, shortest first, and how long they are kept; seconds.
    pub(crate) resolutions: &'static [(i64, i64)],
    /// Lengths of spans in answers, shortest first.
    steps: &'static [i64],
}

impl Kept {
    pub(crate) const NODES: Self = Self {
        resolutions: &[
            (NODE_RESOLUTIONS_S[0], DAY_S),
            (NODE_RESOLUTIONS_S[1], 14 * DAY_S),
            (NODE_RESOLUTIONS_S[2], 400 * DAY_S),
            (NODE_RESOLUTIONS_S[3], 400 * DAY_S),
        ],
        steps: &[10, 60, 300, 3600, DAY_S],
    };
    pub(crate) const PEERS: Self = Self {
        resolutions: &[
            (PEER_RESOLUTIONS_S[0], 7 * DAY_S),
            (PEER_RESOLUTIONS_S[1], 90 * DAY_S),
        ],
        steps: &[300, 3600, DAY_S],
    };

    /// The longest stored spans that make up spans of `step_s`.
    fn resolution(&self, step_s: i64) -> (i64, i64) {
        let mut fitting = self.resolutions.iter().rev();
        let found = fitting.find(|(resolution_s, _)| step_s % resolution_s == 0);
        found.copied().unwrap_or(self.resolutions[0])
    }
}

/// What is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Range {
    /// A multiple of the step.
    pub(super) from_s: i64,
    /// A multiple of the step, not in the range.
    pub(super) to_s: i64,
    pub(super) step_s: i64,
    /// Of the stored spans.
    pub(super) resolution_s: i64,
}

impl Range {
    /// Checks what was asked, and chooses what was not.
    ///
    /// # Errors
    /// INVALID_ARGUMENT that names the field.
    pub(super) fn new(asked: Option<HistoryRange>, kept: Kept, now_s: i64) -> Result<Self, Status> {
        let asked = asked.unwrap_or_default();
        let to_s = asked.to.unwrap_or(now_s);
        let from_s = asked.from.unwrap_or(to_s.saturating_sub(DEFAULT_S));
        if from_s >= to_s {
            return Err(invalid("from", "from must be before to"));
        }
        let longest_s = kept.resolutions.last().map_or(0, |(_, kept_s)| *kept_s);
        let most_s = 2 * longest_s;
        if to_s.saturating_sub(from_s) > most_s {
            let why = format!("{} days are the most that can be asked for", most_s / DAY_S);
            return Err(invalid("from", why));
        }
        let of = |step_s: i64| {
            let (resolution_s, kept_s) = kept.resolution(step_s);
            let range = Self {
                from_s: aligned(from_s, step_s),
                to_s: aligned(to_s.saturating_add(step_s - 1), step_s),
                step_s,
                resolution_s,
            };
            (range, kept_s)
        };
        if asked.step_s == 0 {
            let fits = |(range, kept_s): &(Self, i64)| {
                let is_kept = from_s >= now_s.saturating_sub(kept_s + LENIENT_S);
                is_kept && range.count(range.step_s) <= CHOSEN_POINTS
            };
            let mut steps = kept.steps.iter().map(|step_s| of(*step_s));
            let longest = of(kept.steps.last().copied().unwrap_or(DAY_S));
            return Ok(steps.find(fits).unwrap_or(longest).0);
        }
        let step_s = i64::from(asked.step_s);
        if !kept.steps.contains(&step_s) {
            let known: Vec<_> = kept.steps.iter().map(ToString::to_string).collect();
            let why = format!("one of {} seconds", known.join(", "));
            return Err(invalid("step", why));
        }
        let (range, _) = of(step_s);
        if range.count(step_s) > MAX_POINTS || range.count(range.resolution_s) > MAX_SPANS {
            let why = "that makes too many points: ask for a shorter range or a longer step";
            return Err(invalid("step", why));
        }
        Ok(range)
    }

    const fn count(&self, span_s: i64) -> i64 {
        (self.to_s - self.from_s) / span_s
    }

    /// What of the stored spans is put together.
    pub(super) const fn spans(&self) -> Spans {
        Spans {
            resolution_s: self.resolution_s,
            from_s: self.from_s,
            until_s: self.to_s,
            step_s: self.step_s,
        }
    }

    /// The step in the type of answers.
    pub(super) fn step(&self) -> u32 {
        u32::try_from(self.step_s).unwrap_or(u32::MAX)
    }

    /// Stored spans, oldest first, put together to spans of the step.
    /// `whole`: they were watched from their beginning to their end, also where nothing is stored.
    pub(super) fn points(&self, spans: &[Sample], whole: bool) -> Vec<HistoryPoint> {
        spans
            .chunk_by(|a, b| aligned(a.at, self.step_s) == aligned(b.at, self.step_s))
            .map(|spans| self.point(spans, whole))
            .collect()
    }

    fn point(&self, spans: &[Sample], whole: bool) -> HistoryPoint {
        let sum = |traffic: Traffic, span: &Sample| traffic.saturating_add(span.traffic);
        let traffic = spans.iter().fold(Traffic::default(), sum);
        let seconds = |of: fn(&Sample) -> u32| spans.iter().map(|span| u64::from(of(span))).sum();
        let online_s: u64 = seconds(|span| span.online_s);
        let watched_s = if whole {
            self.step_s.unsigned_abs()
        } else {
            seconds(|span| span.watched_s)
        };
        HistoryPoint {
            at: spans
                .first()
                .map_or(0, |span| aligned(span.at, self.step_s)),
            rx_bytes: traffic.rx_bytes,
            tx_bytes: traffic.tx_bytes,
            online_permille: permille(online_s, watched_s),
        }
    }
}

fn permille(part: u64, whole: u64) -> u32 {
    let share = part.min(whole) * 1000 / whole.max(1);
    u32::try_from(share).unwrap_or(1000)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW_S: i64 = 1_790_000_005;

    fn range(from_s: i64, to_s: i64, step_s: u32, kept: Kept) -> Result<Range, Status> {
        let asked = HistoryRange {
            from: Some(from_s),
            to: Some(to_s),
            step_s,
        };
        Range::new(Some(asked), kept, NOW_S)
    }

    fn chosen(length_s: i64, kept: Kept) -> (i64, i64) {
        let range = range(NOW_S - length_s, NOW_S, 0, kept).expect("a range");
        (range.step_s, range.resolution_s)
    }

    #[test]
    fn the_shortest_step_that_is_kept_and_not_too_much() {
        for (length_s, step_s, resolution_s) in [
            (60, 10, 10),
            (3600, 10, 10),
            (2 * 3600, 60, 10),
            (DAY_S, 300, 300),
            (7 * DAY_S, 3600, 3600),
            (16 * DAY_S, 3600, 3600),
            (30 * DAY_S, DAY_S, DAY_S),
            (399 * DAY_S, DAY_S, DAY_S),
            (800 * DAY_S, DAY_S, DAY_S),
        ] {
            assert_eq!(
                chosen(length_s, Kept::NODES),
                (step_s, resolution_s),
                "{length_s}"
            );
        }
        assert_eq!(chosen(60, Kept::PEERS), (300, 300));
        assert_eq!(chosen(80 * DAY_S, Kept::PEERS), (DAY_S, 3600));
        let old = range(NOW_S - 20 * DAY_S, NOW_S - 20 * DAY_S + 60, 0, Kept::NODES);
        assert_eq!(
            old.expect("a range").resolution_s,
            3600,
            "shorter ones are gone"
        );
    }

    #[test]
    fn what_the_pages_plot_is_made_of_few_stored_spans() {
        for (length_s, step_s) in [
            (3600, 60),
            (DAY_S, 300),
            (7 * DAY_S, 3600),
            (90 * DAY_S, 86_400),
        ] {
            let range = range(NOW_S - length_s, NOW_S, step_s, Kept::NODES).expect("a range");
            let spans = range.count(range.resolution_s);
            assert!(spans <= 400, "{spans} of each node for {length_s} s");
        }
    }

    #[test]
    fn ranges_are_widened_to_whole_spans() {
        let widened = range(301, 599, 300, Kept::PEERS).expect("a range");
        assert_eq!((widened.from_s, widened.to_s), (300, 600));
        let exact = range(300, 600, 300, Kept::PEERS).expect("a range");
        assert_eq!(exact, widened);
        let day = Range::new(None, Kept::NODES, NOW_S).expect("a range");
        assert_eq!((day.from_s % 300, day.to_s % 300), (0, 0));
        assert!(day.to_s >= NOW_S && day.from_s <= NOW_S - DAY_S);
    }

    #[test]
    fn what_cannot_be_answered_is_refused() {
        for (from_s, to_s, step_s) in [
            (NOW_S, NOW_S, 0),
            (NOW_S, NOW_S - 1, 10),
            (NOW_S - 60, NOW_S, 7),
            (NOW_S - 2 * DAY_S, NOW_S, 10),
            (NOW_S - 3 * DAY_S, NOW_S, 60),
            (i64::MIN, i64::MAX, 0),
            (NOW_S - 900 * DAY_S, NOW_S, DAY_S.try_into().expect("small")),
        ] {
            assert!(
                range(from_s, to_s, step_s, Kept::NODES).is_err(),
                "{from_s} {step_s}"
            );
        }
        assert!(range(NOW_S - 60, NOW_S, 10, Kept::PEERS).is_err());
        assert!(range(NOW_S - DAY_S, NOW_S, 10, Kept::NODES).is_ok());
    }

    #[test]
    fn points_add_up_and_gaps_stay_gaps() {
        let range = range(0, 240, 60, Kept::NODES).expect("a range");
        let span = |at, rx_bytes, online_s| Sample {
            at,
            traffic: Traffic {
                rx_bytes,
                tx_bytes: 1,
            },
            watched_s: 10,
            online_s,
        };
        let spans = [span(0, 5, 10), span(50, 6, 5), span(120, 7, 0)];
        let points = range.points(&spans, false);
        let told: Vec<_> = points
            .iter()
            .map(|p| (p.at, p.rx_bytes, p.tx_bytes, p.online_permille))
            .collect();
        assert_eq!(told, [(0, 11, 2, 750), (120, 7, 1, 0)]);
        let whole = range.points(&spans, true);
        assert_eq!(whole[0].online_permille, 250);
    }
}
