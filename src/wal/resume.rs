//! How a log that has failed goes on behind a checkpoint, in a new segment.
//!
//! **Invariant:** what the log had is not needed from the release of the note on; before that nothing is changed.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::appender::Appender;
use super::repair::set_aside;
use super::segment;
use super::watch::Watch;
use super::{Lsn, WalError};

impl Appender {
    /// The log, which has failed, goes on behind `lsn`: all up to there is durable by other means.
    pub fn resume_behind(&self, lsn: Lsn) -> Result<(), WalError> {
        self.resume_under_locks(lsn)?;
        // What was queued while the writer was not to be had. Woken before, the keeper may have found nothing to do.
        self.write();
        self.core.nudge();
        Ok(())
    }

    fn resume_under_locks(&self, lsn: Lsn) -> Result<(), WalError> {
        let mut watch = self.syncing.lock();
        let mut writer = self.writer.lock();
        if writer.next() > lsn.next() {
            let written = writer.next().before();
            let why = format!("WAL: record {written} is written, the log cannot go on behind {lsn}");
            return Err(WalError::Failed(Arc::from(why)));
        }
        // What is left may go as a whole: from here to the new segment the log is not needed.
        self.core.wants_room.store(false, Ordering::SeqCst);
        self.notes.release(self.disk.as_ref())?;
        writer.ahead.clear_way(u64::MAX);
        self.leave(&mut watch, lsn.next());
        let (segment, current) = self.create(lsn.next())?;
        self.note_segment(lsn.next());
        writer.skip_to(lsn.next());
        self.turn_to(&mut watch, &mut writer, (segment, current))?;
        self.core.mend(lsn);
        Ok(())
    }

    /// Leaves the segment in which the log has failed as it is known to be good, or not at all. It holds nothing that
    /// is needed, so that the log goes on even if neither can be done.
    fn leave(&self, watch: &mut Watch, next: Lsn) {
        let path = self.current.lock().path.clone();
        match self.leave_file(watch, &path, next) {
            Ok(true) => self.note_last(self.core.stable_lsn()),
            Ok(false) => self.core.segments.lock().retain(|known| known.path != **path),
            Err(error) => {
                self.note_last(self.core.stable_lsn());
                tracing::warn!("the segment in which the log failed stays as it is: {error}");
            }
        }
        let known: Vec<Lsn> = self.core.segments.lock().iter().map(|known| known.first).collect();
        let removed = segment::remove_leftovers(self.disk.as_ref(), &self.dir, |first| known.contains(&first));
        if let Err(error) = removed {
            tracing::warn!("a segment that was never used stays for now: {error}");
        }
    }

    fn note_last(&self, lsn: Lsn) {
        if let Some(last) = self.core.segments.lock().last_mut() {
            last.last = Some(lsn);
        }
    }

    /// Whether something of it stays.
    fn leave_file(&self, watch: &mut Watch, path: &Path, next: Lsn) -> Result<bool, WalError> {
        let (disk, file) = (self.disk.as_ref(), self.current.lock().file.clone());
        let bytes = self.core.stable_bytes.load(Ordering::SeqCst);
        // An earlier attempt, or somebody else, has removed it.
        if !disk.exists(path).map_err(WalError::io("look for", path))? {
            return Ok(false);
        }
        let is_ours = file.is_at(path).map_err(WalError::io("look for", path))?;
        let is_whole = is_ours && watch.look(file.as_ref(), path, bytes).is_ok();
        let is_empty = self.core.segments.lock().last().is_none_or(|last| last.first >= next);
        let cut = || disk.truncate(path, bytes).map_err(WalError::io("truncate", path));
        let stays = is_whole && !is_empty && cut().is_ok();
        if !is_ours {
            // Whoever has put it there may want it.
            let aside = set_aside(disk, path)?;
            tracing::warn!("the file in the place of the log's segment is now {}", aside.display());
        } else if !stays {
            disk.remove(path).map_err(WalError::io("remove", path))?;
        }
        disk.sync_dir(&self.dir).map_err(WalError::io("sync", &self.dir))?;
        Ok(stays)
    }
}
