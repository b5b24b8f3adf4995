//! Page files: header, pages, and with `--page` a page's entries.
//!
//! Behind a damaged page the next one is found by the manifests beside the file, since a page that is not whole does
//! not tell where it ends. One that is left over is shown as far as it was written.

use std::collections::BTreeSet;
use std::io;
use std::path::Path;

use super::Inspector;
use crate::checkpoint::files::catalog::manifests;
use crate::checkpoint::files::format::{FLAG_PART, PAGE_FILE_HEADER_BYTES, PAGE_HEADER_BYTES, PageHeader};
use crate::checkpoint::files::manifest::Manifest;
use crate::checkpoint::files::packing::unpack;
use crate::checkpoint::files::page_file::{read_page_at, read_page_file_id};
use crate::checkpoint::files::persisted::MANIFEST;
use crate::engine::field::{self, Field};
use crate::engine::ids::CollectionId;
use crate::fields;
use crate::page::{Malformed, Packed, image};
use crate::shared::Shared;

impl Inspector<'_, '_> {
    pub(super) fn page_file(&mut self, path: &Path, is_left_over: bool) -> io::Result<()> {
        let (file, bytes) = match self.disk.open_read(path).and_then(|file| Ok((file.len()?, file))) {
            Ok((bytes, file)) => (file, bytes),
            Err(error) => return self.fault(path, 0, &error.to_string()),
        };
        let id = match read_page_file_id(self.disk.as_ref(), path) {
            Ok(id) => Some(id),
            Err(_) if is_left_over => return Ok(()),
            Err(error) => {
                self.fault(path, 0, &error.to_string())?;
                None
            }
        };
        if let Some(id) = id {
            self.report
                .show("page-file", fields!["path" => path, "bytes" => bytes, "id" => id])?;
        }
        let mut known = None;
        let mut buffer = Vec::new();
        let (mut at, mut pages, mut entries) = (PAGE_FILE_HEADER_BYTES as u64, 0_u64, 0_u64);
        while at < bytes {
            self.progress.show("pages", at, bytes);
            match read_page_at(file.as_ref(), bytes, at, &mut buffer) {
                Ok(header) => {
                    pages += 1;
                    entries += u64::from(header.entries);
                    self.page(path, at, &header, &buffer)?;
                    at += PAGE_HEADER_BYTES as u64 + header.len;
                }
                Err(_) if is_left_over => break,
                Err(no_page) => {
                    let known = known.get_or_insert_with(|| self.known_offsets(path, id));
                    let next = known.range(at + 1..).next().copied();
                    let resumes_at = next.map_or(Field::Null, Field::Uint);
                    self.report.fault(fields![
                        "path" => path,
                        "offset" => at,
                        "reason" => no_page.to_string(),
                        "resumes-at" => resumes_at,
                    ])?;
                    at = next.unwrap_or(bytes);
                }
            }
        }
        let end = fields!["path" => path, "pages" => pages, "entries" => entries];
        self.report.show("page-file-end", end)
    }

    fn page(&mut self, path: &Path, at: u64, header: &PageHeader, buffer: &[u8]) -> io::Result<()> {
        let is_asked_for = self.options.page == Some(header.page_id.get());
        if self.options.page.is_some() && !is_asked_for {
            return Ok(());
        }
        if is_asked_for || self.may_show() {
            let mut all = fields!["offset" => at];
            self.extend(path, &mut all, field::of(header))?;
            self.report.show("page", all)?;
        }
        if is_asked_for {
            self.entries(path, at, header, buffer)
        } else {
            Ok(())
        }
    }

    fn entries(&mut self, path: &Path, at: u64, header: &PageHeader, buffer: &[u8]) -> io::Result<()> {
        let stored = buffer.get(PAGE_HEADER_BYTES..).unwrap_or_default();
        let mut raw = Vec::new();
        let content = match unpack(header, stored, &mut raw) {
            Ok(content) => content,
            Err(fault) => return self.fault(path, at, &fault.to_string()),
        };
        if header.collection == CollectionId::NONE {
            let code = Shared::new(content.to_vec());
            return self
                .report
                .show("library-code", fields!["offset" => at, "code" => Field::Bytes(code)]);
        }
        if header.flags & FLAG_PART != 0 {
            let items = Packed::new(content).count() as u64;
            return self.report.show("part", fields!["offset" => at, "items" => items]);
        }
        let mut written = Ok(());
        let decoded = image::decode(content, header.entries, |entry| {
            if written.is_ok() && self.may_show() {
                let mut all = Vec::new();
                written = self
                    .extend(path, &mut all, field::of(&entry))
                    .and_then(|()| self.report.show("entry", all));
            }
            Ok::<(), Malformed>(())
        });
        written?;
        match decoded {
            Ok(()) => Ok(()),
            Err(malformed) => self.fault(path, at, &malformed.to_string()),
        }
    }

    /// Where pages of this file begin, by the manifests in its directory that can be read.
    fn known_offsets(&self, path: &Path, id: Option<u64>) -> BTreeSet<u64> {
        let disk = self.disk.as_ref();
        let dir = path.parent().unwrap_or(Path::new("."));
        let mut paths: Vec<_> = manifests(disk, dir)
            .unwrap_or_default()
            .into_iter()
            .map(|(_, path)| path)
            .collect();
        paths.push(dir.join(MANIFEST));
        let mut offsets = BTreeSet::new();
        for manifest in paths.iter().filter_map(|path| Manifest::read(disk, path).ok()) {
            let index = manifest.head.files.iter().position(|file| Some(*file) == id);
            let here = manifest.rows().filter(|row| Some(row.file as usize) == index);
            offsets.extend(here.map(|row| row.offset));
        }
        offsets
    }
}
