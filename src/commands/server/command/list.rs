//! COMMAND LIST.

use super::{FLAGS, acl};
use crate::commands::context::SessionCx;
use crate::commands::error::CmdError;
use crate::commands::flow::Flow;
use crate::commands::spec::{Command, Group, Handler, Spec, Table};
use crate::glob::{Case, glob_match};
use crate::resp::{Args, Reply};

pub(super) const LIST: Spec = Spec {
    since: "7.0.0",
    flags: FLAGS,
    acl: &["connection"],
    tips: &["nondeterministic_output_order"],
    summary: "Lists the names of commands",
    complexity: "O(N) where N is the total number of Redis commands",
    syntax: "[FILTERBY <MODULE module-name | ACLCAT category | PATTERN pattern>]",
    ..Spec::new("list", Group::Server, -2, Handler::Session(list))
};

fn list(cx: &mut SessionCx<'_>, args: Args<'_>, reply: &mut Reply) -> Result<Flow, CmdError> {
    match args.len() {
        2 => write_names(cx.commands.all().iter(), reply),
        5 if args.at(2).eq_ignore_ascii_case(b"FILTERBY") => filtered(cx.commands, args.at(3), args.at(4), reply)?,
        _ => return Err(CmdError::Syntax),
    }
    Ok(Flow::Done)
}

fn filtered(commands: &Table, filter: &[u8], argument: &[u8], reply: &mut Reply) -> Result<(), CmdError> {
    match filter.to_ascii_lowercase().as_slice() {
        // There are no modules.
        b"module" => reply.array(0),
        b"aclcat" => {
            let category = String::from_utf8_lossy(argument).to_ascii_lowercase();
            let fits = |command: &&Command| acl::has(command.spec, &category);
            write_names(commands.all().iter().filter(fits), reply);
        }
        b"pattern" => {
            let fits = |command: &&Command| glob_match(argument, command.full_name().as_bytes(), Case::Insensitive);
            write_names(commands.all().iter().filter(fits), reply);
        }
        _ => return Err(CmdError::Syntax),
    }
    Ok(())
}

fn write_names<'a>(commands: impl Iterator<Item = &'a Command>, reply: &mut Reply) {
    let array = reply.deferred_array();
    let mut count = 0;
    for command in commands {
        reply.bulk(command.full_name().as_bytes());
        count += 1;
    }
    reply.finish_array(array, count);
}
