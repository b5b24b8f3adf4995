//! Page files: written front to back in large writes, read page by page.
//!
//! **Invariants**
//! - A failed write or sync ends the writer; the file is given up, never retried.
//! - A page that is read has the checksum, the size and the identity that the manifest says.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::error::{CheckpointError, Result};
use super::fault::PageFault;
use super::format::{
    CRC_BYTES, FLAG_LZ4, FLAG_PART, HeaderFault, PAGE_FILE_HEADER_BYTES, PAGE_HEADER_BYTES, PageHeader, PageRow,
    decode_page_file_header, encode_page_file_header,
};
use super::packing::{Compression, Packer, unpack};
use super::parts::Parts;
use super::refusal::Refusal;
use crate::engine::background::give_way;
use crate::engine::collection::Collection;
use crate::engine::ids::CollectionId;
use crate::engine::ids::ShardNo;
use crate::engine::index::loaded::LoadedPage;
use crate::page::image::{self, Anchor, EntryImage, PageImage};
use crate::page::parts::PartRef;
use crate::page::value::Stored;
use crate::page::{Access, Entry, Spliced};
use crate::shared::Piece;
use crate::storage::{Disk, DiskFile, DiskRead};

/// Gathered before a write.
const WRITE_BYTES: usize = 256 << 10;
/// Values at least this long are written from where they are.
const DIRECT_BYTES_MIN: usize = 128 << 10;
/// Written at most before a sync, so that the last one finds little to do and other syncs are not held up behind it.
const SYNC_BYTES: u64 = 16 << 20;

/// Writes a page file.
pub struct PageFileWriter {
    file: Box<dyn DiskFile>,
    path: PathBuf,
    buffer: Vec<u8>,
    bytes: u64,
    unsynced: u64,
    pages: u64,
    packer: Packer,
    /// Told of each write, for those who want to know whether it gets on.
    steps: Option<Arc<AtomicU64>>,
}

impl PageFileWriter {
    /// Creates page file `id` at `path`.
    pub fn create(disk: &dyn Disk, path: PathBuf, id: u64, compression: Compression) -> Result<Self> {
        let file = disk.create(&path).map_err(CheckpointError::io("create", &path))?;
        let mut buffer = Vec::with_capacity(WRITE_BYTES + DIRECT_BYTES_MIN);
        buffer.extend_from_slice(&encode_page_file_header(id));
        Ok(Self {
            file,
            path,
            buffer,
            bytes: PAGE_FILE_HEADER_BYTES as u64,
            unsynced: 0,
            pages: 0,
            packer: Packer::new(compression),
            steps: None,
        })
    }

    /// Has `steps` count its writes.
    pub fn count_in(mut self, steps: &Arc<AtomicU64>) -> Self {
        self.steps = Some(Arc::clone(steps));
        self
    }

    /// Appends a page; the row says where it is, in file 0 of the manifest. Parts that it names are the caller's.
    pub fn append(&mut self, collection: CollectionId, shard: ShardNo, image: &mut PageImage) -> Result<PageRow> {
        image.content.settle();
        let header = PageHeader {
            crc: 0,
            entries: image.entries,
            len: 0,
            collection,
            shard,
            page_id: image.page_id,
            version: image.version,
            raw_len: 0,
            anchor: image.anchor,
            flags: 0,
        };
        self.pages += 1;
        self.append_as(header, &image.content)
    }

    /// Appends a part of a container.
    pub fn append_part(
        &mut self,
        (collection, shard): (CollectionId, ShardNo),
        part: &PartRef,
        piece: Piece,
    ) -> Result<PageRow> {
        let mut content = Spliced::default();
        content.link(piece);
        let header = PageHeader {
            crc: 0,
            entries: 0,
            len: 0,
            collection,
            shard,
            page_id: part.id,
            version: part.version,
            raw_len: 0,
            anchor: Anchor::default(),
            flags: FLAG_PART,
        };
        self.append_as(header, &content)
    }

    /// Appends content under this header, but for what follows from the content.
    fn append_as(&mut self, mut header: PageHeader, content: &Spliced) -> Result<PageRow> {
        (header.len, header.raw_len) = (content.len() as u64, content.len() as u64);
        let offset = self.bytes;
        let mut packer = std::mem::take(&mut self.packer);
        if let Some(packed) = packer.pack(content) {
            header.len = packed.len() as u64;
            header.flags |= FLAG_LZ4;
            header.crc = crc32c::crc32c_append(header.own_crc(), packed);
            self.push(&header.encode())?;
            self.push(packed)?;
        } else {
            header.crc = header.own_crc();
            let Ok(()) = content.for_each_piece(|piece| {
                header.crc = crc32c::crc32c_append(header.crc, piece);
                Ok::<(), std::convert::Infallible>(())
            });
            self.push(&header.encode())?;
            content.for_each_piece(|piece| self.push(piece))?;
        }
        self.packer = packer;
        Ok(PageRow {
            page_id: header.page_id,
            version: header.version,
            offset,
            len: header.len,
            shard: header.shard,
            file: 0,
            crc: header.crc,
            entries: header.entries,
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
        give_way();
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
        if let Some(steps) = &self.steps {
            steps.fetch_add(1, Ordering::Relaxed);
        }
        self.unsynced += bytes.len() as u64;
        if self.unsynced >= SYNC_BYTES {
            return self.sync();
        }
        self.file.start_writeback();
        Ok(())
    }

    fn sync(&mut self) -> Result<()> {
        self.unsynced = 0;
        self.file.sync_data().map_err(CheckpointError::io("sync", &self.path))
    }

    /// Pages so far, parts apart: those stand beside a page that names them.
    pub fn pages(&self) -> u64 {
        self.pages
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

/// Reads pages of one file.
pub struct PageFileReader {
    file: Box<dyn DiskRead>,
    path: PathBuf,
    len: u64,
}

/// What a page is read into; used again for the next one.
#[derive(Default)]
pub struct PageBuffer {
    stored: Vec<u8>,
    raw: Vec<u8>,
}

/// A page whose checksum, size and identity are right.
pub struct ReadPage<'a> {
    /// Its header.
    pub header: PageHeader,
    content: &'a [u8],
    path: &'a Path,
    offset: u64,
}

impl<'a> ReadPage<'a> {
    /// Decodes the entries, joining containers in parts, and gives each to `visit`, whose error ends it.
    ///
    /// # Errors
    /// When the content, or a part, is not what it should be; what `visit` says.
    pub fn for_each(
        &self,
        parts: &Parts<'_>,
        mut visit: impl FnMut(&EntryImage<'_>, bool) -> Result<()>,
    ) -> Result<()> {
        let (content, entries) = self.stored()?;
        let outcome = image::decode(content, entries, |entry| match &entry.value {
            Stored::Whole(value) => visit(&entry.with(*value), false),
            Stored::Parted(parted) => {
                let whole = parts.join(self.header.page_id, parted)?;
                visit(&entry.with(whole.value()), true)
            }
        });
        outcome.map_err(|error| match error {
            CheckpointError::Page(fault) => self.damaged(&fault),
            other => other,
        })
    }

    /// The content and the number of entries in it.
    ///
    /// # Errors
    /// When it is no page, but a part of a container.
    pub fn stored(&self) -> Result<(&'a [u8], u32)> {
        if self.header.flags & FLAG_PART != 0 {
            return Err(self.damaged(&PageFault::IsPart));
        }
        Ok((self.content, self.header.entries))
    }

    /// The content, if it is a part.
    pub fn part(&self) -> Option<&'a [u8]> {
        (self.header.flags & FLAG_PART != 0).then_some(self.content)
    }

    /// The page of `collection` as it is in memory, not installed yet; entries were last read at `access`.
    ///
    /// # Errors
    /// As for [`ReadPage::for_each`], and when an entry does not belong into this page.
    pub fn build(&self, collection: &Collection, parts: &Parts<'_>, access: Access) -> Result<LoadedPage> {
        let PageHeader {
            shard,
            page_id,
            version,
            anchor,
            entries,
            ..
        } = self.header;
        let begun = collection
            .shard(shard)
            .lock()
            .index
            .begin_page(page_id, version, anchor, entries);
        let mut page = begun.map_err(|misfit| self.damaged(&misfit))?;
        let mark = collection.mark(version);
        self.for_each(parts, |image, is_joined| {
            let key = collection.key_in(image.key, shard)?;
            let expire_at_ms = (image.expire_at_ms != 0).then_some(image.expire_at_ms);
            let mut entry = Entry::new(image.key, image.value, expire_at_ms, access);
            if !is_joined {
                // It was written whole; it may be in parts from now on.
                entry.adopt(mark);
            }
            page.push(key, entry)?;
            Ok(())
        })?;
        Ok(page)
    }

    /// The page is damaged.
    pub fn damaged(&self, reason: &dyn fmt::Display) -> CheckpointError {
        let (page, collection) = (self.header.page_id, self.header.collection);
        let reason = format!("page {page} of collection {collection}: {reason}");
        CheckpointError::damaged(self.path, self.offset, reason)
    }
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

    /// Reads, verifies and unpacks the page of `row`.
    pub fn read<'a>(
        &'a self,
        collection: CollectionId,
        row: &PageRow,
        buffer: &'a mut PageBuffer,
    ) -> Result<ReadPage<'a>> {
        let damaged = |reason: String| {
            let reason = format!("page {} of collection {collection}: {reason}", row.page_id);
            CheckpointError::damaged(&self.path, row.offset, reason)
        };
        let PageBuffer { stored, raw } = buffer;
        let total = row.len.saturating_add(PAGE_HEADER_BYTES as u64);
        if row.offset.saturating_add(total) > self.len {
            return Err(damaged(format!("it goes beyond the end of the file ({})", self.len)));
        }
        stored.resize(total as usize, 0);
        let read = self
            .file
            .read_at(row.offset, stored)
            .map_err(CheckpointError::io("read", &self.path))?;
        if read < stored.len() {
            return Err(damaged("the file became shorter while it was read".to_owned()));
        }
        let header = PageHeader::decode(stored);
        let crc = crc32c::crc32c(stored.get(CRC_BYTES..).unwrap_or_default());
        if crc != header.crc || crc != row.crc {
            let (stored, expected) = (header.crc, row.crc);
            return Err(damaged(format!(
                "its checksum is {crc:08x}, stored with it is {stored:08x}, in the manifest {expected:08x}"
            )));
        }
        let is_it = header.page_id == row.page_id
            && header.version == row.version
            && header.shard == row.shard
            && header.entries == row.entries
            && header.len == row.len
            && header.collection == collection;
        if !is_it {
            return Err(damaged(format!("another page is there: {header:?}")));
        }
        let content = stored.get(PAGE_HEADER_BYTES..).unwrap_or_default();
        Ok(ReadPage {
            header,
            content: unpack(&header, content, raw).map_err(|fault| damaged(fault.to_string()))?,
            path: &self.path,
            offset: row.offset,
        })
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

/// Why there is no whole page at a place of a file.
#[derive(Debug)]
pub enum NoPage {
    /// It would go beyond the end.
    BeyondEnd,
    /// The file lost its end meanwhile.
    Shorter,
    /// The file system refused.
    Io(std::io::Error),
    /// The bytes are not what was written.
    Checksum {
        /// What they sum up to.
        found: u32,
        /// What they should.
        stored: u32,
    },
}

impl fmt::Display for NoPage {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BeyondEnd => out.write_str("the page goes beyond the end of the file"),
            Self::Shorter => out.write_str("the file became shorter while it was read"),
            Self::Io(error) => error.fmt(out),
            Self::Checksum { found, stored } => {
                write!(
                    out,
                    "the page's checksum is {found:08x}, stored with it is {stored:08x}"
                )
            }
        }
    }
}

impl std::error::Error for NoPage {}

/// The page that begins at `offset` of a file of `file_bytes`, by what the file alone says; `buffer` then holds it,
/// header included.
///
/// # Errors
/// When there is no whole page.
pub fn read_page_at(
    file: &dyn DiskRead,
    file_bytes: u64,
    offset: u64,
    buffer: &mut Vec<u8>,
) -> std::result::Result<PageHeader, NoPage> {
    let read = |buffer: &mut Vec<u8>, bytes: u64| {
        if bytes > file_bytes.saturating_sub(offset) {
            return Err(NoPage::BeyondEnd);
        }
        buffer.resize(bytes as usize, 0);
        match file.read_at(offset, buffer) {
            Ok(read) if read == buffer.len() => Ok(()),
            Ok(_) => Err(NoPage::Shorter),
            Err(error) => Err(NoPage::Io(error)),
        }
    };
    read(buffer, PAGE_HEADER_BYTES as u64)?;
    let header = PageHeader::decode(buffer);
    read(buffer, header.len.saturating_add(PAGE_HEADER_BYTES as u64))?;
    let crc = crc32c::crc32c(buffer.get(4..).unwrap_or_default());
    if crc != header.crc {
        return Err(NoPage::Checksum {
            found: crc,
            stored: header.crc,
        });
    }
    Ok(header)
}

/// The file that a row points into.
///
/// # Errors
/// When it points nowhere; manifests with such rows are not read at all.
pub fn file_of<'a>(files: &'a [PageFileReader], row: &PageRow) -> Result<&'a PageFileReader> {
    let file = files.get(row.file as usize);
    file.ok_or_else(|| Refusal::PageInNoFile(row.page_id).into())
}

/// A header's fault as an error of its file.
pub fn header_error(path: &Path, fault: HeaderFault) -> CheckpointError {
    match fault {
        HeaderFault::Bad(reason) => CheckpointError::damaged(path, 0, reason),
        HeaderFault::Version(offset, version) => CheckpointError::UnknownVersion {
            file: path.to_owned(),
            offset,
            version,
        },
    }
}
