//! What can be wrong with pages that were read from disk, beside their bytes: they do not make an index.

use crate::engine::ids::ShardNo;
use crate::page::PageId;
use std::fmt;

/// Why a page, or an entry of one, does not fit where it is said to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Misfit {
    /// The anchor is none.
    Anchor {
        /// Its prefix.
        prefix: u32,
        /// Its depth.
        depth: u8,
    },
    /// So many entries are more than a page holds.
    TooManyEntries(u32),
    /// There are more entries than the page said.
    MoreThanSaid,
    /// The key is not of this shard.
    WrongShard(ShardNo),
    /// The key is not of this page.
    WrongPage,
    /// The key is in the page already.
    Twice,
    /// The key is not above the one before.
    NotAscending,
    /// The page is of another kind of index.
    WrongKind,
    /// The shard has pages already.
    HasPages,
    /// The page is empty and not the only one.
    Empty(PageId),
    /// The keys of two pages overlap.
    KeysOverlap {
        /// The page behind.
        page: PageId,
        /// The page before.
        left: PageId,
    },
    /// The page begins below where the one before it ends.
    HashesOverlap(Cover),
    /// The page begins above where the one before it ends.
    Hole(Cover),
    /// No page has the hashes from here on.
    Uncovered(u64),
}

/// A page, and which hashes are covered when it comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cover {
    /// The page.
    pub page: PageId,
    /// The hashes up to this one have pages.
    pub up_to: u64,
    /// It begins here.
    pub from: u64,
}

impl fmt::Display for Misfit {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let cover = |out: &mut fmt::Formatter<'_>, Cover { page, up_to, from }: Cover, what: &str| {
            write!(
                out,
                "page {page} {what}: the hashes up to {up_to:08x} have pages, it begins at {from:08x}"
            )
        };
        match self {
            Self::Anchor { prefix, depth } => write!(out, "no page has the anchor {prefix:08x}/{depth}"),
            Self::TooManyEntries(entries) => write!(out, "{entries} entries are more than a page holds"),
            Self::MoreThanSaid => out.write_str("it holds more entries than it says"),
            Self::WrongShard(shard) => write!(out, "a key of it does not belong to shard {shard}"),
            Self::WrongPage => out.write_str("a key of it belongs to another page"),
            Self::Twice => out.write_str("a key is in it twice"),
            Self::NotAscending => out.write_str("its keys are not in ascending order"),
            Self::WrongKind => out.write_str("a page of another kind"),
            Self::HasPages => out.write_str("the shard has pages already"),
            Self::Empty(page) => write!(out, "page {page} is empty and not the only one"),
            Self::KeysOverlap { page, left } => write!(out, "the keys of page {page} overlap those of page {left}"),
            Self::HashesOverlap(at) => cover(out, *at, "overlaps the page before"),
            Self::Hole(at) => cover(out, *at, "leaves a hole"),
            Self::Uncovered(from) => write!(out, "no page has the hashes from {from:08x} on"),
        }
    }
}

impl std::error::Error for Misfit {}
