//! The log's own thread: syncs by time and on request, new segments, marks of an idle log, looking after the segment in
//! use, the close.
//!
//! Records are written by those who hand them over (`appender`). The keeper does what takes long, or what nobody else
//! would do.
//!
//! **Invariant:** while the log has failed nothing is written or synced; the keeper waits until it goes on or closes.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::appender::Appender;
use super::core::Core;
use super::{Fsync, Lsn};

/// The rhythm of everysec.
const SYNC_INTERVAL: Duration = Duration::from_secs(1);
/// How often it is tried to note a segment that could not be noted.
const NOTE_INTERVAL: Duration = Duration::from_secs(1);
/// How often it is looked whether the segment in use is what a start would read.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);
/// After a sync and this much idle time the mark is written by itself.
const MARK_IDLE_TIME: Duration = Duration::from_millis(50);
/// A closing log waits this long for records that are begun and not yet submitted.
const CLOSE_GRACE: Duration = Duration::from_secs(2);
/// How often it is looked for records that are not written yet, and that somebody waits for: nobody tells of them.
const LOOK: Duration = Duration::from_millis(1);

pub(super) struct Keeper {
    core: Arc<Core>,
    appender: Arc<Appender>,
    last_sync: Instant,
    last_note: Instant,
    last_look: Instant,
    /// How far a closing log was when it last had something to write, and when that was.
    last_drained: (Lsn, Instant),
}

impl Keeper {
    pub fn new(core: Arc<Core>, appender: Arc<Appender>) -> Self {
        Keeper {
            core,
            appender,
            last_sync: Instant::now(),
            last_note: Instant::now(),
            last_look: Instant::now(),
            last_drained: (Lsn::ZERO, Instant::now()),
        }
    }

    /// Runs until the close.
    pub fn run(mut self) {
        loop {
            let closing = self.core.control.lock().closing;
            if self.core.is_failed() {
                if closing {
                    break;
                }
                self.park(None);
                continue;
            }
            if self.work(closing) {
                break;
            }
            let timed_out = self.park(self.deadline(closing));
            if timed_out && !self.core.is_unsynced() {
                self.appender.write_mark();
            }
        }
        self.core.closed.store(true, Ordering::SeqCst);
        self.core.pending.0.store(0, Ordering::SeqCst);
        self.core.wake_all();
    }

    /// Does what is due; whether the log is closed by that.
    fn work(&mut self, closing: bool) -> bool {
        if self.core.is_full.load(Ordering::SeqCst) {
            self.appender.rotate();
        }
        self.appender.write();
        if self.is_sync_due() {
            self.last_sync = Instant::now();
            self.appender.sync();
        }
        if !closing {
            self.appender.write_ahead();
            self.note();
            self.look();
        }
        let is_over = self.core.is_open() && !self.core.is_full.load(Ordering::SeqCst) && closing && self.is_drained();
        if is_over {
            self.appender.finish();
        }
        is_over
    }

    /// Notes a segment that could not be noted when it was begun.
    fn note(&mut self) {
        if self.last_note.elapsed() >= NOTE_INTERVAL && self.appender.is_note_behind() {
            self.last_note = Instant::now();
            self.appender.note_again();
        }
    }

    /// Looks after the segment in use, by time or because somebody has asked.
    fn look(&mut self) {
        let asked = self.core.control.lock().looks_asked;
        let is_asked = asked > self.core.looks_done.load(Ordering::SeqCst);
        if is_asked || self.last_look.elapsed() >= LOOK_INTERVAL {
            self.last_look = Instant::now();
            self.appender.look();
            self.core.looks_done.store(asked, Ordering::SeqCst);
        }
    }

    fn is_sync_due(&self) -> bool {
        if !self.core.is_unsynced() {
            return false;
        }
        let is_due = match self.core.policy() {
            Fsync::Always => true,
            Fsync::EverySec => self.last_sync.elapsed() >= SYNC_INTERVAL,
            Fsync::No => false,
        };
        is_due || self.is_sync_wanted()
    }

    /// Whether somebody has asked for a sync beyond what is stable; it may not be written yet.
    fn is_sync_wanted(&self) -> bool {
        let wanted = self.core.control.lock().sync_to;
        wanted > self.core.stable_lsn()
    }

    /// Whether a closing log has written all that it will. The grace begins anew with each record that is written: it
    /// is for those that nobody submits, and a disk that is slow loses none.
    fn is_drained(&mut self) -> bool {
        let next = self.appender.writer().next();
        if self.core.next.0.load(Ordering::Acquire) == next.get() {
            return true;
        }
        let (last, since) = self.last_drained;
        if last != next {
            self.last_drained = (next, Instant::now());
            return false;
        }
        since.elapsed() >= CLOSE_GRACE
    }

    /// When there is something to do that nobody asks for.
    fn deadline(&self, closing: bool) -> Option<Instant> {
        let note = self.appender.is_note_behind().then(|| self.last_note + NOTE_INTERVAL);
        let look = Some(self.last_look + LOOK_INTERVAL);
        self.work_deadline(closing).into_iter().chain(note).chain(look).min()
    }

    fn work_deadline(&self, closing: bool) -> Option<Instant> {
        let (now, is_unsynced) = (Instant::now(), self.core.is_unsynced());
        if closing || self.is_sync_wanted() {
            return Some(now + LOOK);
        }
        if !is_unsynced && self.core.mark_due.load(Ordering::SeqCst) {
            return Some(now + MARK_IDLE_TIME);
        }
        match self.core.policy() {
            Fsync::EverySec if is_unsynced => Some(self.last_sync + SYNC_INTERVAL),
            // What is written meanwhile is synced then.
            Fsync::EverySec => Some(now + SYNC_INTERVAL),
            // It has written them itself, after it looked whether there is anything to sync.
            Fsync::Always if is_unsynced => Some(now),
            Fsync::Always | Fsync::No => None,
        }
    }

    /// Sleeps; returns whether that was for the whole time.
    fn park(&self, until: Option<Instant>) -> bool {
        let core = &self.core;
        let mut control = core.control.lock();
        let mut timed_out = false;
        if !control.nudged {
            match until {
                Some(until) => timed_out = core.work.wait_until(&mut control, until).timed_out(),
                None => core.work.wait(&mut control),
            }
        }
        control.nudged = false;
        timed_out
    }
}
