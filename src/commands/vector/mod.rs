//! Commands on vector sets.
//!
//! Redis has them in a module, which checks the number of arguments itself: their arity here is that of a command with
//! a key, and what else is missing is told by the handlers, in the module's words.

mod add;
mod attributes;
mod common;
mod describe;
mod embedding;
mod filter;
mod given;
mod links;
mod random;
mod range;
mod remove;
mod similar;
#[cfg(test)]
mod tests;

use super::spec::Spec;
use super::spec::assert_sorted;

/// The family.
pub const COMMANDS: &[Spec] = &[
    add::VADD,
    describe::VCARD,
    describe::VDIM,
    embedding::VEMB,
    attributes::VGETATTR,
    describe::VINFO,
    describe::VISMEMBER,
    links::VLINKS,
    random::VRANDMEMBER,
    range::VRANGE,
    remove::VREM,
    attributes::VSETATTR,
    similar::VSIM,
];

const _: () = assert_sorted(COMMANDS);
