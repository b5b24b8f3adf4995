//! Manifests: head, collections, rows of pages.

use std::io;
use std::path::Path;

use super::Inspector;
use crate::checkpoint::files::format::{LibraryRow, PageRow, PartRow};
use crate::checkpoint::files::manifest::{CollectionPages, Manifest};
use crate::engine::field::{self, Field, Unfit};
use crate::fields;
use crate::shared::Shared;
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
                for library in &manifest.libraries {
                    self.library(path, library, &manifest.head.files)?;
                }
                for part in &manifest.collections {
                    self.collection(path, part, &manifest.head.files)?;
                }
                Ok(())
            }
            Err(error) => self.fault(path, 0, &error.to_string()),
        }
    }

    fn collection(&mut self, path: &Path, part: &CollectionPages, files: &[u64]) -> io::Result<()> {
        let mut all = Vec::new();
        self.extend(path, &mut all, field::of(&part.row))?;
        self.report.show("collection", all)?;
        let named = |row: &PageRow| fields!["collection-id" => part.row.id.get(), "file-id" => file_id(files, row)];
        for row in &part.pages {
            self.row(path, ("page-row", row), named(row))?;
        }
        for PartRow { page_id, row } in &part.parts {
            let mut all = named(row);
            all.extend(fields!["of-page" => page_id.get()]);
            self.row(path, ("part-row", row), all)?;
        }
        Ok(())
    }

    fn library(&mut self, path: &Path, library: &LibraryRow, files: &[u64]) -> io::Result<()> {
        let row = &library.row;
        let all = fields!["name" => Field::Bytes(Shared::new(library.name.clone())), "file-id" => file_id(files, row)];
        self.row(path, ("library", row), all)
    }

    /// Shows a row, if it is asked for.
    fn row(&mut self, path: &Path, (what, row): (&'static str, &PageRow), mut all: Fields) -> io::Result<()> {
        let is_asked_for = self.options.page.is_none_or(|page| page == row.page_id.get());
        if !is_asked_for || !self.may_show() {
            return Ok(());
        }
        self.extend(path, &mut all, field::of(row))?;
        self.report.show(what, all)
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

fn file_id(files: &[u64], row: &PageRow) -> Field {
    files.get(row.file as usize).map_or(Field::Null, |id| Field::Uint(*id))
}
