//! Writing and syncing by whoever comes first: no thread has to be woken up for a record to reach the file.
//!
//! A producer that has handed records over writes whatever is there, its own and others'. Who finds somebody at it
//! goes on: the one who writes looks again before it leaves. A sync takes no lock that a write needs, so writing goes
//! on beside it.
//!
//! **Invariants**
//! - What is queued is written by the one who queued it or by somebody who is at it, unless the log has failed or the
//!   segment is full: then by the keeper.
//! - `written_lsn` is read before the file to be synced: what it covers is in that file, or in one before, which was
//!   synced when it was left.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{Ordering, fence};
use std::time::Instant;

use parking_lot::{Mutex, MutexGuard};

use super::claim::ClaimDir;
use super::core::Core;
use super::note::NoteKeeper;
use super::segment::{self, OpenSegment};
use super::watch::Watch;
use super::writer::{Writer, Wrote};
use super::{Fsync, Lsn, WalError};
use crate::storage::fault_point::fault_point;
use crate::storage::{Disk, DiskSync};

/// See the module.
pub(super) struct Appender {
    pub(super) core: Arc<Core>,
    pub(super) disk: Arc<dyn Disk>,
    pub(super) dir: PathBuf,
    claim: ClaimDir,
    pub(super) writer: Mutex<Writer>,
    /// One sync at a time, and none while the segment is exchanged or looked at.
    pub(super) syncing: Mutex<Watch>,
    pub(super) current: Mutex<Current>,
    pub(super) notes: NoteKeeper,
}

/// The segment in use, as a sync needs it.
#[derive(Clone)]
pub(super) struct Current {
    pub file: Arc<dyn DiskSync>,
    pub path: Arc<PathBuf>,
}

impl Current {
    fn of(segment: &OpenSegment) -> Result<Self, WalError> {
        let path = &segment.path;
        Ok(Self {
            file: segment.file.syncer().map_err(WalError::io("open", path))?,
            path: Arc::new(path.clone()),
        })
    }
}

impl Appender {
    pub fn new(
        (core, disk): (Arc<Core>, Arc<dyn Disk>),
        (dir, claim): (PathBuf, ClaimDir),
        writer: Writer,
        notes: NoteKeeper,
    ) -> Result<Self, WalError> {
        let current = Current::of(writer.segment())?;
        core.stable_bytes.store(writer.segment().bytes, Ordering::SeqCst);
        let appender = Self {
            core,
            disk,
            dir,
            claim,
            writer: Mutex::new(writer),
            syncing: Mutex::default(),
            current: Mutex::new(current),
            notes,
        };
        appender.look_under(&mut appender.syncing.lock())?;
        Ok(appender)
    }

    /// Writes what is queued, unless somebody else is at it.
    pub fn write(&self) {
        let core = &self.core;
        while core.queued.0.load(Ordering::SeqCst) > 0 && core.is_open() && !core.is_full.load(Ordering::SeqCst) {
            // Orders the look at the lock behind what was queued, and the look at the queue behind the unlocking: one
            // of two threads sees what the other has done.
            fence(Ordering::SeqCst);
            let Some(mut writer) = self.writer.try_lock() else {
                return;
            };
            self.write_under(&mut writer);
            drop(writer);
            fence(Ordering::SeqCst);
        }
    }

    fn write_under(&self, writer: &mut Writer) {
        let wrote = writer.write();
        self.heed(wrote, writer);
    }

    fn heed(&self, wrote: Result<Wrote, WalError>, writer: &Writer) {
        match wrote {
            Ok(Wrote::All) => {}
            Ok(Wrote::Full) => {
                self.core.is_full.store(true, Ordering::SeqCst);
                self.core.nudge();
            }
            Err(error) => self.fail_for(&error, writer.can_write_again()),
        }
    }

    /// The log fails on an error, for the first one it has met; `can_go_on`: where it was, if the error was want of
    /// room.
    fn fail_for(&self, error: &WalError, can_go_on: bool) {
        if !self.core.is_failed() && error.is_of_lost_file() {
            self.core.has_strayed.store(true, Ordering::SeqCst);
        }
        let wants_room = can_go_on && error.is_want_of_room();
        self.core.fail(&error.to_string(), wants_room);
    }

    /// Writes what is queued and makes it durable, in one step where that can be, unless somebody else is at it: what
    /// is then not stable is for the keeper.
    pub fn commit(&self) {
        let Some(_role) = self.syncing.try_lock() else {
            return self.write();
        };
        let core = &self.core;
        fence(Ordering::SeqCst);
        let writer = self.writer.try_lock();
        match writer.filter(|_| !core.is_unsynced() && !core.is_full.load(Ordering::SeqCst)) {
            Some(mut writer) if core.is_open() => self.commit_under(&mut writer),
            Some(_) => {}
            None => {
                self.write();
                self.fail_on(self.sync_under());
            }
        }
        // What was queued meanwhile. The keeper may have been woken for it before it was written.
        self.write();
        if core.is_unsynced() {
            core.nudge();
        }
    }

    fn commit_under(&self, writer: &mut Writer) {
        let start = Instant::now();
        let before = writer.next();
        let wrote = writer.commit();
        if wrote.is_ok() && writer.next() > before {
            fault_point("wal.synced");
            self.core.unsynced.forget();
            let bytes = writer.segment().bytes;
            self.note_synced(writer.next().before(), bytes, start);
        }
        self.heed(wrote, writer);
        self.core
            .is_direct
            .store(writer.segment().file.is_direct(), Ordering::Relaxed);
        let full_bytes = self.core.segment_bytes.load(Ordering::Relaxed);
        if writer.ahead.is_due(writer.segment().bytes, full_bytes) {
            self.core.nudge();
        }
    }

    /// Writes zeroes ahead, if they are due.
    pub fn write_ahead(&self) {
        if self.core.policy() != Fsync::Always {
            return;
        }
        let full_bytes = self.core.segment_bytes.load(Ordering::Relaxed);
        // Whoever holds it asks again if they are still due then.
        let Some(mut writer) = self.writer.try_lock() else {
            return;
        };
        let end = writer.segment().bytes;
        if !self.core.is_open() || !writer.ahead.is_due(end, full_bytes) {
            drop(writer);
            return self.write();
        }
        let current = self.current.lock().clone();
        // Syncs of records go on beside this one, and are to be told of whatever befalls them.
        let opened = current
            .file
            .gains_by_zeroes()
            .then(|| current.file.apart(&current.path));
        let Some(Ok(file)) = opened else {
            writer.ahead.refuse();
            drop(writer);
            return self.write();
        };
        let at_work = writer.ahead.at_work();
        let zeroing = writer.ahead.begin(&at_work, end, full_bytes);
        drop(writer);
        // A disk without room says so to a record, too, if that is still so then.
        let refused = file.write_zeroes(zeroing.from, zeroing.to).is_err();
        // What this tells of may be of records.
        let synced = file.sync_data();
        self.fail_on(synced.map_err(WalError::io("sync", &current.path)));
        drop(zeroing);
        if refused {
            self.writer.lock().ahead.refuse();
        }
        // What was queued while the writer was not to be had.
        self.write();
    }

    /// Syncs what is written, after a sync that is under way.
    pub fn sync(&self) {
        let _role = self.syncing.lock();
        self.fail_on(self.sync_under());
    }

    /// The log fails on an error, while the lock is held under which it came: a log that goes on is not failed by an
    /// old one.
    fn fail_on(&self, outcome: Result<(), WalError>) {
        if let Err(error) = outcome {
            self.core.fail(&error.to_string(), false);
        }
    }

    fn sync_under(&self) -> Result<(), WalError> {
        if !self.core.is_unsynced() || self.core.is_failed() {
            return Ok(());
        }
        self.sync_written()
    }

    fn sync_written(&self) -> Result<(), WalError> {
        let core = &self.core;
        core.unsynced.begin_sync();
        let written = core.written_lsn();
        let bytes = core.segments.lock().last().map_or(0, |last| last.bytes);
        let start = Instant::now();
        self.sync_file()?;
        fault_point("wal.synced");
        core.unsynced.end_sync();
        self.note_synced(written, bytes, start);
        Ok(())
    }

    /// A sync that began at `start` has reached the record `written`, which ends at `bytes` of the segment.
    fn note_synced(&self, written: Lsn, bytes: u64, start: Instant) {
        let core = &self.core;
        let took_us = u64::try_from(start.elapsed().as_micros()).unwrap_or(u64::MAX);
        let counters = &core.counters;
        counters.fsyncs.fetch_add(1, Ordering::Relaxed);
        counters.fsync_longest.note(start.elapsed());
        counters.fsync_last_us.store(took_us, Ordering::Relaxed);
        counters.fsync_max_us.fetch_max(took_us, Ordering::Relaxed);
        counters.note_fsync(took_us);
        core.stable_bytes.store(bytes, Ordering::SeqCst);
        core.advance_stable(written);
        // After that: the mark is to tell of this sync, not of the one before.
        core.mark_due.store(true, Ordering::SeqCst);
    }

    /// Syncs the segment in use, whatever is in it.
    fn sync_file(&self) -> Result<(), WalError> {
        let current = self.current.lock().clone();
        current.file.sync_data().map_err(WalError::io("sync", &current.path))
    }

    /// Looks whether the segment in use is what a start would read; the log fails if not.
    pub fn look(&self) {
        let mut watch = self.syncing.lock();
        if self.core.is_open() {
            self.fail_on(self.look_under(&mut watch));
        }
    }

    pub(super) fn look_under(&self, watch: &mut Watch) -> Result<(), WalError> {
        let current = self.current.lock().clone();
        let bytes = self.core.segments.lock().last().map_or(0, |last| last.bytes);
        let looked = watch.look(current.file.as_ref(), &current.path, bytes);
        looked.inspect_err(|_| self.core.has_strayed.store(true, Ordering::SeqCst))
    }

    /// Makes sure of the directory.
    pub fn claim_dir(&self) -> Result<(), WalError> {
        let claimed = self.claim.claim(self.disk.as_ref(), &self.dir);
        claimed.map_err(WalError::io("take", &self.dir))
    }

    /// Begins another segment after the one that is full, and writes what waited for that.
    pub fn rotate(&self) {
        let mut watch = self.syncing.lock();
        // Without the writer's lock: what comes meanwhile waits in the queue.
        self.fail_on(self.sync_under());
        let mut writer = self.writer.lock();
        if self.core.is_failed() || !self.core.is_full.load(Ordering::SeqCst) {
            return;
        }
        let ended = self.sync_under().and_then(|()| {
            // Nobody looks after it any more.
            self.look_under(&mut watch)?;
            // A mark may have followed the last sync: in a segment that is not the last one, nothing may be torn.
            writer.end_segment()
        });
        if ended.is_err() {
            return self.fail_on(ended);
        }
        match self.begin_next(&mut watch, &mut writer) {
            // It has been taken from the queue already.
            Ok(()) => self.write_under(&mut writer),
            Err(error) => self.fail_for(&error, true),
        }
    }

    /// Begins the segment after the one that is full, which has ended.
    fn begin_next(&self, watch: &mut Watch, writer: &mut Writer) -> Result<(), WalError> {
        let first = writer.next();
        let (segment, current) = self.create(first)?;
        self.note_segment(first);
        self.turn_to(watch, writer, (segment, current))?;
        self.core.is_full.store(false, Ordering::SeqCst);
        Ok(())
    }

    pub(super) fn create(&self, first: Lsn) -> Result<(OpenSegment, Current), WalError> {
        let segment = segment::create(self.disk.as_ref(), &self.dir, first, self.notes.identity)?;
        let current = Current::of(&segment)?;
        Ok((segment, current))
    }

    /// Notes a new segment. Where that fails the note is older than the log, and tells of less than it could, until the
    /// keeper has noted it.
    pub(super) fn note_segment(&self, first: Lsn) {
        if let Err(error) = self.notes.tell(self.disk.as_ref(), first, first.before()) {
            tracing::warn!("the log's new segment is not noted beside the checkpoints yet: {error}");
        }
    }

    fn newest_segment(&self) -> Lsn {
        self.core.segments.lock().last().map_or(Lsn::ZERO, |last| last.first)
    }

    /// Whether the newest segment is not noted.
    pub fn is_note_behind(&self) -> bool {
        self.notes.is_behind(self.newest_segment())
    }

    /// Notes the newest segment, if that is due: a start could not tell that it is missing.
    pub fn note_again(&self) {
        // While a log goes on that has failed its segments come and go.
        let Some(_role) = self.syncing.try_lock() else { return };
        let newest = self.newest_segment();
        if self.core.is_open() && self.notes.is_behind(newest) {
            // It is tried again.
            let _ = self.notes.tell(self.disk.as_ref(), newest, newest.before());
        }
    }

    /// Notes that the log is durable up to `lsn`, which it is.
    pub fn note_reached(&self, lsn: Lsn) -> Result<(), WalError> {
        self.notes.tell(self.disk.as_ref(), self.newest_segment(), lsn)
    }

    /// The log, which has failed for want of room, goes on where it was if there is room now; whether it does.
    pub fn go_on(&self) -> Result<bool, WalError> {
        let mut watch = self.syncing.lock();
        let mut writer = self.writer.lock();
        if !self.core.is_failed() || !self.core.wants_room.load(Ordering::SeqCst) {
            return Ok(false);
        }
        // What was written before needs no room, and does not wait until there is some.
        if self.core.is_unsynced()
            && let Err(error) = self.sync_written()
        {
            self.fail_on(Err(error));
            return Ok(false);
        }
        if self.core.is_full.load(Ordering::SeqCst) {
            self.begin_next(&mut watch, &mut writer)?;
        } else {
            writer.write_again()?;
        }
        if !self.core.forget_want_of_room() {
            return Ok(false);
        }
        // What had been taken from the queue.
        self.write_under(&mut writer);
        drop((writer, watch));
        self.core.wake_all();
        self.write();
        // The keeper may have looked before there was something to sync.
        self.core.nudge();
        Ok(true)
    }

    /// Goes on in a new segment, which is looked after from its header on.
    pub(super) fn turn_to(
        &self,
        watch: &mut Watch,
        writer: &mut Writer,
        (segment, current): (OpenSegment, Current),
    ) -> Result<(), WalError> {
        *self.current.lock() = current;
        self.core.stable_bytes.store(segment.bytes, Ordering::SeqCst);
        writer.turn_to(segment);
        *watch = Watch::default();
        self.look_under(watch)
    }

    /// The writer, for the keeper's own work.
    pub fn writer(&self) -> MutexGuard<'_, Writer> {
        self.writer.lock()
    }

    /// The log's mark by itself, if one is due and nothing is being written.
    pub fn write_mark(&self) {
        if let Some(mut writer) = self.writer.try_lock()
            && !self.core.is_failed()
        {
            self.fail_on(writer.write_mark());
        }
        self.write();
    }

    /// The end of the log: all durable, and marked so.
    pub fn finish(&self) {
        self.sync();
        let mut watch = self.syncing.lock();
        let mut writer = self.writer.lock();
        if writer.is_stuck() {
            tracing::warn!("WAL: closed while record {} was begun and not submitted", writer.next());
        }
        if self.core.is_failed() {
            return;
        }
        let ended = self.look_under(&mut watch).and_then(|()| {
            writer.write_mark()?;
            writer.end_segment()
        });
        let is_whole = ended.is_ok();
        self.fail_on(ended);
        if is_whole {
            self.note_end(writer.next().before());
        }
    }

    /// Notes that the log has ended well behind `last`: a start could not tell that its tail is missing.
    fn note_end(&self, last: Lsn) {
        if self.notes.has_reached(last) {
            return;
        }
        if let Err(error) = self.note_reached(last) {
            tracing::warn!("the log's end is not noted beside the checkpoints: {error}");
        }
    }
}
