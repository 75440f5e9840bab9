//! The texts of all peers, one behind the other: a search passes over memory from one end to the
//! other, once for all peers.

use memchr::memmem::Finder;

/// Between the parts of a text, and at its end. No part has it.
pub(super) const SEPARATOR: char = '\n';

/// Where a text lies.
#[derive(Debug, Clone, Copy)]
pub(super) struct Span {
    start: usize,
    len: usize,
}

/// Texts by their spans, each of the peer in a place.
#[derive(Default)]
pub(super) struct Texts {
    bytes: String,
    /// Where texts begin, and whose they were when they were added; ascending.
    owners: Vec<(usize, usize)>,
    /// Bytes of texts that were taken back.
    unused: usize,
}

/// Less than this is never worth moving texts together.
const SMALL: usize = 64 * 1024;

impl Texts {
    /// The text of the peer in this place. It has no [`SEPARATOR`] where nothing is to be found across.
    pub(super) fn add(&mut self, place: usize, text: &str) -> Span {
        let start = self.bytes.len();
        self.owners.push((start, place));
        self.bytes.push_str(text);
        self.bytes.push(SEPARATOR);
        Span {
            start,
            len: text.len(),
        }
    }

    pub(super) fn get(&self, span: Span) -> &str {
        &self.bytes[span.start..span.start + span.len]
    }

    /// Nobody has this span any more.
    pub(super) const fn take_back(&mut self, span: Span) {
        self.unused += span.len + SEPARATOR.len_utf8();
    }

    /// Whether most of it is unused: [`move_together`](Self::move_together) is due.
    pub(super) const fn is_sparse(&self) -> bool {
        self.unused > SMALL && self.unused > self.bytes.len() / 2
    }

    /// Drops what is unused. These are all places and spans that are in use, in the order they shall lie in.
    pub(super) fn move_together<'s>(&mut self, used: impl Iterator<Item = (usize, &'s mut Span)>) {
        let mut together = Self {
            bytes: String::with_capacity(self.bytes.len() - self.unused),
            ..Self::default()
        };
        for (place, span) in used {
            *span = together.add(place, self.get(*span));
        }
        *self = together;
    }

    /// Calls `found` with the place and the beginning of each text that has the needle, which has no
    /// [`SEPARATOR`]. The text may be one that was taken back.
    pub(super) fn having(&self, needle: &Finder<'_>, mut found: impl FnMut(usize, usize)) {
        let mut owners = self.owners.iter().peekable();
        let mut from = 0;
        while let Some(at) = needle.find(&self.bytes.as_bytes()[from..]) {
            let at = from + at;
            let mut owner = None;
            while let Some(next) = owners.next_if(|(start, _)| *start <= at) {
                owner = Some(next);
            }
            if let Some((start, place)) = owner {
                found(*place, *start);
            }
            let Some((next, _)) = owners.peek() else {
                return;
            };
            from = *next;
        }
    }
}

impl Span {
    pub(super) const fn begins_at(self, start: usize) -> bool {
        self.start == start
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(texts: &Texts, needle: &str) -> Vec<usize> {
        let mut places = Vec::new();
        texts.having(&Finder::new(needle), |place, _| places.push(place));
        places
    }

    #[test]
    fn texts_outlast_being_moved_together() {
        let mut texts = Texts::default();
        let mut kept = Vec::new();
        for number in 0..20_000 {
            let text = format!("text {number} é");
            let span = texts.add(number, &text);
            if number % 3 == 0 {
                kept.push((number, text, span));
            } else {
                texts.take_back(span);
            }
        }
        assert!(texts.is_sparse());
        assert_eq!(places(&texts, "text 1999").len(), 11);
        let before = texts.bytes.len();
        texts.move_together(kept.iter_mut().map(|(place, _, span)| (*place, span)));
        assert!(!texts.is_sparse() && texts.bytes.len() < before / 2);
        for (place, text, span) in &kept {
            assert_eq!(texts.get(*span), text);
            assert!(places(&texts, text).contains(place));
        }
        assert_eq!(places(&texts, "text 1999"), [19_992, 19_995, 19_998]);
    }

    #[test]
    fn a_text_is_found_once_and_nothing_across_two() {
        let mut texts = Texts::default();
        for (place, text) in [(7, "aab"), (3, "b\naaa"), (5, ""), (4, "a")] {
            texts.add(place, text);
        }
        assert_eq!(places(&texts, "a"), [7, 3, 4]);
        assert_eq!(places(&texts, "aa"), [7, 3]);
        assert_eq!(places(&texts, "b"), [7, 3]);
        assert_eq!(places(&texts, "bb"), [0; 0]);
        assert_eq!(places(&texts, "aaaa"), [0; 0]);
        assert_eq!(places(&texts, ""), [7, 3, 5, 4]);
        assert_eq!(places(&Texts::default(), "a"), [0; 0]);
    }
}
