//! Many patterns at once: a name is looked up among texts and prefixes, and compared with globs only.
//!
//! **Invariants**
//! - Texts and prefixes are in order, and no prefix begins with another one: if one fits a name, it is the last that is
//!   not behind the name.
//! - A name fits the set if it fits one of the patterns that were added.

use super::pattern::{Pattern, Shape};

/// See the module.
#[derive(Clone, Default, PartialEq, Eq)]
pub(super) struct PatternSet {
    texts: Vec<Box<[u8]>>,
    prefixes: Vec<Prefix>,
    globs: Vec<Pattern>,
}

/// A prefix; most are told apart by their heads.
#[derive(Clone, PartialEq, Eq)]
struct Prefix {
    head: u64,
    text: Box<[u8]>,
}

/// The first bytes of a text as a number, as if zeros stood behind it: in the order of texts, but that different texts
/// may have the same.
#[inline]
fn head_of(text: &[u8]) -> u64 {
    match text.first_chunk() {
        Some(first) => u64::from_be_bytes(*first),
        None => text
            .iter()
            .rev()
            .fold(0, |head, byte| head >> 8 | u64::from(*byte) << 56),
    }
}

impl PatternSet {
    /// Adds a pattern. O(patterns) bytes are moved.
    pub fn add(&mut self, pattern: &Pattern) {
        match pattern.shape() {
            Shape::Text(text) => {
                if let Err(at) = self.texts.binary_search_by(|known| (**known).cmp(text)) {
                    self.texts.insert(at, text.into());
                }
            }
            Shape::Prefix(prefix) => self.add_prefix(prefix),
            Shape::Glob if !self.globs.contains(pattern) => self.globs.push(pattern.clone()),
            Shape::Glob => {}
        }
    }

    fn add_prefix(&mut self, prefix: &[u8]) {
        if self.begins(prefix) {
            return;
        }
        let from = self.prefixes.partition_point(|known| *known.text < *prefix);
        let longer = self.prefixes.iter().skip(from);
        let to = from + longer.take_while(|known| known.text.starts_with(prefix)).count();
        let added = Prefix {
            head: head_of(prefix),
            text: prefix.into(),
        };
        self.prefixes.splice(from..to, [added]);
    }

    /// Whether one of the prefixes is one of `name`.
    #[inline]
    fn begins(&self, name: &[u8]) -> bool {
        let head = head_of(name);
        let behind = self
            .prefixes
            .partition_point(|known| known.head < head || known.head == head && *known.text <= *name);
        let last = behind.checked_sub(1).and_then(|at| self.prefixes.get(at));
        last.is_some_and(|prefix| name.starts_with(&prefix.text))
    }

    /// Whether a name fits one of the patterns.
    pub fn fits(&self, name: &[u8]) -> bool {
        // As for a single pattern, the empty name has no prefix.
        !name.is_empty() && self.begins(name)
            || !self.texts.is_empty() && self.texts.binary_search_by(|known| (**known).cmp(name)).is_ok()
            || self.globs.iter().any(|glob| glob.fits(name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// All texts of up to three letters, of an alphabet with stars.
    fn texts() -> Vec<String> {
        let letters = ["", "a", "bbbbbbbb", "\0", "*", "?"];
        let all = letters.iter().flat_map(|one| {
            letters
                .iter()
                .flat_map(move |two| letters.map(|three| [one, two, three].concat()))
        });
        all.collect()
    }

    #[test]
    fn a_name_fits_if_it_fits_one() {
        let texts = texts();
        let mut seed = 7_usize;
        let mut below = |max: usize| {
            seed = seed
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            (seed >> 33) % max
        };
        for _ in 0..2_000 {
            let patterns: Vec<_> = (0..below(6))
                .map(|_| Pattern::new(texts[below(texts.len())].as_bytes()))
                .collect();
            let mut set = PatternSet::default();
            patterns.iter().for_each(|pattern| set.add(pattern));
            for name in &texts {
                let name = name.as_bytes();
                let wanted = patterns.iter().any(|pattern| pattern.fits(name));
                assert_eq!(set.fits(name), wanted, "{name:?}");
            }
        }
    }

    #[test]
    fn heads_are_in_the_order_of_texts() {
        let texts: [&[u8]; 8] = [b"", b"\0", b"\0a", b"a", b"a\0", b"abcdefgh", b"abcdefghi", b"b"];
        assert!(texts.is_sorted() && texts.is_sorted_by_key(|text| head_of(text)));
        assert_eq!(head_of(b"ab"), 0x6162_0000_0000_0000);
        assert_eq!(head_of(b"abcdefghi"), 0x6162_6364_6566_6768);
    }

    #[test]
    fn prefixes_that_say_nothing_new_are_not_kept() {
        let mut set = PatternSet::default();
        for text in ["user:1:*", "user:2:*", "a*", "user:*", "user:3*", "b*", "a*"] {
            set.add(&Pattern::new(text.as_bytes()));
        }
        let kept: Vec<_> = set
            .prefixes
            .iter()
            .map(|prefix| String::from_utf8_lossy(&prefix.text))
            .collect();
        assert_eq!(kept, ["a", "b", "user:"]);
    }
}
