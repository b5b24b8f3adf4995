//! Redis's RDB format: files (`dump.rdb`) and single values (`DUMP` payloads), read and written.
//!
//! ```text
//! file:    "REDIS" version  { opcode … | [expiry] [idle|frequency] type key value }  0xff  CRC-64
//! payload:                                                         type     value    version  CRC-64
//! ```
//!
//! Between the format and the engine stands [`Object`], which says what a key holds and nothing of how either keeps it.
//! Versions 1 to 13 of Redis and 80 of Valkey (`"VALKEY" version`) are read, [`Version::WRITTEN`] can be written.
//!
//! **Invariants**
//! - What is read is not trusted: bad bytes give an [`Error`] that says where, and never more memory than a small
//!   multiple of the bytes that have arrived.
//! - Elements are not checked for duplicates here, but where a container is built from them.

mod blob;
mod checksum;
mod code;
pub mod convert;
mod dump;
mod error;
mod lzf;
mod object;
mod read;
mod stream;
mod vectors;
mod version;
mod write;

#[cfg(test)]
mod tests;

pub use dump::{LibrariesError, RestoreError, dump, dump_libraries, restore, restore_libraries};
pub use error::{Error, Reason};
pub use object::{Elements, Hash, Newer, Object};
pub use read::{Entry, Event, Reader, is_rdb};
pub use stream::{Consumer, Group, Id, Messages, Pending, Stream, StreamEntry};
pub use vectors::{Neighbours, VectorNode, Vectors};
pub use version::Version;
pub use write::Writer;
