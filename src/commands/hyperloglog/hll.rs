//! HyperLogLog over the bytes of a string value, in Redis's own format: approximate counts of distinct elements.
//!
//! ```text
//! byte  0      4         5       8                16
//!       "HYLL" encoding  3 × 0   cached count     registers
//! ```
//!
//! The count is little-endian; the top bit of its last byte says that it is out of date. Encoding 0 is dense (16384
//! registers of 6 bits), 1 is sparse (run lengths, see `sparse`).
//!
//! **Invariants**: after the same calls the bytes are the same as in Redis 7.0, so values move between the two servers
//! with `DUMP`, `RESTORE`, `GET` and `SET`. Bytes come from clients: no content of them can panic.

use super::estimate::Histogram;
use super::{dense, estimate, hash, sparse};

/// Registers of a HyperLogLog: 2^14, for a standard error of 0.81 %.
pub const REGISTERS: usize = 1 << 14;
/// Length of what comes before the registers.
pub const HEADER_BYTES: usize = 16;
/// Length of a dense value.
pub const DENSE_BYTES: usize = HEADER_BYTES + REGISTERS * 6 / 8;
/// Default of `hll-sparse-max-bytes`: a sparse value that would grow past it becomes dense.
pub const SPARSE_BYTES_MAX_DEFAULT: usize = 3000;

const MAGIC: &[u8; 4] = b"HYLL";
const ENCODING_OFFSET: usize = 4;
pub(super) const CACHE_OFFSET: usize = 8;
/// In the last byte of the cached count: the count is out of date.
pub(super) const STALE: u8 = 0x80;

/// How the registers are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// 6 bits each.
    Dense,
    /// Run lengths.
    Sparse,
}

/// Why a string cannot be used as a HyperLogLog.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HllError {
    /// Its header is not one.
    NotHll,
    /// Its registers make no sense.
    Corrupt,
    /// `PFDEBUG DECODE` of a dense value.
    NotSparse,
}

impl HllError {
    /// The error reply.
    pub fn message(self) -> &'static str {
        match self {
            Self::NotHll => "WRONGTYPE Key is not a valid HyperLogLog string value.",
            Self::Corrupt => "INVALIDOBJ Corrupted HLL object detected",
            Self::NotSparse => "ERR HLL encoding is not sparse",
        }
    }
}

impl std::fmt::Display for HllError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.message())
    }
}

impl std::error::Error for HllError {}

/// A new, empty value: sparse, with an up-to-date count of zero. `PFADD` that creates a key also calls
/// [`invalidate_cache`], even when it adds nothing.
pub fn empty() -> Vec<u8> {
    let mut bytes = Vec::with_capacity(HEADER_BYTES + sparse::EMPTY.len());
    bytes.extend_from_slice(MAGIC);
    bytes.push(1);
    bytes.resize(HEADER_BYTES, 0);
    bytes.extend_from_slice(&sparse::EMPTY);
    bytes
}

/// Whether a string has the header of a HyperLogLog, and which encoding. O(1): the registers are not looked at.
pub fn check(bytes: &[u8]) -> Result<Encoding, HllError> {
    check_header(bytes, bytes.len())
}

/// The same of a string that begins so, of `len` bytes.
pub fn check_header(start: &[u8], len: usize) -> Result<Encoding, HllError> {
    if start.len() < HEADER_BYTES || !start.starts_with(MAGIC) {
        return Err(HllError::NotHll);
    }
    match start.get(ENCODING_OFFSET) {
        Some(0) if len == DENSE_BYTES => Ok(Encoding::Dense),
        Some(1) => Ok(Encoding::Sparse),
        _ => Err(HllError::NotHll),
    }
}

/// Adds an element (`PFADD`); whether a register changed, and with it the bytes. O(1) if dense, else O(length).
pub fn add(bytes: &mut Vec<u8>, element: &[u8], sparse_bytes_max: usize) -> Result<bool, HllError> {
    let encoding = check(bytes)?;
    let (index, rank) = hash::register_of(element);
    let changed = raise(bytes, encoding, index, rank, sparse_bytes_max)?;
    if changed {
        invalidate_cache(bytes);
    }
    Ok(changed)
}

/// Two bytes of a dense value that an element would change, for writing no more than those.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DensePatch {
    /// Where they are in the value.
    pub offset: usize,
    /// What they become (one byte, at the very end).
    pub bytes: [u8; 2],
    /// How many of `bytes` count.
    pub len: usize,
}

/// What [`add`] would write to the registers of a dense value: `None` when nothing. The cached count is apart
/// ([`STALE_CACHE_OFFSET`]). O(1).
pub fn dense_patch(bytes: &[u8], element: &[u8]) -> Option<DensePatch> {
    let (index, rank) = hash::register_of(element);
    let registers = bytes.get(HEADER_BYTES..)?;
    (dense::get(registers, index) < rank).then(|| {
        let (offset, bytes, len) = dense::patch(registers, index, rank);
        DensePatch {
            offset: HEADER_BYTES + offset,
            bytes,
            len,
        }
    })
}

/// The byte whose top bit [`invalidate_cache`] sets.
pub const STALE_CACHE_OFFSET: usize = HEADER_BYTES - 1;

/// Raises a register to at least `rank`; whether it was lower. The cached count is left alone.
pub(super) fn raise(
    bytes: &mut Vec<u8>,
    encoding: Encoding,
    index: usize,
    rank: u8,
    sparse_bytes_max: usize,
) -> Result<bool, HllError> {
    if encoding == Encoding::Sparse {
        match sparse::raise(bytes, index, rank, sparse_bytes_max)? {
            sparse::Outcome::Unchanged => return Ok(false),
            sparse::Outcome::Raised => return Ok(true),
            sparse::Outcome::Full => {
                to_dense(bytes)?;
            }
        }
    }
    Ok(dense::raise(
        bytes.get_mut(HEADER_BYTES..).unwrap_or_default(),
        index,
        rank,
    ))
}

/// Makes a sparse value dense, keeping its cached count; whether it was sparse.
pub fn to_dense(bytes: &mut Vec<u8>) -> Result<bool, HllError> {
    if check(bytes)? == Encoding::Dense {
        return Ok(false);
    }
    let registers = registers(bytes)?;
    // The whole header stays, its unused bytes, too.
    let mut result = Vec::with_capacity(DENSE_BYTES);
    result.extend(bytes.iter().take(HEADER_BYTES));
    if let Some(encoding) = result.get_mut(ENCODING_OFFSET) {
        *encoding = 0;
    }
    result.extend(dense::pack(&registers));
    *bytes = result;
    Ok(true)
}

/// Marks the cached count as out of date. O(1).
pub fn invalidate_cache(bytes: &mut [u8]) {
    if let Some(byte) = bytes.get_mut(STALE_CACHE_OFFSET) {
        *byte |= STALE;
    }
}

/// The cached count, when it is up to date. O(1).
pub fn cached_count(bytes: &[u8]) -> Option<u64> {
    let cache = bytes.get(CACHE_OFFSET..)?.first_chunk::<8>()?;
    (cache[7] & STALE == 0).then(|| u64::from_le_bytes(*cache))
}

/// Stores an up-to-date count: the eight bytes at offset 8. O(1).
pub fn set_cached_count(bytes: &mut [u8], count: u64) {
    if let Some(cache) = bytes.get_mut(CACHE_OFFSET..HEADER_BYTES) {
        cache.copy_from_slice(&count.to_le_bytes());
    }
}

/// `PFCOUNT` of one value: its cached count, or computed anew. O(1), or O(registers).
///
/// Redis then stores what it computed ([`set_cached_count`]); compare with [`cached_count`] to see whether to.
pub fn count(bytes: &[u8]) -> Result<u64, HllError> {
    let encoding = check(bytes)?;
    if let Some(count) = cached_count(bytes) {
        return Ok(count);
    }
    let registers = bytes.get(HEADER_BYTES..).unwrap_or_default();
    let histogram = match encoding {
        Encoding::Dense => dense::histogram(registers),
        Encoding::Sparse => sparse::histogram(registers)?,
    };
    Ok(estimate::estimate(&histogram))
}

/// The union of values, taken in one after the other so that the first bad one gives the error. O(registers) of memory.
pub struct Union {
    /// The highest rank of each register so far.
    registers: Vec<u8>,
    any_dense: bool,
}

impl Default for Union {
    /// Of no values.
    fn default() -> Self {
        Self {
            registers: vec![0; REGISTERS],
            any_dense: false,
        }
    }
}

impl Union {
    /// Takes in a value. O(registers).
    pub fn add(&mut self, value: &[u8]) -> Result<(), HllError> {
        self.any_dense |= check(value)? == Encoding::Dense;
        for (highest, rank) in self.registers.iter_mut().zip(registers(value)?) {
            *highest = rank.max(*highest);
        }
        Ok(())
    }

    /// `PFCOUNT` of several values. O(registers).
    pub fn count(&self) -> u64 {
        let mut histogram: Histogram = [0; 64];
        for &rank in &self.registers {
            estimate::record(&mut histogram, rank, 1);
        }
        estimate::estimate(&histogram)
    }

    /// `PFMERGE`: makes `destination`, which was taken in, count what any value counted.
    ///
    /// It becomes dense if any value was, else stays sparse as long as it fits. O(registers).
    pub fn store(&self, destination: &mut Vec<u8>, sparse_bytes_max: usize) -> Result<(), HllError> {
        if self.any_dense {
            to_dense(destination)?;
        }
        for (index, &rank) in self.registers.iter().enumerate().filter(|(_, rank)| **rank != 0) {
            let encoding = check(destination)?;
            raise(destination, encoding, index, rank, sparse_bytes_max)?;
        }
        invalidate_cache(destination);
        Ok(())
    }
}

/// All registers, one byte each. O(registers).
pub(super) fn registers(bytes: &[u8]) -> Result<Vec<u8>, HllError> {
    let encoding = check(bytes)?;
    let packed = bytes.get(HEADER_BYTES..).unwrap_or_default();
    match encoding {
        Encoding::Dense => Ok(dense::unpack(packed)),
        Encoding::Sparse => sparse::unpack(packed),
    }
}
