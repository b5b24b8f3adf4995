//! The HELP subcommand of every container, made from the specs of its siblings.
//!
//! **Invariant:** the lines come from the specs alone, so that HELP cannot tell of anything that is not there.

use super::context::SessionCx;
use super::error::{CmdError, QUOTED_BYTES_MAX};
use super::flow::Flow;
use super::spec::{Databases, Group, Handler, Spec, flag};
use crate::resp::{Args, Reply};

/// The spec of a container's HELP; `since` says when the container got it.
pub const fn help_spec(group: Group, since: &'static str, acl: &'static [&'static str]) -> Spec {
    Spec {
        since,
        flags: flag::LOADING | flag::STALE,
        acl,
        databases: Databases::None,
        summary: "Lists the subcommands with a line about each",
        ..Spec::new("help", group, 2, Handler::Session(help))
    }
}

fn help(cx: &mut SessionCx<'_>, _args: Args<'_>, reply: &mut Reply) -> Result<Flow, CmdError> {
    let subcommands = cx.command.parent.map_or(&[][..], |parent| parent.subcommands);
    let name = cx.command.parent.map_or("", |parent| parent.name);
    let entries = subcommands
        .iter()
        .filter(|sub| sub.name != "help")
        .map(|sub| (sub.name, sub.syntax, sub.summary));
    write_help(reply, name, entries);
    Ok(Flow::Done)
}

/// Writes a help text in Redis's form: a heading, then two lines for each `(name, syntax, summary)`.
pub fn write_help<'a>(reply: &mut Reply, command: &str, entries: impl Iterator<Item = (&'a str, &'a str, &'a str)>) {
    let array = reply.deferred_array();
    let command = command.to_ascii_uppercase();
    reply.simple(&format!(
        "{command} <subcommand> [<arg> [value] [opt] ...]. Subcommands are:"
    ));
    let mut lines = 1;
    for (name, syntax, summary) in entries.chain([("help", "", "Prints this help")]) {
        reply.simple(format!("{} {syntax}", name.to_ascii_uppercase()).trim_end());
        reply.simple(&format!("    {summary}."));
        lines += 2;
    }
    reply.finish_array(array, lines);
}

/// What Redis answers when a subcommand exists but its arguments do not fit any of its forms.
pub fn subcommand_syntax(container: &str, subcommand: &[u8]) -> CmdError {
    let before = "ERR unknown subcommand or wrong number of arguments for '";
    let after = format!("'. Try {} HELP.", container.to_ascii_uppercase());
    CmdError::quoting(before, subcommand, QUOTED_BYTES_MAX, &after)
}
