//! Commands on sets.
//!
//! A dead member is never seen: see `engine::dead`.

mod add_and;
mod cardinality;
mod change;
mod combine;
mod common;
mod expire;
mod inspect;
mod operation;
mod random;
mod scan;
#[cfg(test)]
mod tests;
mod ttl;

use super::spec::Spec;
use super::spec::assert_sorted;

/// The family.
pub const COMMANDS: &[Spec] = &[
    change::SADD,
    add_and::SADDEX,
    inspect::SCARD,
    combine::SDIFF,
    cardinality::SDIFFCARD,
    combine::SDIFFSTORE,
    expire::SEXPIRE,
    expire::SEXPIREAT,
    ttl::SEXPIRETIME,
    combine::SINTER,
    cardinality::SINTERCARD,
    combine::SINTERSTORE,
    inspect::SISMEMBER,
    inspect::SMEMBERS,
    inspect::SMISMEMBER,
    change::SMOVE,
    ttl::SPERSIST,
    expire::SPEXPIRE,
    expire::SPEXPIREAT,
    ttl::SPEXPIRETIME,
    random::SPOP,
    ttl::SPTTL,
    random::SRANDMEMBER,
    change::SREM,
    scan::SSCAN,
    ttl::STTL,
    combine::SUNION,
    cardinality::SUNIONCARD,
    combine::SUNIONSTORE,
];

const _: () = assert_sorted(COMMANDS);
