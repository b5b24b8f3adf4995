//! What is in memory.

use super::{process, slots};
use crate::state::Server;

/// Figures of memory, all in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MemoryFigures {
    /// The data, and what is kept for clients that cache.
    pub data: u64,
    /// The most that ever was.
    pub data_peak: u64,
    /// Clients, scripts, and what waits to be written to the log.
    pub held: u64,
    /// What clients hold.
    pub clients: u64,
    /// What waits to be written to the log: it is there whether keys are evicted or not.
    pub log: u64,
    /// All that is no value of a key.
    pub overhead: u64,
    /// The process, as the system sees it.
    pub resident: u64,
    /// The machine's.
    pub machine: u64,
    /// How much there may be; 0: no limit.
    pub max: u64,
    /// Values in the machines of scripts.
    pub scripts_machines: u64,
    /// The same of functions.
    pub functions_machines: u64,
    /// Scripts that are cached.
    pub scripts: u64,
    /// Functions, as they were when somebody looked at them last.
    pub functions: u64,
}

impl MemoryFigures {
    /// Gathers them. O(shards).
    pub fn of(server: &Server) -> Self {
        let engine = &server.engine;
        let (clients, log) = (server.clients.held_bytes(), engine.wal().stats().pending_bytes);
        let held = clients + server.scripts.bytes() + log;
        let sums = slots(engine).into_iter().map(|slot| slot.collection.sums());
        let index: u64 = sums.map(|sums| sums.index_bytes).sum();
        Self {
            data: engine.used_bytes(),
            data_peak: engine.meter().peak_bytes(),
            held,
            clients,
            log,
            overhead: index + engine.tracking().bytes() + held,
            resident: process::rss_bytes(),
            machine: process::memory_bytes(),
            max: server.params.live().maxmemory(),
            scripts_machines: server.scripts.machines.get(),
            functions_machines: server.functions.machines.get(),
            scripts: server.scripts.bytes(),
            functions: server.functions.last().bytes(),
        }
    }

    /// All that is used.
    pub const fn used(&self) -> u64 {
        self.data + self.held
    }

    /// The most that ever was used, as far as is known.
    pub fn peak(&self) -> u64 {
        self.data_peak.max(self.used())
    }

    /// Values of keys.
    pub const fn dataset(&self) -> u64 {
        self.data.saturating_sub(self.overhead - self.held)
    }
}
