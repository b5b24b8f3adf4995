//! Values in parts, on their way into a copy of their collection: shared in memory, and named in the log.
//!
//! The log gets the name of the key that has the value (`Copy`), not the value. That means what the key has at this
//! point of the log, and a copy is of its instant. So it is done only while both are the same; else the log gets all
//! bytes of the value, in memory it is shared all the same.
//!
//! **Invariants**
//! - Between the look whether the key still has the value and the record nobody can change it: its shard is locked.
//! - The collection of the key is in the log, and in the registry, when it is named: a replay finds it.

use std::sync::Arc;

use super::files::error::Result;
use super::runner::Runner;
use crate::engine::collection::Collection;
use crate::engine::effect::Effect;
use crate::engine::worker::unix_ms;
use crate::page::image::StoredEntry;
use crate::page::join::Whole;
use crate::storage::fault_point::fault_point;
use crate::wal::Lsn;

/// How often to look at a page that is changed all the time.
const LOOKS_MAX: usize = 8;
/// What dies that soon is not named. One record may remove dead elements of several keys, one after another, and
/// may stand before this one in the log while it has yet to come to the key.
const DEATH_MARGIN_MS: u64 = 1_000;

/// A value in parts, as it was at the instant of a copy.
pub(super) struct Captured<'a> {
    /// The collection that it was in.
    pub source: &'a Arc<Collection>,
    /// LSN of the last change to its page.
    pub version: Lsn,
    /// The value.
    pub whole: Whole,
}

enum Look {
    /// It was put.
    Put,
    /// The page has another version, and the key a value that may be the same.
    Maybe(Lsn, Whole),
    /// It cannot be named.
    Never,
}

impl Runner {
    /// Gives the key of `entry` the value that it had in the collection that is being copied.
    pub(super) fn put_captured_whole(
        &mut self,
        hidden: &Collection,
        entry: &StoredEntry<'_>,
        was: &Captured<'_>,
    ) -> Result<()> {
        let mut version = was.version;
        for _ in 0..LOOKS_MAX {
            self.wait_for_room()?;
            self.check_memory()?;
            match self.put_named(hidden, entry, (was.source, version))? {
                Look::Put => {
                    fault_point("fill.within");
                    return Ok(());
                }
                // Something else in the page has changed. Compared without a lock: it is what a page has of the value,
                // the versions of all its parts among it, and may be long.
                Look::Maybe(newer, found) if found.pack_parted() == was.whole.pack_parted() => version = newer,
                Look::Maybe(..) | Look::Never => break,
            }
        }
        self.put_entries(hidden, &[entry.with(was.whole.value())])
    }

    /// Puts what the key has in `source`, by its name, if its page has this version.
    fn put_named(
        &mut self,
        hidden: &Collection,
        entry: &StoredEntry<'_>,
        (source, version): (&Arc<Collection>, Lsn),
    ) -> Result<Look> {
        let shared = Arc::clone(&self.shared);
        self.as_record(hidden, |txn| {
            // Nothing is done to whole collections meanwhile: this is a pass.
            let registered = shared.engine.registry().collection(source.id());
            let is_there = registered.is_some_and(|registered| Arc::ptr_eq(&registered, source));
            let Some(source_collection) = source.logged_id().filter(|_| is_there) else {
                return Look::Never;
            };
            let key = source.key(entry.key);
            // Shards are locked in order: what is being filled has the newest number of all.
            let state = source.shard(source.shard_of(key.hash)).lock();
            let sight = state.index.look(key);
            let (found, version_now) = (sight.entry.map(|(entry, _)| entry), sight.version);
            let Some(found) = found.filter(|found| !found.is_due(unix_ms().saturating_add(DEATH_MARGIN_MS))) else {
                return Look::Never;
            };
            if version_now != version {
                return Whole::of(found.value()).map_or(Look::Never, |whole| Look::Maybe(version_now, whole));
            }
            txn.apply(&Effect::Copy {
                key: entry.key,
                expire_at_ms: entry.expire_at_ms,
                source_collection,
                source_key: entry.key,
                value: Some(found.value()),
                takes_parts: false,
            });
            Look::Put
        })
    }
}
