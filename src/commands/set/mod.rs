//! Commands on sets.

mod cardinality;
mod change;
mod combine;
mod common;
mod inspect;
mod operation;
mod random;
mod scan;
#[cfg(test)]
mod tests;

use super::spec::Spec;
use super::spec::assert_sorted;

/// The family.
pub const COMMANDS: &[Spec] = &[
    change::SADD,
    inspect::SCARD,
    combine::SDIFF,
    cardinality::SDIFFCARD,
    combine::SDIFFSTORE,
    combine::SINTER,
    cardinality::SINTERCARD,
    combine::SINTERSTORE,
    inspect::SISMEMBER,
    inspect::SMEMBERS,
    inspect::SMISMEMBER,
    change::SMOVE,
    random::SPOP,
    random::SRANDMEMBER,
    change::SREM,
    scan::SSCAN,
    combine::SUNION,
    cardinality::SUNIONCARD,
    combine::SUNIONSTORE,
];

const _: () = assert_sorted(COMMANDS);
