//! Defragmentation: entries are moved to other places in memory, so that pages of the allocator that are left with a
//! few of them can go.
//!
//! It is in passes over all collections, which workers make together, a slice at a time between their turns: what they
//! own they free at once, and what they move is theirs. A worker has a [`Fresh`] heap as long as a pass runs, so that
//! nothing is moved to where it is to go from. A pass has parts ([`Relocation`]), after each of which memory goes back:
//! no more than one part's share is there twice.
//!
//! **Invariants**
//! - Nothing of the data changes, nor what it takes; the log and checkpoints know nothing of it.
//! - Nodes of big containers and chunks of long strings stay: checkpoints and copies share them.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use super::Engine;
use super::collection::Collection;
use super::garbage::take_retired;
use super::ids::{CollectionId, ShardNo};
use super::walker::{Step, Walker};
use super::worker::Worker;
use crate::allocator::{Fresh, Round};
use crate::page::relocation::{Moved, Relocation};

/// A worker moves entries for so long at a time,
const SLICE: Duration = Duration::from_micros(500);
/// and has a pause of so long before the next.
const PAUSE: Duration = Duration::from_millis(5);
/// What is moved under one lock, about.
const BYTES_PER_LOCK: usize = 128 << 10;
/// What a part of a pass moves, unless that would be too many parts.
const PART_BYTES: u64 = 32 << 20;
const PARTS_MAX: u64 = 32;

/// The share of its time that a worker spends on a pass.
pub const PERCENT: u64 = (SLICE.as_micros() * 100 / PAUSE.as_micros()) as u64;

/// Where a pass is.
#[derive(Default)]
struct Way {
    walker: Walker,
    /// The shard that it is in, and where in that it goes on.
    within: Option<(CollectionId, ShardNo, u64)>,
    part: u64,
    parts: u64,
    moved: Moved,
}

/// See the module.
#[derive(Default)]
pub struct Defrag {
    way: Mutex<Way>,
    is_running: AtomicBool,
    moved: AtomicU64,
    passes: AtomicU64,
}

impl Defrag {
    /// Begins a pass over data of so many bytes, unless one is running.
    pub fn begin(&self, bytes: u64) {
        if !self.is_running() {
            *self.way.lock() = Way {
                parts: (bytes / PART_BYTES).clamp(1, PARTS_MAX),
                ..Way::default()
            };
            self.is_running.store(true, Ordering::Release);
        }
    }

    /// Gives a pass up.
    pub fn stop(&self) {
        self.is_running.store(false, Ordering::Release);
    }

    /// Whether a pass is running.
    pub fn is_running(&self) -> bool {
        self.is_running.load(Ordering::Acquire)
    }

    /// How many entries have been moved.
    pub fn moved(&self) -> u64 {
        self.moved.load(Ordering::Relaxed)
    }

    /// How many passes have come to their end.
    pub fn passes(&self) -> u64 {
        self.passes.load(Ordering::Relaxed)
    }

    /// A worker's part in a pass, if one is running: `fresh` is where it puts what it moves. When it is to come again.
    pub fn take_part(&self, engine: &Engine, worker: &mut Worker, fresh: &mut Option<Fresh>) -> Option<Duration> {
        if !self.is_running() {
            *fresh = None;
            return None;
        }
        if fresh.is_none() {
            *fresh = Fresh::begin();
        }
        // One is enough at a time: the others come soon.
        if let Some(mut way) = self.way.try_lock() {
            self.go_on(&mut way, engine, worker);
        }
        Some(PAUSE)
    }

    fn go_on(&self, way: &mut Way, engine: &Engine, worker: &mut Worker) {
        let begun = Instant::now();
        while begun.elapsed() < SLICE {
            let Step::Shard(collection, shard) = way.walker.next(engine) else {
                return self.end_part(way);
            };
            let here = (collection.id(), shard);
            let cursor = match way.within {
                Some((collection, shard, cursor)) if (collection, shard) == here => cursor,
                _ => 0,
            };
            let mut relocation = Relocation::new((way.part, way.parts), &mut way.moved, BYTES_PER_LOCK);
            let next = relocate(engine, worker, (&collection, shard, cursor), &mut relocation);
            self.moved.fetch_add(relocation.entries() as u64, Ordering::Relaxed);
            way.within = next.map(|next| {
                way.walker.stay(shard);
                (here.0, shard, next)
            });
        }
    }

    fn end_part(&self, way: &mut Way) {
        way.part += 1;
        if way.part >= way.parts {
            way.moved = Moved::default();
            self.passes.fetch_add(1, Ordering::Relaxed);
            self.stop();
        }
        Round::begin();
    }
}

/// Moves something of a shard; where to go on in it.
fn relocate(
    engine: &Engine,
    worker: &mut Worker,
    (collection, shard, cursor): (&Collection, ShardNo, u64),
    relocation: &mut Relocation<'_>,
) -> Option<u64> {
    let pass = worker.enter(engine);
    let shard = collection.shard(shard);
    let mut state = shard.lock();
    let before = state.index.heap_bytes();
    let next = state.index.relocate(cursor, relocation);
    let grown = state.index.heap_bytes() as i64 - before as i64;
    if collection.traits().is_limited() {
        collection.carried().note_bytes(grown);
    }
    // It counts until it is free, but nobody is to be refused, and no key to go, for it.
    if let Some(retired) = take_retired(collection, &mut state) {
        engine.eviction().retire(retired);
    }
    shard.publish(&state);
    drop(state);
    drop(pass);
    engine.meter().add(worker.cell(), grown);
    next
}
