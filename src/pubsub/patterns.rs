//! Patterns, found by how they begin: a message is held against those only whose literal beginning its channel has.
//!
//! **Invariant:** a search looks at one group for each length of a beginning there is, [`LITERAL_BYTES_MAX`] + 1 at
//! most, whatever clients have subscribed to.

use std::collections::HashMap;
use std::sync::Arc;

use super::directory::{Audience, Topics};
use super::topic::Topic;
use crate::glob::{Case, glob_match};

/// So many bytes of a beginning tell patterns apart.
const LITERAL_BYTES_MAX: usize = 24;

/// See the module.
#[derive(Default)]
pub(super) struct Patterns {
    by_beginning: HashMap<Box<[u8]>, Topics>,
    /// How many beginnings there are of each length.
    lens: [u32; LITERAL_BYTES_MAX + 1],
}

/// What all that fits `pattern` begins with.
pub(super) fn literal_beginning(pattern: &[u8]) -> &[u8] {
    let special = |byte: &u8| matches!(byte, b'*' | b'?' | b'[' | b'\\');
    let len = pattern.iter().position(special).unwrap_or(pattern.len());
    pattern.get(..len.min(LITERAL_BYTES_MAX)).unwrap_or_default()
}

impl Patterns {
    /// The patterns that begin as this one does. [`forget_if_empty`](Self::forget_if_empty) is to follow where one of
    /// them goes.
    pub fn beginning_like(&mut self, pattern: &[u8]) -> &mut Topics {
        let beginning = literal_beginning(pattern);
        if !self.by_beginning.contains_key(beginning)
            && let Some(count) = self.lens.get_mut(beginning.len())
        {
            *count += 1;
        }
        self.by_beginning.entry(beginning.into()).or_default()
    }

    /// Forgets how this pattern begins, if none is left that does so.
    pub fn forget_if_empty(&mut self, pattern: &[u8]) {
        let beginning = literal_beginning(pattern);
        if self.by_beginning.get(beginning).is_some_and(HashMap::is_empty) {
            self.by_beginning.remove(beginning);
            if let Some(count) = self.lens.get_mut(beginning.len()) {
                *count -= 1;
            }
        }
    }

    /// Visits the patterns that fit `channel`.
    pub fn visit_matches<'a>(&'a self, channel: &[u8], mut visit: impl FnMut(&'a Arc<Topic>, &'a Audience)) {
        let lens = self.lens.iter().enumerate().filter(|(_, count)| **count > 0);
        for (len, _) in lens {
            let Some(beginning) = channel.get(..len) else { return };
            let Some(topics) = self.by_beginning.get(beginning) else {
                continue;
            };
            for (topic, audience) in topics {
                if glob_match(&topic.0.name, channel, Case::Sensitive) {
                    visit(&topic.0, audience);
                }
            }
        }
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.by_beginning.values().map(HashMap::len).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pubsub::topic::{ByName, TopicId, TopicKind};
    use rand::rngs::SmallRng;
    use rand::{RngExt, SeedableRng};

    fn add(patterns: &mut Patterns, name: &[u8]) {
        let topic = Topic {
            id: TopicId(0),
            kind: TopicKind::Pattern,
            name: name.into(),
        };
        patterns
            .beginning_like(name)
            .insert(ByName(Arc::new(topic)), Audience::new());
    }

    #[test]
    fn beginnings() {
        for (pattern, expected) in [
            ("news.*", "news."),
            ("*", ""),
            ("a?b", "a"),
            ("a[b]", "a"),
            ("a\\*", "a"),
            ("plain", "plain"),
            ("abcdefghijklmnopqrstuvwxyz*", "abcdefghijklmnopqrstuvwx"),
        ] {
            assert_eq!(literal_beginning(pattern.as_bytes()), expected.as_bytes(), "{pattern}");
        }
    }

    #[test]
    fn all_that_fit_are_found_as_patterns_come_and_go() {
        let mut random = SmallRng::seed_from_u64(7);
        let mut patterns = Patterns::default();
        let mut expected = std::collections::BTreeSet::new();
        for _ in 0..5_000 {
            let word: Vec<u8> = (0..random.random_range(0..5))
                .map(|_| b"ab*?"[random.random_range(0..4)])
                .collect();
            if expected.remove(&word) {
                patterns.beginning_like(&word).remove(word.as_slice());
                patterns.forget_if_empty(&word);
            } else {
                add(&mut patterns, &word);
                expected.insert(word);
            }
            let channel: Vec<u8> = (0..random.random_range(0..5))
                .map(|_| b"ab"[random.random_range(0..2)])
                .collect();
            let mut found = std::collections::BTreeSet::new();
            patterns.visit_matches(&channel, |topic, _| assert!(found.insert(topic.name.to_vec())));
            let fit = expected
                .iter()
                .filter(|word| glob_match(word, &channel, Case::Sensitive));
            assert_eq!(found, fit.cloned().collect());
            assert_eq!(patterns.count(), expected.len());
        }
        let groups = patterns.by_beginning.len();
        assert_eq!(patterns.lens.iter().sum::<u32>() as usize, groups);
    }
}
