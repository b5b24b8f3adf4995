//! CLIENT subcommands about client-side caching, which is not supported: they say so, or tell that it is off.

use super::common::{OWN, either};
use crate::commands::context::SessionCx;
use crate::commands::error::CmdError;
use crate::commands::flow::Flow;
use crate::commands::spec::{Group, Handler, Spec, Support};
use crate::resp::{Args, Reply};

pub(super) const CACHING: Spec = Spec {
    since: "6.0.0",
    flags: OWN,
    acl: &["connection"],
    summary: "Says whether the next command's keys are tracked",
    syntax: "<YES | NO>",
    support: Support::Partial("tracking is never on, so that it answers Redis's error for that"),
    ..Spec::new("caching", Group::Connection, 3, Handler::Session(caching))
};

fn caching(_cx: &mut SessionCx<'_>, _args: Args<'_>, _reply: &mut Reply) -> Result<Flow, CmdError> {
    Err(CmdError::text(
        "ERR CLIENT CACHING can be called only when the client is in tracking mode with OPTIN or OPTOUT mode enabled",
    ))
}

pub(super) const GETREDIR: Spec = Spec {
    since: "6.0.0",
    flags: OWN,
    acl: &["connection"],
    summary: "Returns where tracking notices are sent to",
    ..Spec::new("getredir", Group::Connection, 2, Handler::Session(getredir))
};

fn getredir(_cx: &mut SessionCx<'_>, _args: Args<'_>, reply: &mut Reply) -> Result<Flow, CmdError> {
    reply.int(-1);
    Ok(Flow::Done)
}

pub(super) const TRACKING: Spec = Spec {
    since: "6.0.0",
    flags: OWN,
    acl: &["connection"],
    summary: "Turns tracking of the keys a client reads on or off",
    complexity: "O(1). Some options may introduce additional complexity.",
    syntax: "<ON | OFF> [REDIRECT client-id] [PREFIX prefix [PREFIX prefix ...]] [BCAST] [OPTIN] [OPTOUT] [NOLOOP]",
    support: Support::Partial("ON is refused (D2)"),
    ..Spec::new("tracking", Group::Connection, -3, Handler::Session(tracking))
};

fn tracking(_cx: &mut SessionCx<'_>, args: Args<'_>, reply: &mut Reply) -> Result<Flow, CmdError> {
    match either(args.at(2), "on", "off") {
        Some(true) => Err(CmdError::text(
            "ERR CLIENT TRACKING is not supported: this server sends no invalidation messages",
        )),
        Some(false) if args.len() == 3 => {
            reply.ok();
            Ok(Flow::Done)
        }
        _ => Err(CmdError::Syntax),
    }
}

pub(super) const TRACKINGINFO: Spec = Spec {
    since: "6.2.0",
    flags: OWN,
    acl: &["connection"],
    summary: "Describes the connection's tracking",
    ..Spec::new("trackinginfo", Group::Connection, 2, Handler::Session(trackinginfo))
};

fn trackinginfo(_cx: &mut SessionCx<'_>, _args: Args<'_>, reply: &mut Reply) -> Result<Flow, CmdError> {
    reply.map(3);
    reply.bulk(b"flags");
    reply.set(1);
    reply.bulk(b"off");
    reply.bulk(b"redirect");
    reply.int(-1);
    reply.bulk(b"prefixes");
    reply.array(0);
    Ok(Flow::Done)
}
