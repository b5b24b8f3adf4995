//! How a collection is dropped that nobody has any more: its entries in the order in which they lie in memory.
//!
//! Entries that are neighbours in a page of the index were written at different times, so that they lie anywhere. Freed
//! in the index's order, each of them leaves a hole in a page of the allocator, and no page is free before nearly all
//! entries are gone; whoever owns those pages has to look at each hole. In the order of addresses one page after
//! another becomes free as a whole, and looking after it costs a thirtieth.

use std::cell::Cell;

use super::background::give_way;
use super::index::Index;
use crate::page::Entry;
use crate::page::trie::Dismantled;

/// At least so many entries are sorted together, or a quarter of the collection's if that is more.
const SORTED_MIN: usize = 1 << 22;
/// Who is told of free bytes is told of this share of all at once, within these bounds. What they do then takes time for
/// each block, which may come from another core's cache, and for all memory that there is.
const TOLD_BYTES_MIN: u64 = 256 << 10;
const TOLD_BYTES_MAX: u64 = 2 << 20;
const TOLD_SHARE: u64 = 1024;
/// Others get a turn after so many entries.
const TURN_ENTRIES: usize = 128;

/// Larger entries take long to drop.
pub const LARGE_BYTES: usize = 1 << 20;

/// What a shard leaves.
pub(super) struct Remains {
    pub index: Index,
    pub keys: u64,
    /// Heap bytes of entries and pages.
    pub bytes: u64,
}

/// Drops what is left of a collection; `freed` is told of bytes that are free, a part at a time.
pub(super) fn dismantle(shards: Vec<Remains>, freed: &dyn Fn(u64)) {
    let keys: u64 = shards.iter().map(|shard| shard.keys).sum();
    let all_bytes: u64 = shards.iter().map(|shard| shard.bytes).sum();
    let told_bytes = (all_bytes / TOLD_SHARE).clamp(TOLD_BYTES_MIN, TOLD_BYTES_MAX);
    let sorted_max = SORTED_MIN.max(keys as usize / 4);
    let (mut entries, mut bytes) = (Vec::new(), 0);
    for mut shard in shards {
        bytes += shard.bytes;
        shard.index.take_entries(&mut entries);
        drop(shard);
        give_way();
        if entries.len() >= sorted_max {
            drop_in_order(&mut entries, std::mem::take(&mut bytes), told_bytes, freed);
        }
    }
    drop_in_order(&mut entries, bytes, told_bytes, freed);
}

/// Drops entries that, with the index that they were in, take so many `bytes`; tells of about `told_bytes` at a time.
fn drop_in_order(entries: &mut Vec<Entry>, bytes: u64, told_bytes: u64, freed: &dyn Fn(u64)) {
    entries.sort_unstable_by_key(Entry::address);
    let (mut left, mut gone) = (bytes, 0);
    for (index, entry) in entries.drain(..).enumerate() {
        let bytes = entry.heap_bytes() as u64;
        if bytes > LARGE_BYTES as u64 {
            let told = bytes.min(left);
            left -= told;
            drop_large(entry, told, freed);
        } else {
            gone += bytes;
            drop(entry);
        }
        if index % TURN_ENTRIES == 0 {
            give_way();
        }
        if gone >= told_bytes {
            let told = std::mem::take(&mut gone).min(left);
            left -= told;
            freed(told);
        }
    }
    freed(left);
}

/// Drops an entry that counts as so many `bytes`, its elements in the order of their addresses, too.
pub(super) fn drop_large(mut entry: Entry, bytes: u64, freed: &dyn Fn(u64)) {
    let left = Cell::new(bytes);
    if let Some(big) = entry.big_mut() {
        let tell = |bytes: u64| {
            let told = bytes.min(left.get());
            left.set(left.get() - told);
            give_way();
            freed(told);
        };
        let mut dismantled = Dismantled::new(&tell);
        big.dismantle(&mut dismantled);
        dismantled.finish();
    }
    drop(entry);
    freed(left.get());
}
