//! Figures of the running server, gathered once for all who show them: `INFO` and what is served by HTTP.
//!
//! **Invariant:** nothing is locked that a worker holds for longer than it takes to copy a few words.

mod clients;
mod commands;
mod memory;
pub mod process;

pub use clients::ClientFigures;
pub use commands::{CommandFigures, WorkFigures};
pub use memory::MemoryFigures;

use crate::engine::Engine;
use crate::engine::registry::Slot;

/// All slots, with nothing locked any more.
pub fn slots(engine: &Engine) -> Vec<Slot> {
    engine.registry().slots().cloned().collect()
}
