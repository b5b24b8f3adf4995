//! Whether writers may go on at full speed: what takes their changes elsewhere must keep up with them.
//!
//! **Invariant:** writers are held back only while there is somebody who works off what they wait for: the log's
//! writer, a checkpoint, a conversion. Readers never are.

use super::Engine;

/// While a checkpoint has more than this to write that writers handed over, they wait.
const PRE_IMAGE_BYTES_MAX: u64 = 64 << 20;

/// What writers do between their batches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    /// They go on.
    Free,
    /// They pause a moment.
    Slow,
    /// They wait until there is less to be worked off.
    Hold,
}

impl Engine {
    /// What writers are to do. A few loads.
    pub fn pace(&self) -> Pace {
        let is_checkpoint_behind = self.is_checkpointing() && self.pre_images().waiting_bytes() > PRE_IMAGE_BYTES_MAX;
        if self.wal().over_pending() || is_checkpoint_behind {
            return Pace::Hold;
        }
        self.tap().pace()
    }
}
