//! [`Wal`]: the handle that the server holds.
//!
//! **Invariants**: opening leaves the directory without a torn tail and its last segment synced, before the first new
//! record; the last handle that goes closes the log.

use std::io::ErrorKind;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use super::appender::Appender;
use super::chunk::Slot;
use super::core::{Core, FSYNC_BUCKETS, Progress, SegmentInfo};
use super::feed::ReaderThreads;
use super::keeper::Keeper;
use super::open::{describe, open_segment};
use super::runs::{Run, joined};
use super::segment;
use super::waiters::WaitLsn;
use super::writer::Writer;
use super::{Fsync, Lsn, WalError, WalOptions, WorkerLog};
use crate::storage::Disk;

/// The write-ahead log; clones are the same log.
#[derive(Clone)]
pub struct Wal {
    inner: Arc<Inner>,
}

struct Inner {
    core: Arc<Core>,
    /// `None` for a disabled log.
    appender: Option<Arc<Appender>>,
    /// `None` for a disabled log.
    disk: Option<Arc<dyn Disk>>,
    dir: PathBuf,
    thread: Mutex<Option<JoinHandle<()>>>,
    readers: ReaderThreads,
}

/// Numbers for INFO and metrics.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct WalStats {
    /// The last LSN handed out.
    pub last_lsn: Lsn,
    /// The last LSN written to the file.
    pub written_lsn: Lsn,
    /// The last LSN that survives a power cut.
    pub stable_lsn: Lsn,
    /// Count of segment files.
    pub segments: u64,
    /// Their bytes.
    pub disk_bytes: u64,
    /// Bytes written since the open.
    pub written_bytes: u64,
    /// Records written since the open.
    pub written_records: u64,
    /// Bytes submitted and not yet written.
    pub pending_bytes: u64,
    /// Syncs since the open.
    pub fsyncs: u64,
    /// How long the last one took.
    pub fsync_last_us: u64,
    /// How long the longest one took.
    pub fsync_max_us: u64,
    /// How long all of them took.
    pub fsync_us: u64,
    /// Syncs by duration: bucket `n` counts those of less than 2^n microseconds (and at least half of that), the last
    /// one all that are longer.
    pub fsyncs_by_us: [u64; FSYNC_BUCKETS],
    /// How often writers were held back because a sync took too long.
    pub delayed_fsyncs: u64,
    /// Under `always`, records have last been made durable by one write past the page cache.
    pub is_direct: bool,
}

impl Wal {
    /// Opens the log so that its next record gets `next_lsn`: continues the last segment if the log ends right there,
    /// else begins a new one. Repairs a torn tail and syncs the last segment first. Refuses if the last segment is
    /// damaged or if the log holds records at or above `next_lsn`.
    pub fn open(disk: Arc<dyn Disk>, options: WalOptions, next_lsn: Lsn) -> Result<Wal, WalError> {
        disk.create_dir_all(&options.dir)
            .map_err(WalError::io("create", &options.dir))?;
        let next = next_lsn.max(Lsn::FIRST);
        let (segment, files, last_wall_ms, notes) = open_segment(&disk, &options, next)?;
        let core = Arc::new(Core::new(true, next, &options));
        *core.segments.lock() = describe(disk.as_ref(), &files, last_wall_ms)?;
        let dir = options.dir.clone();
        let writer = Writer::new(core.clone(), &options, segment, (next, last_wall_ms));
        let place = (dir.clone(), options.claim);
        let appender = Arc::new(Appender::new((core.clone(), disk.clone()), place, writer, notes)?);
        let keeper = Keeper::new(core.clone(), appender.clone());
        let builder = std::thread::Builder::new().name("wal".to_owned());
        let thread = builder
            .spawn(|| keeper.run())
            .map_err(WalError::io("start a thread for", &dir))?;
        let inner = Inner {
            core,
            appender: Some(appender),
            disk: Some(disk),
            dir,
            thread: Mutex::new(Some(thread)),
            readers: ReaderThreads::default(),
        };
        Ok(Wal { inner: Arc::new(inner) })
    }

    /// A log that hands out LSNs and writes nothing; all of it counts as stable.
    pub fn disabled(next_lsn: Lsn) -> Wal {
        let options = WalOptions {
            fsync: Fsync::No,
            pending_bytes_max: u64::MAX,
            ..WalOptions::new("")
        };
        let core = Arc::new(Core::new(false, next_lsn.max(Lsn::FIRST), &options));
        Wal {
            inner: Arc::new(Inner {
                core,
                appender: None,
                disk: None,
                dir: options.dir,
                thread: Mutex::new(None),
                readers: ReaderThreads::default(),
            }),
        }
    }

    pub(super) fn core(&self) -> &Arc<Core> {
        &self.inner.core
    }

    pub(super) fn disk(&self) -> Option<&Arc<dyn Disk>> {
        self.inner.disk.as_ref()
    }

    pub(super) fn reader_threads(&self) -> &ReaderThreads {
        &self.inner.readers
    }

    /// Whether records are written at all.
    pub fn is_enabled(&self) -> bool {
        self.inner.core.enabled
    }

    /// A new producer, for one worker.
    pub fn log(&self) -> WorkerLog {
        let core = &self.inner.core;
        let slot = Arc::new(Slot::default());
        if core.enabled {
            core.slots.lock().push(slot.clone());
            core.slots_version.fetch_add(1, Ordering::AcqRel);
        }
        WorkerLog::new(core.clone(), self.inner.appender.clone(), slot)
    }

    /// The last LSN handed out.
    pub fn last_lsn(&self) -> Lsn {
        self.inner.core.last_lsn()
    }

    /// The last LSN written to the file.
    pub fn written_lsn(&self) -> Lsn {
        self.inner.core.written_lsn()
    }

    /// The last LSN that survives a power cut.
    pub fn stable_lsn(&self) -> Lsn {
        self.inner.core.stable_lsn()
    }

    /// Waits until `lsn` (0: at once) is written, as [`Wal::wait_stable`] waits for it to be stable.
    pub fn wait_written(&self, lsn: Lsn) -> WaitLsn {
        WaitLsn::new(self.inner.core.clone(), lsn, Progress::Written)
    }

    /// Waits until `lsn` (0: at once) is stable, or until the log is closed; a log that has failed may go on. Thousands
    /// may wait: one
    /// cross-thread wake-up per worker and sync, the rest is passed on inside the worker's own thread.
    pub fn wait_stable(&self, lsn: Lsn) -> WaitLsn {
        WaitLsn::new(self.inner.core.clone(), lsn, Progress::Stable)
    }

    /// [`Wal::wait_stable`], which asks for a sync where the policy has none for every record.
    pub fn make_stable(&self, lsn: Lsn) -> WaitLsn {
        let core = &self.inner.core;
        if core.policy() != Fsync::Always && core.stable_lsn() < lsn {
            core.request(|control| control.sync_to = control.sync_to.max(lsn));
        }
        self.wait_stable(lsn)
    }

    /// Makes all records up to `lsn` (at most those begun) stable, whatever the policy; blocks the thread meanwhile.
    pub fn sync_blocking(&self, lsn: Lsn) -> Result<(), WalError> {
        let core = &self.inner.core;
        let lsn = lsn.min(core.last_lsn());
        if core.stable_lsn() >= lsn {
            return Ok(());
        }
        core.request(|control| control.sync_to = control.sync_to.max(lsn));
        let mut control = core.control.lock();
        loop {
            if core.stable_lsn() >= lsn {
                return Ok(());
            }
            if let Some(error) = core.refusal() {
                return Err(error);
            }
            core.synced.wait(&mut control);
        }
    }

    /// The policy in force.
    pub fn fsync(&self) -> Fsync {
        self.inner.core.policy()
    }

    /// Changes the policy.
    pub fn set_fsync(&self, fsync: Fsync) {
        self.inner.core.fsync.store(fsync as u8, Ordering::Relaxed);
        self.inner.core.request(|_| ());
    }

    /// Changes the size at which a segment is full; the writer looks at it before each record.
    pub fn set_segment_bytes(&self, bytes: u64) {
        self.inner.core.segment_bytes.store(bytes, Ordering::Relaxed);
    }

    /// A policy below which the one in force does not go, because some collection wants it.
    pub fn set_fsync_floor(&self, floor: Fsync) {
        if self.inner.core.floor.swap(floor as u8, Ordering::Relaxed) != floor as u8 {
            self.inner.core.request(|_| ());
        }
    }

    /// Whether a write or sync has failed: until the log [goes on](Self::resume_behind) nothing is written and nothing
    /// more becomes stable.
    #[inline]
    pub fn is_failed(&self) -> bool {
        self.inner.core.is_failed()
    }

    /// Looks whether the segment in use is what a start would read; if not, the log has failed. Reads the disk.
    ///
    /// # Errors
    /// When the log has failed, or is closed.
    pub fn look(&self) -> Result<(), WalError> {
        if let Some(appender) = &self.inner.appender {
            appender.look();
        }
        self.inner.core.refusal().map_or(Ok(()), Err)
    }

    /// Asks for the same, without waiting for the disk; [`Wal::has_looked`] tells when it is done.
    pub fn ask_to_look(&self) -> u64 {
        let mut asked = 0;
        self.inner.core.request(|control| {
            control.looks_asked += 1;
            asked = control.looks_asked;
        });
        asked
    }

    /// Whether what was asked for is done. While the log has failed nothing is.
    pub fn has_looked(&self, asked: u64) -> bool {
        !self.is_enabled() || self.inner.core.looks_done.load(Ordering::SeqCst) >= asked
    }

    /// Whether it has failed because its segment was lost: then nothing that only the log had is safe.
    pub fn has_strayed(&self) -> bool {
        self.inner.core.has_strayed.load(Ordering::SeqCst)
    }

    /// Makes sure of the directory of a log that has failed, before anything is built on its going on there: makes it
    /// if it is missing, and takes it for this process if its lock is lost.
    ///
    /// # Errors
    /// When that cannot be done, or another process has it.
    pub fn claim_dir(&self) -> Result<(), WalError> {
        match &self.inner.appender {
            Some(appender) => appender.claim_dir(),
            None => Ok(()),
        }
    }

    /// Whether the log has been closed: nothing is written any more.
    pub fn is_closed(&self) -> bool {
        self.inner.core.is_closed()
    }

    /// What failed first.
    pub fn failure(&self) -> Option<Arc<str>> {
        self.inner.core.failure()
    }

    /// Whether more is submitted and unwritten than `pending_bytes_max`: sessions should wait before executing more.
    #[inline]
    pub fn over_pending(&self) -> bool {
        self.inner.core.over_pending()
    }

    /// Whether, `now`, written records have been waiting for a sync for so long that writers should wait, too.
    #[inline]
    pub fn is_late(&self, now: Instant) -> bool {
        let core = &self.inner.core;
        core.policy() == Fsync::EverySec && core.is_unsynced() && core.unsynced.is_late(now) && core.is_open()
    }

    /// Has a log go on that has failed for want of room only, where it was; whether it does.
    ///
    /// # Errors
    /// When there is no room yet.
    pub fn go_on(&self) -> Result<bool, WalError> {
        self.inner
            .appender
            .as_ref()
            .map_or(Ok(false), |appender| appender.go_on())
    }

    /// Has a log go on that has failed, in a new segment behind `lsn`: all up to there is durable by other means, and
    /// those who wait for it are told so. Nothing happens where nothing is logged.
    ///
    /// # Errors
    /// When that is not possible yet.
    pub fn resume_behind(&self, lsn: Lsn) -> Result<(), WalError> {
        match &self.inner.appender {
            Some(appender) => appender.resume_behind(lsn),
            None => Ok(()),
        }
    }

    /// Notes in the folder of checkpoints that the log is durable up to `lsn`, which it is.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn note_reached(&self, lsn: Lsn) -> Result<(), WalError> {
        match &self.inner.appender {
            Some(appender) => appender.note_reached(lsn),
            None => Ok(()),
        }
    }

    /// Deletes the oldest segments that hold only records below `keep_from` and whose last record is at least
    /// `keep_age_s` seconds older than `now_ms`; never the last segment. Returns how many. O(segments).
    ///
    /// Clocks may have been wrong. `now_ms` is of one that goes forward only as fast as time passes. A time to come
    /// counts as `now_ms`, so that the segment's age begins now; and no segment is older than the one before it.
    pub fn trim(&self, keep_from: Lsn, keep_age_s: u64, now_ms: u64) -> Result<u64, WalError> {
        let Some(disk) = &self.inner.disk else { return Ok(0) };
        let mut segments = self.inner.core.segments.lock();
        let age_ms = keep_age_s.saturating_mul(1000);
        let (mut count, mut goes, mut before_ms) = (0, true, 0);
        let successors: Vec<Lsn> = segments.iter().skip(1).map(|next| next.first).collect();
        for (segment, next_first) in segments.iter_mut().zip(successors) {
            segment.last_wall_ms = segment.last_wall_ms.min(now_ms).max(before_ms);
            before_ms = segment.last_wall_ms;
            goes &= segment.may_go(next_first, keep_from, now_ms, age_ms);
            count += usize::from(goes);
        }
        let doomed: Vec<(Lsn, PathBuf)> = segments
            .iter()
            .take(count)
            .map(|segment| (segment.first, segment.path.clone()))
            .collect();
        // Later ones may be about to be used.
        let newest = segments.last().map_or(Lsn::ZERO, |last| last.first);
        let known: Vec<Lsn> = segments.iter().map(|segment| segment.first).collect();
        drop(segments);
        for (first, path) in &doomed {
            match disk.remove(path) {
                // One in which the log failed may be gone.
                Err(error) if error.kind() != ErrorKind::NotFound => return Err(WalError::io("remove", path)(error)),
                _ => {}
            }
            // Not before: one that stays is tried again.
            self.inner.core.segments.lock().retain(|known| known.first != *first);
        }
        let is_known = |first| first >= newest || known.binary_search(&first).is_ok();
        segment::remove_leftovers(disk.as_ref(), &self.inner.dir, is_known)?;
        if count > 0 {
            disk.sync_dir(&self.inner.dir)
                .map_err(WalError::io("sync", &self.inner.dir))?;
        }
        Ok(count as u64)
    }

    /// How many bytes [`trim`](Self::trim) would let go, where clocks are right. O(segments).
    pub fn trimmable_bytes(&self, keep_from: Lsn, keep_age_s: u64, now_ms: u64) -> u64 {
        let age_ms = keep_age_s.saturating_mul(1000);
        let segments = self.inner.core.segments.lock();
        let successors = segments.iter().skip(1).map(|next| next.first);
        let goes = |(segment, next_first): &(&SegmentInfo, Lsn)| segment.may_go(*next_first, keep_from, now_ms, age_ms);
        let doomed = segments.iter().zip(successors).take_while(goes);
        doomed.map(|(segment, _)| segment.bytes).sum()
    }

    /// The first LSN that the segment files still hold (the next one, if none).
    pub fn first_lsn(&self) -> Lsn {
        let segments = self.inner.core.segments.lock();
        segments.first().map_or(self.last_lsn().next(), |segment| segment.first)
    }

    /// Which records it holds, or is about to write, without one missing between them; oldest first.
    pub fn runs(&self) -> Vec<Run> {
        let core = &self.inner.core;
        let end = if core.is_failed() {
            core.stable_lsn()
        } else {
            core.last_lsn()
        };
        let segments = core.segments.lock();
        joined(segments.iter().map(|segment| Run {
            first: segment.first,
            last: segment.last.unwrap_or(end).max(segment.first.before()),
            last_wall_ms: segment.last_wall_ms,
        }))
    }

    /// Bytes written since the start.
    #[inline]
    pub fn written_bytes(&self) -> u64 {
        self.inner.core.counters.bytes_written.load(Ordering::Relaxed)
    }

    /// The longest sync since this was last asked.
    pub fn take_longest_sync(&self) -> Duration {
        self.core().counters.fsync_longest.take()
    }

    /// Numbers for INFO and metrics.
    pub fn stats(&self) -> WalStats {
        let core = &self.inner.core;
        let (segments, disk_bytes) = {
            let segments = core.segments.lock();
            (
                segments.len() as u64,
                segments.iter().map(|segment| segment.bytes).sum(),
            )
        };
        let counters = &core.counters;
        WalStats {
            last_lsn: core.last_lsn(),
            written_lsn: core.written_lsn(),
            stable_lsn: core.stable_lsn(),
            segments,
            disk_bytes,
            written_bytes: counters.bytes_written.load(Ordering::Relaxed),
            written_records: counters.records_written.load(Ordering::Relaxed),
            pending_bytes: core.pending.0.load(Ordering::Relaxed),
            fsyncs: counters.fsyncs.load(Ordering::Relaxed),
            fsync_last_us: counters.fsync_last_us.load(Ordering::Relaxed),
            fsync_max_us: counters.fsync_max_us.load(Ordering::Relaxed),
            fsync_us: counters.fsync_us.load(Ordering::Relaxed),
            fsyncs_by_us: counters
                .fsyncs_by_us
                .each_ref()
                .map(|count| count.load(Ordering::Relaxed)),
            delayed_fsyncs: core.unsynced.late_count(),
            is_direct: core.is_direct.load(Ordering::Relaxed),
        }
    }

    /// Writes and syncs all that was submitted and ends the keeper. Records that are begun and not submitted
    /// are waited for two seconds; what is above a gap then is not written. Later submits are dropped.
    pub fn close(&self) -> Result<(), WalError> {
        self.inner.close()
    }
}

impl Inner {
    fn close(&self) -> Result<(), WalError> {
        let thread = self.thread.lock().take();
        if let Some(thread) = thread {
            self.core.request(|control| control.closing = true);
            if thread.join().is_err() {
                self.core.fail("WAL: the log's thread panicked", false);
            }
        }
        match self.core.refusal() {
            Some(error @ WalError::Failed(_)) => Err(error),
            _ => Ok(()),
        }
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        // A failure was reported when it happened.
        let _ = self.close();
    }
}
