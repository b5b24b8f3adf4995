//! The bytes on disk: segment header and record header. The diagrams are in `docs/format-wal.md`.
//!
//! **Invariants**
//! - All integers are little endian. The CRC of a record starts from its segment's salt, so that no byte string that
//!   a client stores can look like a record of this segment.
//! - A *mark* is a frame without payload that says: all records up to its LSN were synced before it was written.

use super::Lsn;

/// Size of a segment's header.
pub const SEGMENT_HEADER_BYTES: usize = 32;
/// Size of a record's header.
pub const RECORD_HEADER_BYTES: usize = 32;
/// Bytes of a record in front of what its CRC covers: `len` and `crc32c`.
pub(super) const RECORD_PREFIX_BYTES: usize = 8;
/// The part of the header that the CRC covers; the smallest legal `len`.
pub(super) const RECORD_COVERED_BYTES: usize = RECORD_HEADER_BYTES - RECORD_PREFIX_BYTES;
/// The longest payload that `len` can express.
pub const RECORD_BYTES_MAX: u64 = u32::MAX as u64 - RECORD_COVERED_BYTES as u64;

/// Version of the segment header and of the file as a whole.
pub(super) const SEGMENT_VERSION: u32 = 1;
/// Version of the record header.
pub(super) const RECORD_VERSION: u8 = 1;
/// First bytes of every segment.
pub(super) const MAGIC: [u8; 8] = *b"LOKIWAL\n";

/// Flag: the last record of a worker's batch.
pub(super) const FLAG_BATCH_END: u8 = 1;
/// Flag: a mark, not a record.
pub(super) const FLAG_MARK: u8 = 2;
const FLAGS_KNOWN: u8 = FLAG_BATCH_END | FLAG_MARK;

/// Where the flags byte is within a record.
pub(super) const FLAGS_AT: usize = 9;

const _: () = assert!(RECORD_HEADER_BYTES == 4 + 4 + 1 + 1 + 2 + 4 + 8 + 8);
const _: () = assert!(SEGMENT_HEADER_BYTES == 8 + 4 + 4 + 8 + 4 + 4);
const _: () = assert!(FLAGS_AT == 4 + 4 + 1);
const _: () = assert!(RECORD_BYTES_MAX > 4_000_000_000);

/// A record's header, decoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct RecordHeader {
    /// Count of bytes after the `crc32c` field.
    pub len: u32,
    pub crc: u32,
    pub version: u8,
    pub flags: u8,
    pub group: u16,
    pub term: u32,
    pub lsn: Lsn,
    pub wall_ms: u64,
}

impl RecordHeader {
    /// The bytes of the header, without looking at the CRC.
    pub fn encode(&self) -> [u8; RECORD_HEADER_BYTES] {
        let [a, b, c, d] = [
            u64::from(self.len) | u64::from(self.crc) << 32,
            meta_word(self.flags, self.group, self.term) & !0xff | u64::from(self.version),
            self.lsn.get(),
            self.wall_ms,
        ]
        .map(u64::to_le_bytes);
        let mut bytes = [0; RECORD_HEADER_BYTES];
        for (to, from) in bytes.iter_mut().zip([a, b, c, d].as_flattened()) {
            *to = *from;
        }
        bytes
    }

    pub fn decode(bytes: &[u8; RECORD_HEADER_BYTES]) -> Self {
        let (words, _) = bytes.as_chunks::<8>();
        let word = |at: usize| words.get(at).map_or(0, |word| u64::from_le_bytes(*word));
        let (prefix, meta) = (word(0), word(1));
        RecordHeader {
            len: prefix as u32,
            crc: (prefix >> 32) as u32,
            version: meta as u8,
            flags: (meta >> 8) as u8,
            group: (meta >> 16) as u16,
            term: (meta >> 32) as u32,
            lsn: Lsn::new(word(2)),
            wall_ms: word(3),
        }
    }

    pub fn is_mark(&self) -> bool {
        self.flags & FLAG_MARK != 0
    }

    pub fn flags_known(&self) -> bool {
        self.flags & !FLAGS_KNOWN == 0
    }
}

/// The second word of a record's header.
pub(super) fn meta_word(flags: u8, group: u16, term: u32) -> u64 {
    u64::from(RECORD_VERSION) | u64::from(flags) << 8 | u64::from(group) << 16 | u64::from(term) << 32
}

/// A whole mark frame.
pub(super) fn mark(salt: u32, group: u16, term: u32, lsn: Lsn, wall_ms: u64) -> [u8; RECORD_HEADER_BYTES] {
    let len = RECORD_COVERED_BYTES as u32;
    let version = RECORD_VERSION;
    let mut header = RecordHeader {
        len,
        crc: 0,
        version,
        flags: FLAG_MARK,
        group,
        term,
        lsn,
        wall_ms,
    };
    header.crc = crc32c::crc32c_append(salt, covered(&header.encode()));
    header.encode()
}

/// What of a record's bytes the CRC covers.
pub(super) fn covered(record: &[u8]) -> &[u8] {
    record.get(RECORD_PREFIX_BYTES..).unwrap_or_default()
}

/// Puts the CRC into a record that has no splices, in a segment with this salt.
#[inline]
pub(super) fn seal(record: &mut [u8], salt: u32) {
    put_crc(record, crc32c::crc32c_append(salt, covered(record)));
}

/// Puts a CRC into a record's header.
#[inline]
pub(super) fn put_crc(record: &mut [u8], crc: u32) {
    if let Some(field) = record.get_mut(4..).and_then(|rest| rest.first_chunk_mut::<4>()) {
        *field = crc.to_le_bytes();
    }
}

/// A segment's header, decoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct SegmentHeader {
    pub salt: u32,
    pub first_lsn: Lsn,
    /// That of the log; 0 in segments of programs that knew none.
    pub identity: u32,
}

/// Why a segment's header is not one.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum HeaderFault {
    Bad(&'static str),
    Version(u32),
}

impl SegmentHeader {
    pub fn encode(&self) -> [u8; SEGMENT_HEADER_BYTES] {
        let mut bytes = Vec::with_capacity(SEGMENT_HEADER_BYTES);
        bytes.extend(MAGIC);
        bytes.extend(SEGMENT_VERSION.to_le_bytes());
        bytes.extend(self.salt.to_le_bytes());
        bytes.extend(self.first_lsn.get().to_le_bytes());
        bytes.extend(self.identity.to_le_bytes());
        bytes.extend(crc32c::crc32c(&bytes).to_le_bytes());
        let mut header = [0; SEGMENT_HEADER_BYTES];
        for (to, from) in header.iter_mut().zip(bytes) {
            *to = from;
        }
        header
    }

    pub fn decode(bytes: &[u8; SEGMENT_HEADER_BYTES]) -> Result<Self, HeaderFault> {
        let (words, _) = bytes.as_chunks::<4>();
        let word = |at: usize| words.get(at).map_or(0, |word| u32::from_le_bytes(*word));
        if !bytes.starts_with(&MAGIC) {
            return Err(HeaderFault::Bad("not a WAL segment: the magic bytes are wrong"));
        }
        let (body, _) = bytes.split_at(SEGMENT_HEADER_BYTES - 4);
        if word(7) != crc32c::crc32c(body) {
            return Err(HeaderFault::Bad("the segment header's CRC does not match"));
        }
        if word(2) != SEGMENT_VERSION {
            return Err(HeaderFault::Version(word(2)));
        }
        Ok(SegmentHeader {
            salt: word(3),
            first_lsn: Lsn::new(u64::from(word(4)) | u64::from(word(5)) << 32),
            identity: word(6),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_survive_the_round_trip() {
        let header = RecordHeader {
            len: 0x0102_0304,
            crc: 0x0506_0708,
            version: 9,
            flags: 10,
            group: 0x0b0c,
            term: 0x0d0e_0f10,
            lsn: Lsn::new(0x1112_1314_1516_1718),
            wall_ms: 0x191a_1b1c_1d1e_1f20,
        };
        let bytes = header.encode();
        assert_eq!(RecordHeader::decode(&bytes), header);
        assert_eq!(bytes[0..4], [4, 3, 2, 1]);
        assert_eq!(bytes[8..12], [9, 10, 0x0c, 0x0b]);
        assert_eq!(bytes[FLAGS_AT], 10);
        let segment = SegmentHeader {
            salt: 77,
            first_lsn: Lsn::new(1 << 40),
            identity: 7,
        };
        let bytes = segment.encode();
        assert_eq!(SegmentHeader::decode(&bytes), Ok(segment));
        for at in 0..SEGMENT_HEADER_BYTES {
            let mut bad = bytes;
            bad[at] ^= 0x10;
            assert!(SegmentHeader::decode(&bad).is_err(), "byte {at}");
        }
    }

    #[test]
    fn unknown_segment_version_is_named() {
        let mut bytes = SegmentHeader {
            salt: 1,
            first_lsn: Lsn::FIRST,
            identity: 0,
        }
        .encode();
        bytes[8] = 2;
        let crc = crc32c::crc32c(&bytes[..28]).to_le_bytes();
        bytes[28..].copy_from_slice(&crc);
        assert_eq!(SegmentHeader::decode(&bytes), Err(HeaderFault::Version(2)));
    }
}
