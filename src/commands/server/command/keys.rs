//! COMMAND GETKEYS and GETKEYSANDFLAGS: the keys in a whole command, found as the executor finds them.

use super::FLAGS;
use crate::commands::context::SessionCx;
use crate::commands::error::CmdError;
use crate::commands::flow::Flow;
use crate::commands::spec::{Access, Command, Group, Handler, KeyUses, Spec, Table, flag};
use crate::resp::{Args, Reply};

pub(super) const GETKEYS: Spec = Spec {
    since: "2.8.13",
    flags: FLAGS,
    acl: &["connection"],
    summary: "Finds the keys in a command",
    complexity: "O(N) where N is the number of arguments to the command",
    syntax: "command [arg [arg ...]]",
    ..Spec::new("getkeys", Group::Server, -3, Handler::Session(getkeys))
};

fn getkeys(cx: &mut SessionCx<'_>, args: Args<'_>, reply: &mut Reply) -> Result<Flow, CmdError> {
    let found = keys_of(cx.commands, args.skip(2))?;
    reply.array(found.len());
    found.iter().for_each(|(key, _)| reply.bulk(key));
    Ok(Flow::Done)
}

pub(super) const GETKEYSANDFLAGS: Spec = Spec {
    since: "7.0.0",
    flags: FLAGS,
    acl: &["connection"],
    summary: "Finds the keys in a command and what it does with them",
    complexity: "O(N) where N is the number of arguments to the command",
    syntax: "command [arg [arg ...]]",
    ..Spec::new("getkeysandflags", Group::Server, -3, Handler::Session(getkeysandflags))
};

fn getkeysandflags(cx: &mut SessionCx<'_>, args: Args<'_>, reply: &mut Reply) -> Result<Flow, CmdError> {
    let found = keys_of(cx.commands, args.skip(2))?;
    reply.array(found.len());
    for (key, access) in found {
        reply.array(2);
        reply.bulk(key);
        reply.set(access.names().len());
        access.names().for_each(|flag| reply.simple(flag));
    }
    Ok(Flow::Done)
}

fn keys_of<'a>(commands: &Table, args: Args<'a>) -> Result<Vec<(&'a [u8], Access)>, CmdError> {
    let spec = command_of(commands, args)
        .ok_or(CmdError::text("ERR Invalid command specified"))?
        .spec;
    if spec.keys.iter().all(|key| key.access.is_not_key()) {
        return Err(CmdError::text("ERR The command has no key arguments"));
    }
    if !spec.accepts(args.len()) {
        return Err(CmdError::text("ERR Invalid number of arguments specified for command"));
    }
    let uses = match spec.key_uses(args) {
        // Their number is 0, or makes no sense.
        Err(_) if spec.has(flag::NO_MANDATORY_KEYS) => KeyUses::new(),
        uses => uses?,
    };
    let found: Vec<_> = uses
        .iter()
        .filter_map(|key| Some((args.get(key.index)?, key.access)))
        .collect();
    if found.is_empty() && !spec.has(flag::NO_MANDATORY_KEYS) {
        return Err(CmdError::text("ERR Invalid arguments specified for command"));
    }
    Ok(found)
}

/// The command, or the subcommand, that these arguments call.
fn command_of(commands: &Table, args: Args<'_>) -> Option<Command> {
    let command = commands.lookup(args.get(0)?)?;
    if matches!(command.spec.handler, Handler::Container) {
        return match args.get(1) {
            Some(name) => commands.lookup_subcommand(command, name),
            None => Some(command),
        };
    }
    Some(command)
}
