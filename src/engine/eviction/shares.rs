//! Which collection the next key is looked for in: each in proportion to its keys that may be evicted, so that every
//! key of the server is as likely to be looked at as any other.
//!
//! **Invariant:** collections are known by what they had when the shares were last counted; they may be gone by now.

use crate::engine::ids::CollectionId;

/// A collection's part.
struct Share {
    collection: CollectionId,
    /// Keys that may be evicted, of this one and those before it.
    up_to: u64,
}

/// See the module.
#[derive(Default)]
pub struct Shares(Vec<Share>);

impl Shares {
    /// Adds a collection with so many keys that may be evicted.
    pub fn add(&mut self, collection: CollectionId, keys: u64) {
        if keys > 0 {
            let up_to = self.total() + keys;
            self.0.push(Share { collection, up_to });
        }
    }

    /// How many keys may be evicted.
    pub fn total(&self) -> u64 {
        self.0.last().map_or(0, |last| last.up_to)
    }

    /// The collection that key number `at`, below the total, falls to.
    pub fn draw(&self, at: u64) -> Option<CollectionId> {
        let share = self.0.get(self.0.partition_point(|share| share.up_to <= at));
        share.map(|share| share.collection)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_key_is_drawn_by_one_number() {
        let mut shares = Shares::default();
        assert_eq!((shares.total(), shares.draw(0)), (0, None));
        for (id, keys) in [(1, 3), (2, 0), (3, 5)] {
            shares.add(CollectionId::new(id), keys);
        }
        let drawn: Vec<_> = (0..shares.total())
            .filter_map(|at| shares.draw(at))
            .map(CollectionId::get)
            .collect();
        assert_eq!(drawn, [1, 1, 1, 3, 3, 3, 3, 3]);
    }
}
