//! Many events of one kind on one node, told together: a bulk call is one line, not all of them.

use std::collections::{HashMap, HashSet};

use wgfleet_proto::v1::Event;

use super::about::About;

/// Lines that are shown.
pub(super) const SHOWN: usize = 20;
/// Seconds between two events of a run. What happens to others in between does not end it: peers are
/// added to several nodes in turn.
const APART_S: i64 = 60;

/// Events that are told together.
#[derive(Debug)]
pub(super) struct Run {
    /// The newest of them.
    pub(super) about: About,
    /// What happened, as the event says.
    pub(super) name: String,
    /// When the newest happened, Unix seconds.
    pub(super) at: i64,
    /// How often.
    pub(super) count: usize,
    /// There may be more than were read.
    pub(super) is_cut: bool,
    oldest_at: i64,
    /// To whom it happened.
    ids: HashSet<String>,
}

/// What the events of a run have in common.
#[derive(PartialEq, Eq, Hash)]
struct Key {
    name: String,
    /// Of a peer, the node it is on; of nothing that is known, its own id.
    place: String,
    became: &'static str,
}

impl Run {
    /// The newest `events`, which come newest first, in runs. `read` is how many were asked for.
    pub(super) fn of(events: &[Event], read: usize) -> Vec<Self> {
        let mut runs: Vec<Self> = Vec::new();
        let mut open: HashMap<Key, usize> = HashMap::new();
        for event in events {
            let about = About::of(event);
            let key = Key {
                name: event.name.clone(),
                place: about.place().to_owned(),
                became: about.became.map_or("", |(word, _)| word),
            };
            let run = open.get(&key).and_then(|at| runs.get_mut(*at));
            if let Some(run) = run
                && run.oldest_at - event.occurred_at <= APART_S
            {
                run.count += 1;
                run.ids.insert(about.id);
                run.oldest_at = event.occurred_at;
                continue;
            }
            open.insert(key, runs.len());
            runs.push(Self {
                ids: [about.id.clone()].into(),
                about,
                name: event.name.clone(),
                at: event.occurred_at,
                count: 1,
                is_cut: false,
                oldest_at: event.occurred_at,
            });
        }
        if let Some(oldest) = events.last().filter(|_| events.len() >= read) {
            for run in &mut runs {
                run.is_cut = run.oldest_at - oldest.occurred_at <= APART_S;
            }
        }
        runs.truncate(SHOWN);
        runs
    }

    /// To how many it happened.
    pub(super) fn subjects(&self) -> usize {
        self.ids.len()
    }
}

#[cfg(test)]
mod tests {
    use wgfleet_proto::v1::{Event, NodeStatus, NodeStatusChanged, Peer, PeerCreated, event::Kind};

    use super::{Run, SHOWN};

    fn added(at: i64, node: &str) -> Event {
        added_as(at, node, "a peer")
    }

    fn added_as(at: i64, node: &str, id: &str) -> Event {
        let peer = Peer {
            id: id.into(),
            node_id: node.into(),
            ..Peer::default()
        };
        Event {
            occurred_at: at,
            name: "peer.created".into(),
            kind: Some(Kind::PeerCreated(PeerCreated { peer: Some(peer) })),
            ..Event::default()
        }
    }

    fn became(at: i64, node: &str, status: NodeStatus) -> Event {
        let changed = NodeStatusChanged {
            node_id: node.into(),
            status: status.into(),
            ..NodeStatusChanged::default()
        };
        Event {
            occurred_at: at,
            name: "node.status".into(),
            kind: Some(Kind::NodeStatus(changed)),
            ..Event::default()
        }
    }

    fn told(events: &[Event], read: usize) -> Vec<(String, i64, usize, bool)> {
        let runs = Run::of(events, read).into_iter();
        runs.map(|run| (run.about.place().to_owned(), run.at, run.count, run.is_cut))
            .collect()
    }

    #[test]
    fn a_bulk_call_over_two_nodes_is_two_runs_and_what_happened_before_is_seen() {
        let mut events: Vec<_> = (0..37)
            .flat_map(|_| [added(1000, "a"), added(1000, "b")])
            .collect();
        events.push(became(990, "a", NodeStatus::Online));
        events.push(became(980, "a", NodeStatus::Offline));
        let expected = [
            ("a", 1000, 37),
            ("b", 1000, 37),
            ("a", 990, 1),
            ("a", 980, 1),
        ];
        let expected = expected.map(|(place, at, count)| (place.to_owned(), at, count, false));
        assert_eq!(told(&events, 500), expected);
    }

    #[test]
    fn one_peer_again_and_again_is_one() {
        let events = [("x", 3), ("y", 2), ("x", 1)].map(|(id, at)| added_as(at, "a", id));
        let runs = Run::of(&events, 500);
        assert_eq!((runs[0].count, runs[0].subjects()), (3, 2));
    }

    #[test]
    fn a_pause_ends_a_run_and_a_chain_does_not() {
        let events = [1000, 950, 900, 800].map(|at| added(at, "a"));
        let expected = [(1000, 3), (800, 1)];
        let expected = expected.map(|(at, count)| ("a".to_owned(), at, count, false));
        assert_eq!(told(&events, 500), expected);
    }

    #[test]
    fn a_run_that_reaches_the_end_of_what_was_read_may_be_longer() {
        let events = [added(1000, "a"), added(900, "b"), added(899, "b")];
        let cut: Vec<_> = told(&events, 3).into_iter().map(|(.., cut)| cut).collect();
        assert_eq!(cut, [false, true]);
        let cut: Vec<_> = told(&events, 4).into_iter().map(|(.., cut)| cut).collect();
        assert_eq!(cut, [false, false]);
    }

    #[test]
    fn no_more_runs_than_are_shown() {
        let events: Vec<_> = (0..100).map(|n| added(9000 - n * 80, "a")).collect();
        assert_eq!(told(&events, 500).len(), SHOWN);
    }
}
