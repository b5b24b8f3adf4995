//! Which clients have read which keys, in stripes with a lock each.
//!
//! **Invariants**
//! - A stripe is locked for a moment, within the lock of a shard, and nothing else is locked meanwhile.
//! - Nobody waits until all of it is dropped: [`Table::clear`] sets it aside, where it counts as memory until
//!   [`Table::drop_cleared`] has dropped it.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;
use smallvec::SmallVec;
use xxhash_rust::xxh3::xxh3_64_with_seed;

use super::space::Space;
use super::told::Readers;

const STRIPE_BITS: u32 = 6;

/// What a key takes beside its bytes and its readers.
const KEY_BYTES: u64 = 112;

struct Tracked {
    space: Space,
    key: Box<[u8]>,
    /// In order of their numbers.
    readers: Readers,
}

impl Tracked {
    fn is(&self, space: Space, key: &[u8]) -> bool {
        self.space == space && *self.key == *key
    }

    fn bytes(&self) -> u64 {
        let of_readers = if self.readers.spilled() {
            self.readers.capacity()
        } else {
            0
        };
        KEY_BYTES + (self.key.len() + of_readers * size_of::<u64>()) as u64
    }

    /// Enters a reader; whether it is new. Before the list grows, those who are gone leave it.
    fn add(&mut self, client: u64, is_there: impl Fn(u64) -> bool) -> bool {
        let Err(at) = self.readers.binary_search(&client) else {
            return false;
        };
        if self.readers.len() < self.readers.capacity() {
            self.readers.insert(at, client);
            return true;
        }
        self.readers.retain(|reader| is_there(*reader));
        let at = self.readers.partition_point(|reader| *reader < client);
        self.readers.insert(at, client);
        true
    }
}

/// By hash; the few of the same hash together. In order, so that one can be picked at random.
type ByHash = BTreeMap<u64, SmallVec<[Tracked; 1]>>;

/// What some keys come to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Sums {
    keys: u64,
    items: u64,
    bytes: u64,
}

impl Sums {
    fn of(tracked: &Tracked) -> Self {
        Self {
            keys: 1,
            items: tracked.readers.len() as u64,
            bytes: tracked.bytes(),
        }
    }
}

#[derive(Default)]
struct Stripe {
    by_hash: ByHash,
    sums: Sums,
}

/// See the module.
pub(super) struct Table {
    seed: u64,
    stripes: Box<[Mutex<Stripe>]>,
    keys: AtomicU64,
    items: AtomicU64,
    bytes: AtomicU64,
    cleared: Mutex<Vec<Stripe>>,
}

impl Table {
    pub fn new(seed: u64) -> Self {
        Self {
            seed,
            stripes: (0..1 << STRIPE_BITS).map(|_| Mutex::default()).collect(),
            keys: AtomicU64::new(0),
            items: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
            cleared: Mutex::default(),
        }
    }

    pub fn keys(&self) -> u64 {
        self.keys.load(Ordering::Relaxed)
    }

    pub fn items(&self) -> u64 {
        self.items.load(Ordering::Relaxed)
    }

    /// What it takes, what has been cleared included.
    pub fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    fn place(&self, space: Space, key: &[u8]) -> (u64, Option<&Mutex<Stripe>>) {
        let hash = xxh3_64_with_seed(key, self.seed.wrapping_add(space.number()));
        (hash, self.stripe_of(hash))
    }

    fn stripe_of(&self, hash: u64) -> Option<&Mutex<Stripe>> {
        self.stripes.get((hash >> (u64::BITS - STRIPE_BITS)) as usize)
    }

    /// Enters a client at a key. `is_there` says who is not gone.
    pub fn add(&self, space: Space, key: &[u8], client: u64, is_there: impl Fn(u64) -> bool) {
        let (hash, Some(stripe)) = self.place(space, key) else {
            return;
        };
        let mut stripe = stripe.lock();
        let Stripe { by_hash, sums } = &mut *stripe;
        let tracked = by_hash.entry(hash).or_default();
        let (found, before) = match tracked.iter().position(|tracked| tracked.is(space, key)) {
            Some(at) => (at, tracked.get(at).map(Sums::of).unwrap_or_default()),
            None => {
                tracked.push(Tracked {
                    space,
                    key: key.into(),
                    readers: Readers::new(),
                });
                (tracked.len() - 1, Sums::default())
            }
        };
        let Some(tracked) = tracked.get_mut(found) else { return };
        tracked.add(client, is_there);
        self.count(sums, before, Sums::of(tracked));
    }

    /// Counts a change of some keys of the stripe that has these sums.
    fn count(&self, sums: &mut Sums, before: Sums, after: Sums) {
        for (all, own, before, after) in [
            (&self.keys, &mut sums.keys, before.keys, after.keys),
            (&self.items, &mut sums.items, before.items, after.items),
            (&self.bytes, &mut sums.bytes, before.bytes, after.bytes),
        ] {
            let added = after.wrapping_sub(before);
            all.fetch_add(added, Ordering::Relaxed);
            *own = own.wrapping_add(added);
        }
    }

    /// Takes a key out; who has read it.
    pub fn take(&self, space: Space, key: &[u8]) -> Option<Readers> {
        if self.keys() == 0 {
            return None;
        }
        let (hash, stripe) = self.place(space, key);
        let mut stripe = stripe?.lock();
        let Stripe { by_hash, sums } = &mut *stripe;
        let tracked = by_hash.get_mut(&hash)?;
        let at = tracked.iter().position(|tracked| tracked.is(space, key))?;
        let gone = tracked.swap_remove(at);
        if tracked.is_empty() {
            by_hash.remove(&hash);
        }
        self.count(sums, Sums::of(&gone), Sums::default());
        Some(gone.readers)
    }

    /// Takes out the key that comes next after `random`; who has read it.
    pub fn take_any(&self, random: u64) -> Option<(Box<[u8]>, Readers)> {
        let first = (random >> (u64::BITS - STRIPE_BITS)) as usize;
        let stripes = self.stripes.iter().cycle().skip(first).take(self.stripes.len() + 1);
        for (passed, stripe) in stripes.enumerate() {
            let mut stripe = stripe.lock();
            let Stripe { by_hash, sums } = &mut *stripe;
            let from = if passed == 0 { random } else { 0 };
            let Some(hash) = by_hash.range(from..).next().map(|(hash, _)| *hash) else {
                continue;
            };
            let tracked = by_hash.get_mut(&hash)?;
            let gone = tracked.pop()?;
            if tracked.is_empty() {
                by_hash.remove(&hash);
            }
            self.count(sums, Sums::of(&gone), Sums::default());
            return Some((gone.key, gone.readers));
        }
        None
    }

    /// Forgets all, in a moment.
    pub fn clear(&self) {
        if self.keys() == 0 {
            return;
        }
        for stripe in &self.stripes {
            let mut stripe = stripe.lock();
            let mut gone = std::mem::take(&mut *stripe);
            let kept = Sums {
                bytes: gone.sums.bytes,
                ..Sums::default()
            };
            let before = gone.sums;
            self.count(&mut gone.sums, before, kept);
            drop(stripe);
            self.cleared.lock().push(gone);
        }
    }

    /// Drops what has been cleared. Not for workers: O(keys).
    pub fn drop_cleared(&self) {
        let cleared = std::mem::take(&mut *self.cleared.lock());
        for stripe in cleared {
            let bytes = stripe.sums.bytes;
            drop(stripe);
            self.bytes.fetch_sub(bytes, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::ids::DatabaseId;
    use rand::rngs::SmallRng;
    use rand::{RngExt, SeedableRng};
    use std::collections::{BTreeSet, HashMap};

    const NUMBERED: Space = Space(None);

    fn readers(found: Option<Readers>) -> Vec<u64> {
        found.unwrap_or_default().to_vec()
    }

    #[test]
    fn a_key_is_found_in_its_space_and_once() {
        let table = Table::new(1);
        let named = Space::of(DatabaseId::new(1 << 30));
        assert_ne!(named, NUMBERED);
        for (space, client) in [(NUMBERED, 2), (NUMBERED, 1), (named, 3), (NUMBERED, 2)] {
            table.add(space, b"k", client, |_| true);
        }
        assert_eq!((table.keys(), table.items()), (2, 3));
        assert_eq!(readers(table.take(NUMBERED, b"k")), [1, 2]);
        assert!(readers(table.take(NUMBERED, b"k")).is_empty());
        assert_eq!(readers(table.take(named, b"k")), [3]);
        assert_eq!((table.keys(), table.items(), table.bytes()), (0, 0, 0));
    }

    #[test]
    fn clients_that_are_gone_make_room() {
        let table = Table::new(1);
        for client in 0..10_000 {
            table.add(NUMBERED, b"k", client, |other| other + 3 > client);
            assert!(table.items() < 16, "{}", table.items());
        }
        assert!(table.bytes() < 1000);
    }

    #[test]
    fn what_is_counted_is_what_is_there() {
        let (table, mut random) = (Table::new(7), SmallRng::seed_from_u64(7));
        let mut expected: HashMap<Vec<u8>, BTreeSet<u64>> = HashMap::new();
        for round in 0..20_000 {
            let key = vec![b'k'; random.random_range(0..40)];
            match random.random_range(0..10) {
                0..=5 => {
                    let client = random.random_range(0..30);
                    table.add(NUMBERED, &key, client, |_| true);
                    expected.entry(key).or_default().insert(client);
                }
                6..=8 => {
                    let gone = expected.remove(&key).unwrap_or_default();
                    assert_eq!(readers(table.take(NUMBERED, &key)), Vec::from_iter(gone));
                }
                _ => {
                    let taken = table.take_any(random.random());
                    let gone = taken.as_ref().map(|(key, _)| expected.remove(&**key).unwrap());
                    assert_eq!(
                        readers(taken.map(|(_, readers)| readers)),
                        Vec::from_iter(gone.unwrap_or_default())
                    );
                }
            }
            assert_eq!(table.keys(), expected.len() as u64);
            assert_eq!(
                table.items(),
                expected.values().map(BTreeSet::len).sum::<usize>() as u64
            );
            if round == 10_000 {
                table.clear();
                expected.clear();
            }
        }
        let bytes = table.bytes();
        table.clear();
        assert_eq!((table.keys(), table.items(), table.bytes()), (0, 0, bytes));
        assert!(table.take_any(0).is_none() && table.cleared.lock().len() > 1);
        table.drop_cleared();
        assert_eq!((table.keys(), table.items(), table.bytes()), (0, 0, 0));
        assert!(table.stripes.iter().all(|stripe| stripe.lock().sums == Sums::default()));
    }
}
