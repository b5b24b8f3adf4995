//! A manifest without its damaged pages.
//!
//! Pages of hashed collections cover all hashes; where one is dropped, an empty one takes its place, in a page file of
//! its own.
//!
//! **Invariant:** the page file is durable before the manifest that names it.

use std::path::Path;

use crate::checkpoint::files::catalog::{self, page_file_name};
use crate::checkpoint::files::format::PAGE_HEADER_BYTES;
use crate::checkpoint::files::manifest::Manifest;
use crate::checkpoint::files::packing::Compression;
use crate::checkpoint::files::page_file::PageFileWriter;
use crate::checkpoint::files::verify::Hole;
use crate::page::image::PageImage;
use crate::storage::{Disk, FileError};
use crate::tools::error::ToolError;

/// See the module.
#[derive(Debug)]
pub struct Rewriting {
    /// What stays.
    pub manifest: Manifest,
    /// What is open in it.
    pub holes: Vec<Hole>,
}

impl Rewriting {
    /// Replaces the manifest at `path`.
    pub(super) fn carry_out(&self, disk: &dyn Disk, path: &Path) -> Result<(), ToolError> {
        let dir = path.parent().unwrap_or(Path::new("."));
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let temporary = dir.join(format!("{name}.tmp"));
        if disk.exists(&temporary).map_err(FileError::at("look for", &temporary))? {
            disk.remove(&temporary).map_err(FileError::at("remove", &temporary))?;
        }
        let mut manifest = self.manifest.clone();
        if !self.holes.is_empty() {
            self.fill(disk, dir, &mut manifest)?;
        }
        catalog::publish(disk, dir, &name, &manifest)?;
        Ok(())
    }

    fn fill(&self, disk: &dyn Disk, dir: &Path, manifest: &mut Manifest) -> Result<(), ToolError> {
        let mut id = manifest
            .head
            .id
            .max(manifest.head.files.iter().copied().max().unwrap_or(0))
            + 1;
        while disk
            .exists(&dir.join(page_file_name(id)))
            .map_err(FileError::at("look into", dir))?
        {
            id += 1;
        }
        let path = dir.join(page_file_name(id));
        let mut writer = PageFileWriter::create(disk, path, id, Compression::None)?;
        let file = manifest.head.files.len() as u32;
        manifest.head.files.push(id);
        for hole in &self.holes {
            let parts = &mut manifest.collections;
            let Some(part) = parts.iter_mut().find(|part| part.row.id == hole.collection) else {
                continue;
            };
            let page_id = part.row.next_page_id;
            part.row.next_page_id = page_id.next();
            let mut image = PageImage::of(page_id, manifest.head.lsn, std::iter::empty()).anchored(hole.anchor);
            let mut row = writer.append(hole.collection, hole.shard, &mut image)?;
            row.file = file;
            part.pages.push(row);
            part.row.pages += 1;
            manifest.head.pages += 1;
            manifest.head.referenced_bytes += row.len + PAGE_HEADER_BYTES as u64;
        }
        writer.finish()?;
        Ok(())
    }
}
