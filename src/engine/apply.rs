//! How an effect changes a shard: the one way in which data changes, live and on replay.
//!
//! **Invariant:** [`apply`] depends on the shard, the effect and nothing else (the access clock is not data), so replay
//! of a history gives the same data.

use super::collection::{Shard, ShardState};
use super::effect::Effect;
use super::index::{KeyRef, PageWrite};
use crate::page::entry::{Entry, EntryMut};
use crate::page::value::INLINE_BYTES_MAX;
use crate::page::{Shared, StrRef, ValueRef};

/// What applying an effect left behind.
#[derive(Default)]
pub struct Applied {
    /// Change of the heap bytes in use; the bytes of `retired` are subtracted already.
    pub bytes: i64,
    /// The entry that went; dropping it may be slow when it is large.
    pub retired: Option<Entry>,
}

/// Applies an effect on a key to its shard.
#[inline]
pub fn apply(
    shard: &Shard,
    state: &mut ShardState,
    key: KeyRef<'_>,
    effect: &Effect<'_>,
    write: &PageWrite<'_>,
    access_s: u32,
) -> Applied {
    let index_bytes = state.index.heap_bytes();
    let mut tally = Tally::default();
    let retired = match *effect {
        Effect::Put {
            expire_at_ms, value, ..
        } => {
            let expire_at_ms = (expire_at_ms != 0).then_some(expire_at_ms);
            state.index.upsert(key, write, |entry| {
                put(entry, key.bytes, value, expire_at_ms, access_s, &mut tally)
            })
        }
        Effect::Delete { .. } => {
            let removed = state.index.remove(key, write);
            tally.take(removed.as_ref());
            removed
        }
        Effect::ExpireAt { expire_at_ms, .. } => {
            let expire_at_ms = (expire_at_ms != 0).then_some(expire_at_ms);
            state.index.upsert(key, write, |entry| {
                let entry = entry?;
                tally.take(Some(entry));
                let mut moved = Entry::new(key.bytes, entry.value(), expire_at_ms, access_s);
                if entry.is_raw() {
                    moved.set_raw();
                }
                tally.add(&moved);
                Some(moved)
            })
        }
        Effect::StrRange { offset, bytes, .. } => state.index.upsert(key, write, |entry| {
            let entry = entry?;
            tally.take(Some(entry));
            let replacement = write_range(entry, offset as usize, bytes);
            tally.add(replacement.as_ref().unwrap_or(entry));
            replacement
        }),
        Effect::CollectionCreate { .. }
        | Effect::CollectionDrop
        | Effect::CollectionRename { .. }
        | Effect::CollectionFlush
        | Effect::CollectionSwap { .. }
        | Effect::CollectionLoad { .. }
        | Effect::CollectionPublish { .. } => {
            debug_assert!(false, "collection effects go to the registry");
            None
        }
    };
    let index_growth = state.index.heap_bytes() as i64 - index_bytes as i64;
    if index_growth != 0 {
        shard.publish(state);
    }
    state.keys = state.keys.wrapping_add_signed(tally.keys);
    state.expires = state.expires.wrapping_add_signed(tally.expires);
    state.entry_bytes = state.entry_bytes.wrapping_add_signed(tally.bytes);
    Applied {
        bytes: tally.bytes + index_growth,
        retired,
    }
}

/// Differences an effect makes to a shard's figures.
#[derive(Default)]
struct Tally {
    keys: i64,
    expires: i64,
    bytes: i64,
}

impl Tally {
    fn count(&mut self, entry: &Entry, sign: i64) {
        self.keys += sign;
        self.expires += sign * i64::from(entry.expire_at_ms().is_some());
        self.bytes += sign * entry.heap_bytes() as i64;
    }

    fn take(&mut self, entry: Option<&Entry>) {
        if let Some(entry) = entry {
            self.count(entry, -1);
        }
    }

    fn add(&mut self, entry: &Entry) {
        self.count(entry, 1);
    }
}

#[inline]
fn put(
    entry: Option<&mut EntryMut<'_>>,
    key: &[u8],
    value: ValueRef<'_>,
    expire_at_ms: Option<u64>,
    access_s: u32,
    tally: &mut Tally,
) -> Option<Entry> {
    if let Some(entry) = entry {
        tally.take(Some(entry));
        if entry.try_overwrite(value, expire_at_ms) {
            entry.set_access_s(access_s);
            tally.add(entry);
            return None;
        }
    }
    let fresh = Entry::new(key, value, expire_at_ms, access_s);
    tally.add(&fresh);
    Some(fresh)
}

/// Writes `bytes` at `offset` of a string entry: in place where it fits, else into an entry that takes its stead.
fn write_range(entry: &mut EntryMut<'_>, offset: usize, bytes: &[u8]) -> Option<Entry> {
    let end = offset + bytes.len();
    if let Some(shared) = entry.shared_mut() {
        let text = Shared::make_mut(shared);
        if text.len() < end {
            text.resize(end, 0);
        }
        text.get_mut(offset..end)?.copy_from_slice(bytes);
        entry.set_raw();
        return None;
    }
    if let Some(target) = entry.inline_mut().and_then(|text| text.get_mut(offset..end)) {
        target.copy_from_slice(bytes);
        entry.set_raw();
        return None;
    }
    let ValueRef::Str(old) = entry.value();
    let mut text = Vec::with_capacity(end.max(old.len()));
    text.extend_from_slice(old.bytes());
    text.resize(end.max(old.len()), 0);
    text.get_mut(offset..end)?.copy_from_slice(bytes);
    let shared = Shared::new(text);
    let value = if shared.len() > INLINE_BYTES_MAX {
        StrRef::Shared(&shared)
    } else {
        StrRef::Inline(&shared)
    };
    let mut grown = Entry::new(
        entry.key(),
        ValueRef::Str(value),
        entry.expire_at_ms(),
        entry.access_s(),
    );
    grown.set_raw();
    Some(grown)
}
