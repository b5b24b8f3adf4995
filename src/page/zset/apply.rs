//! How an operation is done to whatever a key holds.

use super::big::BigZset;
use super::op::{ZsetOp, pairs_of};
use super::packed_form::Members;
use crate::page::Change;
use crate::page::container::{Big, Form, Kind, Next};
use crate::page::packed::Packed;

/// Does `op` to what a key holds.
#[inline]
pub fn apply<'a>(form: Form<'a>, op: &ZsetOp<'a>, change: &Change<'_>) -> Next {
    match form {
        Form::Absent => match op {
            ZsetOp::Add { members } | ZsetOp::Rescore { members } => {
                // Redis looks at the first one before it makes the set, and at the others when it adds them.
                let first = pairs_of(Packed::new(members)).next();
                let fits = first.is_none_or(|(_, name)| change.thresholds.zset_item_fits(name.bytes_len()));
                packed_next(Members::empty(!fits), op, change)
            }
            ZsetOp::Remove { .. } | ZsetOp::RemoveRange { .. } | ZsetOp::ExpireAt { .. } => Next::Keep,
        },
        Form::Packed(Kind::Zset, packed) => packed_next(Members::of(packed), op, change),
        Form::Big(Big::Zset(zset)) => {
            zset.apply(op, change);
            if zset.len() == 0 { Next::Remove } else { Next::Keep }
        }
        Form::Packed(..) | Form::Big(_) => Next::Keep,
    }
}

/// Sorted sets that become longer than this are not packed again.
const LONG: usize = 256;

fn packed_next<'a>(mut zset: Members<'a>, op: &ZsetOp<'a>, change: &Change<'_>) -> Next {
    if let ZsetOp::Add { members } | ZsetOp::Rescore { members } = *op {
        zset.expect(Packed::new(members).count() as u64 / 2, change.thresholds);
    }
    match *op {
        ZsetOp::Add { members } | ZsetOp::Rescore { members }
            if zset.len() + Packed::new(members).count() / 2 > LONG =>
        {
            // Looking through all for each would take the square of their number.
            let mut big = BigZset::unpack(Packed::new(&zset.pack()));
            big.apply(op, change);
            return Next::Big(Big::Zset(big));
        }
        ZsetOp::Add { members } | ZsetOp::Rescore { members } => {
            let keeps_expiry = matches!(op, ZsetOp::Rescore { .. });
            for (score, member) in pairs_of(Packed::new(members)) {
                zset.set(score, member, keeps_expiry, change.thresholds);
            }
        }
        ZsetOp::Remove { members } => Packed::new(members).items().for_each(|member| zset.remove(member)),
        ZsetOp::RemoveRange { start, len } => zset.remove_range(start, len),
        ZsetOp::ExpireAt { members, expire_at_ms } => Packed::new(members)
            .items()
            .for_each(|member| zset.expire_at(member, expire_at_ms)),
    }
    if zset.len() == 0 {
        return Next::Remove;
    }
    Next::Packed(zset.pack())
}
