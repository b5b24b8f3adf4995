//! [`LogNote`]: what the folder of checkpoints knows of the log beside it, so that a log that is missing, cut short or
//! another server's is not taken for all there is. The layout is in `docs/format-wal.md`.
//!
//! **Invariants**
//! - It never claims more than the log has: a segment is noted when it is durable, an LSN when it is synced.
//! - A segment that is noted is not removed before a newer one is, or before the note is released.
//! - It changes by a rename, synced before and after: there is the old one or the new one.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use super::error::WalError;
use super::format::HeaderFault;
use super::segment::{self, SegmentFile};
use super::segment_reader::read_segment_header;
use super::{Lsn, segment_name};
use crate::storage::Disk;
use crate::storage::fault_point::fault_point;

/// Its name.
pub const LOG_NOTE: &str = "log.lkn";
/// Its length.
pub const LOG_NOTE_BYTES: usize = 36;

const MAGIC: [u8; 8] = *b"LOKILOG\n";
const VERSION: u32 = 1;

const _: () = assert!(LOG_NOTE_BYTES == 8 + 4 + 4 + 8 + 8 + 4);

/// See the module.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LogNote {
    /// Drawn at random when the log was begun, and in the header of each of its segments; 0: not known.
    pub identity: u32,
    /// The first LSN of the newest segment; 0: the log is not needed.
    pub newest: Lsn,
    /// The log is durable up to here.
    pub reached: Lsn,
}

impl LogNote {
    /// Where it is in a folder of checkpoints.
    pub fn path(dir: &Path) -> PathBuf {
        dir.join(LOG_NOTE)
    }

    /// As bytes.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(LOG_NOTE_BYTES);
        bytes.extend(MAGIC);
        bytes.extend(VERSION.to_le_bytes());
        bytes.extend(self.identity.to_le_bytes());
        bytes.extend(self.newest.get().to_le_bytes());
        bytes.extend(self.reached.get().to_le_bytes());
        bytes.extend(crc32c::crc32c(&bytes).to_le_bytes());
        bytes
    }

    fn decode(bytes: &[u8]) -> Result<Self, HeaderFault> {
        let (words, rest) = bytes.as_chunks::<4>();
        let word = |at: usize| words.get(at).map_or(0, |word| u32::from_le_bytes(*word));
        let long = |at: usize| u64::from(word(at)) | u64::from(word(at + 1)) << 32;
        if !bytes.starts_with(&MAGIC) || bytes.len() < LOG_NOTE_BYTES {
            return Err(HeaderFault::Bad("not a note of a log"));
        }
        let (body, _) = bytes.split_at(bytes.len() - 4);
        if !rest.is_empty() || word(words.len() - 1) != crc32c::crc32c(body) {
            return Err(HeaderFault::Bad("the checksum does not match"));
        }
        if word(2) != VERSION {
            return Err(HeaderFault::Version(word(2)));
        }
        if bytes.len() != LOG_NOTE_BYTES {
            return Err(HeaderFault::Bad("its length is wrong"));
        }
        Ok(Self {
            identity: word(3),
            newest: Lsn::new(long(4)),
            reached: Lsn::new(long(6)),
        })
    }

    /// That of `dir`, if it has one.
    ///
    /// # Errors
    /// When it is damaged, or cannot be read.
    pub fn read(disk: &dyn Disk, dir: &Path) -> Result<Option<Self>, WalError> {
        let path = Self::path(dir);
        if !disk.exists(&path).map_err(WalError::io("look for", &path))? {
            return Ok(None);
        }
        Self::read_file(disk, &path).map(Some)
    }

    /// The one in this file.
    ///
    /// # Errors
    /// When it is damaged, or cannot be read.
    pub fn read_file(disk: &dyn Disk, path: &Path) -> Result<Self, WalError> {
        let bytes = disk.read(path).map_err(WalError::io("read", path))?;
        Self::decode(&bytes).map_err(|fault| match fault {
            HeaderFault::Bad(reason) => WalError::damaged(path, 0, reason),
            HeaderFault::Version(version) => WalError::UnknownVersion {
                file: path.to_owned(),
                offset: 8,
                version,
            },
        })
    }

    /// Puts it into `dir`, which is there, atomically and durably.
    ///
    /// # Errors
    /// When the disk refuses; there is the old one or the new one then.
    pub fn write(&self, disk: &dyn Disk, dir: &Path) -> Result<(), WalError> {
        let temporary = dir.join(format!("{LOG_NOTE}.tmp"));
        let written = self.write_through(disk, dir, &temporary);
        if written.is_err() {
            // It is in nobody's way, and the next one removes it.
            let _ = disk.remove(&temporary);
        }
        written
    }

    fn write_through(&self, disk: &dyn Disk, dir: &Path, temporary: &Path) -> Result<(), WalError> {
        if disk.exists(temporary).map_err(WalError::io("look for", temporary))? {
            disk.remove(temporary).map_err(WalError::io("remove", temporary))?;
        }
        let mut file = disk.create(temporary).map_err(WalError::io("create", temporary))?;
        file.write_all(&self.encode())
            .map_err(WalError::io("write", temporary))?;
        file.sync_data().map_err(WalError::io("sync", temporary))?;
        fault_point("wal.before_note");
        disk.rename(temporary, &Self::path(dir))
            .map_err(WalError::io("rename", temporary))?;
        disk.sync_dir(dir).map_err(WalError::io("sync", dir))?;
        fault_point("wal.noted");
        Ok(())
    }

    /// Notes in `dir` that no log is needed: a checkpoint there has all that was in it.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn release(disk: &dyn Disk, dir: &Path) -> Result<(), WalError> {
        match Self::read(disk, dir)? {
            Some(note) if note != note.released() => note.released().write(disk, dir),
            _ => Ok(()),
        }
    }

    /// That of a log which is not needed.
    pub fn released(self) -> Self {
        Self {
            identity: self.identity,
            ..Self::default()
        }
    }

    /// Compares it, which is in `dir`, with the segments in `log`.
    ///
    /// # Errors
    /// When one of them is of another log, or the newest one is missing.
    pub fn check(&self, disk: &dyn Disk, dir: &Path, log: &Path) -> Result<(), WalError> {
        let is_there = disk.exists(log).map_err(WalError::io("look for", log))?;
        let files = if is_there {
            segment::list(disk, log)?
        } else {
            Vec::new()
        };
        let others = |file: &&SegmentFile| {
            let found = identity_of(disk, file);
            found != 0 && self.identity != 0 && found != self.identity
        };
        if let Some(file) = files.iter().find(others) {
            return Err(WalError::Foreign {
                file: file.path.clone(),
                note: Self::path(dir),
            });
        }
        if files.last().map_or(Lsn::ZERO, |last| last.first) < self.newest {
            return Err(WalError::Lost {
                file: log.join(segment_name(self.newest)),
                note: Self::path(dir),
            });
        }
        // It was noted when its header was durable.
        match files.iter().find(|file| file.first == self.newest) {
            Some(noted) => read_segment_header(disk, noted).map(|_| ()),
            None => Ok(()),
        }
    }

    /// Compares it, which is in `dir`, with the end of the log: `next` would be the next record.
    ///
    /// # Errors
    /// When the log has been longer.
    pub fn check_end(&self, dir: &Path, next: Lsn) -> Result<(), WalError> {
        if self.reached == Lsn::ZERO || next > self.reached {
            return Ok(());
        }
        Err(WalError::Short {
            last: next.before(),
            reached: self.reached,
            note: Self::path(dir),
        })
    }
}

/// What the segment's header says of the log; 0 where it says nothing. A header that cannot be read is told by whoever
/// reads the segment.
fn identity_of(disk: &dyn Disk, file: &SegmentFile) -> u32 {
    read_segment_header(disk, file).map_or(0, |header| header.identity)
}

/// The note of a log that is being written.
pub(super) struct NoteKeeper {
    /// `None`: nothing is noted.
    dir: Option<PathBuf>,
    note: parking_lot::Mutex<LogNote>,
    /// The newest segment that is noted.
    newest: AtomicU64,
    /// That of the log.
    pub identity: u32,
}

impl NoteKeeper {
    /// That of the log with these segments, if it is noted in `dir`.
    pub fn open(disk: &dyn Disk, dir: Option<&Path>, files: &[SegmentFile]) -> Result<Self, WalError> {
        let mut noted = LogNote::default();
        if let Some(dir) = dir {
            disk.create_dir_all(dir).map_err(WalError::io("create", dir))?;
            noted = LogNote::read(disk, dir)?.unwrap_or_default();
        }
        let known = || files.iter().rev().map(|file| identity_of(disk, file));
        let found = std::iter::once(noted.identity).chain(known()).find(|id| *id != 0);
        let identity = found.unwrap_or_else(|| rand::random::<u32>().max(1));
        Ok(Self {
            dir: dir.map(Path::to_owned),
            newest: AtomicU64::new(noted.newest.get()),
            note: parking_lot::Mutex::new(LogNote { identity, ..noted }),
            identity,
        })
    }

    /// Notes that there is the segment that begins with `newest`, and that the log is durable up to `reached`.
    pub fn tell(&self, disk: &dyn Disk, newest: Lsn, reached: Lsn) -> Result<(), WalError> {
        let mut noted = self.note.lock();
        let next = LogNote {
            identity: self.identity,
            newest: noted.newest.max(newest),
            reached: noted.reached.max(reached),
        };
        self.replace(disk, &mut noted, next)
    }

    /// Whether a segment that begins with `newest` is not noted.
    pub fn is_behind(&self, newest: Lsn) -> bool {
        // Without the lock, which somebody may have who waits for the disk of the checkpoints.
        Lsn::new(self.newest.load(Ordering::Relaxed)) < newest
    }

    /// Whether it says that the log is durable up to `lsn`.
    pub fn has_reached(&self, lsn: Lsn) -> bool {
        self.note.lock().reached >= lsn
    }

    /// Notes that the log is not needed.
    pub fn release(&self, disk: &dyn Disk) -> Result<(), WalError> {
        let mut noted = self.note.lock();
        let next = noted.released();
        self.replace(disk, &mut noted, next)
    }

    fn replace(&self, disk: &dyn Disk, noted: &mut LogNote, next: LogNote) -> Result<(), WalError> {
        if let Some(dir) = &self.dir {
            next.write(disk, dir)?;
        }
        *noted = next;
        self.newest.store(next.newest.get(), Ordering::Relaxed);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_back_and_every_flipped_bit_is_seen() {
        let note = LogNote {
            identity: 0x0102_0304,
            newest: Lsn::new(77),
            reached: Lsn::new(99),
        };
        let bytes = note.encode();
        assert_eq!(bytes.len(), LOG_NOTE_BYTES);
        assert_eq!(LogNote::decode(&bytes), Ok(note));
        for at in 0..bytes.len() * 8 {
            let mut flipped = bytes.clone();
            flipped[at / 8] ^= 1 << (at % 8);
            assert!(LogNote::decode(&flipped).is_err(), "bit {at}");
        }
        for cut in 0..bytes.len() {
            assert!(LogNote::decode(&bytes[..cut]).is_err(), "{cut} bytes");
        }
    }
}
