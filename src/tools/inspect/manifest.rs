//! Manifests: head, collections, rows of pages.

use std::io;
use std::path::Path;

use super::Inspector;
use crate::checkpoint::files::manifest::{CollectionPart, Manifest};
use crate::engine::field::{self, Field, Unfit};
use crate::fields;
use crate::time::utc;
use crate::tools::report::Fields;

impl Inspector<'_, '_> {
    pub(super) fn manifest(&mut self, path: &Path) -> io::Result<()> {
        let head = match Manifest::read_head(self.disk.as_ref(), path) {
            Ok(head) => head,
            Err(error) => return self.fault(path, 0, &error.to_string()),
        };
        let mut all = fields!["path" => path, "wall" => utc(head.wall_ms)];
        self.extend(path, &mut all, field::of(&head))?;
        self.report.show("manifest", all)?;
        match Manifest::read(self.disk.as_ref(), path) {
            Ok(manifest) => {
                if manifest.head.has_limits() {
                    let mut all = Vec::new();
                    self.extend(path, &mut all, field::of(&manifest.limits))?;
                    self.report.show("encoding", all)?;
                }
                for part in &manifest.collections {
                    self.collection(path, part, &manifest.head.files)?;
                }
                Ok(())
            }
            Err(error) => self.fault(path, 0, &error.to_string()),
        }
    }

    fn collection(&mut self, path: &Path, part: &CollectionPart, files: &[u64]) -> io::Result<()> {
        let mut all = Vec::new();
        self.extend(path, &mut all, field::of(&part.row))?;
        self.report.show("collection", all)?;
        for row in &part.pages {
            if self.options.page.is_some_and(|page| page != row.page_id.get()) || !self.may_show() {
                continue;
            }
            let file_id = files.get(row.file as usize).map_or(Field::Null, |id| Field::Uint(*id));
            let mut all = fields!["collection-id" => part.row.id.get(), "file-id" => file_id];
            self.extend(path, &mut all, field::of(row))?;
            self.report.show("page-row", all)?;
        }
        Ok(())
    }

    /// Appends the fields of a structure.
    pub(super) fn extend(&mut self, path: &Path, all: &mut Fields, tree: Result<Field, Unfit>) -> io::Result<()> {
        match tree {
            Ok(Field::Map(fields)) => all.extend(fields),
            Ok(other) => all.push(("value".to_owned(), other)),
            Err(unfit) => self.fault(path, 0, &unfit.to_string())?,
        }
        Ok(())
    }
}
