//! ACL: users, and what each of them may do.
//!
//! **Invariant:** a change is in force before it is answered, and whoever has lost by it what it is using is closed.

mod ask;
mod common;
mod file;
mod log;
mod set;
mod show;

use super::help::help_spec;
use super::redact::all_arguments;
use super::spec::{Group, Handler, Spec, assert_sorted};

/// The family, sorted by name.
pub const COMMANDS: &[Spec] = &[ACL];
const _: () = assert_sorted(COMMANDS);

const ACL: Spec = Spec {
    since: "6.0.0",
    summary: "A container for commands about users",
    complexity: "Depends on subcommand.",
    subcommands: SUBCOMMANDS,
    // Malformed requests may hold passwords, too.
    is_secret: all_arguments,
    ..Spec::new("acl", Group::Server, -2, Handler::Container)
};

const SUBCOMMANDS: &[Spec] = &[
    show::CAT,
    set::DELUSER,
    ask::DRYRUN,
    ask::GENPASS,
    show::GETUSER,
    help_spec(Group::Server, "6.0.0", &[]),
    show::LIST,
    file::LOAD,
    log::LOG,
    file::SAVE,
    set::SETUSER,
    show::USERS,
    ask::WHOAMI,
];
const _: () = assert_sorted(SUBCOMMANDS);
