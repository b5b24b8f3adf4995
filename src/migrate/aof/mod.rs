//! Append-only files: the commands that a Redis or a Valkey has run, one after the other, as clients send them; often
//! behind a beginning in the RDB format; in one file, or in several that a manifest lists.
//!
//! **Invariants**
//! - Commands run through a session, as those of a client do; nothing here knows what one of them does to data.
//! - Memory is bounded by the longest command, or transaction, not by the file.

mod clock;
mod error;
pub mod manifest;
pub mod reader;
pub mod replay;
#[cfg(test)]
mod tests;

pub use error::CommandsError;
