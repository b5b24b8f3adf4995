//! Strings: GET, SET and their kin.
//!
//! **Invariants**
//! - A change in part (`APPEND`, `SETRANGE`) is logged as that part; only whole new values are logged whole.
//! - No answer copies a whole long string, in one piece or in chunks, but those that need one piece (LCS).
//! - What changes a value in place keeps its expiry; what sets it anew drops it (`SET … KEEPTTL` apart).

#[cfg(test)]
mod chunked_tests;
mod compare;
mod counter;
mod get;
mod increx;
mod lcs;
mod many;
mod options;
mod range;
mod set;
#[cfg(test)]
mod tests;

use super::spec::Spec;
use super::spec::assert_sorted;

/// The family.
pub const COMMANDS: &[Spec] = &[
    range::APPEND,
    counter::DECR,
    counter::DECRBY,
    compare::DELEX,
    compare::DELIFEQ,
    compare::DIGEST,
    get::GET,
    get::GETDEL,
    get::GETEX,
    range::GETRANGE,
    get::GETSET,
    counter::INCR,
    counter::INCRBY,
    counter::INCRBYFLOAT,
    increx::INCREX,
    lcs::LCS,
    many::MGET,
    many::MSET,
    many::MSETEX,
    many::MSETNX,
    set::PSETEX,
    set::SET,
    set::SETEX,
    set::SETNX,
    range::SETRANGE,
    range::STRLEN,
    range::SUBSTR,
];

const _: () = assert_sorted(COMMANDS);
