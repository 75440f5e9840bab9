//! Which WireGuard links there are, as far as they were heard of.

use std::collections::BTreeMap;

use wire_contract::InterfaceName;

use crate::wireguard::LinkEvent;

/// Known links by their number.
#[derive(Debug, Default)]
pub(super) struct Table(BTreeMap<u32, InterfaceName>);

impl Table {
    /// A link is there: new, renamed, or merely in another state, which is no event.
    pub(super) fn seen(&mut self, ifindex: u32, name: InterfaceName) -> Vec<LinkEvent> {
        if self.0.get(&ifindex) == Some(&name) {
            return Vec::new();
        }
        // Another link of this name must have gone unheard: names are unique.
        let namesake = self
            .0
            .iter()
            .find(|(_, known)| **known == name)
            .map(|(ifindex, _)| *ifindex);
        let mut events: Vec<_> = [namesake, Some(ifindex)]
            .into_iter()
            .flatten()
            .flat_map(|gone| self.gone(gone))
            .collect();
        self.0.insert(ifindex, name.clone());
        events.push(LinkEvent::Appeared { name, ifindex });
        events
    }

    /// A link is gone, if it was a known one.
    pub(super) fn gone(&mut self, ifindex: u32) -> Option<LinkEvent> {
        self.0
            .remove(&ifindex)
            .map(|name| LinkEvent::Gone { name, ifindex })
    }

    /// These are all there are: whatever else was known is gone.
    pub(super) fn relisted(&mut self, listing: Vec<(u32, InterfaceName)>) -> Vec<LinkEvent> {
        let missing: Vec<_> = self
            .0
            .keys()
            .copied()
            .filter(|known| !listing.iter().any(|(ifindex, _)| ifindex == known))
            .collect();
        let mut events: Vec<_> = missing
            .into_iter()
            .filter_map(|gone| self.gone(gone))
            .collect();
        for (ifindex, name) in listing {
            events.extend(self.seen(ifindex, name));
        }
        events
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> InterfaceName {
        text.parse().expect("a good name")
    }

    fn appeared(text: &str, ifindex: u32) -> LinkEvent {
        LinkEvent::Appeared {
            name: name(text),
            ifindex,
        }
    }

    fn gone(text: &str, ifindex: u32) -> LinkEvent {
        LinkEvent::Gone {
            name: name(text),
            ifindex,
        }
    }

    #[test]
    fn a_link_appears_once_and_goes_once() {
        let mut table = Table::default();
        assert_eq!(table.seen(3, name("wg0")), [appeared("wg0", 3)]);
        assert_eq!(table.seen(3, name("wg0")), []);
        assert_eq!(table.gone(3), Some(gone("wg0", 3)));
        assert_eq!(table.gone(3), None);
    }

    #[test]
    fn a_link_made_again_under_its_name_is_another_one() {
        let mut table = Table::default();
        table.seen(3, name("wg0"));
        assert_eq!(
            table.seen(4, name("wg0")),
            [gone("wg0", 3), appeared("wg0", 4)]
        );
    }

    #[test]
    fn a_renamed_link_goes_and_appears() {
        let mut table = Table::default();
        table.seen(3, name("wg0"));
        assert_eq!(
            table.seen(3, name("wg1")),
            [gone("wg0", 3), appeared("wg1", 3)]
        );
    }

    #[test]
    fn a_listing_tells_what_was_missed() {
        let mut table = Table::default();
        table.seen(3, name("wg0"));
        table.seen(4, name("wg1"));
        table.seen(5, name("wg2"));
        let listing = vec![(4, name("wg1")), (6, name("wg2")), (7, name("wg3"))];
        let events = [
            gone("wg0", 3),
            gone("wg2", 5),
            appeared("wg2", 6),
            appeared("wg3", 7),
        ];
        assert_eq!(table.relisted(listing.clone()), events);
        assert_eq!(table.relisted(listing), []);
    }

    #[test]
    fn two_links_that_swap_names_end_up_right() {
        let mut table = Table::default();
        table.relisted(vec![(3, name("wg0")), (4, name("wg1"))]);
        table.relisted(vec![(3, name("wg1")), (4, name("wg0"))]);
        assert_eq!(table.relisted(vec![(3, name("wg1")), (4, name("wg0"))]), []);
    }
}
