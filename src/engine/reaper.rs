//! Drops what is slow to drop, on a thread of its own: collections that were flushed or dropped, large values.
//!
//! **Invariant:** a value or collection that waits here still counts as used memory until this thread has dropped it. A
//! worker that has used a collection since may hold its memory up to one tick longer.

use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};
use std::thread::JoinHandle;

use parking_lot::Mutex;

use super::background::step_back;
use super::memory::Meter;
use crate::page::Entry;

/// Entries larger than this are dropped in the background.
pub const LARGE_BYTES: usize = 1 << 20;

enum Job {
    Entry(Entry),
    /// Drops something and tells how many bytes it had.
    Counted(Box<dyn FnOnce() -> u64 + Send>),
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
            for job in jobs {
                match job {
                    Job::Entry(entry) => {
                        let bytes = entry.heap_bytes() as i64;
                        drop(entry);
                        meter.add(cell, -bytes);
                    }
                    Job::Counted(drop_it) => meter.add(cell, -(drop_it() as i64)),
                }
            }
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

    /// Drops something later: `drop_it` does, and tells how many bytes it had.
    pub fn retire(&self, drop_it: impl FnOnce() -> u64 + Send + 'static) {
        self.send(Job::Counted(Box::new(drop_it)));
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
