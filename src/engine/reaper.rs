//! Drops what is slow to drop, on a thread of its own: collections that were flushed or dropped, large values.
//!
//! **Invariants**
//! - A value or collection that waits here still counts as used memory until this thread has dropped it.
//! - A collection is dropped here and nowhere else: this thread keeps it until nobody else does. Others let go of
//!   theirs when they next look at the registry.
//! - Whoever owns the memory of what is dropped is asked to look after it, each time that some has gone, and is waited
//!   for a moment: what piles up would keep it for long when it looks.
//! - What waits here is known in bytes ([`Reaper::owed_bytes`]), never less than it is: it counts here before it counts
//!   as used again, and as used no longer before it no longer counts here.

use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use super::background::step_back;
pub use super::dismantle::LARGE_BYTES;
use super::dismantle::drop_large;
use super::memory::Meter;
use crate::allocator::Round;
use crate::page::Entry;

/// How often a collection that others still have is looked at.
const LOOK_AGAIN: Duration = Duration::from_millis(10);

/// Owners are asked to look after their memory when so much has gone, and waited for so long at most.
const ASK_BYTES: u64 = 256 << 10;
const PATIENCE: Duration = Duration::from_millis(20);
/// Where nobody is waited for they are asked so often at most.
const ASK_PAUSE: Duration = Duration::from_millis(100);

/// A reaper that is stopped waits so long for others to let go.
const STOP_GRACE: Duration = Duration::from_millis(500);

/// Drops what others may still have, if they do not any more, and tells how many bytes that frees, a part at a time;
/// how many bytes it has if they do: it is to be asked again.
pub type DropIfLast = Box<dyn FnMut(&dyn Fn(u64)) -> Option<u64> + Send>;

enum Job {
    /// An entry, and its bytes.
    Entry(Entry, u64),
    Shared(Vec<DropIfLast>),
}

/// What a reaper still has to drop.
#[derive(Default)]
struct Owed {
    /// Bytes of entries.
    entries: AtomicU64,
    /// Collections that were handed over and not yet looked at.
    unseen: AtomicU64,
    /// Bytes of collections that others still have.
    kept: AtomicU64,
    /// Whether the reaper is to end: nobody's memory matters any more.
    is_ending: AtomicBool,
}

/// See the module.
pub struct Reaper {
    queue: Mutex<Option<Sender<Job>>>,
    thread: Mutex<Option<JoinHandle<()>>>,
    owed: Arc<Owed>,
}

impl Reaper {
    /// Starts the thread, which accounts in `cell` of `meter`.
    pub fn start(meter: Arc<Meter>, cell: usize) -> std::io::Result<Self> {
        let (queue, jobs) = channel();
        let owed = Arc::new(Owed::default());
        let work_off = Arc::clone(&owed);
        let thread = std::thread::Builder::new().name("reaper".to_owned()).spawn(move || {
            step_back();
            work(&jobs, &work_off, &|bytes| meter.add(cell, -(bytes as i64)));
        })?;
        Ok(Self {
            queue: Mutex::new(Some(queue)),
            thread: Mutex::new(Some(thread)),
            owed,
        })
    }

    /// Drops `entry` of so many `bytes` later. They have been subtracted already; `count` has them count again until it
    /// is gone.
    pub fn retire_entry(&self, entry: Entry, bytes: u64, count: impl FnOnce()) {
        self.owed.entries.fetch_add(bytes, Ordering::SeqCst);
        count();
        self.send(Job::Entry(entry, bytes));
    }

    /// Drops collections once nobody else has them.
    pub fn retire_shared(&self, gone: Vec<DropIfLast>) {
        self.owed.unseen.fetch_add(1, Ordering::SeqCst);
        self.send(Job::Shared(gone));
    }

    /// How much of what counts as used will be free soon. Without limit while a collection has not been looked at.
    pub fn owed_bytes(&self) -> u64 {
        let owed = &self.owed;
        if owed.unseen.load(Ordering::SeqCst) > 0 {
            return u64::MAX;
        }
        owed.entries.load(Ordering::SeqCst) + owed.kept.load(Ordering::SeqCst)
    }

    fn send(&self, job: Job) {
        if let Some(queue) = &*self.queue.lock() {
            // A closed queue means shutdown: the job is dropped here.
            let _ = queue.send(job);
        }
    }

    /// Finishes what is queued and ends the thread.
    pub fn stop(&self) {
        self.owed.is_ending.store(true, Ordering::Relaxed);
        self.queue.lock().take();
        if let Some(thread) = self.thread.lock().take() {
            let _ = thread.join();
        }
    }
}

/// What has been dropped, and its owners have not been asked to look after yet.
#[derive(Default)]
struct Unseen {
    bytes: Cell<u64>,
    asked: Cell<Option<Instant>>,
}

impl Unseen {
    /// So many bytes more.
    fn add(&self, bytes: u64) {
        self.bytes.set(self.bytes.get() + bytes);
    }

    /// Asks, and waits, once there is enough.
    fn keep_pace(&self) {
        if self.bytes.get() >= ASK_BYTES {
            self.ask().wait(PATIENCE);
        }
    }

    /// Asks if there is something, and nobody was asked just now.
    fn settle(&self) {
        let is_recent = |asked: Instant| asked.elapsed() < ASK_PAUSE;
        if self.bytes.get() > 0 && !self.asked.get().is_some_and(is_recent) {
            self.ask();
        }
    }

    fn ask(&self) -> Round {
        self.bytes.set(0);
        let round = Round::begin();
        self.asked.set(Some(Instant::now()));
        round
    }
}

/// Does all jobs; `free` is told of bytes that are no longer used.
fn work(jobs: &Receiver<Job>, owed: &Owed, free: &dyn Fn(u64)) {
    let mut kept: Vec<DropIfLast> = Vec::new();
    let mut looked = Instant::now();
    let unseen = Unseen::default();
    let is_ending = || owed.is_ending.load(Ordering::Relaxed);
    let freed = |bytes| {
        free(bytes);
        unseen.add(bytes);
        if !is_ending() {
            unseen.keep_pace();
        }
    };
    loop {
        let job = if kept.is_empty() && unseen.bytes.get() == 0 {
            jobs.recv().map_err(|_| RecvTimeoutError::Disconnected)
        } else {
            jobs.recv_timeout(LOOK_AGAIN)
        };
        match job {
            Ok(Job::Entry(entry, bytes)) => {
                let is_container = entry.is_big();
                drop_large(entry, bytes, &|bytes| {
                    free(bytes);
                    owed.entries.fetch_sub(bytes, Ordering::SeqCst);
                    unseen.add(bytes);
                    // Strings are few blocks; clients may wait for their memory.
                    if is_container && !is_ending() {
                        unseen.keep_pace();
                    }
                });
            }
            Ok(Job::Shared(mut gone)) => {
                let bytes = drop_unshared(&mut gone, &freed);
                owed.kept.fetch_add(bytes, Ordering::SeqCst);
                owed.unseen.fetch_sub(1, Ordering::SeqCst);
                kept.append(&mut gone);
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return drop_last(kept, &freed),
        }
        // Now and then only: there may be as many as there are jobs.
        if looked.elapsed() >= LOOK_AGAIN {
            owed.kept.store(drop_unshared(&mut kept, &freed), Ordering::SeqCst);
            looked = Instant::now();
        }
        unseen.settle();
    }
}

/// Drops those that nobody else has; how many bytes the others have.
fn drop_unshared(kept: &mut Vec<DropIfLast>, freed: &dyn Fn(u64)) -> u64 {
    let mut left = 0;
    kept.retain_mut(|drop_if_last| {
        let bytes = drop_if_last(freed);
        left += bytes.unwrap_or_default();
        bytes.is_some()
    });
    left
}

/// Waits a while for those who still have something when the reaper stops.
fn drop_last(mut kept: Vec<DropIfLast>, freed: &dyn Fn(u64)) {
    let stopped = Instant::now();
    drop_unshared(&mut kept, freed);
    while !kept.is_empty() && stopped.elapsed() < STOP_GRACE {
        std::thread::sleep(LOOK_AGAIN);
        drop_unshared(&mut kept, freed);
    }
}
