//! What all threads of a server share: the engine and its helpers, the clients, and how it is paused or told to end.
//!
//! Commands work on it, `server` assembles it; so it is a layer of its own below both.

mod pause;
mod shutdown;

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Instant;

use crate::checkpoint::Checkpointer;
use crate::client::Clients;
use crate::config::params::Params;
use crate::engine::Engine;
use crate::metrics::Stats;

pub use pause::Pause;
pub use shutdown::Shutdown;

/// Everything the threads share.
pub struct Server {
    /// The data.
    pub engine: Arc<Engine>,
    /// Configuration, changeable ones included.
    pub params: Arc<Params>,
    /// Connected clients.
    pub clients: Clients,
    /// Counters, slow log, latency samples.
    pub stats: Stats,
    /// Takes checkpoints.
    pub checkpoints: Arc<Checkpointer>,
    /// Ends the server.
    pub shutdown: Shutdown,
    /// CLIENT PAUSE.
    pub pause: Pause,
    /// Whether the expiry sweep runs (`DEBUG SET-ACTIVE-EXPIRE`).
    pub active_expire: AtomicBool,
    /// When the process started.
    pub started: Instant,
    /// When the process started, Unix seconds.
    pub started_s: u64,
    /// 40 hexadecimal digits, new at each start.
    pub run_id: String,
    /// The port in use.
    pub port: u16,
}

impl Server {
    /// Memory that counts: the data, and what clients hold.
    #[inline]
    pub fn used_bytes(&self) -> u64 {
        self.engine.meter().used_bytes() + self.clients.held_bytes()
    }
}
