//! Scripts: EVAL and its kin run them, SCRIPT keeps them. Functions: FCALL runs them, FUNCTION keeps their libraries.
//!
//! A handler finds the script or function and judges whether it may run now. Where it runs, and how what it calls runs,
//! is the executor's business ([`Scripting`]).
//!
//! [`Scripting`]: super::context::Scripting

mod busy;
mod eval;
mod fcall;
mod find;
mod function;
mod library;
mod payload;
mod script;
mod shebang;
mod start;

use super::spec::{Spec, assert_sorted};

pub use busy::{busy_or_was, busy_with};
pub use find::{again, flags_of};
pub use start::Start;

/// The family, sorted by name.
pub const COMMANDS: &[Spec] = &[
    eval::EVAL,
    eval::EVAL_RO,
    eval::EVALSHA,
    eval::EVALSHA_RO,
    fcall::FCALL,
    fcall::FCALL_RO,
    function::FUNCTION,
    script::SCRIPT,
];

const _: () = assert_sorted(COMMANDS);
