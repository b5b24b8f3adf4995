//! Moving in and out: `lokikv import` reads files of a Redis or a Valkey into a data directory, or copies a running
//! one; `lokikv export` writes a file from it; `lokikv backup` takes backups of a running server.
//!
//! **Invariants**
//! - No server uses the directory meanwhile, but for backups: it is locked.
//! - An import of files shows all at once, by the checkpoint at its end; whatever goes wrong before leaves the
//!   directory's data as it was. An export appears under its name when it is whole and synced.

mod aof;
mod backup;
mod error;
mod export;
mod file;
mod import;
mod library;
mod live;
mod observer;
mod offline;
mod run;
mod targets;
mod unwritable;

#[cfg(test)]
mod tests;

pub use backup::run_backup;
pub use error::{MigrateError, Outcome};
pub use export::{ExportOptions, Exported, export};
pub use import::{ImportOptions, Imported, import};
pub use observer::Observer;
pub use offline::Offline;
pub use run::{run_export, run_import};
pub use targets::{Existing, Into};
