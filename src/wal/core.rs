//! What producers, waiters and the log's keeper share.
//!
//! **Invariants**
//! - A producer's slot is filled by that producer only and emptied by whoever writes; within it LSNs ascend.
//! - `queued` counts the bytes in slots, `pending` those not yet written; both change inside a slot's lock or in the
//!   writer.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};

use parking_lot::{Condvar, Mutex};

use super::chunk::Slot;
use super::positions::Positions;
use super::unsynced::Unsynced;
use super::waiters::LsnWaiters;
use super::{Fsync, Lsn, WalError, WalOptions};
use crate::metrics::longest::Longest;

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

/// One segment as trimming sees it.
pub(super) struct SegmentInfo {
    pub first: Lsn,
    pub path: std::path::PathBuf,
    pub bytes: u64,
    /// Its last record, once nothing more is written to it.
    pub last: Option<Lsn>,
    /// Wall time of its last record, once it is known.
    pub last_wall_ms: u64,
}

impl SegmentInfo {
    /// Whether it holds only records below `keep_from`, as the next one begins at `next_first`, and its last one is old
    /// enough.
    pub fn may_go(&self, next_first: Lsn, keep_from: Lsn, now_ms: u64, age_ms: u64) -> bool {
        next_first <= keep_from && now_ms.saturating_sub(self.last_wall_ms) >= age_ms
    }
}

/// Requests to the keeper.
#[derive(Default)]
pub(super) struct Control {
    /// There is something to be done.
    pub nudged: bool,
    /// Sync at least up to here, whatever the policy.
    pub sync_to: Lsn,
    pub closing: bool,
    /// How often somebody has asked to look after the segment.
    pub looks_asked: u64,
}

/// Kinds of durations by which syncs are counted.
pub const FSYNC_BUCKETS: usize = 24;

#[derive(Default)]
pub(super) struct Counters {
    pub bytes_written: AtomicU64,
    pub records_written: AtomicU64,
    pub fsyncs: AtomicU64,
    pub fsync_last_us: AtomicU64,
    pub fsync_max_us: AtomicU64,
    pub fsync_longest: Longest,
    pub fsync_us: AtomicU64,
    /// By duration, as `WalStats` has them.
    pub fsyncs_by_us: [AtomicU64; FSYNC_BUCKETS],
}

impl Counters {
    /// Counts a sync by how long it took.
    pub fn note_fsync(&self, took_us: u64) {
        self.fsync_us.fetch_add(took_us, Ordering::Relaxed);
        let bucket = (u64::BITS - took_us.leading_zeros()) as usize;
        if let Some(count) = self.fsyncs_by_us.get(bucket.min(FSYNC_BUCKETS - 1)) {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }
}

pub(super) struct Core {
    pub enabled: bool,
    pub group: u16,
    pub term: u32,
    pub pending_bytes_max: u64,
    pub record_bytes_max: u64,
    /// The next LSN to be handed out.
    pub next: Padded<AtomicU64>,
    pub queued: Padded<AtomicU64>,
    pub pending: Padded<AtomicU64>,
    pub written: Padded<AtomicU64>,
    pub stable: AtomicU64,
    /// How much of the segment in use is synced, up to the end of a record.
    pub stable_bytes: AtomicU64,
    pub fsync: AtomicU8,
    /// A record goes to a new segment where the one in use is at least this long.
    pub segment_bytes: AtomicU64,
    /// The weakest policy allowed.
    pub floor: AtomicU8,
    pub failed: AtomicBool,
    /// It failed for want of room, and nothing is lost that is here: it can go on where it was.
    pub wants_room: AtomicBool,
    /// It failed because of what has become of its segment: records that were stable may not be there.
    pub has_strayed: AtomicBool,
    pub closed: AtomicBool,
    /// Why it has failed, if it has.
    pub failure: Mutex<Option<Arc<str>>>,
    /// The segment is full: nothing is written until the keeper has begun another.
    pub is_full: AtomicBool,
    /// There has been a sync that no mark tells of.
    pub mark_due: AtomicBool,
    /// The last question of that kind that was answered, unless the log has failed.
    pub looks_done: AtomicU64,
    /// Commits are one operation of the disk, as far as is known.
    pub is_direct: AtomicBool,
    pub unsynced: Unsynced,
    pub slots: Mutex<Vec<Arc<Slot>>>,
    /// Changes whenever `slots` does.
    pub slots_version: AtomicU64,
    pub control: Mutex<Control>,
    /// The keeper waits on it.
    pub work: Condvar,
    /// `sync_blocking` waits on it.
    pub synced: Condvar,
    pub waiters: LsnWaiters,
    pub written_waiters: LsnWaiters,
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
            record_bytes_max: options.record_bytes_max,
            next: Padded(AtomicU64::new(next.get())),
            queued: Padded::default(),
            pending: Padded::default(),
            written: Padded(AtomicU64::new(before)),
            stable: AtomicU64::new(before),
            stable_bytes: AtomicU64::new(0),
            fsync: AtomicU8::new(options.fsync as u8),
            segment_bytes: AtomicU64::new(options.segment_bytes),
            floor: AtomicU8::new(Fsync::No as u8),
            failed: AtomicBool::new(false),
            wants_room: AtomicBool::new(false),
            has_strayed: AtomicBool::new(false),
            closed: AtomicBool::new(false),
            failure: Mutex::default(),
            is_full: AtomicBool::new(false),
            mark_due: AtomicBool::new(next > Lsn::FIRST),
            looks_done: AtomicU64::new(0),
            is_direct: AtomicBool::new(false),
            unsynced: Unsynced::new(),
            slots: Mutex::default(),
            slots_version: AtomicU64::new(0),
            control: Mutex::default(),
            work: Condvar::new(),
            synced: Condvar::new(),
            waiters: LsnWaiters::default(),
            written_waiters: LsnWaiters::default(),
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

    /// Why nothing becomes stable any more, or not for the time being, if so.
    pub fn refusal(&self) -> Option<WalError> {
        if self.is_failed() {
            return Some(WalError::Failed(self.failure().unwrap_or_else(|| Arc::from("unknown"))));
        }
        self.is_closed().then_some(WalError::Closed)
    }

    /// Why it has failed, if it has.
    pub fn failure(&self) -> Option<Arc<str>> {
        self.failure.lock().clone()
    }

    pub fn is_closed(&self) -> bool {
        self.closed.load(Ordering::SeqCst)
    }

    pub fn over_pending(&self) -> bool {
        self.pending.0.load(Ordering::SeqCst) > self.pending_bytes_max && self.is_open()
    }

    /// Makes the log refuse from now on; of several reasons the first stays. `wants_room`: if this was the only one,
    /// the log can go on where it was once there is room.
    pub fn fail(&self, why: &str, wants_room: bool) {
        let mut failure = self.failure.lock();
        // What another thread has met at the same time counts, too: an error of a sync is told once only.
        let was_well = failure.is_none();
        let still_wants = was_well || self.wants_room.load(Ordering::SeqCst);
        self.wants_room.store(wants_room && still_wants, Ordering::SeqCst);
        if was_well {
            tracing::error!("{why}; nothing is written to the log until this is mended");
            *failure = Some(Arc::from(why));
        }
        self.failed.store(true, Ordering::SeqCst);
        drop(failure);
        self.wake_all();
    }

    /// The log goes on: everything up to `lsn` is stable by other means.
    pub fn mend(&self, lsn: Lsn) {
        self.written.0.store(lsn.get(), Ordering::SeqCst);
        self.unsynced.forget();
        self.is_full.store(false, Ordering::SeqCst);
        self.forget_failure();
        self.advance_stable(lsn);
        self.wake_all();
    }

    /// The log is as if it had not failed.
    pub fn forget_failure(&self) {
        self.forget(&mut self.failure.lock());
    }

    /// The same, if it still wants nothing but room; whether it does.
    pub fn forget_want_of_room(&self) -> bool {
        let mut failure = self.failure.lock();
        let wants_room = self.wants_room.load(Ordering::SeqCst);
        if wants_room {
            self.forget(&mut failure);
        }
        wants_room
    }

    fn forget(&self, failure: &mut Option<Arc<str>>) {
        *failure = None;
        self.wants_room.store(false, Ordering::SeqCst);
        self.has_strayed.store(false, Ordering::SeqCst);
        self.failed.store(false, Ordering::SeqCst);
    }

    /// Wakes everyone who waits for something.
    pub fn wake_all(&self) {
        self.waiters.wake_all();
        self.written_waiters.wake_all();
        let mut control = self.control.lock();
        control.nudged = true;
        self.synced.notify_all();
        self.work.notify_all();
    }

    /// Moves `written_lsn` and wakes those it passed.
    pub fn advance_written(&self, lsn: Lsn) {
        self.written.0.store(lsn.get(), Ordering::SeqCst);
        self.written_waiters.wake_passed(lsn);
    }

    /// Moves `stable_lsn`, unless it is there already, and wakes those it passed.
    pub fn advance_stable(&self, lsn: Lsn) {
        self.stable.fetch_max(lsn.get(), Ordering::SeqCst);
        self.waiters.wake_passed(lsn);
        let _control = self.control.lock();
        self.synced.notify_all();
    }

    /// Whether records are written that are not synced.
    pub fn is_unsynced(&self) -> bool {
        self.written.0.load(Ordering::SeqCst) > self.stable.load(Ordering::SeqCst)
    }

    /// Wakes the keeper.
    pub fn nudge(&self) {
        self.request(|_| ());
    }

    /// Gives the keeper a request.
    pub fn request(&self, ask: impl FnOnce(&mut Control)) {
        let mut control = self.control.lock();
        ask(&mut control);
        control.nudged = true;
        self.work.notify_one();
    }
}
