//! The bytes of page files and manifests; `docs/format-checkpoint.md` draws them.
//!
//! **Invariants**
//! - All integers are little endian; every header has a CRC32C of its own.
//! - An intact header with an unknown version is told apart from damage.

use serde::Serialize;

use crate::engine::ids::{CollectionId, ShardNo};
use crate::page::PageId;
use crate::page::image::Anchor;
use crate::wal::Lsn;

pub use super::rows::{CollectionRow, LIBRARY_VERSION, LibrariesRow, LibraryRow, PageRow, PartRow, WholeCollectionRow};

/// Version of the layout of manifests.
pub const FORMAT_VERSION: u32 = 4;
/// Version of the layout of page files, and of the encoding of entries in pages; manifests of it have no libraries.
pub const FORMAT_VERSION_PAGES: u32 = 3;
/// The one before: containers stand whole in their pages. It is read, and not written any more.
pub const FORMAT_VERSION_WHOLE: u32 = 2;
/// Header of a page file.
pub const PAGE_FILE_HEADER_BYTES: usize = 32;
/// Header of a page within a page file.
pub const PAGE_HEADER_BYTES: usize = 56;
/// Fixed part of a manifest's head; the file table and the head's CRC follow.
pub const MANIFEST_FIXED_BYTES: usize = 120;
/// A file id in the manifest's file table.
pub const FILE_ID_BYTES: usize = 8;
/// A CRC32C.
pub const CRC_BYTES: usize = 4;

const PAGE_FILE_MAGIC: &[u8; 8] = b"LOKIPGS\n";
const MANIFEST_MAGIC: &[u8; 8] = b"LOKIMAN\n";

/// Where the version is, in both files.
pub const VERSION_AT: usize = 8;
const ENCODING_AT: usize = 12;
/// Where a manifest's data set is.
pub const DATA_SET_AT: u64 = 80;

/// Flag of a page: its content is an LZ4 block.
pub const FLAG_LZ4: u8 = 1;
/// Flag of what is no page but a part of a container.
pub const FLAG_PART: u8 = 2;
/// Content longer than this is never compressed: what unpacking takes is bounded.
pub const COMPRESSED_BYTES_MAX: u64 = 8 << 20;

const _: () = assert!(PAGE_FILE_HEADER_BYTES == 8 + 4 + 4 + 8 + 4 + CRC_BYTES);
const _: () = assert!(PAGE_HEADER_BYTES == CRC_BYTES + 4 + 8 + 4 + 4 + 8 + 8 + 8 + 4 + 1 + 1 + 2);
const _: () = assert!(MANIFEST_FIXED_BYTES == 8 + 4 + 4 + 4 + 4 + 5 * 8 + 4 * 4 + 16 + 3 * 8);
const _: () = assert!(VERSION_AT == PAGE_FILE_MAGIC.len() && VERSION_AT == MANIFEST_MAGIC.len());
const _: () = assert!(ENCODING_AT == VERSION_AT + 4);

/// Why a header is not accepted.
#[derive(Debug, PartialEq, Eq)]
pub enum HeaderFault {
    /// Not what was written.
    Bad(&'static str),
    /// Intact, of a version unknown here: offset and version.
    Version(u64, u32),
}

/// What a manifest describes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[repr(u32)]
pub enum ManifestKind {
    /// All collections: a checkpoint.
    Checkpoint = 0,
    /// One collection: what `PERSIST` wrote.
    Persisted = 1,
}

pub(super) fn u32_at(bytes: &[u8], at: usize) -> u32 {
    let word = bytes.get(at..).and_then(|rest| rest.first_chunk());
    u32::from_le_bytes(word.copied().unwrap_or_default())
}

pub(super) fn u64_at(bytes: &[u8], at: usize) -> u64 {
    let word = bytes.get(at..).and_then(|rest| rest.first_chunk());
    u64::from_le_bytes(word.copied().unwrap_or_default())
}

/// The versions of a file's layout and of its encoding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Versions {
    /// Of the layout.
    pub layout: u32,
    /// Of the encoding of entries.
    pub encoding: u32,
}

impl Versions {
    /// Those of manifests that are written.
    pub const CURRENT: Self = Self {
        layout: FORMAT_VERSION,
        encoding: FORMAT_VERSION_PAGES,
    };
    /// Those of page files that are written, and of manifests before there were libraries.
    pub const PAGES: Self = Self::both(FORMAT_VERSION_PAGES);
    /// The ones before.
    pub const WHOLE: Self = Self::both(FORMAT_VERSION_WHOLE);
    /// Of manifests with encoding thresholds, for the time when nothing else had changed.
    pub const LIMITS: Self = Self {
        layout: FORMAT_VERSION_PAGES,
        encoding: FORMAT_VERSION_WHOLE,
    };

    const fn both(version: u32) -> Self {
        Self {
            layout: version,
            encoding: version,
        }
    }

    /// Those in a header, which are to be among `known`.
    pub(super) fn of(bytes: &[u8], known: &[Self]) -> Result<Self, HeaderFault> {
        let found = Self {
            layout: u32_at(bytes, VERSION_AT),
            encoding: u32_at(bytes, ENCODING_AT),
        };
        if known.contains(&found) {
            return Ok(found);
        }
        if known.iter().any(|known| known.layout == found.layout) {
            return Err(HeaderFault::Version(ENCODING_AT as u64, found.encoding));
        }
        Err(HeaderFault::Version(VERSION_AT as u64, found.layout))
    }

    pub(super) fn bytes(self) -> [u8; 8] {
        (u64::from(self.layout) | u64::from(self.encoding) << 32).to_le_bytes()
    }
}

/// The header of page file `id`.
pub fn encode_page_file_header(id: u64) -> [u8; PAGE_FILE_HEADER_BYTES] {
    let mut bytes = Vec::with_capacity(PAGE_FILE_HEADER_BYTES);
    bytes.extend_from_slice(PAGE_FILE_MAGIC);
    bytes.extend_from_slice(&Versions::PAGES.bytes());
    bytes.extend_from_slice(&id.to_le_bytes());
    bytes.extend_from_slice(&[0; 4]);
    bytes.extend_from_slice(&crc32c::crc32c(&bytes).to_le_bytes());
    bytes.first_chunk().copied().unwrap_or([0; PAGE_FILE_HEADER_BYTES])
}

/// The id in a page file's header.
///
/// # Errors
/// What is wrong with it.
pub fn decode_page_file_header(bytes: &[u8]) -> Result<u64, HeaderFault> {
    let covered = PAGE_FILE_HEADER_BYTES - CRC_BYTES;
    if !bytes.starts_with(PAGE_FILE_MAGIC) {
        return Err(HeaderFault::Bad("not a page file"));
    }
    let body = bytes
        .get(..covered)
        .ok_or(HeaderFault::Bad("the header is cut short"))?;
    if crc32c::crc32c(body) != u32_at(bytes, covered) {
        return Err(HeaderFault::Bad("the header's checksum does not match"));
    }
    Versions::of(bytes, &[Versions::PAGES, Versions::WHOLE])?;
    Ok(u64_at(bytes, 16))
}

/// What stands before a page's content.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct PageHeader {
    /// CRC32C of the rest of the header and of the content.
    pub crc: u32,
    /// Entries in the content.
    pub entries: u32,
    /// Bytes of content as stored.
    pub len: u64,
    /// The collection.
    pub collection: CollectionId,
    /// The shard.
    pub shard: ShardNo,
    /// The page's identity within the collection.
    pub page_id: PageId,
    /// LSN of its last change.
    pub version: Lsn,
    /// Bytes of content once unpacked; `len` when it is not packed.
    pub raw_len: u64,
    /// Where in its shard it belongs.
    pub anchor: Anchor,
    /// How the content is stored ([`FLAG_LZ4`] or as it is), and whether it is a part ([`FLAG_PART`]).
    pub flags: u8,
}

impl PageHeader {
    /// As bytes.
    pub fn encode(&self) -> [u8; PAGE_HEADER_BYTES] {
        let words = [
            u64::from(self.crc) | u64::from(self.entries) << 32,
            self.len,
            u64::from(self.collection.get()) | u64::from(self.shard.get()) << 32,
            self.page_id.get(),
            self.version.get(),
            self.raw_len,
            u64::from(self.anchor.prefix) | u64::from(self.anchor.depth) << 32 | u64::from(self.flags) << 40,
        ];
        let bytes = words.map(u64::to_le_bytes);
        bytes
            .as_flattened()
            .first_chunk()
            .copied()
            .unwrap_or([0; PAGE_HEADER_BYTES])
    }

    /// CRC32C of the header behind its `crc`; that of the content goes on from there.
    pub fn own_crc(&self) -> u32 {
        crc32c::crc32c(self.encode().get(CRC_BYTES..).unwrap_or_default())
    }

    /// From bytes; nothing is verified.
    pub fn decode(bytes: &[u8]) -> Self {
        Self {
            crc: u32_at(bytes, 0),
            entries: u32_at(bytes, 4),
            len: u64_at(bytes, 8),
            collection: CollectionId::new(u32_at(bytes, 16)),
            shard: ShardNo::new(u32_at(bytes, 20)),
            page_id: PageId::new(u64_at(bytes, 24)),
            version: Lsn::new(u64_at(bytes, 32)),
            raw_len: u64_at(bytes, 40),
            anchor: Anchor {
                prefix: u32_at(bytes, 48),
                depth: bytes.get(52).copied().unwrap_or_default(),
            },
            flags: bytes.get(53).copied().unwrap_or_default(),
        }
    }
}

/// The first part of a manifest: what it is, and which page files it names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ManifestHead {
    /// The file's versions.
    pub versions: Versions,
    /// What it describes.
    pub kind: ManifestKind,
    /// Replication term at the instant.
    pub term: u32,
    /// Its identity; ascending in a directory.
    pub id: u64,
    /// The instant: all records up to this LSN are in it, none after.
    pub lsn: Lsn,
    /// Wall clock at the instant, Unix milliseconds.
    pub wall_ms: u64,
    /// Pages in all.
    pub pages: u64,
    /// Entries in all.
    pub entries: u64,
    /// No collection has had this id or a higher one.
    pub next_collection: CollectionId,
    /// Collections.
    pub collections: u32,
    /// The data set it is of, as in the control file; 0 for a persisted collection.
    pub data_set: u128,
    /// Bytes of all its pages as stored, headers included.
    pub referenced_bytes: u64,
    /// Pages that were written for it; the others are where an earlier checkpoint put them.
    pub written_pages: u64,
    /// Bytes of the page file that was written for it.
    pub written_bytes: u64,
    /// Page files that pages point into.
    pub files: Vec<u64>,
}

impl ManifestHead {
    /// Whether the encoding thresholds are the first of the rows.
    pub const fn has_limits(&self) -> bool {
        self.versions.layout >= FORMAT_VERSION_PAGES
    }

    /// Whether libraries follow them.
    pub const fn has_libraries(&self) -> bool {
        self.versions.layout >= FORMAT_VERSION
    }

    /// Whether pages are as they are written now, with containers in parts.
    pub const fn has_parts(&self) -> bool {
        self.versions.encoding == FORMAT_VERSION_PAGES
    }

    /// Bytes of the head with `files` page files.
    pub fn bytes(files: usize) -> usize {
        MANIFEST_FIXED_BYTES + files * FILE_ID_BYTES + CRC_BYTES
    }

    /// As bytes, CRC included.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(Self::bytes(self.files.len()));
        bytes.extend_from_slice(MANIFEST_MAGIC);
        bytes.extend_from_slice(&self.versions.bytes());
        let words = [self.kind as u32, self.term];
        bytes.extend(words.iter().flat_map(|word| word.to_le_bytes()));
        let words = [self.id, self.lsn.get(), self.wall_ms, self.pages, self.entries];
        bytes.extend(words.iter().flat_map(|word| word.to_le_bytes()));
        let counts = [self.next_collection.get(), self.collections, self.files.len() as u32, 0];
        bytes.extend(counts.iter().flat_map(|word| word.to_le_bytes()));
        bytes.extend_from_slice(&self.data_set.to_le_bytes());
        let sizes = [self.referenced_bytes, self.written_pages, self.written_bytes];
        bytes.extend(sizes.iter().flat_map(|word| word.to_le_bytes()));
        bytes.extend(self.files.iter().flat_map(|file| file.to_le_bytes()));
        bytes.extend_from_slice(&crc32c::crc32c(&bytes).to_le_bytes());
        bytes
    }

    /// How long the head that begins with these bytes says it is.
    ///
    /// # Errors
    /// When it is not the beginning of a manifest.
    pub fn announced_bytes(fixed: &[u8]) -> Result<usize, HeaderFault> {
        if !fixed.starts_with(MANIFEST_MAGIC) {
            return Err(HeaderFault::Bad("not a manifest"));
        }
        if fixed.len() < MANIFEST_FIXED_BYTES {
            return Err(HeaderFault::Bad("the head is cut short"));
        }
        Ok(Self::bytes(u32_at(fixed, 72) as usize))
    }

    /// From bytes, of which the head is the beginning.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn decode(bytes: &[u8]) -> Result<Self, HeaderFault> {
        let head = bytes
            .get(..Self::announced_bytes(bytes)?)
            .ok_or(HeaderFault::Bad("the head is cut short"))?;
        let (body, crc) = head.split_at(head.len() - CRC_BYTES);
        if crc32c::crc32c(body) != u32_at(crc, 0) {
            return Err(HeaderFault::Bad("the head's checksum does not match"));
        }
        let known = [Versions::CURRENT, Versions::PAGES, Versions::LIMITS, Versions::WHOLE];
        let versions = Versions::of(body, &known)?;
        let kind = match u32_at(body, 16) {
            0 => ManifestKind::Checkpoint,
            1 => ManifestKind::Persisted,
            other => return Err(HeaderFault::Version(16, other)),
        };
        let table = body.get(MANIFEST_FIXED_BYTES..).unwrap_or_default();
        Ok(Self {
            versions,
            kind,
            term: u32_at(body, 20),
            id: u64_at(body, 24),
            lsn: Lsn::new(u64_at(body, 32)),
            wall_ms: u64_at(body, 40),
            pages: u64_at(body, 48),
            entries: u64_at(body, 56),
            next_collection: CollectionId::new(u32_at(body, 64)),
            collections: u32_at(body, 68),
            data_set: u128::from(u64_at(body, 80)) | u128::from(u64_at(body, 88)) << 64,
            referenced_bytes: u64_at(body, 96),
            written_pages: u64_at(body, 104),
            written_bytes: u64_at(body, 112),
            files: table.chunks(FILE_ID_BYTES).map(|id| u64_at(id, 0)).collect(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_read_back_and_every_flipped_bit_is_seen() {
        let header = encode_page_file_header(77);
        assert_eq!(decode_page_file_header(&header), Ok(77));
        let head = ManifestHead {
            versions: Versions::LIMITS,
            kind: ManifestKind::Persisted,
            term: 3,
            id: 9,
            lsn: Lsn::new(1 << 40),
            wall_ms: 5,
            pages: 6,
            entries: 7,
            next_collection: CollectionId::new(8),
            collections: 2,
            data_set: 0x1234_5678_9abc_def0_1234_5678_9abc_def1,
            referenced_bytes: 10,
            written_pages: 11,
            written_bytes: 12,
            files: vec![4, 9],
        };
        let bytes = head.encode();
        assert_eq!(bytes.len(), ManifestHead::bytes(2));
        assert_eq!(ManifestHead::decode(&bytes), Ok(head));
        for at in 0..bytes.len() * 8 {
            let mut flipped = bytes.clone();
            flipped[at / 8] ^= 1 << (at % 8);
            assert!(ManifestHead::decode(&flipped).is_err(), "bit {at}");
        }
        for at in 0..header.len() * 8 {
            let mut flipped = header;
            flipped[at / 8] ^= 1 << (at % 8);
            assert!(decode_page_file_header(&flipped).is_err(), "bit {at}");
        }
    }

    #[test]
    fn an_unknown_version_is_not_damage() {
        let mut bytes = encode_page_file_header(1);
        bytes[VERSION_AT] = 9;
        let crc = crc32c::crc32c(&bytes[..28]);
        bytes[28..].copy_from_slice(&crc.to_le_bytes());
        assert_eq!(decode_page_file_header(&bytes), Err(HeaderFault::Version(8, 9)));
    }

    #[test]
    fn page_headers_read_back() {
        let header = PageHeader {
            crc: 1,
            entries: 2,
            len: 3,
            collection: CollectionId::new(4),
            shard: ShardNo::new(5),
            page_id: PageId::new(6),
            version: Lsn::new(7),
            raw_len: 8,
            anchor: Anchor { prefix: 9, depth: 10 },
            flags: FLAG_LZ4,
        };
        assert_eq!(PageHeader::decode(&header.encode()), header);
    }
}
