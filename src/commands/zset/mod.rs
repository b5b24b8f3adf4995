//! Commands on sorted sets.
//!
//! **Invariant:** whatever asks for a range turns it into an `Interval` of ranks first, so that all ranges
//! are found in O(log n).

mod add;
mod blocking;
mod combine;
mod common;
mod count;
mod expire;
mod inspect;
mod interval;
mod multi_pop;
mod operation;
mod pop;
mod random;
mod range;
mod range_by;
mod remove;
mod scan;
#[cfg(test)]
mod tests;
mod ttl;

use super::spec::Spec;
use super::spec::assert_sorted;

pub(super) use add::{AddOptions, add_scores};

pub(super) use common::{Scored, read_zset, sort, store};

/// The family.
pub const COMMANDS: &[Spec] = &[
    blocking::BZMPOP,
    blocking::BZPOPMAX,
    blocking::BZPOPMIN,
    add::ZADD,
    inspect::ZCARD,
    count::ZCOUNT,
    combine::ZDIFF,
    combine::ZDIFFSTORE,
    expire::ZEXPIRE,
    expire::ZEXPIREAT,
    ttl::ZEXPIRETIME,
    add::ZINCRBY,
    combine::ZINTER,
    combine::ZINTERCARD,
    combine::ZINTERSTORE,
    count::ZLEXCOUNT,
    multi_pop::ZMPOP,
    inspect::ZMSCORE,
    ttl::ZPERSIST,
    expire::ZPEXPIRE,
    expire::ZPEXPIREAT,
    ttl::ZPEXPIRETIME,
    pop::ZPOPMAX,
    pop::ZPOPMIN,
    ttl::ZPTTL,
    random::ZRANDMEMBER,
    range::ZRANGE,
    range_by::ZRANGEBYLEX,
    range_by::ZRANGEBYSCORE,
    range::ZRANGESTORE,
    inspect::ZRANK,
    remove::ZREM,
    remove::ZREMRANGEBYLEX,
    remove::ZREMRANGEBYRANK,
    remove::ZREMRANGEBYSCORE,
    range_by::ZREVRANGE,
    range_by::ZREVRANGEBYLEX,
    range_by::ZREVRANGEBYSCORE,
    inspect::ZREVRANK,
    scan::ZSCAN,
    inspect::ZSCORE,
    ttl::ZTTL,
    combine::ZUNION,
    combine::ZUNIONSTORE,
];

const _: () = assert_sorted(COMMANDS);
