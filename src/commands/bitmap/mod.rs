//! Strings as arrays of bits, and of small integers.
//!
//! **Invariant:** what is logged is the bytes that changed, however long the string; only BITOP's result is a new
//! value.

mod bit;
mod combine;
mod count;
mod field;
#[cfg(test)]
mod tests;

use super::spec::Spec;
use super::spec::assert_sorted;

/// The family.
pub const COMMANDS: &[Spec] = &[
    count::BITCOUNT,
    field::BITFIELD,
    field::BITFIELD_RO,
    combine::BITOP,
    count::BITPOS,
    bit::GETBIT,
    bit::SETBIT,
];

const _: () = assert_sorted(COMMANDS);
