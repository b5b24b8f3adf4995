//! Entries and the pages that hold them: the unit of dirty tracking, of pre-images and of disk format.
//!
//! **Invariant:** everything here is plain data behind its owner's lock; nothing here logs, locks or does I/O.

pub mod access;
pub mod change;
pub mod codec;
pub mod container;
pub mod deaths;
pub mod digest;
pub mod entry;
mod exact;
pub mod hash;
pub mod hash_page;
#[cfg(test)]
pub mod held;
pub mod hints;
mod id;
pub mod image;
pub mod join;
pub mod kind;
pub mod list;
mod listpack;
mod malformed;
pub mod mortal;
pub mod naming;
pub mod ordered_page;
pub mod packed;
pub mod parts;
pub mod prefetch;
pub mod relocation;
pub mod sample;
pub mod set;
pub mod spliced;
pub mod stream;
pub mod text;
pub mod thresholds;
pub mod tree;
pub mod trie;
pub mod value;
pub mod vectors;
pub mod zset;

pub use access::{Access, Stamp};
pub use change::{Change, Mark};
pub use container::Big;
pub use entry::Entry;
pub use id::{PageId, PageIds};
pub use malformed::Malformed;
pub use packed::Packed;
pub use spliced::Spliced;
pub use value::{StrRef, ValueRef};
