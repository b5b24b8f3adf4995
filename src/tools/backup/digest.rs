//! SHA-256 of files, so that `sha256sum` can tell the same.

use std::fmt::Write as _;
use std::path::Path;

use sha2::{Digest, Sha256};

use super::error::BackupError;
use crate::storage::{Disk, DiskFile, FileError};

/// Read at a time.
const WINDOW_BYTES: usize = 1 << 20;

/// A digest as text.
pub fn hex(digest: &[u8]) -> String {
    digest.iter().fold(String::new(), |mut text, byte| {
        // Writing to a string does not fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// Of bytes.
pub fn of_bytes(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

/// The first `bytes` of a file at most, read piece by piece: how many there were, and their digest. Each piece goes to
/// `copy`, a file and where it is, if there is one; `read` is told how many bytes it has, and may end it.
pub fn of_file(
    disk: &dyn Disk,
    path: &Path,
    bytes: u64,
    mut copy: Option<(&mut dyn DiskFile, &Path)>,
    read: &mut dyn FnMut(u64) -> Result<(), BackupError>,
) -> Result<(u64, String), BackupError> {
    let file = disk.open_read(path).map_err(FileError::at("open", path))?;
    let (mut digest, mut at) = (Sha256::new(), 0_u64);
    let mut window = vec![0; WINDOW_BYTES];
    while at < bytes {
        let wanted = usize::try_from(bytes - at).map_or(WINDOW_BYTES, |left| left.min(WINDOW_BYTES));
        let piece = window.get_mut(..wanted).unwrap_or_default();
        let count = file.read_at(at, piece).map_err(FileError::at("read", path))?;
        if count == 0 {
            break;
        }
        let piece = piece.get(..count).unwrap_or_default();
        digest.update(piece);
        if let Some((copy, to)) = &mut copy {
            copy.write_all(piece).map_err(FileError::at("write", to))?;
        }
        at += count as u64;
        read(count as u64)?;
    }
    Ok((at, hex(&digest.finalize())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_sha256sum_has_it() {
        let known = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(of_bytes(b"abc"), known);
    }
}
