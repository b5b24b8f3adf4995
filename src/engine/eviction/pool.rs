//! Keys that have been looked at and may go: the best of them so far.
//!
//! What was sampled for one eviction and was not the best serves the next ones, so that each costs few samples. A
//! candidate is a name and what it was when it was seen; whoever evicts it looks whether it still is.
//!
//! **Invariant:** the pool is in order of rank, lowest first, of bounded length, and has a key once at most with the
//! same rank. With another one it was used meanwhile, or decayed: that is found out when it is its turn.

use super::policy::Policy;
use crate::engine::ids::CollectionId;
use crate::page::Access;

/// Pools of collections with policies of their own that a thread keeps.
const POOLS_MAX: usize = 8;
/// How many candidates are kept.
pub const CANDIDATES_MAX: usize = 16;
/// So many are taken before others are looked at: hits hardly get fewer, and the way to a page is gone once.
const TAKEN_PER_LOOK: u8 = 2;
/// Longer keys are not worth being kept: they are candidates only where nothing else is.
const KEY_BYTES_KEPT: usize = 4096;

/// A key that may be evicted.
pub struct Candidate {
    /// Where it is among others: the lowest goes first.
    pub rank: u64,
    /// Its collection.
    pub collection: CollectionId,
    /// The key.
    pub key: Box<[u8]>,
    /// When it was used last.
    pub access: Access,
}

/// See the module.
#[derive(Default)]
pub struct Pool {
    candidates: Vec<Candidate>,
    /// So many more are taken before others are looked at.
    lasts: u8,
}

impl Pool {
    /// Whether others should be looked at before one is taken: it is time, or there is little to choose from.
    pub fn is_due(&self) -> bool {
        self.lasts == 0 || self.candidates.len() < CANDIDATES_MAX / 2
    }

    /// Others have been looked at.
    pub fn note_looked(&mut self) {
        self.lasts = TAKEN_PER_LOOK;
    }

    /// Whether a key of this rank, and so long, would be taken.
    pub fn wants(&self, rank: u64, key_bytes: usize) -> bool {
        if self.candidates.len() < CANDIDATES_MAX {
            return key_bytes <= KEY_BYTES_KEPT || self.candidates.is_empty();
        }
        key_bytes <= KEY_BYTES_KEPT && self.candidates.last().is_some_and(|worst| rank < worst.rank)
    }

    /// Takes a candidate in; the worst one goes if there are too many.
    pub fn add(&mut self, candidate: Candidate) {
        let at = self.candidates.partition_point(|known| known.rank < candidate.rank);
        let equal = self.candidates.iter().skip(at);
        let mut equal = equal.take_while(|known| known.rank == candidate.rank);
        if equal.any(|known| known.collection == candidate.collection && known.key == candidate.key) {
            return;
        }
        self.candidates.insert(at, candidate);
        self.candidates.truncate(CANDIDATES_MAX);
    }

    /// Takes the one out that goes first.
    pub fn take_first(&mut self) -> Option<Candidate> {
        self.lasts = self.lasts.saturating_sub(1);
        if self.candidates.is_empty() {
            None
        } else {
            Some(self.candidates.remove(0))
        }
    }
}

/// The candidates of a thread: those of all collections under the server's policy, and of some others.
#[derive(Default)]
pub struct Pools(Vec<(Option<CollectionId>, Policy, Pool)>);

impl Pools {
    /// The pool of the collections that follow the server's policy, or of one with a policy of its own.
    pub fn pool(&mut self, own: Option<CollectionId>, policy: Policy) -> &mut Pool {
        let known = self.0.iter().position(|(of, under, _)| *of == own && *under == policy);
        let at = known.unwrap_or_else(|| {
            // What is left of another policy is worth nothing.
            self.0.retain(|(of, ..)| *of != own);
            self.0.truncate(POOLS_MAX - 1);
            self.0.insert(0, (own, policy, Pool::default()));
            0
        });
        #[expect(clippy::indexing_slicing, reason = "it was found there, or put there")]
        &mut self.0[at].2
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn candidate(rank: u64, key: &str) -> Candidate {
        Candidate {
            rank,
            collection: CollectionId::new(1),
            key: key.as_bytes().into(),
            access: Access::default(),
        }
    }

    #[test]
    fn the_lowest_are_kept_and_go_first() {
        let mut pool = Pool::default();
        for rank in (0..100).rev() {
            assert!(pool.wants(rank, 8));
            pool.add(candidate(rank, &rank.to_string()));
        }
        assert!(!pool.wants(50, 8) && !pool.wants(3, KEY_BYTES_KEPT + 1));
        let ranks: Vec<_> = std::iter::from_fn(|| pool.take_first()).map(|one| one.rank).collect();
        assert_eq!(ranks, (0..CANDIDATES_MAX as u64).collect::<Vec<_>>());
        assert!(pool.wants(u64::MAX, usize::MAX), "where nothing else is");
    }

    #[test]
    fn a_key_is_in_it_once_with_a_rank() {
        let mut pool = Pool::default();
        for (rank, key) in [(1, "same"), (5, "other"), (1, "same"), (1, "third"), (9, "same")] {
            pool.add(candidate(rank, key));
        }
        let taken: Vec<_> = std::iter::from_fn(|| pool.take_first()).map(|one| one.rank).collect();
        assert_eq!(taken, [1, 1, 5, 9]);
    }

    #[test]
    fn others_are_looked_at_now_and_then() {
        let mut pool = Pool::default();
        assert!(pool.is_due());
        pool.note_looked();
        assert!(pool.is_due(), "there were few");
        for rank in 0..CANDIDATES_MAX as u64 {
            pool.add(candidate(rank, "key"));
        }
        let mut take = || (pool.take_first().is_some(), pool.is_due());
        assert_eq!([take(), take(), take()], [(true, false), (true, true), (true, true)]);
    }
}
