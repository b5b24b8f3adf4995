//! CLIENT: what clients there are, and what one may set of itself or ask of others.

mod common;
mod control;
mod filter;
mod kill;
mod label;
mod list;
mod tracking;

use crate::commands::help::help_spec;
use crate::commands::spec::assert_sorted;
use crate::commands::spec::{Group, Handler, Spec};

pub(super) use label::check_name;
pub use list::client_line;

pub(super) const CLIENT: Spec = Spec {
    since: "2.4.0",
    summary: "A container for commands about client connections",
    complexity: "Depends on subcommand.",
    subcommands: SUBCOMMANDS,
    ..Spec::new("client", Group::Connection, -2, Handler::Container)
};

const SUBCOMMANDS: &[Spec] = &[
    tracking::CACHING,
    label::CAPA,
    label::GETNAME,
    tracking::GETREDIR,
    help_spec(Group::Connection, "5.0.0", &["connection"]),
    label::ID,
    control::IMPORT_SOURCE,
    list::INFO,
    kill::KILL,
    list::LIST,
    control::NO_EVICT,
    control::NO_TOUCH,
    control::PAUSE,
    control::REPLY,
    label::SETINFO,
    label::SETNAME,
    tracking::TRACKING,
    tracking::TRACKINGINFO,
    control::UNBLOCK,
    control::UNPAUSE,
];

const _: () = assert_sorted(SUBCOMMANDS);
