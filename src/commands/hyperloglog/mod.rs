//! HyperLogLog commands: approximate counts of distinct elements (`hll` is the HyperLogLog itself).

#[cfg(test)]
mod command_tests;
mod commands;
mod debug;
mod debug_commands;
mod dense;
mod estimate;
mod hash;
mod hll;
mod sketch;
mod sparse;
#[cfg(test)]
mod tests;

use super::spec::{Spec, assert_sorted};

pub use sketch::Sketch;

/// The family.
pub const COMMANDS: &[Spec] = &[
    commands::ADDHLL,
    commands::HLLCOUNT,
    commands::PFADD,
    commands::PFCOUNT,
    debug_commands::PFDEBUG,
    commands::PFMERGE,
    debug_commands::PFSELFTEST,
];

const _: () = assert_sorted(COMMANDS);
