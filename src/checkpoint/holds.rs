//! Holds: while there is one, no checkpoint, page file or segment of the log is removed, so that another program can
//! copy them (`lokikv backup`).
//!
//! **Invariants**
//! - A hold ends by itself unless it is renewed: who has it may have died.
//! - It is in force before it is acknowledged, and from then on nothing is being removed.
//! - Holds are in memory only, and as many as [`HOLDS_MAX`] at a time.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use super::files::error::{CheckpointError, Result};
use super::files::refusal::Refusal;
use super::runner::Runner;
use crate::engine::worker::unix_ms;
use crate::wal::Lsn;

const HOLDS_MAX: usize = 64;
/// A worker's clock is read anew when it is older than a millisecond or so.
const CLOCK_AGE_MAX_MS: u64 = 10;

/// What can be copied while a hold lasts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    /// The log is stable up to here; `None`: there is none.
    pub lsn: Option<Lsn>,
    /// All that was written by then, Unix milliseconds, has an LSN up to this one.
    pub wall_ms: u64,
    /// The data set, as the control file has it.
    pub data_set: u128,
    /// Where checkpoints are.
    pub checkpoint_dir: PathBuf,
    /// Where the log is.
    pub wal_dir: PathBuf,
}

/// See the module: names, and when each ends.
#[derive(Default)]
pub(super) struct Holds(Mutex<BTreeMap<Vec<u8>, Instant>>);

impl Holds {
    /// Begins a hold, or has it last for this long from now on.
    ///
    /// # Errors
    /// There are too many.
    pub fn set(&self, name: &[u8], time: Duration) -> Result<()> {
        let now = Instant::now();
        let mut holds = self.0.lock();
        holds.retain(|_, ends| *ends > now);
        if holds.len() >= HOLDS_MAX && !holds.contains_key(name) {
            return Err(Refusal::TooManyHolds.into());
        }
        holds.insert(name.to_vec(), now + time);
        Ok(())
    }

    /// Has a hold last for this long from now on; whether it was still there.
    pub fn renew(&self, name: &[u8], time: Duration) -> bool {
        let now = Instant::now();
        let mut holds = self.0.lock();
        match holds.get_mut(name).filter(|ends| **ends > now) {
            Some(ends) => *ends = now + time,
            None => return false,
        }
        true
    }

    /// Ends a hold; whether it was still there.
    pub fn end(&self, name: &[u8]) -> bool {
        let ended = self.0.lock().remove(name);
        ended.is_some_and(|ends| ends > Instant::now())
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        let now = Instant::now();
        self.0.lock().values().filter(|ends| **ends > now).count()
    }
}

impl Runner {
    /// What can be copied from now on, as there is a hold. All records up to its LSN are made stable.
    pub(super) fn held(&mut self) -> Result<Held> {
        let catalog = self.take_catalog()?;
        let data_set = catalog.data_set();
        self.keep_catalog(catalog);
        let wal = self.shared.engine.wal();
        let (lsn, wall_ms) = {
            // Whoever has read its clock before has its LSN, too.
            let _exclusive = self.shared.engine.exclusive(&mut self.worker);
            (wal.last_lsn(), unix_ms().saturating_sub(CLOCK_AGE_MAX_MS))
        };
        if wal.is_enabled() {
            wal.sync_blocking(lsn)?;
            wal.look()?;
        }
        let absolute = |dir: &PathBuf| std::path::absolute(dir).map_err(CheckpointError::io("look for", dir));
        let options = &self.shared.options;
        Ok(Held {
            lsn: wal.is_enabled().then_some(lsn),
            wall_ms,
            data_set,
            checkpoint_dir: absolute(&options.dir)?,
            wal_dir: absolute(&options.wal_dir)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: Duration = Duration::from_secs(60);

    #[test]
    fn a_hold_lasts_until_it_is_ended_or_its_time_is_over() {
        let holds = Holds::default();
        holds.set(b"a", LONG).unwrap();
        holds.set(b"b", LONG).unwrap();
        assert_eq!(holds.count(), 2);
        assert!(holds.end(b"a") && !holds.end(b"a"));
        assert!(holds.renew(b"b", Duration::ZERO));
        assert_eq!(holds.count(), 0);
        assert!(!holds.renew(b"b", LONG) && !holds.end(b"b"));
    }

    #[test]
    fn their_number_is_bounded_and_lapsed_ones_do_not_count() {
        let holds = Holds::default();
        for number in 0..HOLDS_MAX {
            holds.set(&number.to_le_bytes(), LONG).unwrap();
        }
        assert!(holds.set(b"one more", LONG).is_err());
        holds.set(&0_usize.to_le_bytes(), Duration::ZERO).unwrap();
        holds.set(b"one more", LONG).unwrap();
        assert_eq!(holds.count(), HOLDS_MAX);
    }
}
