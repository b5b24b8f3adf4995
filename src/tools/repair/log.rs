//! The log: what of it can be read, and what must go.
//!
//! **Invariant:** intact records behind damage are dropped too, since changes after a gap would be applied to other
//! data than they were made for; they are counted.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{Action, Plan};
use crate::storage::{Disk, FileError};
use crate::tools::error::ToolError;
use crate::wal::{Found, LogNote, Lsn, Reader, SEGMENT_HEADER_BYTES, Tail, WalError, Walk, segments};

/// How far a reading got, and why no farther.
struct Reading {
    /// The LSN after the last record.
    next: Lsn,
    error: Option<WalError>,
    tail: Option<Tail>,
}

/// See the module.
pub(super) struct Log<'a> {
    disk: &'a Arc<dyn Disk>,
    dir: PathBuf,
    /// First LSN and path of each segment, in order.
    segments: Vec<(Lsn, PathBuf)>,
    read: &'a mut dyn FnMut(&'static str, u64, u64),
    /// Why all segments go, whatever is in them.
    given_up: Option<String>,
    /// Where checkpoints are, with what they tell of the log.
    noted: (PathBuf, Result<Option<LogNote>, WalError>),
    /// What would tell how far the log went is damaged: this.
    doubt: Option<String>,
}

impl<'a> Log<'a> {
    /// Lists the segments.
    pub fn look(
        disk: &'a Arc<dyn Disk>,
        (dir, checkpoints): (&Path, &Path),
        read: &'a mut dyn FnMut(&'static str, u64, u64),
    ) -> Result<Self, ToolError> {
        let exists = disk.exists(dir).map_err(FileError::at("look for", dir))?;
        let segments = if exists {
            segments(disk.as_ref(), dir)?
        } else {
            Vec::new()
        };
        let note = LogNote::read(disk.as_ref(), checkpoints);
        if let Err(error @ (WalError::Io(_) | WalError::UnknownVersion { .. })) = &note {
            return Err(error.clone().into());
        }
        let doubt = note.as_ref().err().map(WalError::to_string);
        let mut log = Self {
            disk,
            doubt,
            dir: dir.to_owned(),
            segments,
            read,
            given_up: None,
            noted: (checkpoints.to_owned(), note),
        };
        if let Some(error @ WalError::Foreign { .. }) = log.check_segments() {
            log.given_up = Some(error.to_string());
        }
        Ok(log)
    }

    /// The first LSN that the segments go back to.
    pub fn oldest(&self) -> Option<Lsn> {
        let first = self.segments.first().filter(|_| self.given_up.is_none());
        first.map(|(first, _)| *first)
    }

    /// Whether a checkpoint at `base` can be brought up to `target`, or where that is not known to the log's end,
    /// without a fault on the way.
    pub fn reaches(&mut self, base: Lsn, target: Option<Lsn>) -> Result<bool, ToolError> {
        if self.oldest().is_none() {
            return Ok(target.is_some_and(|target| target <= base));
        }
        let reading = self.read_from(base.next())?;
        Ok(match target {
            Some(target) => reading.next > target,
            None => reading.error.is_none(),
        })
    }

    /// Whether something tells how far it must go at least.
    pub fn is_vouched_for(&self) -> bool {
        matches!(&self.noted.1, Ok(Some(note)) if note.newest > Lsn::ZERO)
    }

    /// What should tell how far it went is damaged: a torn end may be one that was whole once.
    pub fn doubt(&mut self, why: String) {
        self.doubt.get_or_insert(why);
    }

    /// The log does not continue what will be loaded: all of it goes.
    pub fn give_up(&mut self) {
        self.given_up
            .get_or_insert_with(|| "the log does not continue the checkpoint that is left".to_owned());
    }

    fn read_from(&mut self, from: Lsn) -> Result<Reading, ToolError> {
        let mut reader = match Reader::open(Arc::clone(self.disk), &self.dir, from) {
            Ok(reader) => reader,
            Err(error) => return self.stopped(from, error, None),
        };
        let mut records = 0_u64;
        loop {
            match reader.next() {
                Ok(Some(_)) => {}
                Ok(None) => break,
                Err(error) => {
                    let next = reader.next_lsn();
                    return self.stopped(next, error, None);
                }
            }
            records += 1;
            if records.is_multiple_of(1 << 14) {
                let (done, total) = reader.progress();
                (self.read)("log", done, total);
            }
        }
        Ok(Reading {
            next: reader.next_lsn(),
            error: None,
            tail: reader.tail().filter(|tail| !tail.is_blank).cloned(),
        })
    }

    fn stopped(&self, next: Lsn, error: WalError, tail: Option<Tail>) -> Result<Reading, ToolError> {
        match error {
            WalError::Damaged { .. } | WalError::Missing { .. } => Ok(Reading {
                next,
                error: Some(error),
                tail,
            }),
            // Neither damage nor a gap: nothing that dropping would mend.
            other => Err(other.into()),
        }
    }

    /// What must go so that a checkpoint at `base` can be continued.
    pub fn plan(&mut self, base: Lsn, plan: &mut Plan) -> Result<(), ToolError> {
        let before = plan.steps.len();
        let next = self.plan_segments(base, plan)?;
        let is_cut = plan.steps.iter().skip(before).any(|step| step.loses);
        self.plan_note(next, is_cut, plan);
        Ok(())
    }

    /// Returns the LSN after the last record that can be read.
    fn plan_segments(&mut self, base: Lsn, plan: &mut Plan) -> Result<Lsn, ToolError> {
        if self.segments.is_empty() {
            return Ok(base.next());
        }
        if let Some(why) = &self.given_up {
            self.drop_from(0, why, true, plan);
            return Ok(base.next());
        }
        let reading = self.read_from(base.next())?;
        let next = reading.next;
        match (reading.error, reading.tail) {
            (Some(error), _) => self.plan_end((base, reading.next), &error, plan)?,
            (None, Some(tail)) => self.plan_tail(tail, plan),
            (None, None) => {}
        }
        self.plan_before(base, plan)?;
        Ok(next)
    }

    /// A torn end goes; that is no loss, unless what would tell is damaged.
    fn plan_tail(&self, tail: Tail, plan: &mut Plan) {
        let doubt = self.doubt.as_ref().map(|why| {
            format!("; it may have been acknowledged all the same, since what would tell of it is damaged, too: {why}")
        });
        let (loses, doubt) = (doubt.is_some(), doubt.unwrap_or_default());
        if tail.offset < SEGMENT_HEADER_BYTES as u64 {
            let why = format!("it has no whole header and no record ({}){doubt}", tail.reason);
            return plan.set_aside(tail.file, loses, &why);
        }
        let text = format!(
            "cut {} at byte {}: {} bytes of a torn record and what follows it, which no mark says was synced ({}){doubt}",
            tail.file.display(),
            tail.offset,
            tail.bytes,
            tail.reason
        );
        plan.add(Action::Cut(tail.file, tail.offset), loses, text);
    }

    /// The folder of checkpoints must not ask for more of the log than is left; `is_cut`: less than there was.
    fn plan_note(&self, next: Lsn, is_cut: bool, plan: &mut Plan) {
        let (dir, note) = &self.noted;
        let path = LogNote::path(dir);
        let (note, lost) = match note {
            Ok(None) => return,
            Ok(Some(note)) => {
                let lost = self.check_segments().or_else(|| note.check_end(dir, next).err());
                (*note, lost)
            }
            Err(error) => {
                let mut text = format!("write {} anew, asking for no log: {error}", path.display());
                let loses = self.segments.is_empty();
                if loses {
                    text.push_str("; there is none, and what it had is lost");
                }
                return plan.add(Action::Note(dir.clone(), LogNote::default()), loses, text);
            }
        };
        if is_cut {
            let text = format!(
                "write {} anew, asking for no more of the log than is left",
                path.display()
            );
            plan.add(Action::Note(dir.clone(), note.released()), false, text);
        } else if let Some(error) = lost {
            let why = format!("{error}; the changes that were in it are lost");
            let text = format!(
                "write {} anew, asking for what is left of the log: {why}",
                path.display()
            );
            plan.add(Action::Note(dir.clone(), note.released()), true, text);
        }
    }

    /// What is wrong with the segments as a whole.
    fn check_segments(&self) -> Option<WalError> {
        let (dir, note) = &self.noted;
        let note = note.as_ref().ok()?.as_ref()?;
        note.check(self.disk.as_ref(), dir, &self.dir).err()
    }

    /// The log ends at its first fault, before record `next`.
    fn plan_end(&mut self, (base, next): (Lsn, Lsn), error: &WalError, plan: &mut Plan) -> Result<(), ToolError> {
        let (file, offset) = match error {
            WalError::Damaged { file, offset, .. } => (file.clone(), *offset),
            WalError::Missing { file, .. } => (file.clone(), 0),
            other => return Err(other.clone().into()),
        };
        let index = self.segments.iter().position(|(_, path)| *path == file).unwrap_or(0);
        let behind = self.intact_behind(index, offset);
        let why = format!("{error}. The log then ends with record {}", next.before());
        // A header's damage is told with the offset of a field of it; the segment is lost as a whole. So is one of
        // which only records are left that the checkpoint has.
        if offset < SEGMENT_HEADER_BYTES as u64 || next <= base {
            let why = format!("{why}; {behind} intact records behind are lost, too");
            self.drop_from(index, &why, true, plan);
            return Ok(());
        }
        self.drop_from(index + 1, "it follows the damage", true, plan);
        let text = format!(
            "cut {} at byte {offset}: {why}; {behind} intact records behind are lost, too",
            file.display()
        );
        plan.add(Action::Cut(file, offset), true, text);
        Ok(())
    }

    /// Records that are whole behind a fault.
    fn intact_behind(&self, index: usize, offset: u64) -> u64 {
        let mut count = 0;
        for (at, (_, path)) in self.segments.iter().enumerate().skip(index) {
            let Ok(mut walk) = Walk::open(self.disk.as_ref(), path) else {
                continue;
            };
            while let Ok(Some(found)) = walk.next() {
                if let Found::Record(record) = found {
                    count += u64::from(at > index || record.offset >= offset);
                }
            }
        }
        count
    }

    /// Damage in what is kept from before the checkpoint: those segments go, nothing that is served is lost.
    fn plan_before(&mut self, base: Lsn, plan: &mut Plan) -> Result<(), ToolError> {
        let Some(oldest) = self.oldest().filter(|oldest| *oldest <= base) else {
            return Ok(());
        };
        let reading = self.read_from(oldest)?;
        let Some(WalError::Damaged { file, .. }) = reading.error.filter(|_| reading.next <= base) else {
            return Ok(());
        };
        let index = self.segments.iter().position(|(_, path)| *path == file).unwrap_or(0);
        for (_, path) in self.segments.iter().take(index + 1) {
            let why = "it is damaged, or before a damaged one, and older than the newest checkpoint";
            plan.set_aside(path.clone(), false, why);
        }
        Ok(())
    }

    /// Segments from number `index` on, the last one first, so that at no time there is a gap.
    fn drop_from(&self, index: usize, why: &str, loses: bool, plan: &mut Plan) {
        for (_, path) in self.segments.iter().skip(index).rev() {
            plan.set_aside(path.clone(), loses, why);
        }
    }
}
