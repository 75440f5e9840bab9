//! Sets of labels, each held once however many peers have it: few peers are alone with theirs.

use std::collections::{BTreeMap, HashMap};

type Labels = BTreeMap<String, String>;

/// The sets in use.
#[derive(Default)]
pub(super) struct LabelSets {
    numbers: HashMap<Labels, u32>,
    sets: Vec<Option<Set>>,
    free: Vec<u32>,
}

struct Set {
    labels: Labels,
    users: usize,
}

impl LabelSets {
    /// The number of a set, which has one user more now.
    pub(super) fn take(&mut self, labels: Labels) -> u32 {
        if let Some(number) = self.numbers.get(&labels).copied()
            && let Some(set) = &mut self.sets[number as usize]
        {
            set.users += 1;
            return number;
        }
        let set = Some(Set {
            labels: labels.clone(),
            users: 1,
        });
        let number = match self.free.pop() {
            Some(number) => {
                self.sets[number as usize] = set;
                number
            }
            None => {
                self.sets.push(set);
                u32::try_from(self.sets.len() - 1).expect("no more than peers")
            }
        };
        self.numbers.insert(labels, number);
        number
    }

    /// A user less.
    pub(super) fn give_back(&mut self, number: u32) {
        let Some(set) = &mut self.sets[number as usize] else {
            return;
        };
        set.users -= 1;
        if set.users == 0 {
            self.numbers.remove(&set.labels);
            self.sets[number as usize] = None;
            self.free.push(number);
        }
    }

    /// By number, whether a set has all of these labels.
    pub(super) fn having(&self, wanted: &Labels) -> Vec<bool> {
        let has = |set: &Set| {
            let mut wanted = wanted.iter();
            wanted.all(|(key, value)| set.labels.get(key) == Some(value))
        };
        self.sets
            .iter()
            .map(|set| set.as_ref().is_some_and(has))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(pairs: &[(&str, &str)]) -> Labels {
        let owned = |(key, value): &(&str, &str)| ((*key).to_owned(), (*value).to_owned());
        pairs.iter().map(owned).collect()
    }

    #[test]
    fn a_set_lasts_as_long_as_its_last_user() {
        let mut sets = LabelSets::default();
        let blue = labels(&[("team", "blue"), ("site", "x")]);
        let first = sets.take(blue.clone());
        assert_eq!(sets.take(blue.clone()), first);
        let none = sets.take(labels(&[]));
        assert_eq!(sets.having(&labels(&[("team", "blue")])), [true, false]);
        assert_eq!(sets.having(&labels(&[("team", "x")])), [false, false]);
        assert_eq!(sets.having(&labels(&[])), [true, true]);
        sets.give_back(first);
        assert_eq!(sets.having(&blue), [true, false]);
        sets.give_back(first);
        assert_eq!(sets.having(&blue), [false, false]);
        assert!(sets.numbers.len() == 1 && sets.sets[none as usize].is_some());
        assert_eq!(sets.take(labels(&[("a", "b")])), first, "its place is free");
    }
}
