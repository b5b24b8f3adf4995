//! Keys that have been looked at and may go: the best of them so far.
//!
//! What was sampled for one eviction and was not the best serves the next ones, so that each costs few samples. A
//! candidate is a name and what it was when it was seen; whoever evicts it looks whether it still is.
//!
//! **Invariant:** the pool is in order of rank, lowest first, of bounded length, and has a key once at most.

use super::policy::Policy;
use crate::engine::ids::CollectionId;
use crate::page::Access;

/// Pools of collections with policies of their own that a thread keeps.
const POOLS_MAX: usize = 8;
/// How many candidates are kept.
pub const CANDIDATES_MAX: usize = 16;
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
pub struct Pool(Vec<Candidate>);

impl Pool {
    /// Whether a key of this rank, and so long, would be taken.
    pub fn wants(&self, rank: u64, key_bytes: usize) -> bool {
        if self.0.len() < CANDIDATES_MAX {
            return key_bytes <= KEY_BYTES_KEPT || self.0.is_empty();
        }
        key_bytes <= KEY_BYTES_KEPT && self.0.last().is_some_and(|worst| rank < worst.rank)
    }

    /// Takes a candidate in; the worst one goes if there are too many.
    pub fn add(&mut self, candidate: Candidate) {
        let is_same = |known: &Candidate| known.collection == candidate.collection && known.key == candidate.key;
        if let Some(at) = self.0.iter().position(is_same) {
            self.0.remove(at);
        }
        let at = self.0.partition_point(|known| known.rank <= candidate.rank);
        self.0.insert(at, candidate);
        self.0.truncate(CANDIDATES_MAX);
    }

    /// Takes the one out that goes first.
    pub fn take_first(&mut self) -> Option<Candidate> {
        if self.0.is_empty() {
            None
        } else {
            Some(self.0.remove(0))
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
    fn a_key_is_in_it_once() {
        let mut pool = Pool::default();
        pool.add(candidate(1, "same"));
        pool.add(candidate(5, "other"));
        pool.add(candidate(9, "same"));
        let ranks: Vec<_> = std::iter::from_fn(|| pool.take_first()).map(|one| one.rank).collect();
        assert_eq!(ranks, [5, 9]);
    }
}
