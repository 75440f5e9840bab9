//! The free addresses of one pool.

use std::{collections::BTreeMap, net::IpAddr};

use super::{AddressRange, Family, Pool, range::number};

/// What is free in one pool, as ranges. Taking and giving back cost O(log n) in the number of
/// ranges, whatever the pool's size.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FreeRanges {
    family: Family,
    /// What may ever be given out, ascending: a returned address outside of it stays unfree.
    assignable: Vec<AddressRange>,
    /// First address → last address of each free range; no two overlap or touch.
    free: BTreeMap<u128, u128>,
}

impl FreeRanges {
    /// All of `pool` but what is in `skipped` (see [`super::skipped`]).
    #[must_use]
    pub fn new(pool: &Pool, skipped: &[AddressRange]) -> Self {
        let assignable = pool.usable().minus(skipped);
        let free = assignable
            .iter()
            .map(|range| (range.start(), range.end()))
            .collect();
        Self {
            family: pool.family(),
            assignable,
            free,
        }
    }

    /// [`Self::new`], less the addresses in `used`: after a change of pool or reservations.
    #[must_use]
    pub fn with_used(
        pool: &Pool,
        skipped: &[AddressRange],
        used: impl IntoIterator<Item = IpAddr>,
    ) -> Self {
        let mut free = Self::new(pool, skipped);
        for address in used {
            free.take(address);
        }
        free
    }

    /// The lowest free address, which is free no more; `None` when there is none left.
    pub fn take_next(&mut self) -> Option<IpAddr> {
        let start = *self.free.first_key_value()?.0;
        let address = self.family.address(start)?;
        self.take(address).then_some(address)
    }

    /// Takes this very address; false when it is not free.
    pub fn take(&mut self, address: IpAddr) -> bool {
        let Some(range) = self.range_with(address) else {
            return false;
        };
        let Some((below, above)) = range.split(address) else {
            return false;
        };
        self.free.remove(&range.start());
        self.free.extend(
            [below, above]
                .into_iter()
                .flatten()
                .map(|r| (r.start(), r.end())),
        );
        true
    }

    /// Makes the address free again; false when it is free already or not the pool's to give.
    pub fn give_back(&mut self, address: IpAddr) -> bool {
        if !self.is_assignable(address) || self.contains(address) {
            return false;
        }
        let address_number = number(address);
        let before = self.free.range(..address_number).next_back();
        let after = self.free.range(address_number..).next();
        let as_range =
            |(start, end): (&u128, &u128)| AddressRange::from_numbers(self.family, *start, *end);
        let (before, after) = (before.and_then(as_range), after.and_then(as_range));
        let merged = AddressRange::merge(before, address, after);
        if let Some(after) = after.filter(|after| merged.end() == after.end()) {
            self.free.remove(&after.start());
        }
        self.free.insert(merged.start(), merged.end());
        true
    }

    /// Whether the address is free.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        self.range_with(address).is_some()
    }

    /// Whether nothing is free.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.free.is_empty()
    }

    /// How many addresses are free; at most `u128::MAX`.
    #[must_use]
    pub fn count(&self) -> u128 {
        self.ranges()
            .fold(0, |sum, range| sum.saturating_add(range.count()))
    }

    /// The free ranges, ascending: what the store persists.
    pub fn ranges(&self) -> impl Iterator<Item = AddressRange> + '_ {
        let range =
            |(start, end): (&u128, &u128)| AddressRange::from_numbers(self.family, *start, *end);
        self.free.iter().filter_map(range)
    }

    fn range_with(&self, address: IpAddr) -> Option<AddressRange> {
        let (start, end) = self.free.range(..=number(address)).next_back()?;
        AddressRange::from_numbers(self.family, *start, *end).filter(|r| r.contains(address))
    }

    fn is_assignable(&self, address: IpAddr) -> bool {
        let above = self
            .assignable
            .partition_point(|range| range.start() <= number(address));
        above
            .checked_sub(1)
            .is_some_and(|last| self.assignable[last].contains(address))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::{super::*, *};

    fn pool(text: &str) -> Pool {
        parse_pools(text).unwrap()[0]
    }

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    /// What a pool gives out, written the slow and obvious way.
    fn listed(pool: &Pool, skipped: &[AddressRange]) -> BTreeSet<IpAddr> {
        let all = AddressRange::of_network(pool.network());
        let all: Vec<IpAddr> = (all.start()..=all.end())
            .map(|n| pool.family().address(n).unwrap())
            .collect();
        let whole = all.len() <= 2;
        let last = if pool.family() == Family::V4 {
            all.len() - 1
        } else {
            all.len()
        };
        let hosts = if whole { &all[..] } else { &all[1..last] };
        hosts
            .iter()
            .copied()
            .filter(|a| !skipped.iter().any(|s| s.contains(*a)))
            .collect()
    }

    #[derive(Debug, Clone)]
    enum Step {
        Next,
        Take(u8),
        GiveBack(u8),
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let step = prop_oneof![
            Just(Step::Next),
            any::<u8>().prop_map(Step::Take),
            any::<u8>().prop_map(Step::GiveBack),
        ];
        prop::collection::vec(step, 0..80)
    }

    fn small_pools() -> impl Strategy<Value = &'static str> {
        prop::sample::select(vec![
            "10.0.0.16/28",
            "10.0.0.8/29",
            "10.0.0.4/30",
            "10.0.0.2/31",
            "10.0.0.1/32",
            "0.0.0.0/28",
            "255.255.255.240/28",
            "fd00::10/124",
            "fd00::4/126",
            "fd00::2/127",
            "fd00::1/128",
            "::/124",
            "ffff:ffff:ffff:ffff:ffff:ffff:ffff:fff0/124",
        ])
    }

    /// An address in the pool or right beside it.
    fn nearby(pool: &Pool, offset: u8) -> IpAddr {
        let start = AddressRange::of_network(pool.network()).start();
        let number = start.wrapping_sub(2).wrapping_add(u128::from(offset % 20));
        pool.family()
            .address(number)
            .unwrap_or_else(|| ip("10.0.0.1"))
    }

    proptest! {
        #[test]
        fn behaves_as_a_set_of_addresses(
            text in small_pools(),
            reserved in prop::collection::vec((any::<u8>(), 0_u8..3), 0..3),
            steps in steps(),
        ) {
            let pool = pool(text);
            let skipped: Vec<AddressRange> = reserved
                .into_iter()
                .filter_map(|(at, more)| {
                    AddressRange::new(nearby(&pool, at), nearby(&pool, at.saturating_add(more)))
                })
                .collect();
            let assignable = listed(&pool, &skipped);
            let mut model = assignable.clone();
            let mut free = FreeRanges::new(&pool, &skipped);
            for step in steps {
                match step {
                    Step::Next => prop_assert_eq!(free.take_next(), model.pop_first()),
                    Step::Take(at) => {
                        let address = nearby(&pool, at);
                        prop_assert_eq!(free.take(address), model.remove(&address));
                    }
                    Step::GiveBack(at) => {
                        let address = nearby(&pool, at);
                        let returned = assignable.contains(&address) && model.insert(address);
                        prop_assert_eq!(free.give_back(address), returned);
                    }
                }
                prop_assert_eq!(free.count(), model.len() as u128);
                prop_assert_eq!(free.is_empty(), model.is_empty());
                prop_assert!(model.iter().all(|address| free.contains(*address)));
                let ranges: Vec<AddressRange> = free.ranges().collect();
                prop_assert!(ranges.windows(2).all(|w| w[0].end() + 1 < w[1].start()));
            }
            let used = assignable.difference(&model).copied();
            prop_assert_eq!(FreeRanges::with_used(&pool, &skipped, used), free);
        }
    }

    #[test]
    fn a_huge_pool_is_as_quick_as_a_small_one() {
        for text in ["fd00::/64", "::/0", "10.0.0.0/8", "0.0.0.0/0"] {
            let mut free = FreeRanges::new(&pool(text), &[]);
            let taken: Vec<IpAddr> = (0..20_000).filter_map(|_| free.take_next()).collect();
            assert_eq!(taken.len(), 20_000);
            assert_eq!(free.ranges().count(), 1);
            assert!(
                taken
                    .iter()
                    .step_by(2)
                    .all(|address| free.give_back(*address))
            );
            assert_eq!(free.ranges().count(), 10_001);
            assert_eq!(free.take_next(), Some(taken[0]), "the lowest comes first");
        }
    }

    #[test]
    fn what_was_skipped_never_becomes_free() {
        let reserved = parse_reserved(["10.0.0.2"]).unwrap();
        let mut free = FreeRanges::new(&pool("10.0.0.0/29"), &reserved);
        for address in ["10.0.0.0", "10.0.0.2", "10.0.0.7", "10.0.0.8", "::2"] {
            assert!(
                !free.take(ip(address)) && !free.give_back(ip(address)),
                "{address}"
            );
        }
        assert_eq!(free.count(), 5);
    }
}
