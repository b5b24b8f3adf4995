//! COMMAND: what commands there are, generated from their specs.
//!
//! **Invariant:** nothing here knows a command's name; reply structures are those of Redis 8.2 in both protocols.

pub mod acl;
pub mod arguments;
mod docs;
mod info;
mod keys;
mod list;

use super::super::help::help_spec;
use super::super::spec::{Group, Handler, Spec, flag};
use crate::commands::context::SessionCx;
use crate::commands::error::CmdError;
use crate::commands::flow::Flow;
use crate::commands::spec::{Command, Table, assert_sorted};
use crate::resp::{Args, Reply};

pub(super) const COMMAND: Spec = Spec {
    since: "2.8.13",
    flags: FLAGS,
    acl: &["connection"],
    tips: &["nondeterministic_output_order"],
    summary: "Describes all commands",
    complexity: "O(N) where N is the total number of Redis commands",
    subcommands: SUBCOMMANDS,
    ..Spec::new("command", Group::Server, -1, Handler::Session(all))
};

const SUBCOMMANDS: &[Spec] = &[
    COUNT,
    docs::DOCS,
    keys::GETKEYS,
    keys::GETKEYSANDFLAGS,
    help_spec(Group::Server, "5.0.0", &["connection"]),
    info::INFO,
    list::LIST,
];

const _: () = assert_sorted(SUBCOMMANDS);

/// Flags of COMMAND and all its subcommands.
const FLAGS: u32 = flag::LOADING | flag::STALE;

fn all(cx: &mut SessionCx<'_>, _args: Args<'_>, reply: &mut Reply) -> Result<Flow, CmdError> {
    info::write_all(cx.commands, reply);
    Ok(Flow::Done)
}

const COUNT: Spec = Spec {
    since: "2.8.13",
    flags: FLAGS,
    acl: &["connection"],
    summary: "Returns how many commands there are",
    ..Spec::new("count", Group::Server, 2, Handler::Session(count))
};

fn count(cx: &mut SessionCx<'_>, _args: Args<'_>, reply: &mut Reply) -> Result<Flow, CmdError> {
    reply.int(cx.commands.top_level().count() as i64);
    Ok(Flow::Done)
}

/// Finds `get` or `config|get`.
fn find(commands: &Table, name: &[u8]) -> Option<Command> {
    let mut parts = name.splitn(2, |byte| *byte == b'|');
    let command = commands.lookup(parts.next()?)?;
    match parts.next() {
        Some(subcommand) => commands.lookup_subcommand(command, subcommand),
        None => Some(command),
    }
}

/// The commands among a container's subcommands, as [`Command`]s.
fn subcommands(spec: &'static Spec) -> impl Iterator<Item = Command> {
    spec.subcommands.iter().map(move |sub| Command::new(0, sub, Some(spec)))
}
