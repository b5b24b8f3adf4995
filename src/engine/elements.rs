//! The effects that hashes, sets and sorted sets have in common: elements leave, elements die at another time.

use super::effect::Effect;
use crate::page::container::Kind;
use crate::page::hash::HashOp;
use crate::page::set::SetOp;
use crate::page::zset::ZsetOp;

/// Elements leave, `names` packed, of what `key` holds, which is of this type.
pub fn removal<'a>(kind: Kind, key: &'a [u8], names: &'a [u8]) -> Effect<'a> {
    match kind {
        Kind::Set => Effect::Set {
            key,
            op: SetOp::Remove { members: names },
        },
        Kind::Zset => Effect::Zset {
            key,
            op: ZsetOp::Remove { members: names },
        },
        Kind::Hash | Kind::List | Kind::Stream | Kind::Vectors => Effect::Hash {
            key,
            op: HashOp::Remove { fields: names },
        },
    }
}

/// Those of the elements that are there die at another time; 0 = never.
pub fn expiry<'a>(kind: Kind, key: &'a [u8], names: &'a [u8], expire_at_ms: u64) -> Effect<'a> {
    let (members, fields) = (names, names);
    match kind {
        Kind::Set => Effect::Set {
            key,
            op: SetOp::ExpireAt { members, expire_at_ms },
        },
        Kind::Zset => Effect::Zset {
            key,
            op: ZsetOp::ExpireAt { members, expire_at_ms },
        },
        Kind::Hash | Kind::List | Kind::Stream | Kind::Vectors => Effect::Hash {
            key,
            op: HashOp::ExpireAt { fields, expire_at_ms },
        },
    }
}
