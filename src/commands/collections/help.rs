//! `COLLECTION HELP`, made from the specs of the subcommands.

use super::COLLECTION;
use crate::commands::context::SessionCx;
use crate::commands::error::CmdError;
use crate::commands::flow::Flow;
use crate::commands::spec::{Databases, Group, Handler, Spec, flag};
use crate::resp::{Args, Reply};

/// `COLLECTION HELP`
pub const HELP: Spec = Spec {
    databases: Databases::None,
    since: "0.1.0",
    flags: flag::LOADING | flag::STALE,
    summary: "Describes the subcommands",
    ..Spec::new("help", Group::Collection, 2, Handler::Session(help))
};

fn help(_: &mut SessionCx<'_>, _: Args<'_>, reply: &mut Reply) -> Result<Flow, CmdError> {
    reply.array(1 + 2 * COLLECTION.subcommands.len());
    reply.simple("COLLECTION <subcommand> [<arg> [value] [opt] ...]. Subcommands are:");
    for subcommand in COLLECTION.subcommands {
        let line = format!("{} {}", subcommand.name.to_uppercase(), subcommand.syntax);
        reply.simple(line.trim_end());
        reply.simple(&format!("    {}.", subcommand.summary));
    }
    Ok(Flow::Done)
}
