//! Search among sorted keys that lie elsewhere: a word of each key beside the others, so that a binary search reads a
//! few neighbouring cache lines instead of one strange line a step.
//!
//! The word holds eight bytes of the key behind `skip` bytes that all keys share. It never decides alone: keys with
//! equal words are compared in full.
//!
//! **Invariants**
//! - All keys begin with the same `skip` bytes, so that a smaller word means a smaller key.
//! - `words` has one word for each key, in their order.

use std::cmp::Ordering;

use super::relocation::{Relocation, address_of};

const WORD_BYTES: usize = size_of::<u64>();

/// See the module.
#[derive(Default)]
pub struct Hints {
    skip: usize,
    words: Vec<u64>,
}

/// The word of a key, the bytes it lacks being zero.
#[inline]
fn word_of(key: &[u8], skip: usize) -> u64 {
    let rest = key.get(skip..).unwrap_or_default();
    if let Some(bytes) = rest.first_chunk::<WORD_BYTES>() {
        return u64::from_be_bytes(*bytes);
    }
    let mut bytes = [0; WORD_BYTES];
    for (to, from) in bytes.iter_mut().zip(rest) {
        *to = *from;
    }
    u64::from_be_bytes(bytes)
}

/// Puts what is in `items` into another place of the same size, if `relocation` wants that.
pub fn relocate_vec<T>(items: &mut Vec<T>, relocation: &mut Relocation<'_>) {
    if items.capacity() == 0 || !relocation.wants(address_of(&**items)) {
        return;
    }
    let mut fresh = Vec::with_capacity(items.capacity());
    fresh.append(items);
    relocation.note_block(address_of(&*fresh), fresh.capacity() * size_of::<T>());
    *items = fresh;
}

/// How many bytes two keys share at their beginning.
pub fn shared_bytes(one: &[u8], other: &[u8]) -> usize {
    one.iter().zip(other).take_while(|(a, b)| a == b).count()
}

impl Hints {
    /// The place of `key`, if it is there. `key_at` gives the keys.
    #[inline]
    pub fn find<'k>(&self, key: &[u8], key_at: impl Fn(usize) -> &'k [u8]) -> Option<usize> {
        // A key that lacks the shared bytes may seem to be somewhere; the full comparison sees through it.
        self.search_words(key, key_at).ok()
    }

    /// The place of `key`, or where it belongs.
    #[inline]
    pub fn search<'k>(&self, key: &[u8], key_at: impl Fn(usize) -> &'k [u8]) -> Result<usize, usize> {
        if self.words.is_empty() {
            return Err(0);
        }
        let head = key.get(..self.skip).unwrap_or(key);
        match head.cmp(key_at(0).get(..self.skip).unwrap_or_default()) {
            Ordering::Less => Err(0),
            Ordering::Greater => Err(self.words.len()),
            Ordering::Equal => self.search_words(key, key_at),
        }
    }

    #[inline]
    fn search_words<'k>(&self, key: &[u8], key_at: impl Fn(usize) -> &'k [u8]) -> Result<usize, usize> {
        let word = word_of(key, self.skip);
        let mut low = self.words.partition_point(|other| *other < word);
        let same = self.words.get(low..).unwrap_or_default();
        let mut left = match same {
            [first, second, ..] if first == second => same.partition_point(|other| *other == word),
            [first, ..] if *first == word => 1,
            _ => 0,
        };
        while left > 0 {
            let middle = low + left / 2;
            match key_at(middle).cmp(key) {
                Ordering::Equal => return Ok(middle),
                Ordering::Less => {
                    left -= left / 2 + 1;
                    low = middle + 1;
                }
                Ordering::Greater => left /= 2,
            }
        }
        Err(low)
    }

    /// Takes in a `key` that is about to be at place `at`. `key_at` gives the keys without it.
    pub fn insert<'k>(&mut self, at: usize, key: &[u8], key_at: impl Fn(usize) -> &'k [u8]) {
        let len = self.words.len();
        if len == 0 {
            self.skip = key.len();
        } else if at == 0 || at == len {
            // Only a new first or last key can share less with the others than they do.
            let shared = shared_bytes(key, key_at(0));
            if shared < self.skip {
                self.skip = shared;
                self.rewrite(len, key_at);
            }
        }
        self.words.insert(at, word_of(key, self.skip));
    }

    /// Forgets the key at place `at`.
    pub fn remove(&mut self, at: usize) {
        self.words.remove(at);
    }

    /// Puts the words into another place, if `relocation` wants that.
    pub fn relocate(&mut self, relocation: &mut Relocation<'_>) {
        relocate_vec(&mut self.words, relocation);
    }

    /// Starts over with `len` keys.
    pub fn rebuild<'k>(&mut self, len: usize, key_at: impl Fn(usize) -> &'k [u8]) {
        self.skip = match len {
            0 => 0,
            len => shared_bytes(key_at(0), key_at(len - 1)),
        };
        self.rewrite(len, key_at);
    }

    /// Keeps the first `len` keys, those that `key_at` gives.
    pub fn truncate<'k>(&mut self, len: usize, key_at: impl Fn(usize) -> &'k [u8]) {
        self.words.truncate(len);
        // Fewer keys may share more; the words tell them apart better then.
        if len > 0 && shared_bytes(key_at(0), key_at(len - 1)) > self.skip {
            self.rebuild(len, key_at);
        }
    }

    fn rewrite<'k>(&mut self, len: usize, key_at: impl Fn(usize) -> &'k [u8]) {
        let skip = self.skip;
        self.words.clear();
        self.words.extend((0..len).map(|at| word_of(key_at(at), skip)));
    }

    /// Makes room for `capacity` keys in all, or gives back what is beyond that.
    pub fn resize(&mut self, capacity: usize) {
        self.words.reserve_exact(capacity.saturating_sub(self.words.len()));
        self.words.shrink_to(capacity);
    }

    /// Bytes of heap.
    pub fn heap_bytes(&self) -> usize {
        self.words.capacity() * WORD_BYTES
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::rngs::SmallRng;
    use rand::{RngExt, SeedableRng};

    /// Keys that share beginnings, end early and contain zeros.
    fn key(random: &mut SmallRng) -> Vec<u8> {
        let prefix: &[u8] = [&b""[..], b"a", b"user:0000000", b"user:0000001"][random.random_range(0..4)];
        let len = random.random_range(0..12);
        let tail = (0..len).map(|_| [0, 1, b'a', 255][random.random_range(0..4)]);
        prefix.iter().copied().chain(tail).collect()
    }

    #[test]
    fn finds_what_a_plain_search_finds() {
        let seed: u64 = rand::random();
        println!("seed {seed}");
        let mut random = SmallRng::seed_from_u64(seed);
        for _ in 0..200 {
            let (mut hints, mut keys) = (Hints::default(), Vec::<Vec<u8>>::new());
            for _ in 0..300 {
                let key = key(&mut random);
                let plain = keys.binary_search(&key);
                assert_eq!(hints.search(&key, |at| &keys[at]), plain, "{key:?} in {keys:?}");
                assert_eq!(hints.find(&key, |at| &keys[at]), plain.ok());
                match plain {
                    Err(at) => {
                        hints.insert(at, &key, |at| &keys[at]);
                        keys.insert(at, key);
                    }
                    Ok(at) if random.random_bool(0.7) => {
                        hints.remove(at);
                        keys.remove(at);
                    }
                    Ok(_) if random.random_bool(0.5) => hints.rebuild(keys.len(), |at| &keys[at]),
                    Ok(_) => {
                        keys.truncate(random.random_range(0..=keys.len()));
                        hints.truncate(keys.len(), |at| &keys[at]);
                    }
                }
            }
        }
    }
}
