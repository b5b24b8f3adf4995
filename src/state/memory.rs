//! Whether there is memory for more (`memory.max_bytes`), and the wait of a write for memory that is about to be free.
//!
//! What was flushed or deleted counts as used until it is gone, so that a client cannot have the limit twice. A write
//! that it alone stands in the way of waits for it instead of being refused.
//!
//! **Invariant:** nothing waits for longer than [`WAIT_MAX`], and nothing that frees memory waits.

use std::time::{Duration, Instant};

use super::Server;
use crate::engine::memory::{Margin, WAIT_MAX};

/// How long a wait lasts before it is looked again: at first, and at last, where there may be many.
const LOOK_AGAIN: Duration = Duration::from_millis(1);
const LOOK_AGAIN_MAX: Duration = Duration::from_millis(50);

impl Server {
    /// Memory that counts: the data, what is kept for clients that cache, what clients hold, and cached scripts.
    #[inline]
    pub fn used_bytes(&self) -> u64 {
        self.engine.used_bytes() + self.clients.held_bytes() + self.scripts.bytes()
    }

    /// Whether that is more than may be.
    #[inline]
    pub fn is_over_memory(&self) -> bool {
        let max = self.params.live().maxmemory();
        max != 0 && self.used_bytes() > max
    }

    /// Whether a command that needs memory, and has found none, may have some soon: it has waited since `since`.
    #[cold]
    pub fn awaits_memory(&self, since: Instant) -> bool {
        let held = self.clients.held_bytes() + self.scripts.bytes();
        let max = self.params.live().maxmemory();
        self.engine.margin(max, held) != Margin::None && since.elapsed() < WAIT_MAX
    }

    /// Returns when there is memory again, or none to be waited for.
    pub async fn wait_for_memory(&self, since: Instant) {
        let mut pause = LOOK_AGAIN;
        while self.is_over_memory() && self.awaits_memory(since) {
            tokio::time::sleep(pause).await;
            pause = LOOK_AGAIN_MAX.min(pause * 2);
        }
    }
}
