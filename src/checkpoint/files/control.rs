//! The control file of a directory of checkpoints: which data set it is, which checkpoint is the newest one committed,
//! and which are pinned.
//!
//! It is replaced after each publication, so a manifest may be newer than it tells; one that is older than that, or not
//! there, has been lost.
//!
//! **Invariant:** it changes by a rename, synced before and after: there is the old one or the new one.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::error::{CheckpointError, Result};
use super::format::{CRC_BYTES, HeaderFault, Versions, u32_at, u64_at};
use super::page_file::header_error;
use super::refusal::Refusal;
use crate::storage::Disk;
use crate::storage::fault_point::fault_point;
use crate::wal::Lsn;

/// Its name.
pub const CONTROL: &str = "control.lkc";
/// Its fixed part; pins and a CRC follow.
pub const CONTROL_FIXED_BYTES: usize = 56;
/// A pin.
pub const PIN_BYTES: usize = 8;

const MAGIC: &[u8; 8] = b"LOKICTL\n";
/// They change only when its own layout does.
const VERSIONS: Versions = Versions::WHOLE;

const _: () = assert!(CONTROL_FIXED_BYTES == 8 + 4 + 4 + 16 + 8 + 8 + 4 + 4);

/// See the module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Control {
    /// Drawn at random when the directory was made; every manifest in it has it too.
    pub data_set: u128,
    /// The newest checkpoint committed; 0 before the first.
    pub checkpoint: u64,
    /// Its instant.
    pub lsn: Lsn,
    /// Checkpoints that retention keeps.
    pub pins: BTreeSet<u64>,
}

impl Control {
    /// That of a new data set.
    pub fn fresh() -> Self {
        Self {
            data_set: rand::random::<u128>().max(1),
            checkpoint: 0,
            lsn: Lsn::ZERO,
            pins: BTreeSet::new(),
        }
    }

    /// Where it is in `dir`.
    pub fn path(dir: &Path) -> PathBuf {
        dir.join(CONTROL)
    }

    fn temporary(dir: &Path) -> PathBuf {
        dir.join(format!("{CONTROL}.tmp"))
    }

    /// Compares it with the newest manifest in `dir`, by name.
    ///
    /// # Errors
    /// When that is older than what was committed.
    pub fn check_newest(&self, dir: &Path, newest: Option<u64>) -> Result<()> {
        if newest.unwrap_or(0) >= self.checkpoint {
            return Ok(());
        }
        Err(Refusal::ManifestMissing {
            control: Self::path(dir),
            checkpoint: self.checkpoint,
            lsn: self.lsn,
            newest,
        }
        .into())
    }

    /// As bytes.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(CONTROL_FIXED_BYTES + self.pins.len() * PIN_BYTES + CRC_BYTES);
        bytes.extend_from_slice(MAGIC);
        bytes.extend_from_slice(&VERSIONS.bytes());
        bytes.extend_from_slice(&self.data_set.to_le_bytes());
        bytes.extend_from_slice(&self.checkpoint.to_le_bytes());
        bytes.extend_from_slice(&self.lsn.get().to_le_bytes());
        bytes.extend_from_slice(&(self.pins.len() as u32).to_le_bytes());
        bytes.extend_from_slice(&[0; 4]);
        bytes.extend(self.pins.iter().flat_map(|pin| pin.to_le_bytes()));
        bytes.extend_from_slice(&crc32c::crc32c(&bytes).to_le_bytes());
        bytes
    }

    /// From bytes.
    ///
    /// # Errors
    /// What is wrong with them.
    pub fn decode(bytes: &[u8]) -> std::result::Result<Self, HeaderFault> {
        if !bytes.starts_with(MAGIC) {
            return Err(HeaderFault::Bad("not a control file"));
        }
        let (body, crc) = bytes
            .split_last_chunk::<CRC_BYTES>()
            .ok_or(HeaderFault::Bad("it is cut short"))?;
        if crc32c::crc32c(body) != u32::from_le_bytes(*crc) {
            return Err(HeaderFault::Bad("the checksum does not match"));
        }
        Versions::of(body, &[VERSIONS])?;
        let pins = body.get(CONTROL_FIXED_BYTES..);
        let pins = pins.filter(|pins| pins.len() == u32_at(body, 48) as usize * PIN_BYTES);
        let pins = pins.ok_or(HeaderFault::Bad("its length is not what it says"))?;
        Ok(Self {
            data_set: u128::from(u64_at(body, 16)) | u128::from(u64_at(body, 24)) << 64,
            checkpoint: u64_at(body, 32),
            lsn: Lsn::new(u64_at(body, 40)),
            pins: pins.chunks(PIN_BYTES).map(|pin| u64_at(pin, 0)).collect(),
        })
    }

    /// That of `dir`, if it has one.
    pub fn read(disk: &dyn Disk, dir: &Path) -> Result<Option<Self>> {
        let path = Self::path(dir);
        if !disk.exists(&path).map_err(CheckpointError::io("look for", &path))? {
            return Ok(None);
        }
        let bytes = disk.read(&path).map_err(CheckpointError::io("read", &path))?;
        let control = Self::decode(&bytes).map_err(|fault| header_error(&path, fault))?;
        Ok(Some(control))
    }

    /// Puts it into `dir`, atomically and durably, in place of the one before.
    pub fn write(&self, disk: &dyn Disk, dir: &Path) -> Result<()> {
        let temporary = Self::temporary(dir);
        Self::remove_leftover(disk, dir)?;
        let mut file = disk
            .create(&temporary)
            .map_err(CheckpointError::io("create", &temporary))?;
        file.write_all(&self.encode())
            .map_err(CheckpointError::io("write", &temporary))?;
        file.sync_data().map_err(CheckpointError::io("sync", &temporary))?;
        fault_point("control.before_rename");
        disk.rename(&temporary, &Self::path(dir))
            .map_err(CheckpointError::io("rename", &temporary))?;
        fault_point("control.after_rename");
        disk.sync_dir(dir).map_err(CheckpointError::io("sync", dir))
    }

    /// Removes what an interrupted write left.
    pub fn remove_leftover(disk: &dyn Disk, dir: &Path) -> Result<()> {
        let temporary = Self::temporary(dir);
        let is_there = disk.exists(&temporary);
        if is_there.map_err(CheckpointError::io("look for", &temporary))? {
            disk.remove(&temporary)
                .map_err(CheckpointError::io("remove", &temporary))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_back_and_every_flipped_bit_is_seen() {
        let control = Control {
            data_set: 0x0123_4567_89ab_cdef_0123_4567_89ab_cdef,
            checkpoint: 7,
            lsn: Lsn::new(99),
            pins: [3, 7].into(),
        };
        let bytes = control.encode();
        assert_eq!(Control::decode(&bytes), Ok(control));
        for at in 0..bytes.len() * 8 {
            let mut flipped = bytes.clone();
            flipped[at / 8] ^= 1 << (at % 8);
            assert!(Control::decode(&flipped).is_err(), "bit {at}");
        }
        for cut in 0..bytes.len() {
            assert!(Control::decode(&bytes[..cut]).is_err(), "{cut} bytes");
        }
    }
}
