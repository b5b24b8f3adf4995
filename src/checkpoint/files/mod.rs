//! The files of checkpoints and persisted collections: their format, how they are written, read, verified, and the
//! directory they are in. The layout on disk is in `docs/format-checkpoint.md`.
//!
//! **Invariant:** nothing here knows who takes checkpoints; recovery, which the checkpointer uses, works with these
//! alone.

pub mod base;
pub mod catalog;
pub mod control;
pub mod error;
pub mod fault;
pub mod format;
pub mod libraries;
pub mod manifest;
mod names;
pub mod packing;
pub mod page_file;
pub mod parts;
pub mod persisted;
pub mod refusal;
mod rows;
pub mod verify;
pub mod watch;
