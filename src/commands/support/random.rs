//! Randomness as an input: a generator that can be seeded, so that a run can be replayed.
//!
//! **Invariants**: the same seed gives the same draws. Not for secrets. Commands on keys draw from their thread instead
//! (`Kit::dice`).

use rand::rngs::Xoshiro256PlusPlus;
use rand::{Rng, RngExt, SeedableRng};

/// A small, fast, seeded generator.
#[derive(Clone, Debug)]
pub struct Random {
    generator: Xoshiro256PlusPlus,
    seed: u64,
}

impl Random {
    /// A generator whose draws follow from `seed`.
    pub fn from_seed(seed: u64) -> Self {
        Self {
            generator: Xoshiro256PlusPlus::seed_from_u64(seed),
            seed,
        }
    }

    /// A generator with a seed of its own, taken from the system.
    pub fn from_entropy() -> Self {
        Self::from_seed(rand::random())
    }

    /// The seed this generator began with: to print beside a failure.
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// Any 64 bits.
    pub fn next_u64(&mut self) -> u64 {
        self.generator.next_u64()
    }

    /// A place in a collection of `len` items, each as likely; `None` when there is none.
    pub fn index(&mut self, len: usize) -> Option<usize> {
        (len > 0).then(|| self.generator.random_range(0..len))
    }

    /// A number from `from` to `to`, both included, each as likely; `from` when the range is empty.
    pub fn between(&mut self, from: i64, to: i64) -> i64 {
        if from < to {
            self.generator.random_range(from..=to)
        } else {
            from
        }
    }

    /// A number in `[0, 1)`.
    pub fn fraction(&mut self) -> f64 {
        self.generator.random()
    }

    /// Puts the items in a random order, each order as likely. O(n).
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            items.swap(last, self.generator.random_range(0..=last));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replays_from_its_seed() {
        let (mut first, mut second) = (Random::from_seed(7), Random::from_seed(7));
        assert_eq!(first.seed(), 7);
        for _ in 0..100 {
            assert_eq!(first.next_u64(), second.next_u64());
            assert_eq!(first.index(10), second.index(10));
        }
    }

    #[test]
    fn stays_in_range() {
        let mut random = Random::from_seed(1);
        assert_eq!(random.index(0), None);
        let mut seen = [false; 5];
        for _ in 0..1000 {
            seen[random.index(5).unwrap()] = true;
            assert!((-3..=3).contains(&random.between(-3, 3)));
            assert!((0.0..1.0).contains(&random.fraction()));
        }
        assert_eq!(seen, [true; 5]);
        assert_eq!(random.between(4, 4), 4);
        assert_eq!(random.between(i64::MAX, i64::MIN), i64::MAX);
        let mut items: Vec<u32> = (0..50).collect();
        random.shuffle(&mut items);
        assert_ne!(items, (0..50).collect::<Vec<_>>());
        items.sort_unstable();
        assert_eq!(items, (0..50).collect::<Vec<_>>());
    }
}
