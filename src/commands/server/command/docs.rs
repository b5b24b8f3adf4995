//! COMMAND DOCS.

use super::arguments::{self, Argument};
use super::{FLAGS, find, subcommands};
use crate::commands::context::SessionCx;
use crate::commands::error::CmdError;
use crate::commands::flow::Flow;
use crate::commands::spec::{Command, Group, Handler, Spec, Support};
use crate::resp::{Args, Reply};

pub(super) const DOCS: Spec = Spec {
    since: "7.0.0",
    flags: FLAGS,
    acl: &["connection"],
    tips: &["nondeterministic_output_order"],
    summary: "Documents the given commands, or all",
    complexity: "O(N) where N is the number of commands to look up",
    syntax: "[command-name [command-name ...]]",
    support: Support::Partial("summaries are our own, there is no history, argument types are inferred (D3)"),
    ..Spec::new("docs", Group::Server, -2, Handler::Session(docs))
};

fn docs(cx: &mut SessionCx<'_>, args: Args<'_>, reply: &mut Reply) -> Result<Flow, CmdError> {
    if args.len() == 2 {
        reply.map(cx.commands.top_level().count());
        cx.commands.top_level().for_each(|command| write(*command, reply));
        return Ok(Flow::Done);
    }
    let found: Vec<Command> = args.iter().skip(2).filter_map(|name| find(cx.commands, name)).collect();
    reply.map(found.len());
    found.iter().for_each(|command| write(*command, reply));
    Ok(Flow::Done)
}

fn write(command: Command, reply: &mut Reply) {
    let spec = command.spec;
    let arguments = arguments::parse(spec.syntax);
    reply.bulk(command.full_name().as_bytes());
    reply.map(
        3 + usize::from(!spec.complexity.is_empty())
            + usize::from(!arguments.is_empty())
            + usize::from(!spec.subcommands.is_empty()),
    );
    for (field, text) in [
        ("summary", spec.summary),
        ("since", spec.since),
        ("group", spec.group.name()),
        ("complexity", spec.complexity),
    ] {
        // Only a complexity may be missing.
        if !text.is_empty() {
            reply.bulk(field.as_bytes());
            reply.bulk(text.as_bytes());
        }
    }
    if !arguments.is_empty() {
        reply.bulk(b"arguments");
        write_arguments(&arguments, spec, reply);
    }
    if !spec.subcommands.is_empty() {
        reply.bulk(b"subcommands");
        reply.map(spec.subcommands.len());
        subcommands(spec).for_each(|sub| write(sub, reply));
    }
}

fn write_arguments(arguments: &[Argument], spec: &Spec, reply: &mut Reply) {
    reply.array(arguments.len());
    for argument in arguments {
        write_argument(argument, spec, reply);
    }
}

fn write_argument(argument: &Argument, spec: &Spec, reply: &mut Reply) {
    let has_key_spec = argument.kind == "key" && !spec.keys.is_empty();
    let flags = argument.flags();
    let fields = [
        has_key_spec,
        argument.token.is_some(),
        !flags.is_empty(),
        !argument.parts.is_empty(),
    ];
    reply.map(2 + fields.iter().filter(|present| **present).count());
    reply.bulk(b"name");
    reply.bulk(argument.name.as_bytes());
    reply.bulk(b"type");
    reply.bulk(argument.kind.as_bytes());
    if has_key_spec {
        reply.bulk(b"key_spec_index");
        reply.int(argument.key_index.min(spec.keys.len() - 1) as i64);
    }
    if let Some(token) = &argument.token {
        reply.bulk(b"token");
        reply.bulk(token.as_bytes());
    }
    if !flags.is_empty() {
        reply.bulk(b"flags");
        reply.set(flags.len());
        flags.iter().for_each(|flag| reply.simple(flag));
    }
    if !argument.parts.is_empty() {
        reply.bulk(b"arguments");
        write_arguments(&argument.parts, spec, reply);
    }
}
