//! Drops what is slow to drop, on a thread of its own: collections that were flushed or dropped, large values.
//!
//! **Invariants**
//! - A value or collection that waits here still counts as used memory until this thread has dropped it.
//! - A collection is dropped here and nowhere else: this thread keeps it until nobody else does. Others let go of theirs
//!   when they next look at the registry.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use super::background::step_back;
use super::memory::Meter;
use crate::page::Entry;

/// Entries larger than this are dropped in the background.
pub const LARGE_BYTES: usize = 1 << 20;

/// How often a collection that others still have is looked at.
const LOOK_AGAIN: Duration = Duration::from_millis(10);

/// A reaper that is stopped waits so long for others to let go.
const STOP_GRACE: Duration = Duration::from_millis(500);

/// Drops what others may still have, if they do not any more: how many bytes it had. `None` = to be asked again.
pub type DropIfLast = Box<dyn FnMut() -> Option<u64> + Send>;

enum Job {
    Entry(Entry),
    Shared(Vec<DropIfLast>),
}

/// See the module.
pub struct Reaper {
    queue: Mutex<Option<Sender<Job>>>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Reaper {
    /// Starts the thread, which accounts in `cell` of `meter`.
    pub fn start(meter: Arc<Meter>, cell: usize) -> std::io::Result<Self> {
        let (queue, jobs) = channel();
        let thread = std::thread::Builder::new().name("reaper".to_owned()).spawn(move || {
            step_back();
            work(&jobs, &|bytes| meter.add(cell, -(bytes as i64)));
        })?;
        Ok(Self {
            queue: Mutex::new(Some(queue)),
            thread: Mutex::new(Some(thread)),
        })
    }

    /// Drops `entry` later. Its bytes have been subtracted already; they count again until it is gone.
    pub fn retire_entry(&self, entry: Entry) {
        self.send(Job::Entry(entry));
    }

    /// Drops collections once nobody else has them.
    pub fn retire_shared(&self, gone: Vec<DropIfLast>) {
        self.send(Job::Shared(gone));
    }

    fn send(&self, job: Job) {
        if let Some(queue) = &*self.queue.lock() {
            // A closed queue means shutdown: the job is dropped here.
            let _ = queue.send(job);
        }
    }

    /// Finishes what is queued and ends the thread.
    pub fn stop(&self) {
        self.queue.lock().take();
        if let Some(thread) = self.thread.lock().take() {
            let _ = thread.join();
        }
    }
}

/// Does all jobs; `freed` is told of bytes that are no longer used.
fn work(jobs: &Receiver<Job>, freed: &dyn Fn(u64)) {
    let mut kept: Vec<DropIfLast> = Vec::new();
    let mut looked = Instant::now();
    loop {
        let job = if kept.is_empty() {
            jobs.recv().map_err(|_| RecvTimeoutError::Disconnected)
        } else {
            jobs.recv_timeout(LOOK_AGAIN)
        };
        match job {
            Ok(Job::Entry(entry)) => {
                let bytes = entry.heap_bytes() as u64;
                drop(entry);
                freed(bytes);
            }
            Ok(Job::Shared(mut gone)) => {
                drop_unshared(&mut gone, freed);
                kept.append(&mut gone);
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return drop_last(kept, freed),
        }
        // Now and then only: there may be as many as there are jobs.
        if looked.elapsed() >= LOOK_AGAIN {
            drop_unshared(&mut kept, freed);
            looked = Instant::now();
        }
    }
}

/// Drops those that nobody else has.
fn drop_unshared(kept: &mut Vec<DropIfLast>, freed: &dyn Fn(u64)) {
    kept.retain_mut(|drop_if_last| match drop_if_last() {
        Some(bytes) => {
            freed(bytes);
            false
        }
        None => true,
    });
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
