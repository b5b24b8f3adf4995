//! Moving in and out: `lokikv import` reads a Redis file into a data directory, `lokikv export` writes one from it.
//!
//! **Invariants**
//! - No server uses the directory meanwhile: it is locked.
//! - An import shows all at once, by the checkpoint at its end; whatever goes wrong before leaves the directory's data
//!   as it was. An export appears under its name when it is whole and synced.

mod error;
mod export;
mod file;
mod import;
mod library;
mod offline;
mod run;
#[cfg(test)]
mod tests;

pub use error::MigrateError;
pub use export::{ExportOptions, Exported, export};
pub use import::{Existing, ImportOptions, Imported, Into, import};
pub use offline::Offline;
pub use run::{run_export, run_import};

/// Who is told how it goes.
pub trait Observer {
    /// `done` of `total` are dealt with; `what` says of what, in the plural.
    fn progress(&mut self, what: &str, done: u64, total: u64);

    /// Something that the user should know, and that stops nothing.
    fn note(&mut self, text: &str);
}

/// A result of a move.
pub type Outcome<T> = Result<T, MigrateError>;
