//! Page files: written front to back in large writes, read page by page.
//!
//! **Invariants**
//! - A failed write or sync ends the writer; the file is given up, never retried.
//! - A page that is read has the checksum, the size and the identity that the manifest says.

use std::path::{Path, PathBuf};

use super::error::{CheckpointError, Result};
use super::format::{
    HeaderFault, PAGE_FILE_HEADER_BYTES, PAGE_HEADER_BYTES, PageHeader, PageRow, decode_page_file_header,
    encode_page_file_header,
};
use crate::engine::effect::CollectionId;
use crate::page::image::PageImage;
use crate::storage::{Disk, DiskFile, DiskRead};

/// Gathered before a write.
const WRITE_BYTES: usize = 1 << 20;
/// Values at least this long are written from where they are.
const DIRECT_BYTES_MIN: usize = 256 << 10;
/// Written at most before a sync, so that the last one finds little to do and other syncs are not held up behind it.
const SYNC_BYTES: u64 = 32 << 20;

/// Writes a page file.
pub struct PageFileWriter {
    file: Box<dyn DiskFile>,
    path: PathBuf,
    buffer: Vec<u8>,
    bytes: u64,
    unsynced: u64,
}

impl PageFileWriter {
    /// Creates page file `id` at `path`.
    pub fn create(disk: &dyn Disk, path: PathBuf, id: u64) -> Result<Self> {
        let file = disk.create(&path).map_err(CheckpointError::io("create", &path))?;
        let mut buffer = Vec::with_capacity(WRITE_BYTES + DIRECT_BYTES_MIN);
        buffer.extend_from_slice(&encode_page_file_header(id));
        Ok(Self {
            file,
            path,
            buffer,
            bytes: PAGE_FILE_HEADER_BYTES as u64,
            unsynced: 0,
        })
    }

    /// Appends a page; the row says where it is, in file 0 of the manifest.
    pub fn append(&mut self, collection: CollectionId, shard: u32, image: &mut PageImage) -> Result<PageRow> {
        image.content.settle();
        let mut header = PageHeader {
            crc: 0,
            entries: image.entries,
            len: image.content.len() as u64,
            collection,
            shard,
            page_id: image.page_id,
            version: image.version,
        };
        header.crc = checksum(&header, |crc| {
            let mut crc = crc;
            let Ok(()) = image.content.for_each_piece(|piece| {
                crc = crc32c::crc32c_append(crc, piece);
                Ok::<(), std::convert::Infallible>(())
            });
            crc
        });
        let offset = self.bytes;
        self.push(&header.encode())?;
        image.content.for_each_piece(|piece| self.push(piece))?;
        Ok(PageRow {
            page_id: image.page_id,
            offset,
            len: header.len,
            shard,
            file: 0,
            crc: header.crc,
            entries: image.entries,
        })
    }

    fn push(&mut self, bytes: &[u8]) -> Result<()> {
        self.bytes += bytes.len() as u64;
        if bytes.len() >= DIRECT_BYTES_MIN {
            self.flush()?;
            return self.write(bytes);
        }
        self.buffer.extend_from_slice(bytes);
        if self.buffer.len() >= WRITE_BYTES {
            self.flush()?;
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<()> {
        let mut buffer = std::mem::take(&mut self.buffer);
        self.write(&buffer)?;
        buffer.clear();
        self.buffer = buffer;
        Ok(())
    }

    fn write(&mut self, bytes: &[u8]) -> Result<()> {
        if bytes.is_empty() {
            return Ok(());
        }
        self.file
            .write_all(bytes)
            .map_err(CheckpointError::io("write", &self.path))?;
        self.unsynced += bytes.len() as u64;
        if self.unsynced >= SYNC_BYTES {
            self.sync()?;
        }
        Ok(())
    }

    fn sync(&mut self) -> Result<()> {
        self.unsynced = 0;
        self.file.sync_data().map_err(CheckpointError::io("sync", &self.path))
    }

    /// Bytes so far.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Makes the file durable (its directory entry apart); returns its length.
    pub fn finish(mut self) -> Result<u64> {
        self.flush()?;
        self.sync()?;
        Ok(self.bytes)
    }
}

fn checksum(header: &PageHeader, content: impl FnOnce(u32) -> u32) -> u32 {
    content(crc32c::crc32c(header.encode().get(4..).unwrap_or_default()))
}

/// Reads pages of one file.
pub struct PageFileReader {
    file: Box<dyn DiskRead>,
    path: PathBuf,
    len: u64,
}

impl PageFileReader {
    /// Opens page file `id` and verifies its header.
    pub fn open(disk: &dyn Disk, path: PathBuf, id: u64) -> Result<Self> {
        let file = disk.open_read(&path).map_err(CheckpointError::io("open", &path))?;
        let len = file.len().map_err(CheckpointError::io("measure", &path))?;
        let mut header = [0; PAGE_FILE_HEADER_BYTES];
        let read = file
            .read_at(0, &mut header)
            .map_err(CheckpointError::io("read", &path))?;
        let found = decode_page_file_header(header.get(..read).unwrap_or_default())
            .map_err(|fault| header_error(&path, fault))?;
        if found != id {
            let reason = format!("it should be page file {id}, its header says {found}");
            return Err(CheckpointError::damaged(&path, 16, reason));
        }
        Ok(Self { file, path, len })
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Reads the page of `row` into `buffer`; returns its header. The content is behind [`PAGE_HEADER_BYTES`].
    pub fn read(&self, collection: CollectionId, row: &PageRow, buffer: &mut Vec<u8>) -> Result<PageHeader> {
        let damaged = |reason: String| {
            let reason = format!("page {} of collection {collection}: {reason}", row.page_id);
            CheckpointError::damaged(&self.path, row.offset, reason)
        };
        let total = row.len.saturating_add(PAGE_HEADER_BYTES as u64);
        if row.offset.saturating_add(total) > self.len {
            return Err(damaged(format!("it goes beyond the end of the file ({})", self.len)));
        }
        buffer.resize(total as usize, 0);
        let read = self
            .file
            .read_at(row.offset, buffer)
            .map_err(CheckpointError::io("read", &self.path))?;
        if read < buffer.len() {
            return Err(damaged("the file became shorter while it was read".to_owned()));
        }
        let header = PageHeader::decode(buffer);
        let crc = crc32c::crc32c(buffer.get(4..).unwrap_or_default());
        if crc != header.crc || crc != row.crc {
            let (stored, expected) = (header.crc, row.crc);
            return Err(damaged(format!(
                "its checksum is {crc:08x}, stored with it is {stored:08x}, in the manifest {expected:08x}"
            )));
        }
        let told = (row.page_id, row.shard, row.entries, row.len, collection);
        if told
            != (
                header.page_id,
                header.shard,
                header.entries,
                header.len,
                header.collection,
            )
        {
            return Err(damaged(format!("another page is there: {header:?}")));
        }
        Ok(header)
    }
}

/// The id that a page file's header tells.
///
/// # Errors
/// When it cannot be read, or is damaged.
pub fn read_page_file_id(disk: &dyn Disk, path: &Path) -> Result<u64> {
    let mut header = [0; PAGE_FILE_HEADER_BYTES];
    let read = disk
        .read_at(path, 0, &mut header)
        .map_err(CheckpointError::io("read", path))?;
    decode_page_file_header(header.get(..read).unwrap_or_default()).map_err(|fault| header_error(path, fault))
}

/// The page that begins at `offset` of a file of `file_bytes`, by what the file alone says; `buffer` then holds it, header
/// included.
///
/// # Errors
/// A sentence when there is no whole page.
pub fn read_page_at(
    file: &dyn DiskRead,
    file_bytes: u64,
    offset: u64,
    buffer: &mut Vec<u8>,
) -> std::result::Result<PageHeader, String> {
    let read = |buffer: &mut Vec<u8>, bytes: u64| {
        if bytes > file_bytes.saturating_sub(offset) {
            return Err("the page goes beyond the end of the file".to_owned());
        }
        buffer.resize(bytes as usize, 0);
        match file.read_at(offset, buffer) {
            Ok(read) if read == buffer.len() => Ok(()),
            Ok(_) => Err("the file became shorter while it was read".to_owned()),
            Err(error) => Err(error.to_string()),
        }
    };
    read(buffer, PAGE_HEADER_BYTES as u64)?;
    let header = PageHeader::decode(buffer);
    read(buffer, header.len.saturating_add(PAGE_HEADER_BYTES as u64))?;
    let crc = crc32c::crc32c(buffer.get(4..).unwrap_or_default());
    if crc != header.crc {
        return Err(format!(
            "the page's checksum is {crc:08x}, stored with it is {:08x}",
            header.crc
        ));
    }
    Ok(header)
}

/// A header's fault as an error of its file.
pub(super) fn header_error(path: &Path, fault: HeaderFault) -> CheckpointError {
    match fault {
        HeaderFault::Bad(reason) => CheckpointError::damaged(path, 0, reason),
        HeaderFault::Version(offset, version) => CheckpointError::UnknownVersion {
            file: path.to_owned(),
            offset,
            version,
        },
    }
}
