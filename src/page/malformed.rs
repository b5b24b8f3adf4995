//! What can be wrong with the bytes of pages and of the log.

use std::fmt;

/// Why bytes are not what they should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Malformed {
    /// They cannot be decoded; the decoder's words.
    Undecodable(String),
    /// An entry of a page is malformed.
    Entry {
        /// Which one.
        index: u32,
        /// Of so many.
        entries: u32,
        /// What is wrong with it.
        error: Box<Malformed>,
    },
    /// There are bytes behind the last entry of a page.
    Behind {
        /// How many.
        bytes: usize,
        /// Behind so many entries.
        entries: u32,
    },
    /// A packed container has another number of items than its header says.
    Items {
        /// What the header says.
        count: usize,
        /// What can be read.
        found: usize,
    },
    /// A packed container has unknown flags.
    Flags(u8),
    /// A stream has unknown flags.
    StreamFlags(u8),
    /// A stream has so many entries, which is not what it says.
    StreamEntries(u64),
    /// So many items are not whole fields of a hash.
    HashItems(usize),
    /// So many items are not whole members of a sorted set.
    ZsetItems(usize),
    /// Something else is wrong with a container.
    Container(&'static str),
}

impl fmt::Display for Malformed {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Undecodable(why) => out.write_str(why),
            Self::Entry { index, entries, error } => write!(out, "entry {index} of {entries}: {error}"),
            Self::Behind { bytes, entries } => write!(out, "{bytes} bytes too many after {entries} entries"),
            Self::Items { count, found } => {
                write!(out, "a packed container of {count} items has {found} that can be read")
            }
            Self::Flags(flags) => write!(out, "a packed container has unknown flags {flags:#04x}"),
            Self::StreamFlags(flags) => write!(out, "a stream has unknown flags {flags:#04x}"),
            Self::StreamEntries(entries) => {
                write!(out, "a stream has {entries} entries, which is not what it says")
            }
            Self::HashItems(count) => write!(out, "a hash of {count} items has no whole fields"),
            Self::ZsetItems(count) => write!(out, "a sorted set of {count} items has no whole members"),
            Self::Container(what) => out.write_str(what),
        }
    }
}

impl std::error::Error for Malformed {}
