//! The operations on sorted sets as effects carry them.

use serde::{Deserialize, Serialize};

use crate::page::packed::{ITEM_HEAD_BYTES_MAX, Item, Packed, begin_pack};

/// A change to a sorted set.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub enum ZsetOp<'a> {
    /// Members have these scores now, and never die; the sorted set is made if there is none.
    Add {
        /// Score, member, score, member …, packed.
        #[serde(borrow, with = "serde_bytes")]
        members: &'a [u8],
    },
    /// Members leave.
    Remove {
        /// The members, packed.
        #[serde(borrow, with = "serde_bytes")]
        members: &'a [u8],
    },
    /// A run of members leaves.
    RemoveRange {
        /// The first one's rank, from 0.
        start: u64,
        /// How many.
        len: u64,
    },
    /// Members have these scores now; those that were there die when they would have died.
    Rescore {
        /// As for `Add`.
        #[serde(borrow, with = "serde_bytes")]
        members: &'a [u8],
    },
    /// Members that are there die at another time.
    ExpireAt {
        /// The members, packed.
        #[serde(borrow, with = "serde_bytes")]
        members: &'a [u8],
        /// When, Unix milliseconds; 0 = never.
        expire_at_ms: u64,
    },
}

/// The scores and members that items are.
#[inline]
pub(super) fn pairs_of(packed: Packed<'_>) -> impl Iterator<Item = (f64, Item<'_>)> {
    let (mut items, behind) = (packed.items(), usize::from(packed.is_timed()));
    std::iter::from_fn(move || {
        let pair = (items.next()?.number()?, items.next()?);
        items.pass(behind)?;
        Some(pair)
    })
}

/// Scores and members as they stand in an effect.
pub fn pack_pairs<'a>(pairs: impl Iterator<Item = (f64, &'a [u8])> + Clone) -> Vec<u8> {
    let add = |(count, bytes): (u64, usize), (_, member): (f64, &[u8])| {
        (count + 2, bytes + 2 * ITEM_HEAD_BYTES_MAX + member.len())
    };
    let (count, bytes) = pairs.clone().fold((0, 0), add);
    let mut packed = begin_pack(count, bytes);
    for (score, member) in pairs {
        Item::of_f64(score).write(&mut packed);
        Item::of(member).write(&mut packed);
    }
    packed
}
