//! The removal of what is dead: keys, and fields of hashes, whose time has come.
//!
//! **Invariant:** whatever is removed is looked at once more under the lock that it is removed under.

use super::collection::Collection;
use super::effect::Effect;
use super::events::Classes;
use super::index::KeyRef;
use super::scope::Scope;
use super::watch::Cause;
use crate::page::hash::{HashOp, HashRef};
use crate::page::packed::pack;

/// Dead fields of one hash that are removed at once.
const DEAD_FIELDS_MAX: usize = 1000;

/// The bytes of them beyond which others are left for later.
const DEAD_BYTES_MAX: usize = 64 << 20;

/// Leaves the first of `fields`, at least one, up to so many bytes as one record takes easily.
fn keep_short(fields: &mut Vec<Vec<u8>>) {
    let mut bytes = 0;
    let few = fields.iter().take_while(|field| {
        let before = bytes;
        bytes += field.len();
        before < DEAD_BYTES_MAX
    });
    let count = few.count();
    fields.truncate(count);
}

impl Scope<'_> {
    /// Removes a key that is dead.
    pub(super) fn expire(&mut self, collection: &Collection, key: KeyRef<'_>) {
        let effect = Effect::Delete { key: key.bytes };
        self.apply_because(collection, key, &effect, Cause::Expiry);
        self.notify(collection, Classes::EXPIRED, "expired", key.bytes);
    }

    /// Removes `key` if it is dead, else some of its fields that are; whether the key was.
    pub(super) fn expire_if_dead(&mut self, collection: &Collection, key: KeyRef<'_>) -> bool {
        let now_ms = self.worker.now_ms;
        let shard = collection.shard(collection.shard_of(key.hash));
        // Between this look and the removal somebody may write the key: the look is repeated under the same lock.
        let mut state = shard.lock();
        let dead = state.index.get(key).is_some_and(|entry| entry.is_expired(now_ms));
        if dead {
            let effect = Effect::Delete { key: key.bytes };
            self.apply_to(collection, shard, &mut state, key, &effect, Cause::Expiry);
            self.notify(collection, Classes::EXPIRED, "expired", key.bytes);
            return true;
        }
        let hash = state.index.get(key).and_then(|entry| HashRef::of(entry.value()));
        let fields = hash
            .filter(|hash| hash.may_have_dead(now_ms))
            .map(|hash| hash.dead(now_ms, DEAD_FIELDS_MAX));
        if let Some(mut fields) = fields {
            keep_short(&mut fields);
            // The others when the sweep comes back.
            let fields = pack(fields.iter().map(Vec::as_slice));
            let op = HashOp::Remove { fields: &fields };
            let effect = Effect::Hash { key: key.bytes, op };
            self.apply_to(collection, shard, &mut state, key, &effect, Cause::Write);
            self.notify(collection, Classes::HASH, "hexpired", key.bytes);
            if state.index.get(key).is_none() {
                self.notify(collection, Classes::GENERIC, "del", key.bytes);
            }
        }
        false
    }
}
