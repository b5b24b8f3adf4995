//! `LOAD`: a persisted collection back into the engine, into whichever kind.
//!
//! **Invariant:** all pages are read and verified before anything changes.

use std::sync::Arc;
use std::time::Instant;

use super::files::catalog::open_page_files;
use super::files::error::{CheckpointError, Result};
use super::files::format::{ManifestKind, PageRow};
use super::files::manifest::{CollectionPages, Manifest};
use super::files::page_file::{PageBuffer, PageFileReader, ReadPage, file_of};
use super::files::parts::Parts;
use super::files::persisted::MANIFEST;
use super::files::refusal::Refusal;
use super::request::{LoadDone, LoadRequest};
use super::runner::Runner;
use crate::engine::collection::Collection;

/// A collection's pages in files.
pub(super) struct Filed {
    pub part: CollectionPages,
    pub entries: u64,
    pub files: Arc<Vec<PageFileReader>>,
}

impl Filed {
    /// Reads page `row` into `buffer`.
    pub fn page<'a>(&'a self, row: &PageRow, buffer: &'a mut PageBuffer) -> Result<ReadPage<'a>> {
        file_of(&self.files, row)?.read(self.part.row.id, row, buffer)
    }

    /// Where the parts of its containers are.
    pub fn parts(&self) -> Parts<'_> {
        Parts::new(&self.part, self.files.iter().map(Some))
    }
}

impl Runner {
    pub(super) fn load(&mut self, request: &LoadRequest) -> Result<LoadDone> {
        let started = Instant::now();
        let filed = self.open_persisted(&request.name)?;
        let there = self.check_target(&request.target)?;
        let settings = there.unwrap_or(filed.part.row.settings);
        self.with_hidden((request.kind, settings), |runner, hidden| {
            runner.fill(hidden, &filed)?;
            runner.publish_at(&request.target, hidden.id())
        })?;
        Ok(LoadDone {
            entries: filed.entries,
            millis: started.elapsed().as_millis() as u64,
        })
    }

    /// Opens what was persisted as `name` and verifies every page.
    fn open_persisted(&self, name: &str) -> Result<Filed> {
        let dir = self.persisted_dir(name)?;
        let path = dir.join(MANIFEST);
        let disk = self.shared.disk.as_ref();
        if !disk.exists(&path).map_err(CheckpointError::io("look for", &path))? {
            return Err(Refusal::NotPersisted(name.to_owned()).into());
        }
        let manifest = Manifest::read(disk, &path)?;
        let files = open_page_files(disk, &dir, &manifest.head)?;
        let mut parts = manifest.collections.into_iter();
        let (Some(part), None, ManifestKind::Persisted) = (parts.next(), parts.next(), manifest.head.kind) else {
            return Err(CheckpointError::damaged(
                &path,
                16,
                "it is not that of one persisted collection",
            ));
        };
        let filed = Filed {
            part,
            entries: manifest.head.entries,
            files: Arc::new(files),
        };
        self.verify(&filed)?;
        Ok(filed)
    }

    /// Reads every page.
    pub(super) fn verify(&self, filed: &Filed) -> Result<()> {
        let (mut buffer, parts) = (PageBuffer::default(), filed.parts());
        for row in &filed.part.pages {
            self.check_stop()?;
            filed.page(row, &mut buffer)?.for_each(&parts, |_, _| Ok(()))?;
        }
        Ok(())
    }

    /// Puts every entry of `filed`.
    pub(super) fn fill(&mut self, hidden: &Collection, filed: &Filed) -> Result<()> {
        let (mut buffer, parts) = (PageBuffer::default(), filed.parts());
        for row in &filed.part.pages {
            self.check_stop()?;
            let page = filed.page(row, &mut buffer)?;
            self.put_stored(hidden, page.stored()?, |runner, entry, parted| {
                let whole = parts.join(row.page_id, parted)?;
                runner.put_entries(hidden, &[entry.with(whole.value())])
            })?;
        }
        Ok(())
    }
}
