//! Scripts: EVAL and its kin run them, SCRIPT keeps them.
//!
//! A handler finds the script and judges whether it may run now. Where it runs, and how what it calls runs, is the
//! executor's business ([`Scripting`]).
//!
//! [`Scripting`]: super::context::Scripting

mod busy;
mod eval;
mod find;
mod script;
mod shebang;
mod start;

use super::spec::{Spec, assert_sorted};

pub use busy::{busy_or_was, busy_with};
pub use find::flags_of;
pub use start::Start;

/// The family, sorted by name.
pub const COMMANDS: &[Spec] = &[
    eval::EVAL,
    eval::EVAL_RO,
    eval::EVALSHA,
    eval::EVALSHA_RO,
    script::SCRIPT,
];

const _: () = assert_sorted(COMMANDS);
