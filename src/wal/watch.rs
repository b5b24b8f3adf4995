//! Whether the segment that is written to is still what a start would read: a descriptor does not tell.
//!
//! Once a second, and before anything is built on the log's being there (a checkpoint, the next segment, a clean end),
//! it is looked whether the path names the file that is open, whether that is as long as what was written, and whether
//! the bytes at the end of what had been written when it was looked last are what they were. A file that was cut and
//! then written to further behind has zeroes there.
//!
//! A file that is cut within what was written since the last look, and then written to behind that, is not told from a
//! whole one: to see that, all that is written would have to be read back.
//!
//! **Invariant:** nothing is looked at but what was written as a whole before.

use std::path::Path;

use super::WalError;
use crate::storage::DiskSync;

/// So many bytes before an end are looked at.
const END_BYTES: u64 = 4096;

/// What was seen last of a segment.
#[derive(Default)]
pub(super) struct Watch {
    end: u64,
    crc: u32,
}

impl Watch {
    /// Looks at the segment `file`, which belongs at `path` and holds `bytes` that are written.
    pub fn look(&mut self, file: &dyn DiskSync, path: &Path, bytes: u64) -> Result<(), WalError> {
        let strayed = |how| WalError::Strayed {
            file: path.to_owned(),
            how,
        };
        if !file.is_at(path).map_err(WalError::io("look for", path))? {
            return Err(strayed("was removed or replaced"));
        }
        let len = file.len().map_err(WalError::io("measure", path))?;
        if len < bytes {
            return Err(strayed("was cut"));
        }
        // A log that has failed may have cut it itself.
        if self.end <= len && crc_before(file, path, self.end)? != self.crc {
            return Err(strayed("was cut or changed"));
        }
        if self.end != bytes {
            (self.end, self.crc) = (bytes, crc_before(file, path, bytes)?);
        }
        Ok(())
    }
}

fn crc_before(file: &dyn DiskSync, path: &Path, end: u64) -> Result<u32, WalError> {
    let mut bytes = [0; END_BYTES as usize];
    let from = end.saturating_sub(END_BYTES);
    let place = bytes.get_mut(..(end - from) as usize).unwrap_or_default();
    let read = file.read_at(from, place).map_err(WalError::io("read", path))?;
    Ok(crc32c::crc32c(place.get(..read).unwrap_or_default()))
}
