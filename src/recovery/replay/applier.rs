//! One of the threads that apply the log.
//!
//! Every applier sees every record and applies the effects on keys of its own shards, in batches: decode and hash a
//! batch while prefetching pages, prefetch entries, then apply, so that memory latencies overlap.
//!
//! **Invariants**
//! - A shard is one applier's alone, so that the order of changes to a key is that of the log.
//! - An effect on collections, or on what is set for all of them, is a barrier: all before it has been applied when it
//!   is, and nothing after it.
//! - Whether a record can be applied is judged from the record and the collections alone, so that all appliers stop at
//!   the same one and none is left waiting at a barrier.

use std::path::Path;
use std::sync::Arc;
use std::sync::Barrier;
use std::sync::mpsc::Receiver;

use parking_lot::Mutex;

use super::chunk::Chunk;
use crate::engine::CollectionError;
use crate::engine::apply::apply;
use crate::engine::collection::Collection;
use crate::engine::effect::{Effect, decode_all};
use crate::engine::ids::CollectionId;
use crate::engine::ids::ShardNo;
use crate::engine::index::{KeyRef, PageWrite};
use crate::engine::registry::Registry;
use crate::page::thresholds::Thresholds;
use crate::page::{Access, Change, Entry, Stamp};
use crate::recovery::error::ReplayFault;
use crate::wal::Lsn;

/// Effects prefetched together.
const BATCH_EFFECTS: usize = 32;

/// What the appliers of a log share.
pub(super) struct Context<'a> {
    pub registry: Mutex<&'a mut Registry>,
    pub barrier: Barrier,
    /// What became of the last effect on collections.
    pub outcome: Mutex<Result<(), ReplayFault>>,
    /// The registry's: they change at a barrier only.
    pub thresholds: Arc<Thresholds>,
    pub access: Access,
}

/// A record that cannot be applied.
pub(super) struct Refused {
    pub lsn: Lsn,
    pub file: Arc<Path>,
    pub offset: u64,
    pub reason: ReplayFault,
}

/// An effect that is about to be applied.
struct Staged<'c> {
    lsn: Lsn,
    /// Which of the known collections.
    collection: usize,
    shard: ShardNo,
    key: KeyRef<'c>,
    effect: Effect<'c>,
}

/// See the module.
pub(super) struct Applier<'a> {
    context: &'a Context<'a>,
    number: usize,
    of: usize,
    /// Collections met since the registry last changed.
    known: Vec<Arc<Collection>>,
    effects: u64,
}

impl<'a> Applier<'a> {
    /// Applier `number` of `of`.
    pub fn new(context: &'a Context<'a>, number: usize, of: usize) -> Self {
        Self {
            context,
            number,
            of,
            known: Vec::new(),
            effects: 0,
        }
    }

    /// Applies all that comes; returns how many effects it applied itself.
    pub fn run(mut self, chunks: &Receiver<Arc<Chunk>>) -> Result<u64, Refused> {
        while let Ok(chunk) = chunks.recv() {
            self.chunk(&chunk)?;
        }
        Ok(self.effects)
    }

    fn chunk(&mut self, chunk: &Chunk) -> Result<(), Refused> {
        let mut staged = Vec::with_capacity(BATCH_EFFECTS);
        for (lsn, offset, payload) in chunk.records() {
            self.record(lsn, payload, &mut staged).map_err(|reason| Refused {
                lsn,
                file: Arc::clone(&chunk.file),
                offset,
                reason,
            })?;
        }
        self.flush(&mut staged);
        Ok(())
    }

    fn record<'c>(&mut self, lsn: Lsn, payload: &'c [u8], staged: &mut Vec<Staged<'c>>) -> Result<(), ReplayFault> {
        for item in decode_all(payload) {
            let (id, effect) = item?;
            if let Effect::Copy {
                key,
                source_collection,
                source_key,
                ..
            } = effect
            {
                self.flush(staged);
                self.copy(lsn, effect, (id, key), (source_collection, source_key))?;
            } else if let Some(key) = effect.key() {
                self.stage(lsn, id, key, effect, staged)?;
            } else {
                self.flush(staged);
                self.change_collections(id, &effect)?;
            }
        }
        Ok(())
    }

    fn stage<'c>(
        &mut self,
        lsn: Lsn,
        id: CollectionId,
        key: &'c [u8],
        effect: Effect<'c>,
        staged: &mut Vec<Staged<'c>>,
    ) -> Result<(), ReplayFault> {
        let index = self.known(id)?;
        let Some(collection) = self.known.get(index) else {
            return Ok(());
        };
        let key = collection.key(key);
        let shard = collection.shard_of(key.hash);
        if (shard.index() + id.get() as usize) % self.of != self.number {
            return Ok(());
        }
        collection.prefetch_page(key.hash);
        staged.push(Staged {
            lsn,
            collection: index,
            shard,
            key,
            effect,
        });
        if staged.len() == BATCH_EFFECTS {
            self.flush(staged);
        }
        Ok(())
    }

    fn known(&mut self, id: CollectionId) -> Result<usize, ReplayFault> {
        if let Some(index) = self.known.iter().position(|collection| collection.id() == id) {
            return Ok(index);
        }
        let collection = self.context.registry.lock().collection(id);
        let collection = collection.ok_or(CollectionError::Missing(id))?;
        self.known.push(collection);
        Ok(self.known.len() - 1)
    }

    fn flush(&mut self, staged: &mut Vec<Staged<'_>>) {
        for one in staged.iter() {
            if let Some(collection) = self.known.get(one.collection) {
                collection.prefetch_entry(one.key.hash);
            }
        }
        self.effects += staged.len() as u64;
        for one in staged.drain(..) {
            if let Some(collection) = self.known.get(one.collection) {
                self.apply(collection, one.shard, one.key, (one.lsn, &one.effect));
            }
        }
    }

    fn apply(&self, collection: &Collection, shard: ShardNo, key: KeyRef<'_>, (lsn, effect): (Lsn, &Effect<'_>)) {
        let write = PageWrite {
            change: Change {
                mark: collection.mark(lsn),
                thresholds: &self.context.thresholds,
            },
            epoch: 0,
            sink: None,
            collection_id: collection.id(),
            shard,
        };
        let shard = collection.shard(shard);
        apply(
            shard,
            &mut shard.lock(),
            key,
            effect,
            &write,
            Stamp::of(self.context.access),
        );
    }

    fn change_collections(&mut self, id: CollectionId, effect: &Effect<'_>) -> Result<(), ReplayFault> {
        self.known.clear();
        self.alone(|this| {
            // What is let go of is freed here, before the server serves anybody.
            this.context.registry.lock().apply(id, effect)?;
            Ok(())
        })
    }

    /// Gives a key what the source has: each a collection and a key in it.
    fn copy(
        &mut self,
        lsn: Lsn,
        copy: Effect<'_>,
        (id, key): (CollectionId, &[u8]),
        (source_id, source_key): (CollectionId, &[u8]),
    ) -> Result<(), ReplayFault> {
        self.alone(|this| {
            let (target, source) = (this.known(id)?, this.known(source_id)?);
            let (Some(target), Some(source)) = (this.known.get(target), this.known.get(source)) else {
                return Ok(());
            };
            let source_key = source.key(source_key);
            // The lock is let go of again: both keys may be in one shard.
            let found = {
                let shard = source.shard(source.shard_of(source_key.hash)).lock();
                let entry = shard.index.get(source_key);
                entry.map(|entry| Entry::new(b"", entry.value(), None, 0))
            };
            let copy = copy.with_value(found.as_ref().map(|entry| entry.value()));
            let key = target.key(key);
            this.apply(target, target.shard_of(key.hash), key, (lsn, &copy));
            Ok(())
        })
    }

    /// Has one applier run `body` while all others wait.
    fn alone(&mut self, body: impl FnOnce(&mut Self) -> Result<(), ReplayFault>) -> Result<(), ReplayFault> {
        if self.context.barrier.wait().is_leader() {
            let outcome = body(self);
            *self.context.outcome.lock() = outcome;
            self.effects += 1;
        }
        self.context.barrier.wait();
        self.context.outcome.lock().clone()
    }
}
