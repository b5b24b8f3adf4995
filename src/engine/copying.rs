//! Values that go from key to key: of a large one the log gets the name of the key that it came from.

use super::effect::Effect;
use super::eviction::Noting;
use super::ids::CollectionId;
use super::txn::{ReadTxn, Txn};
use crate::page::ValueRef;

/// Values up to this length are written to the log again when they are copied: replay has all its threads wait for each
/// other where it looks at another key.
const COPIED_BYTES_MAX: usize = 4096;

/// Where a copied value is from.
#[derive(Clone, Copy, Debug)]
pub struct Source<'k> {
    /// The collection, if the log has all that happens to it.
    pub collection: Option<CollectionId>,
    /// The key.
    pub key: &'k [u8],
    /// Whether the key is deleted by the same record, for certain.
    pub goes: bool,
}

impl ReadTxn<'_, '_> {
    /// `key` as where a value is copied from.
    pub fn source<'k>(&self, key: &'k [u8]) -> Source<'k> {
        Source {
            // A replay would find those that are not shown, too.
            collection: self.collection.logged_id().filter(|_| self.shown.is_none()),
            key,
            goes: false,
        }
    }

    /// `key` as where a value is moved from to key `to`: the caller deletes it as soon as that has the value.
    pub fn leaving<'k>(&self, key: &'k [u8], to: &[u8]) -> Source<'k> {
        // Were the record full in between, two keys would have the same parts.
        let bytes = 2 * key.len() + to.len();
        Source {
            goes: self.scope.has_room(bytes as u64),
            ..self.source(key)
        }
    }
}

impl Txn<'_, '_> {
    /// Sets `key` to the value that `source` has, as [`Txn::put`] does. Of a large value the log gets the source's
    /// name.
    pub fn put_copy(&mut self, key: &[u8], value: ValueRef<'_>, expire_at_ms: Option<u64>, source: Source<'_>) {
        let logged = source.collection.filter(|_| value.rough_bytes() > COPIED_BYTES_MAX);
        let Some(source_collection) = logged else {
            return self.put(key, value, expire_at_ms);
        };
        if self.policy().noting() == Noting::Counts {
            self.count_change(key);
        }
        if !self.is_over_at_once(key, expire_at_ms) {
            self.apply(&Effect::Copy {
                key,
                expire_at_ms: expire_at_ms.unwrap_or(0),
                source_collection,
                source_key: source.key,
                value: Some(value),
                takes_parts: source.goes && self.collection.logged_id() == Some(source_collection),
            });
        }
    }
}
