//! Whether a collection takes a change: it may be read-only, or over its memory limit.
//!
//! Where keys are evicted it is over its limit for a moment only, and takes what comes.
//!
//! **Invariant:** asked before anything changes; a command that frees memory is never refused for want of it.

use crate::commands::error::CmdError;
use crate::commands::spec::{CmdResult, flag};
use crate::engine::Engine;
use crate::engine::ids::DatabaseId;
use crate::engine::registry::Slot;

/// Whether a command with these flags may run in `database`. O(1), and nothing at all while no collection has limits.
#[inline]
pub fn check(engine: &Engine, database: DatabaseId, flags: u32) -> CmdResult {
    if flags & (flag::WRITE | flag::DENY_OOM) == 0 || !engine.is_restricted() {
        return Ok(());
    }
    match engine.registry().slot(database) {
        Some(slot) => check_slot(slot, flags),
        None => Ok(()),
    }
}

/// The same for a slot at hand.
pub fn check_slot(slot: &Slot, flags: u32) -> CmdResult {
    if flags & flag::WRITE != 0 && slot.collection.traits().is_read_only() {
        return Err(read_only(&slot.name));
    }
    match slot.collection.carried().over_limit_for_good() {
        Some((used, max)) if flags & flag::DENY_OOM != 0 => Err(format!(
            "OOM collection '{}' is over its max-bytes: {used} bytes are in use, {max} are allowed",
            slot.name
        )
        .into()),
        _ => Ok(()),
    }
}

/// What to say of a change to an attached snapshot.
pub fn read_only(name: &str) -> CmdError {
    format!("READONLY You can't write against a read only collection: '{name}' is attached from a snapshot").into()
}
