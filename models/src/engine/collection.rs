//! Shards: a lock each, and behind it what two threads must not touch at once.

use loom::cell::UnsafeCell;

use crate::sync::{Mutex, MutexGuard};

const SHARDS: usize = 2;

/// What is behind a shard's lock.
#[derive(Clone)]
pub struct ShardState(std::sync::Arc<UnsafeCell<u32>>);

/// A shard.
pub struct Shard {
    state: Mutex<ShardState>,
    /// The same, past the lock.
    unlocked: ShardState,
}

/// See the module.
pub struct Collection(Vec<Shard>);

impl ShardState {
    /// Changes it.
    pub fn touch(&self) {
        // SAFETY: `loom` tells when two threads are here at once.
        self.0.with_mut(|state| unsafe { *state += 1 });
    }
}

impl Shard {
    fn new() -> Self {
        let unlocked = ShardState(std::sync::Arc::new(UnsafeCell::new(0)));
        Self {
            state: Mutex::new(unlocked.clone()),
            unlocked,
        }
    }

    /// Locks it.
    pub fn lock(&self) -> MutexGuard<'_, ShardState> {
        self.state.lock()
    }
}

impl Collection {
    pub(crate) fn new() -> Self {
        Self((0..SHARDS).map(|_| Shard::new()).collect())
    }

    /// A shard.
    pub fn shard(&self, number: usize) -> &Shard {
        &self.0[number]
    }

    /// Changes all shards, as who works alone does.
    pub fn touch_unlocked(&self) {
        self.0.iter().for_each(|shard| shard.unlocked.touch());
    }
}
