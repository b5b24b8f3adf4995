//! The gate, and a collection that is no more than the locks of its shards.

#[path = "../../../src/engine/gate.rs"]
pub mod gate;
pub mod collection;

/// Numbers.
pub mod ids {
    /// Which shard.
    pub type ShardNo = usize;
}

use std::sync::Arc;

use loom::cell::UnsafeCell;
use loom::thread;

use self::collection::Collection;
use self::gate::Gate;

const WORKERS: usize = 2;

/// Data behind the gate.
struct Guarded {
    gate: Gate,
    /// What workers touch under a pass and its shard's lock.
    collection: Collection,
    /// What each worker touches under its pass alone.
    own: [UnsafeCell<u32>; WORKERS],
}

impl Guarded {
    fn new() -> Arc<Self> {
        Arc::new(Self {
            gate: Gate::new(WORKERS),
            collection: Collection::new(),
            own: std::array::from_fn(|_| UnsafeCell::new(0)),
        })
    }

    /// What a worker does in a pass.
    fn work(&self, cell: usize) {
        let _pass = self.gate.enter(cell);
        self.touch(cell);
        self.collection.shard(0).lock().touch();
    }

    /// What is done alone: no lock is taken.
    fn work_alone(&self) {
        let pass = self.gate.exclusive();
        let _as_pass = pass.as_pass();
        (0..WORKERS).for_each(|cell| self.touch(cell));
        self.collection.touch_unlocked();
    }

    fn touch(&self, cell: usize) {
        // SAFETY: `loom` tells when two threads are here at once.
        self.own[cell].with_mut(|own| unsafe { *own += 1 });
    }
}

/// Workers go on beside each other, and nobody beside who works alone.
pub fn alone_beside_nobody() {
    crate::check(|| {
        let guarded = Guarded::new();
        let workers: Vec<_> = (0..WORKERS)
            .map(|cell| {
                let guarded = Arc::clone(&guarded);
                thread::spawn(move || guarded.work(cell))
            })
            .collect();
        guarded.work_alone();
        workers.into_iter().for_each(|worker| worker.join().unwrap());
        guarded.work_alone();
    });
}

/// Workers give up their passes to work alone, and pass again, all at once: nobody waits for ever.
pub fn from_a_pass_to_alone_and_back() {
    crate::check(|| {
        let guarded = Guarded::new();
        let work = |guarded: &Guarded, cell| {
            let mut pass = guarded.gate.enter(cell);
            guarded.touch(cell);
            pass.leave();
            guarded.work_alone();
            pass = guarded.gate.enter(cell);
            guarded.touch(cell);
            drop(pass);
        };
        let other = Arc::clone(&guarded);
        let worker = thread::spawn(move || work(&other, 1));
        work(&guarded, 0);
        worker.join().unwrap();
    });
}
