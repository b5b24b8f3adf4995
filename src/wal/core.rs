//! What producers, waiters and the writer thread share.
//!
//! **Invariants**
//! - A producer's slot is filled by that producer only and emptied by the writer only; within it LSNs ascend.
//! - `queued` counts the bytes in slots, `pending` those not yet written; both change inside a slot's lock or in the
//!   writer.
//! - The writer publishes `parked` before it looks at `queued` a last time; a producer adds to `queued` before it
//!   looks at `parked`. Sequential consistency lets at least one of them see the other: no chunk waits for long.

use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use parking_lot::{Condvar, Mutex};

use super::positions::Positions;
use super::producer::Chunk;
use super::waiters::{LsnWaiters, RoomWaiters};
use super::{Fsync, Lsn, WalError, WalOptions};

/// While gathering, the writer is woken early when this much is queued.
pub(super) const GATHER_BYTES: u64 = 256 << 10;

/// The writer is at work and will look at the slots by itself.
pub(super) const BUSY: u8 = 0;
/// The writer sleeps until something comes.
pub(super) const IDLE: u8 = 1;
/// The writer sleeps a few milliseconds to gather more.
pub(super) const GATHERING: u8 = 2;

/// What a record has reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Progress {
    /// It is in the file.
    Written,
    /// It survives a power cut.
    Stable,
}

/// A value alone on its cache lines.
#[derive(Default)]
#[repr(align(128))]
pub(super) struct Padded<T>(pub T);

/// Where one producer leaves its chunks.
#[derive(Default)]
pub(super) struct Slot {
    pub queue: Mutex<SlotQueue>,
}

#[derive(Default)]
pub(super) struct SlotQueue {
    pub chunks: Vec<Chunk>,
    /// Emptied chunks on their way back to the producer.
    pub spare: Vec<Chunk>,
    /// The producer is gone; the slot goes when it is empty.
    pub closed: bool,
}

/// One segment as trimming sees it.
pub(super) struct SegmentInfo {
    pub first: Lsn,
    pub path: std::path::PathBuf,
    pub bytes: u64,
    /// Wall time of its last record, once it is known.
    pub last_wall_ms: u64,
}

/// Requests to the writer thread.
#[derive(Default)]
pub(super) struct Control {
    pub nudged: bool,
    /// Sync at least up to here, whatever the policy.
    pub sync_to: Lsn,
    pub closing: bool,
}

#[derive(Default)]
pub(super) struct Counters {
    pub bytes_written: AtomicU64,
    pub records_written: AtomicU64,
    pub fsyncs: AtomicU64,
    pub fsync_last_us: AtomicU64,
    pub fsync_max_us: AtomicU64,
}

pub(super) struct Core {
    pub enabled: bool,
    pub group: u16,
    pub term: u32,
    pub pending_bytes_max: u64,
    /// The next LSN to be handed out.
    pub next: Padded<AtomicU64>,
    pub queued: Padded<AtomicU64>,
    pub pending: Padded<AtomicU64>,
    pub written: Padded<AtomicU64>,
    pub stable: AtomicU64,
    pub parked: AtomicU8,
    pub fsync: AtomicU8,
    /// A record goes to a new segment where the one in use is at least this long.
    pub segment_bytes: AtomicU64,
    /// The weakest policy allowed.
    pub floor: AtomicU8,
    pub failed: AtomicBool,
    pub closed: AtomicBool,
    pub failure: OnceLock<Arc<str>>,
    pub slots: Mutex<Vec<Arc<Slot>>>,
    /// Changes whenever `slots` does.
    pub slots_version: AtomicU64,
    pub control: Mutex<Control>,
    /// The writer waits on it.
    pub work: Condvar,
    /// `sync_blocking` waits on it.
    pub synced: Condvar,
    pub waiters: LsnWaiters,
    pub written_waiters: LsnWaiters,
    pub room: RoomWaiters,
    pub segments: Mutex<Vec<SegmentInfo>>,
    pub positions: Mutex<Positions>,
    pub counters: Counters,
}

impl Core {
    pub fn new(enabled: bool, next: Lsn, options: &WalOptions) -> Self {
        let before = next.before().get();
        Core {
            enabled,
            group: options.group,
            term: options.term,
            pending_bytes_max: options.pending_bytes_max,
            next: Padded(AtomicU64::new(next.get())),
            queued: Padded::default(),
            pending: Padded::default(),
            written: Padded(AtomicU64::new(before)),
            stable: AtomicU64::new(before),
            parked: AtomicU8::new(BUSY),
            fsync: AtomicU8::new(options.fsync as u8),
            segment_bytes: AtomicU64::new(options.segment_bytes),
            floor: AtomicU8::new(Fsync::No as u8),
            failed: AtomicBool::new(false),
            closed: AtomicBool::new(false),
            failure: OnceLock::new(),
            slots: Mutex::default(),
            slots_version: AtomicU64::new(0),
            control: Mutex::default(),
            work: Condvar::new(),
            synced: Condvar::new(),
            waiters: LsnWaiters::default(),
            written_waiters: LsnWaiters::default(),
            room: RoomWaiters::default(),
            segments: Mutex::default(),
            positions: Mutex::default(),
            counters: Counters::default(),
        }
    }

    pub fn last_lsn(&self) -> Lsn {
        Lsn::new(self.next.0.load(Ordering::Acquire).saturating_sub(1))
    }

    pub fn written_lsn(&self) -> Lsn {
        if self.enabled {
            Lsn::new(self.written.0.load(Ordering::SeqCst))
        } else {
            self.last_lsn()
        }
    }

    pub fn stable_lsn(&self) -> Lsn {
        if self.enabled {
            Lsn::new(self.stable.load(Ordering::SeqCst))
        } else {
            self.last_lsn()
        }
    }

    /// How far records have got.
    pub fn reached(&self, progress: Progress) -> Lsn {
        match progress {
            Progress::Written => self.written_lsn(),
            Progress::Stable => self.stable_lsn(),
        }
    }

    /// Those who wait for it.
    pub fn waiters_of(&self, progress: Progress) -> &LsnWaiters {
        match progress {
            Progress::Written => &self.written_waiters,
            Progress::Stable => &self.waiters,
        }
    }

    pub fn policy(&self) -> Fsync {
        let floor = self.floor.load(Ordering::Relaxed);
        match self.fsync.load(Ordering::Relaxed).min(floor) {
            0 => Fsync::Always,
            1 => Fsync::EverySec,
            _ => Fsync::No,
        }
    }

    pub fn is_failed(&self) -> bool {
        self.failed.load(Ordering::SeqCst)
    }

    /// Neither failed nor closed.
    pub fn is_open(&self) -> bool {
        !self.is_failed() && !self.closed.load(Ordering::SeqCst)
    }

    /// Why nothing becomes stable any more, if so.
    pub fn refusal(&self) -> Option<WalError> {
        if self.is_failed() {
            return Some(WalError::Failed(
                self.failure.get().cloned().unwrap_or_else(|| Arc::from("unknown")),
            ));
        }
        self.closed.load(Ordering::SeqCst).then_some(WalError::Closed)
    }

    pub fn over_pending(&self) -> bool {
        self.pending.0.load(Ordering::SeqCst) > self.pending_bytes_max && self.is_open()
    }

    /// Makes the log refuse from now on; the first reason stays.
    pub fn fail(&self, why: &str) {
        let why: Arc<str> = Arc::from(why);
        if self.failure.set(why.clone()).is_ok() {
            tracing::error!("{why}; nothing is written to the log any more");
        }
        self.failed.store(true, Ordering::SeqCst);
        self.wake_all();
    }

    /// Wakes everyone who waits for progress that will not come.
    pub fn wake_all(&self) {
        self.waiters.wake_all();
        self.written_waiters.wake_all();
        self.room.wake_all();
        let _control = self.control.lock();
        self.synced.notify_all();
        self.work.notify_all();
    }

    /// Moves `written_lsn` and wakes those it passed.
    pub fn advance_written(&self, lsn: Lsn) {
        self.written.0.store(lsn.get(), Ordering::SeqCst);
        self.written_waiters.wake_passed(lsn);
    }

    /// Moves `stable_lsn` and wakes those it passed.
    pub fn advance_stable(&self, lsn: Lsn) {
        self.stable.store(lsn.get(), Ordering::SeqCst);
        self.waiters.wake_passed(lsn);
        let _control = self.control.lock();
        self.synced.notify_all();
    }

    /// Called by a producer after it queued something.
    pub fn announce(&self, queued: u64) {
        let parked = self.parked.load(Ordering::SeqCst);
        if parked == IDLE || (parked == GATHERING && queued >= GATHER_BYTES) {
            self.nudge(parked);
        }
    }

    /// Wakes the writer; of many producers one does it.
    fn nudge(&self, parked: u8) {
        if self
            .parked
            .compare_exchange(parked, BUSY, Ordering::SeqCst, Ordering::Relaxed)
            .is_ok()
        {
            self.control.lock().nudged = true;
            self.work.notify_one();
        }
    }

    /// Gives the writer a request.
    pub fn request(&self, ask: impl FnOnce(&mut Control)) {
        let mut control = self.control.lock();
        ask(&mut control);
        control.nudged = true;
        self.work.notify_one();
    }
}
