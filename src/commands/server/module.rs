//! MODULE: this server loads none.

use crate::commands::context::SessionCx;
use crate::commands::error::CmdError;
use crate::commands::flow::Flow;
use crate::commands::help::help_spec;
use crate::commands::spec::{Group, Handler, Spec, Support, flag};
use crate::resp::{Args, Reply};

/// `MODULE subcommand …`
pub(super) const MODULE: Spec = Spec {
    since: "4.0.0",
    summary: "Contains commands about modules",
    complexity: "Depends on subcommand.",
    subcommands: &[help_spec(Group::Server, "5.0.0", &[]), LIST, LOAD, LOADEX, UNLOAD],
    ..Spec::new("module", Group::Server, -2, Handler::Container)
};

const LOADING: u32 = flag::ADMIN | flag::NO_SCRIPT | flag::NO_ASYNC_LOADING;
const REFUSED: Support = Support::Partial("no modules are loaded: refused");

const LIST: Spec = Spec {
    since: "4.0.0",
    flags: flag::ADMIN | flag::NO_SCRIPT,
    tips: &["nondeterministic_output_order"],
    summary: "Lists the modules that are loaded",
    complexity: "O(N) where N is the number of loaded modules.",
    ..Spec::new("list", Group::Server, 2, Handler::Session(list))
};

const LOAD: Spec = Spec {
    since: "4.0.0",
    flags: LOADING,
    summary: "Loads a module, which this server does not",
    syntax: "path [arg [arg ...]]",
    support: REFUSED,
    ..Spec::new("load", Group::Server, -3, Handler::Session(refuse))
};

const LOADEX: Spec = Spec {
    since: "7.0.0",
    flags: LOADING,
    summary: "Loads a module with parameters, which this server does not",
    syntax: "path [CONFIG name value [CONFIG name value ...]] [ARGS args [args ...]]",
    support: REFUSED,
    ..Spec::new("loadex", Group::Server, -3, Handler::Session(refuse))
};

const UNLOAD: Spec = Spec {
    since: "4.0.0",
    flags: LOADING,
    summary: "Unloads a module, of which there is none",
    syntax: "name",
    support: REFUSED,
    ..Spec::new("unload", Group::Server, 3, Handler::Session(refuse))
};

fn list(_: &mut SessionCx<'_>, _: Args<'_>, reply: &mut Reply) -> Result<Flow, CmdError> {
    reply.array(0);
    Ok(Flow::Done)
}

fn refuse(_: &mut SessionCx<'_>, _: Args<'_>, _: &mut Reply) -> Result<Flow, CmdError> {
    Err(CmdError::text(
        "ERR MODULE command not allowed: this server loads no modules",
    ))
}
