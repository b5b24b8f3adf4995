//! Commands on lists.

mod blocking;
mod common;
mod edit;
mod move_many;
mod move_one;
mod multi_pop;
mod pop;
mod position;
mod push;
mod range;
#[cfg(test)]
mod tests;

use super::spec::Spec;
use super::spec::assert_sorted;

/// The family.
pub const COMMANDS: &[Spec] = &[
    blocking::BLMOVE,
    move_many::BLMOVEM,
    blocking::BLMPOP,
    blocking::BLPOP,
    blocking::BRPOP,
    blocking::BRPOPLPUSH,
    range::LINDEX,
    edit::LINSERT,
    range::LLEN,
    move_one::LMOVE,
    move_many::LMOVEM,
    multi_pop::LMPOP,
    pop::LPOP,
    position::LPOS,
    push::LPUSH,
    push::LPUSHX,
    range::LRANGE,
    edit::LREM,
    edit::LSET,
    edit::LTRIM,
    pop::RPOP,
    move_one::RPOPLPUSH,
    push::RPUSH,
    push::RPUSHX,
];

const _: () = assert_sorted(COMMANDS);
