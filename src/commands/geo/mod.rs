//! Commands on geographic positions, which are the scores of sorted sets.

mod add;
mod common;
mod inspect;
mod options;
mod radius;
mod search;
mod search_area;
#[cfg(test)]
mod tests;

use super::spec::Spec;
use super::spec::assert_sorted;

/// The family.
pub const COMMANDS: &[Spec] = &[
    add::GEOADD,
    inspect::GEODIST,
    inspect::GEOHASH,
    inspect::GEOPOS,
    radius::GEORADIUS,
    radius::GEORADIUS_RO,
    radius::GEORADIUSBYMEMBER,
    radius::GEORADIUSBYMEMBER_RO,
    search_area::GEOSEARCH,
    search_area::GEOSEARCHSTORE,
];

const _: () = assert_sorted(COMMANDS);
