//! Traffic totals that only grow, from kernel counters that start again at will.
//!
//! A peer's counters restart when the host boots, when the interface is made anew and when the peer
//! is removed and added. The first two are told by the agent (the [`Epoch`]), the last shows as a
//! counter that fell, or as a dump without the peer. Where a restart can't be seen (the agent does
//! not tell, and the counters have overtaken their old value), too little is counted, never twice.

/// Between two changes of epoch, counters of one peer continue each other.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Epoch {
    /// Changes with every boot of the host.
    pub boot_id: String,
    /// Changes when the interface is made anew.
    pub ifindex: u32,
}

/// Bytes as the node sees them: `rx` from the peer, `tx` to it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Traffic {
    /// Received from the peer.
    pub rx_bytes: u64,
    /// Sent to the peer.
    pub tx_bytes: u64,
}

impl Traffic {
    /// `None` when a counter is lower than in `earlier`.
    fn since(self, earlier: Self) -> Option<Self> {
        Some(Self {
            rx_bytes: self.rx_bytes.checked_sub(earlier.rx_bytes)?,
            tx_bytes: self.tx_bytes.checked_sub(earlier.tx_bytes)?,
        })
    }

    /// Both, or the most there is.
    #[must_use]
    pub const fn saturating_add(self, more: Self) -> Self {
        Self {
            rx_bytes: self.rx_bytes.saturating_add(more.rx_bytes),
            tx_bytes: self.tx_bytes.saturating_add(more.tx_bytes),
        }
    }

    /// What is left, or nothing.
    #[must_use]
    pub const fn saturating_sub(self, less: Self) -> Self {
        Self {
            rx_bytes: self.rx_bytes.saturating_sub(less.rx_bytes),
            tx_bytes: self.tx_bytes.saturating_sub(less.tx_bytes),
        }
    }

    /// Received and sent together.
    #[must_use]
    pub const fn sum(self) -> u64 {
        self.rx_bytes.saturating_add(self.tx_bytes)
    }
}

/// What one peer has moved on one node in all, and the counters last seen there.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Totals {
    /// Since the peer was first seen on the node.
    pub total: Traffic,
    /// The counters of the last dump.
    pub last: Traffic,
    /// When that was; `None` when the agent did not tell.
    pub epoch: Option<Epoch>,
}

impl Totals {
    /// Takes the counters of a dump and returns what they add. `epoch` is `None` when the agent does
    /// not tell.
    pub fn observe(&mut self, epoch: Option<&Epoch>, now: Traffic) -> Traffic {
        let new_epoch = matches!((&self.epoch, epoch), (Some(old), Some(new)) if old != new);
        // Either counter falling means that both began at 0 again.
        let continued = if new_epoch {
            None
        } else {
            now.since(self.last)
        };
        let added = continued.unwrap_or(now);
        self.total = self.total.saturating_add(added);
        self.last = now;
        // Also back to `None`: after a dump of unknown epoch nothing can be said of the next one's.
        if self.epoch.as_ref() != epoch {
            self.epoch = epoch.cloned();
        }
        added
    }

    /// A dump did not show the peer: should it come back, its counters begin at 0.
    pub fn observe_absent(&mut self) {
        self.last = Traffic::default();
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn epoch(boot: u8, ifindex: u32) -> Epoch {
        Epoch {
            boot_id: format!("boot-{boot}"),
            ifindex,
        }
    }

    fn traffic(rx_bytes: u64, tx_bytes: u64) -> Traffic {
        Traffic { rx_bytes, tx_bytes }
    }

    #[derive(Debug, Clone)]
    enum Event {
        Traffic(u16, u16),
        Poll,
        Reboot,
        NewInterface,
        /// The peer is removed, and a dump sees that before it is added again.
        SeenReAdd,
        /// It is removed and added between two dumps.
        UnseenReAdd,
    }

    fn events() -> impl Strategy<Value = Vec<Event>> {
        let event = prop_oneof![
            4 => any::<(u16, u16)>().prop_map(|(rx, tx)| Event::Traffic(rx, tx)),
            4 => Just(Event::Poll),
            1 => Just(Event::Reboot),
            1 => Just(Event::NewInterface),
            1 => Just(Event::SeenReAdd),
            1 => Just(Event::UnseenReAdd),
        ];
        prop::collection::vec(event, 0..60)
    }

    /// A node whose counters are always read right before they restart, so that the truth can be
    /// known.
    struct Node {
        boot: u8,
        ifindex: u32,
        counters: Traffic,
        truth: Traffic,
        totals: Totals,
        tells_epoch: bool,
    }

    impl Node {
        fn poll(&mut self) {
            let epoch = epoch(self.boot, self.ifindex);
            let before = self.totals.total;
            let added = self
                .totals
                .observe(self.tells_epoch.then_some(&epoch), self.counters);
            assert_eq!(before.saturating_add(added), self.totals.total);
        }

        fn apply(&mut self, event: &Event) {
            match event {
                Event::Traffic(rx, tx) => {
                    let more = traffic((*rx).into(), (*tx).into());
                    self.counters = self.counters.saturating_add(more);
                    self.truth = self.truth.saturating_add(more);
                }
                Event::Poll => self.poll(),
                restart => {
                    self.poll();
                    self.counters = Traffic::default();
                    match restart {
                        Event::Reboot => self.boot = self.boot.wrapping_add(1),
                        Event::NewInterface => self.ifindex += 1,
                        Event::SeenReAdd => self.totals.observe_absent(),
                        // Seen as a fall: the first dump after it comes before new traffic.
                        _ => self.poll(),
                    }
                }
            }
        }
    }

    fn node(tells_epoch: bool) -> Node {
        Node {
            boot: 0,
            ifindex: 1,
            counters: Traffic::default(),
            truth: Traffic::default(),
            totals: Totals::default(),
            tells_epoch,
        }
    }

    proptest! {
        #[test]
        fn every_byte_once_when_the_agent_tells_the_epoch(events in events()) {
            let mut node = node(true);
            for event in &events {
                node.apply(event);
            }
            node.poll();
            prop_assert_eq!(node.totals.total, node.truth);
        }

        #[test]
        fn never_more_than_the_truth_and_never_less_than_before(
            events in events(),
            tells in prop::collection::vec(any::<bool>(), 60),
        ) {
            let mut node = node(true);
            let mut before = Traffic::default();
            for (event, tells_epoch) in events.iter().zip(tells) {
                node.tells_epoch = tells_epoch;
                node.apply(event);
                prop_assert!(node.totals.total.since(before).is_some());
                prop_assert!(node.truth.since(node.totals.total).is_some());
                before = node.totals.total;
            }
        }
    }

    #[test]
    fn a_fall_of_either_counter_restarts_both() {
        let mut totals = Totals::default();
        totals.observe(None, traffic(100, 10));
        assert_eq!(totals.observe(None, traffic(120, 5)), traffic(120, 5));
        assert_eq!(totals.total, traffic(220, 15));
    }

    #[test]
    fn a_new_epoch_counts_from_zero_though_the_counters_grew() {
        let mut totals = Totals::default();
        totals.observe(Some(&epoch(1, 7)), traffic(100, 10));
        assert_eq!(
            totals.observe(Some(&epoch(2, 7)), traffic(150, 20)),
            traffic(150, 20)
        );
        assert_eq!(
            totals.observe(Some(&epoch(2, 8)), traffic(151, 21)),
            traffic(151, 21)
        );
        assert_eq!(totals.total, traffic(401, 51));
    }

    #[test]
    fn an_epoch_learned_late_is_not_counted_twice() {
        let mut totals = Totals::default();
        totals.observe(Some(&epoch(1, 7)), traffic(100, 0));
        totals.observe(None, traffic(20, 0));
        totals.observe(Some(&epoch(2, 7)), traffic(25, 0));
        assert_eq!(totals.total, traffic(125, 0));
    }

    #[test]
    fn the_end_of_u64_is_the_end() {
        let mut totals = Totals {
            total: traffic(u64::MAX - 1, 0),
            ..Totals::default()
        };
        totals.observe(None, traffic(5, 5));
        assert_eq!(totals.total, traffic(u64::MAX, 5));
    }
}
