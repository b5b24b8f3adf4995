//! Entries and the pages that hold them: the unit of dirty tracking, of pre-images and of disk format.
//!
//! **Invariant:** everything here is plain data behind its owner's lock; nothing here logs, locks or does I/O.

pub mod codec;
pub mod entry;
pub mod hash_page;
pub mod image;
pub mod spliced;
pub mod value;

pub use entry::Entry;
pub use spliced::Spliced;
pub use value::{Shared, StrRef, ValueRef};
