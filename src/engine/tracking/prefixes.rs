//! Prefixes that clients in broadcast mode want to know of.
//!
//! **Invariant:** a search takes a step for each prefix that the key has, and otherwise no more than the key has bytes
//! in common with some prefix; so prefixes that have nothing to do with a key cost one step, however many there are.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::Bound;

/// The number of a prefix, never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PrefixId(u64);

struct Prefix {
    id: PrefixId,
    clients: BTreeSet<u64>,
}

/// See the module.
#[derive(Default)]
pub(super) struct Prefixes {
    by_name: BTreeMap<Box<[u8]>, Prefix>,
    names: HashMap<PrefixId, Box<[u8]>>,
    last_id: u64,
}

impl Prefixes {
    /// How many there are.
    pub fn count(&self) -> usize {
        self.by_name.len()
    }

    pub fn add(&mut self, name: &[u8], client: u64) {
        let (last_id, names) = (&mut self.last_id, &mut self.names);
        let prefix = self.by_name.entry(name.into()).or_insert_with(|| {
            *last_id += 1;
            let id = PrefixId(*last_id);
            names.insert(id, name.into());
            Prefix {
                id,
                clients: BTreeSet::new(),
            }
        });
        prefix.clients.insert(client);
    }

    pub fn remove(&mut self, name: &[u8], client: u64) {
        let Some(prefix) = self.by_name.get_mut(name) else {
            return;
        };
        prefix.clients.remove(&client);
        if prefix.clients.is_empty() {
            self.names.remove(&prefix.id);
            self.by_name.remove(name);
        }
    }

    /// A prefix, and who wants to know of it; `None` once it is gone.
    pub fn get(&self, id: PrefixId) -> Option<(Box<[u8]>, Vec<u64>)> {
        let (name, prefix) = self.by_name.get_key_value(self.names.get(&id)?)?;
        Some((name.clone(), prefix.clients.iter().copied().collect()))
    }

    /// Visits the prefixes that `key` has.
    pub fn visit_matches(&self, key: &[u8], mut visit: impl FnMut(PrefixId)) {
        let mut rest = key;
        loop {
            let up_to = (Bound::Unbounded, Bound::Included(rest));
            let Some((name, prefix)) = self.by_name.range::<[u8], _>(up_to).next_back() else {
                return;
            };
            let common = name.iter().zip(rest).take_while(|(one, other)| one == other).count();
            let is_match = common == name.len();
            if is_match {
                visit(prefix.id);
            }
            // What else the key has is shorter than this one, and no longer than what both have in common: it would
            // come between them otherwise.
            let Some(len) = common.checked_sub(usize::from(is_match)) else {
                return;
            };
            rest = rest.get(..len).unwrap_or_default();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::rngs::SmallRng;
    use rand::{RngExt, SeedableRng};

    #[test]
    fn all_that_a_key_has_are_found_as_prefixes_come_and_go() {
        let mut random = SmallRng::seed_from_u64(3);
        let mut word = |max: usize| -> Vec<u8> {
            let len = random.random_range(0..max);
            (0..len).map(|_| b"ab\xff"[random.random_range(0..3)]).collect()
        };
        let (mut prefixes, mut expected) = (Prefixes::default(), BTreeSet::new());
        for _ in 0..20_000 {
            let name = word(6);
            if expected.remove(&name) {
                prefixes.remove(&name, 1);
            } else if word(3).is_empty() {
                prefixes.add(&name, 1);
                expected.insert(name);
            }
            let key = word(8);
            let mut found = BTreeSet::new();
            prefixes.visit_matches(&key, |id| assert!(found.insert(prefixes.names[&id].to_vec())));
            let fit = expected.iter().filter(|name| key.starts_with(name));
            assert_eq!(found, fit.cloned().collect());
            assert_eq!(
                (prefixes.count(), prefixes.names.len()),
                (expected.len(), expected.len())
            );
        }
    }

    #[test]
    fn a_prefix_stays_as_long_as_somebody_wants_it() {
        let mut prefixes = Prefixes::default();
        prefixes.add(b"a", 1);
        prefixes.add(b"a", 2);
        let id = prefixes.by_name[&b"a"[..]].id;
        prefixes.remove(b"a", 1);
        assert_eq!(prefixes.get(id), Some((Box::from(&b"a"[..]), vec![2])));
        prefixes.remove(b"a", 2);
        prefixes.add(b"a", 3);
        assert_eq!(prefixes.get(id), None);
    }
}
