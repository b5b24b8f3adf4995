//! Durable writes past the page cache: one write to the device, where a write and a sync of the file cost the file
//! system's journal another one.
//!
//! **Invariants**
//! - What goes to the device is whole blocks. The first begins with what the file holds there already, so that a block
//!   which is torn by a power cut has lost nothing that was durable; the last is filled up with zeroes.
//! - Only file systems that overwrite blocks in place are written to in this way.
//! - It is the writer's own file that is written to, whatever its path names meanwhile.

use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::Path;

use rustix::fs::{OFlags, fstatfs};
use rustix::io::Errno;

/// A multiple of the block size of every device in use, and of every page.
const BLOCK_BYTES: usize = 4096;
/// One call writes at most about so much.
const PIECE_BYTES_MAX: usize = 1 << 20;
/// Memory that is kept between writes.
const BUFFER_BYTES_KEPT: usize = 128 << 10;

/// What `statfs` says of ext2, ext3 and ext4, and of XFS.
const IN_PLACE: [u64; 2] = [0xef53, 0x5846_5342];

/// Whether blocks that are zeroed ahead spare a later write the search for new ones: not where each write goes to new
/// blocks anyway.
pub(super) fn overwrites_in_place(file: &File) -> bool {
    fstatfs(file).is_ok_and(|system| IN_PLACE.contains(&(system.f_type as u64)))
}

/// Whether `path` names `file`: not where that was removed, or another one is in its place.
pub(super) fn is_at(file: &File, path: &Path) -> io::Result<bool> {
    match std::fs::metadata(path) {
        Ok(found) => Ok(is_same(&found, &file.metadata()?)),
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Whether both are of one file.
pub(super) fn is_same(one: &Metadata, other: &Metadata) -> bool {
    (one.dev(), one.ino()) == (other.dev(), other.ino())
}

/// See the module.
pub(super) struct DirectFile {
    file: File,
    buffer: AlignedBuffer,
    /// The beginning of the block in which the last write ended, and where that was.
    tail: Vec<u8>,
    end: u64,
    /// A write has succeeded.
    has_written: bool,
}

impl DirectFile {
    /// Opens `written`, the file at `path`, once more, if its system takes such writes. `NotFound` when it is not
    /// there any more.
    pub fn open(path: &Path, written: &File) -> io::Result<Option<Self>> {
        let flags = (OFlags::DIRECT | OFlags::DSYNC).bits().cast_signed();
        let file = match OpenOptions::new().write(true).custom_flags(flags).open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::NotFound => return Err(error),
            Err(_) => return Ok(None),
        };
        if !is_same(&file.metadata()?, &written.metadata()?) {
            return Err(io::Error::new(ErrorKind::NotFound, "another file is in its place"));
        }
        Ok(overwrites_in_place(&file).then(|| Self {
            file,
            buffer: AlignedBuffer::default(),
            tail: Vec::new(),
            end: 0,
            has_written: false,
        }))
    }

    /// Writes `bytes` at `at`, the end of what `file` holds, durably. `Unsupported` when nothing has been written and
    /// nothing can be in this way.
    pub fn write(&mut self, file: &File, mut at: u64, bytes: &[u8]) -> io::Result<()> {
        for piece in bytes.chunks(PIECE_BYTES_MAX) {
            self.write_piece(file, at, piece)?;
            at += piece.len() as u64;
        }
        self.buffer.shrink();
        Ok(())
    }

    fn write_piece(&mut self, file: &File, at: u64, piece: &[u8]) -> io::Result<()> {
        let head = (at % BLOCK_BYTES as u64) as usize;
        let start = at - head as u64;
        let used = head + piece.len();
        let blocks = self.buffer.room(used.next_multiple_of(BLOCK_BYTES));
        let (before, rest) = blocks.split_at_mut(head);
        if self.end == at && self.tail.len() == head {
            before.copy_from_slice(&self.tail);
        } else {
            file.read_exact_at(before, start)?;
        }
        let (new, padding) = rest.split_at_mut(piece.len());
        new.copy_from_slice(piece);
        padding.fill(0);
        // A short write ends between two blocks: it goes on from there.
        let written = self.file.write_all_at(blocks, start);
        written.map_err(|error| match Errno::from_io_error(&error) {
            Some(Errno::INVAL | Errno::OPNOTSUPP) if !self.has_written => ErrorKind::Unsupported.into(),
            _ => error,
        })?;
        self.has_written = true;
        self.tail.clear();
        let tail = blocks.get(used / BLOCK_BYTES * BLOCK_BYTES..used);
        self.tail.extend_from_slice(tail.unwrap_or_default());
        self.end = at + piece.len() as u64;
        Ok(())
    }
}

/// Memory that begins at a multiple of the block size.
#[derive(Default)]
struct AlignedBuffer {
    bytes: Vec<u8>,
}

impl AlignedBuffer {
    /// `count` bytes, whatever is in them.
    fn room(&mut self, count: usize) -> &mut [u8] {
        let needed = count + BLOCK_BYTES;
        if self.bytes.len() < needed {
            self.bytes = vec![0; needed];
        }
        let skip = self.bytes.as_ptr().align_offset(BLOCK_BYTES);
        self.bytes.get_mut(skip..skip + count).unwrap_or_default()
    }

    fn shrink(&mut self) {
        if self.bytes.len() > BUFFER_BYTES_KEPT {
            self.bytes = Vec::new();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The folder of the build, which is on a disk where there is one.
    fn dir() -> tempfile::TempDir {
        tempfile::tempdir_in(env!("CARGO_MANIFEST_DIR").to_owned() + "/target").unwrap()
    }

    #[test]
    fn blocks_keep_what_was_there_and_follow_each_other() {
        let dir = dir();
        let path = dir.path().join("f");
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create_new(true)
            .open(&path)
            .unwrap();
        file.write_all_at(b"header", 0).unwrap();
        let Some(mut direct) = DirectFile::open(&path, &file).unwrap() else {
            assert!(!overwrites_in_place(&file), "ext4 and XFS take such writes");
            return;
        };
        let mut want = b"header".to_vec();
        for size in [1, 5, 4085, 4096, 100, 10_000, 3 << 20, 7] {
            let bytes: Vec<u8> = (0..size).map(|at| (at % 251) as u8).collect();
            direct.write(&file, want.len() as u64, &bytes).unwrap();
            want.extend(bytes);
        }
        // Somebody else writes in between, through the page cache.
        file.write_all_at(b"other", want.len() as u64).unwrap();
        want.extend(b"other");
        direct.write(&file, want.len() as u64, b"last").unwrap();
        want.extend(b"last");
        let mut got = std::fs::read(&path).unwrap();
        assert!(got[want.len()..].iter().all(|byte| *byte == 0));
        got.truncate(want.len());
        assert_eq!(got, want);
    }

    #[test]
    fn the_buffer_is_aligned() {
        let mut buffer = AlignedBuffer::default();
        for count in [BLOCK_BYTES, 3 * BLOCK_BYTES, 1 << 20] {
            let room = buffer.room(count);
            assert_eq!((room.len(), room.as_ptr().align_offset(BLOCK_BYTES)), (count, 0));
        }
        buffer.shrink();
        assert!(buffer.bytes.is_empty());
    }
}
