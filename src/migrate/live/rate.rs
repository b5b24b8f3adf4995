//! How many keys a second are read at most.

use std::time::{Duration, Instant};

use parking_lot::Mutex;

use super::error::LiveError;
use super::interrupt::Stop;

/// For all lanes together.
#[derive(Debug)]
pub struct Rate {
    /// How long a key takes; `None`: no time at all.
    per_key: Option<Duration>,
    /// When the next one may be read.
    free_at: Mutex<Instant>,
}

impl Rate {
    /// `keys_per_s`, or as many as there can be.
    pub fn new(keys_per_s: Option<u64>) -> Self {
        let per_key = keys_per_s.map(|count| Duration::from_secs(1) / u32::try_from(count.max(1)).unwrap_or(u32::MAX));
        Self {
            per_key,
            free_at: Mutex::new(Instant::now()),
        }
    }

    /// Waits until `keys` more may be read.
    ///
    /// # Errors
    /// All is to end.
    pub fn wait(&self, keys: usize, stop: &Stop) -> Result<(), LiveError> {
        let Some(per_key) = self.per_key else {
            return stop.check();
        };
        let now = Instant::now();
        let begin = {
            let mut free_at = self.free_at.lock();
            // What was not used is gone.
            let begin = (*free_at).max(now);
            *free_at = begin + per_key.saturating_mul(u32::try_from(keys).unwrap_or(u32::MAX));
            begin
        };
        stop.sleep(begin.saturating_duration_since(now))
    }
}
