//! What a crash leaves and nobody reads: it is told as what it is, and is no fault.
//!
//! **Invariant:** a file is left over only if nothing that can be read says that it is part of the data. Where a
//! manifest cannot be read, its page files are not known, and none is left over.

use std::path::Path;

use super::{FileKind, Inspector};
use crate::checkpoint::files::catalog::{manifests, page_file_name};
use crate::checkpoint::files::manifest::Manifest;
use crate::checkpoint::files::persisted::MANIFEST;
use crate::wal::{SEGMENT_HEADER_BYTES, Walk, segments};

const UNCOMMITTED: &str = "never got its name: being written, or left over by a crash; it is removed or replaced";
const UNNAMED: &str = "no manifest names it: being written, or left over by a crash; it is removed";
const UNUSED: &str = "begun and never used: it holds no record, and is removed or replaced";

impl Inspector<'_, '_> {
    /// What a file of this kind is, if no data.
    pub(super) fn left_over(&self, path: &Path, kind: FileKind) -> Option<&'static str> {
        let dir = path.parent().unwrap_or(Path::new("."));
        if path.extension().is_some_and(|end| end == "tmp") {
            return Some(UNCOMMITTED);
        }
        match kind {
            FileKind::Segment => self.is_unused(dir, path).then_some(UNUSED),
            FileKind::Pages => self.is_unnamed(dir, path).then_some(UNNAMED),
            FileKind::Manifest | FileKind::Control | FileKind::Note => None,
        }
    }

    /// Whether a segment was begun last, and its header not finished: no record is written before that is durable.
    fn is_unused(&self, dir: &Path, path: &Path) -> bool {
        let disk = self.disk.as_ref();
        let is_short = disk.len(path).is_ok_and(|bytes| bytes <= SEGMENT_HEADER_BYTES as u64);
        is_short && self.is_last(dir, path) && Walk::open(disk, path).is_err()
    }

    /// Whether a segment is the last one of its log.
    pub(super) fn is_last(&self, dir: &Path, path: &Path) -> bool {
        let last = segments(self.disk.as_ref(), dir).ok().and_then(|mut all| all.pop());
        last.is_some_and(|(_, last)| last == path)
    }

    /// Whether a page file is named by no manifest beside it.
    fn is_unnamed(&self, dir: &Path, path: &Path) -> bool {
        let disk = self.disk.as_ref();
        let Ok(found) = manifests(disk, dir) else { return false };
        let mut found: Vec<_> = found.into_iter().map(|(_, path)| path).collect();
        let persisted = dir.join(MANIFEST);
        match disk.exists(&persisted) {
            Ok(true) => found.push(persisted),
            Ok(false) => {}
            Err(_) => return false,
        }
        let is_named = |id: &u64| {
            path.file_name()
                .is_some_and(|name| name == page_file_name(*id).as_str())
        };
        found
            .iter()
            .all(|manifest| Manifest::read_head(disk, manifest).is_ok_and(|head| !head.files.iter().any(is_named)))
    }
}
