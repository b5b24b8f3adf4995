//! For how long everybody had to wait, for whoever tells of it.

use std::time::Duration;

use crate::metrics::longest::Longest;

/// See the module.
#[derive(Default)]
pub struct Stops {
    /// Work alone, from the first thread that waits for the others to the last that goes on.
    pub exclusive: Longest,
    /// The instants of checkpoints.
    pub capture: Longest,
}

impl Stops {
    /// The instant of a checkpoint kept everybody waiting for so long.
    pub fn note_capture(&self, took: Duration) -> Duration {
        self.capture.note(took);
        took
    }
}
