//! Ranges, ranks and neighbours of keys, in ordered collections.
//!
//! A bound is written as in `ZRANGEBYLEX`: `-` and `+` are the ends, `[key` includes the key, `(key` does not; any
//! other text is a key that is included. Keys compare byte by byte. A range is given from its least key to its
//! greatest, also where `REV` turns the order of the answer around.
//!
//! **Invariants**
//! - Keys whose time has come are neither shown nor counted.
//! - A reading command sees the collection as it is at one instant.

mod bound;
mod delete;
mod neighbour;
mod range;
mod rank;
mod shape;
#[cfg(test)]
mod tests;

use super::error::CmdError;
use super::spec::assert_sorted;
use super::spec::{CmdResult, Spec};
use crate::engine::keyspace::KeyspaceTxn;

/// The family, sorted by name.
pub const COMMANDS: &[Spec] = &[
    range::KCOUNT,
    delete::KDELRANGE,
    neighbour::KFIRST,
    neighbour::KLAST,
    neighbour::KNEXT,
    rank::KNTH,
    neighbour::KPREV,
    range::KRANGE,
    rank::KRANK,
];
const _: () = assert_sorted(COMMANDS);

/// What the commands say of themselves in COMMAND INFO.
const ACL: &[&str] = &["keyspace"];

/// Whether the collection knows of order.
fn must_be_ordered(txn: &KeyspaceTxn<'_, '_>, command: &str) -> CmdResult {
    let kind = txn.collection().placement().kind;
    if kind.is_ordered() {
        return Ok(());
    }
    let (name, kind) = (txn.name(), kind.name());
    let text = format!("ERR {command} needs an ordered collection (bdef or bcust), '{name}' is an {kind}");
    Err(CmdError::from(text))
}
