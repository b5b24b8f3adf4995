//! The data comes into an engine that is there already: clients can connect while it is still read from disk.
//!
//! **Invariants**
//! - Until then the engine has empty databases that stand in for the real ones, and a log that writes nothing. Nobody
//!   changes anything: whoever has a [`Worker`](super::worker::Worker) made before asks [`Kit::awaits_data`] first.
//! - All of the data comes in one exclusive section, so nobody sees a part of it.

use super::Engine;
use super::gate::ExclusivePass;
use super::keyspace::take_watches;
use super::registry::Registry;
use super::watch::Watcher;
use super::worker::Kit;
use crate::wal::Wal;

impl Engine {
    /// Puts the recovered collections, of `data_bytes` in all, and the log behind them in place. Once for each engine.
    pub fn install(&self, mut registry: Registry, wal: Wal, data_bytes: u64, _pass: &ExclusivePass<'_>) {
        registry.share_thresholds(&self.thresholds);
        let is_first = self.wal.set(wal).is_ok();
        debug_assert!(is_first, "the data has been installed already");
        self.meter.add(self.cells(), data_bytes as i64);
        // Recovery does not count bytes towards limits.
        registry
            .collections()
            .for_each(|collection| collection.configure(collection.settings()));
        let stood_in = self.change_registry(|current| std::mem::replace(current, registry));
        self.note_settings();
        // Who watched a key before it could be read is told that it has changed.
        let watched = stood_in.collections().flat_map(|collection| take_watches(collection));
        for (_, watchers) in watched {
            watchers.iter().for_each(Watcher::raise);
        }
    }

    /// Whether the data is there.
    pub fn has_data(&self) -> bool {
        self.wal.get().is_some()
    }
}

impl Kit {
    /// Whether this thread may not change anything yet, because it has not seen the data come.
    #[inline]
    pub fn awaits_data(&self) -> bool {
        !self.sees_data
    }

    /// Sees that the data has come: from here on this thread has an end of the log. Called between commands.
    pub fn see_data(&mut self, engine: &Engine) {
        if !self.sees_data && engine.has_data() {
            self.log = engine.wal().log();
            self.sees_data = true;
        }
    }
}
