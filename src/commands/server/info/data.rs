//! The keyspace section, and sums over collections.

use super::lines::{Lines, View};
use crate::engine::Engine;
use crate::engine::collection::Collection;
use crate::engine::registry::Slot;

/// Sums over a collection's shards, none of which needs a walk over pages.
#[derive(Clone, Copy, Default, Debug)]
pub struct Sums {
    /// Keys.
    pub keys: u64,
    /// Keys with an expiry.
    pub expires: u64,
    /// Pages.
    pub pages: u64,
    /// Bytes of entries.
    pub entry_bytes: u64,
    /// Bytes of pages and directories.
    pub index_bytes: u64,
}

impl Sums {
    /// Looks at the shards, each locked in turn. The caller holds a pass.
    pub fn of(collection: &Collection) -> Self {
        let mut sums = Self::default();
        for shard in collection.shards_if_any() {
            let state = shard.lock();
            sums.keys += state.keys;
            sums.expires += state.expires;
            sums.pages += state.index.pages() as u64;
            sums.entry_bytes += state.entry_bytes;
            sums.index_bytes += state.index.heap_bytes() as u64;
        }
        sums
    }
}

/// All slots, with nothing locked any more.
pub(super) fn slots(engine: &Engine) -> Vec<Slot> {
    engine.registry().slots().cloned().collect()
}

/// Bytes of the indexes of all collections.
pub(super) fn index_bytes(engine: &Engine) -> u64 {
    slots(engine)
        .iter()
        .map(|slot| Sums::of(&slot.collection).index_bytes)
        .sum()
}

pub(super) fn keyspace(view: &View<'_>, lines: &mut Lines) {
    // Collections with names are in the section of our own: clients read `db<number>` here.
    for slot in slots(&view.server.engine).iter().filter(|slot| slot.id.is_numbered()) {
        let sums = Sums::of(&slot.collection);
        if sums.keys > 0 {
            lines.put(
                &format!("db{}", slot.id),
                format!("keys={},expires={},avg_ttl=0", sums.keys, sums.expires),
            );
        }
    }
}
