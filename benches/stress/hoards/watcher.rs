//! Watches a server's memory, and ends the server before the machine has none left.

use super::super::common::{Result, process};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

/// A server that holds this much is killed.
pub const CAP_BYTES: u64 = 6 << 30;
const EVERY: Duration = Duration::from_millis(5);

/// A running watcher.
pub struct Watcher {
    shared: Arc<Shared>,
    thread: JoinHandle<()>,
}

/// What it has seen.
pub struct Seen {
    /// The most memory, in bytes.
    pub peak: u64,
    /// Whether it has killed the server.
    pub killed: bool,
}

#[derive(Default)]
struct Shared {
    stop: AtomicBool,
    peak: AtomicU64,
    killed: AtomicBool,
}

impl Watcher {
    /// Of this process, from now on.
    pub fn start(pid: u32) -> Result<Self> {
        // The kernel's own mark of the highest memory begins anew.
        std::fs::write(format!("/proc/{pid}/clear_refs"), "5")?;
        let shared = Arc::new(Shared::default());
        let seen = Arc::clone(&shared);
        let thread = std::thread::spawn(move || watch(pid, &seen));
        Ok(Self { shared, thread })
    }

    /// Ends it.
    pub fn finish(self) -> Result<Seen> {
        self.shared.stop.store(true, Ordering::Relaxed);
        self.thread.join().map_err(|_| "the watcher panicked")?;
        Ok(Seen {
            peak: self.shared.peak.load(Ordering::Relaxed),
            killed: self.shared.killed.load(Ordering::Relaxed),
        })
    }
}

fn watch(pid: u32, shared: &Shared) {
    while !shared.stop.load(Ordering::Relaxed) {
        // A process that has ended has no peak to read: the last one stays.
        if let Ok(peak) = process::resident_peak_bytes(pid) {
            shared.peak.store(peak, Ordering::Relaxed);
            if peak > CAP_BYTES && !shared.killed.swap(true, Ordering::Relaxed) {
                kill(pid);
            }
        }
        std::thread::sleep(EVERY);
    }
}

fn kill(pid: u32) {
    let Ok(pid) = libc::pid_t::try_from(pid) else { return };
    // SAFETY: the server is a child that its handle waits for only after the watcher has ended: the id is still its
    // own.
    unsafe { libc::kill(pid, libc::SIGKILL) };
}
