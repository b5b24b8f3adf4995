//! `lokikv inspect`: what is in a data directory or in one of its files. Reads only.
//!
//! A file is known by its first bytes, or else by its name, so that a damaged one is told as what it was. Damaged files
//! are shown as far as they can be read, with the place of each fault.
//!
//! **Invariant:** of records, rows, pages and entries at most [`Options::limit`] are shown for each path, and a note
//! tells when there is more.

mod directory;
mod leftover;
mod log;
mod manifest;
mod pages;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::Progress;
use super::report::Report;
use crate::fields;
use crate::storage::Disk;
use crate::wal::Lsn;

/// What of the files is shown.
#[derive(Clone, Debug)]
pub struct Options {
    /// At most so many records, rows, pages or entries for each path.
    pub limit: u64,
    /// Only records from the first to the last of these.
    pub lsn: Option<(Lsn, Lsn)>,
    /// Only this page, with its entries.
    pub page: Option<u64>,
}

/// What a file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum FileKind {
    Segment,
    Manifest,
    Pages,
    Control,
    Note,
}

/// One inspection.
struct Inspector<'a, 'r> {
    disk: &'a Arc<dyn Disk>,
    options: &'a Options,
    report: &'a mut Report<'r>,
    progress: &'a Progress,
    /// Shown for the present path.
    shown: u64,
    /// Not shown for it.
    more: u64,
}

/// Shows what is at `paths`; returns the number of faults.
///
/// # Errors
/// When what is found cannot be written.
pub fn inspect(disk: &Arc<dyn Disk>, paths: &[PathBuf], options: &Options, report: &mut Report<'_>) -> io::Result<u64> {
    let progress = Progress::new();
    let mut inspector = Inspector {
        disk,
        options,
        report,
        progress: &progress,
        shown: 0,
        more: 0,
    };
    for path in paths {
        inspector.path(path)?;
    }
    Ok(inspector.report.faults)
}

impl Inspector<'_, '_> {
    fn path(&mut self, path: &Path) -> io::Result<()> {
        (self.shown, self.more) = (0, 0);
        if path.is_dir() {
            self.directory(path)?;
        } else {
            let kind = self.kind_of(path);
            let left_over = match kind {
                Ok(Some(kind)) => self.left_over(path, kind),
                _ => None,
            };
            if let Some(text) = left_over {
                self.report.show("left-over", fields!["path" => path, "text" => text])?;
            }
            match kind {
                Ok(Some(FileKind::Pages)) => self.page_file(path, left_over.is_some())?,
                _ if left_over.is_some() => {}
                Ok(Some(FileKind::Segment)) => self.segment(path)?,
                Ok(Some(FileKind::Manifest)) => self.manifest(path)?,
                Ok(Some(FileKind::Control)) => match self.control(path) {
                    Ok(fields) => self.report.show("control", fields)?,
                    Err(error) => self.fault(path, 0, &error.to_string())?,
                },
                Ok(Some(FileKind::Note)) => match self.log_note(path) {
                    Ok(fields) => self.report.show("log-note", fields)?,
                    Err(error) => self.fault(path, 0, &error.to_string())?,
                },
                Ok(None) => self.fault(
                    path,
                    0,
                    "neither a log segment, nor a manifest, nor a page file, nor a control file, nor a note of a log",
                )?,
                Err(error) => self.fault(path, 0, &error.to_string())?,
            }
        }
        if self.more > 0 {
            let text = format!("{} more are not shown, see --limit", self.more);
            self.report.show("note", fields!["path" => path, "text" => text])?;
        }
        Ok(())
    }

    /// By the first bytes, else by the name.
    fn kind_of(&self, path: &Path) -> io::Result<Option<FileKind>> {
        let mut magic = [0; 8];
        let read = self.disk.read_at(path, 0, &mut magic)?;
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned());
        let name = name.unwrap_or_default();
        Ok(match magic.get(..read).unwrap_or_default() {
            b"LOKIWAL\n" => Some(FileKind::Segment),
            b"LOKIMAN\n" => Some(FileKind::Manifest),
            b"LOKIPGS\n" => Some(FileKind::Pages),
            b"LOKICTL\n" => Some(FileKind::Control),
            b"LOKILOG\n" => Some(FileKind::Note),
            _ if name.contains(".lkn") => Some(FileKind::Note),
            _ if name.contains(".log") => Some(FileKind::Segment),
            _ if name.contains(".lkm") => Some(FileKind::Manifest),
            _ if name.contains(".lkp") => Some(FileKind::Pages),
            _ if name.contains(".lkc") => Some(FileKind::Control),
            _ => None,
        })
    }

    fn fault(&mut self, path: &Path, offset: u64, reason: &str) -> io::Result<()> {
        self.report
            .fault(fields!["path" => path, "offset" => offset, "reason" => reason])
    }

    /// Whether one more may be shown; counts it either way.
    fn may_show(&mut self) -> bool {
        let may = self.shown < self.options.limit;
        if may {
            self.shown += 1;
        } else {
            self.more += 1;
        }
        may
    }
}
