//! Commands on hashes.
//!
//! **Invariant:** a dead field is never seen. Who reads passes over it; who changes a hash removes what is dead in it
//! first, by an effect.

mod change;
mod common;
mod count;
mod expire;
mod get;
mod get_and;
mod random;
mod scan;
mod set_and;
#[cfg(test)]
mod tests;
mod ttl;

use super::spec::Spec;
use super::spec::assert_sorted;

/// The family.
pub const COMMANDS: &[Spec] = &[
    change::HDEL,
    get::HEXISTS,
    expire::HEXPIRE,
    expire::HEXPIREAT,
    ttl::HEXPIRETIME,
    get::HGET,
    get::HGETALL,
    get_and::HGETDEL,
    get_and::HGETEX,
    count::HINCRBY,
    count::HINCRBYFLOAT,
    get::HKEYS,
    get::HLEN,
    get::HMGET,
    change::HMSET,
    ttl::HPERSIST,
    expire::HPEXPIRE,
    expire::HPEXPIREAT,
    ttl::HPEXPIRETIME,
    ttl::HPTTL,
    random::HRANDFIELD,
    scan::HSCAN,
    change::HSET,
    set_and::HSETEX,
    change::HSETNX,
    get::HSTRLEN,
    ttl::HTTL,
    get::HVALS,
];

const _: () = assert_sorted(COMMANDS);
