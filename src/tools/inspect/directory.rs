//! Overview of a data directory: what each file in it is, by its header alone.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use super::{FileKind, Inspector};
use crate::checkpoint::files::control::Control;
use crate::checkpoint::files::manifest::Manifest;
use crate::checkpoint::files::page_file::{header_error, read_page_file_id};
use crate::engine::field::Field;
use crate::fields;
use crate::time::utc;
use crate::tools::error::ToolError;
use crate::tools::report::Fields;
use crate::wal::{LogNote, Walk};

/// Directories within directories that are looked into: `persist/NAME` is two deep.
const DEPTH_MAX: usize = 3;

/// Files and bytes of one kind.
#[derive(Default)]
struct Sum {
    files: u64,
    bytes: u64,
}

impl Inspector<'_, '_> {
    pub(super) fn directory(&mut self, path: &Path) -> io::Result<()> {
        let mut sums = BTreeMap::new();
        self.report.show("directory", fields!["path" => path])?;
        self.visit(path, &mut sums, 0)?;
        let sums = sums.into_iter().map(|(kind, sum): (&str, Sum)| {
            let sum = fields!["files" => sum.files, "bytes" => sum.bytes];
            (kind.to_owned(), Field::Map(sum))
        });
        self.report.show("total", sums.collect())
    }

    fn visit(&mut self, dir: &Path, sums: &mut BTreeMap<&'static str, Sum>, depth: usize) -> io::Result<()> {
        let names = match self.disk.list(dir) {
            Ok(names) => names,
            Err(error) => return self.fault(dir, 0, &error.to_string()),
        };
        for name in names {
            let path = dir.join(name);
            if path.is_dir() {
                if depth < DEPTH_MAX {
                    self.visit(&path, sums, depth + 1)?;
                }
                continue;
            }
            if path.exists() && !path.is_file() {
                // The socket of administrators, which a server that was killed leaves behind.
                continue;
            }
            let bytes = match self.disk.len(&path) {
                Ok(bytes) => bytes,
                Err(error) => {
                    self.fault(&path, 0, &error.to_string())?;
                    continue;
                }
            };
            let kind = self.file(&path, bytes)?;
            let sum = sums.entry(kind).or_default();
            sum.files += 1;
            sum.bytes += bytes;
        }
        Ok(())
    }

    /// Shows one file; returns what it is.
    fn file(&mut self, path: &Path, bytes: u64) -> io::Result<&'static str> {
        let kind = self.kind_of(path);
        if let Ok(Some(kind)) = kind
            && let Some(text) = self.left_over(path, kind)
        {
            if self.may_show() {
                let fields = fields!["path" => path, "bytes" => bytes, "text" => text];
                self.report.show("left-over", fields)?;
            }
            return Ok("left-over");
        }
        let (kind, header) = match kind {
            Ok(Some(FileKind::Segment)) => ("segment", self.segment_header(path)),
            Ok(Some(FileKind::Manifest)) => ("manifest", self.manifest_header(path)),
            Ok(Some(FileKind::Pages)) => (
                "page-file",
                read_page_file_id(self.disk.as_ref(), path)
                    .map(|id| fields!["id" => id])
                    .map_err(ToolError::from),
            ),
            Ok(Some(FileKind::Control)) => ("control", self.control(path)),
            Ok(Some(FileKind::Note)) => ("log-note", self.log_note(path)),
            Ok(None) => ("file", Ok(Vec::new())),
            Err(error) => ("file", Err(ToolError::Io(error))),
        };
        match header {
            Ok(header) => {
                if self.may_show() {
                    let mut all = fields!["path" => path, "bytes" => bytes];
                    all.extend(header);
                    self.report.show(kind, all)?;
                }
            }
            Err(error) => self.fault(path, 0, &error.to_string())?,
        }
        Ok(kind)
    }

    fn segment_header(&self, path: &Path) -> Result<Fields, ToolError> {
        let walk = Walk::open(self.disk.as_ref(), path)?;
        let summary = walk.summary();
        Ok(fields!["first-lsn" => summary.first_lsn.get(), "identity" => summary.identity])
    }

    /// What a note of the log says.
    pub(super) fn log_note(&self, path: &Path) -> Result<Fields, ToolError> {
        let note = LogNote::read_file(self.disk.as_ref(), path)?;
        Ok(fields![
            "identity" => note.identity,
            "newest-segment" => note.newest.get(),
            "durable-lsn" => note.reached.get(),
        ])
    }

    /// What a control file says.
    pub(super) fn control(&self, path: &Path) -> Result<Fields, ToolError> {
        let bytes = self.disk.read(path).map_err(ToolError::Io)?;
        let control = Control::decode(&bytes).map_err(|fault| header_error(path, fault))?;
        Ok(fields![
            "data-set" => format!("{:032x}", control.data_set),
            "checkpoint" => control.checkpoint,
            "lsn" => control.lsn.get(),
            "pins" => Field::List(control.pins.iter().map(|pin| Field::from(*pin)).collect()),
        ])
    }

    fn manifest_header(&self, path: &Path) -> Result<Fields, ToolError> {
        let head = Manifest::read_head(self.disk.as_ref(), path)?;
        let mut all = fields!["wall" => utc(head.wall_ms)];
        if let Field::Map(fields) = crate::engine::field::of(&head)? {
            all.extend(fields);
        }
        Ok(all)
    }
}
