//! Libraries of functions in page files: the code of each lies there as a part does, so that one that has not changed
//! is not written again, however long it is.
//!
//! **Invariant:** what is read has the checksum and the number that the manifest says.

use super::error::Result;
use super::fault::PageFault;
use super::format::{LIBRARY_VERSION, LibraryRow, PageRow};
use super::manifest::Manifest;
use super::page_file::{PageBuffer, PageFileReader, PageFileWriter, file_of};
use crate::engine::ids::{CollectionId, ShardNo};
use crate::engine::libraries::{Libraries, Library};
use crate::page::PageId;
use crate::page::parts::PartRef;
use crate::shared::Shared;

/// Appends the code of library `number`; the row says where it is, in file 0 of the manifest.
pub fn append(file: &mut PageFileWriter, number: u64, library: &Library) -> Result<PageRow> {
    let part = PartRef {
        start: 0,
        id: PageId::new(number),
        version: LIBRARY_VERSION,
    };
    let code = Shared::new(library.code.to_vec());
    file.append_part((CollectionId::NONE, ShardNo::FIRST), &part, code.into())
}

/// The library of this row, in this file.
pub fn read(file: &PageFileReader, row: &LibraryRow, buffer: &mut PageBuffer) -> Result<Library> {
    let read = file.read(CollectionId::NONE, &row.row, buffer)?;
    match read.part() {
        Some(code) => Ok(Library::new(&row.name, code)),
        None => Err(read.damaged(&PageFault::NoPart(row.row.page_id))),
    }
}

/// All libraries of a manifest, whose page files these are.
///
/// # Errors
/// When one is not there or not whole.
pub fn read_all(files: &[PageFileReader], manifest: &Manifest) -> Result<Libraries> {
    let mut buffer = PageBuffer::default();
    let mut found = Vec::with_capacity(manifest.libraries.len());
    for row in &manifest.libraries {
        let library = read(file_of(files, &row.row)?, row, &mut buffer)?;
        found.push((row.row.page_id.get(), library));
    }
    Ok(Libraries::restored(manifest.next_library, found))
}
