//! TIME, and ROLE.

use crate::commands::context::SessionCx;
use crate::commands::error::CmdError;
use crate::commands::flow::Flow;
use crate::commands::spec::{Group, Handler, Spec, flag};
use crate::resp::{Args, Reply};

pub(super) const TIME: Spec = Spec {
    since: "2.6.0",
    flags: flag::LOADING | flag::STALE | flag::FAST | flag::TOUCHES_NOTHING,
    tips: &["nondeterministic_output"],
    summary: "Returns the server's time: Unix seconds, and microseconds within the second",
    ..Spec::new("time", Group::Server, 1, Handler::Session(time))
};

fn time(cx: &mut SessionCx<'_>, _args: Args<'_>, reply: &mut Reply) -> Result<Flow, CmdError> {
    // Not that of other commands, which is a little old.
    let now_us = cx.kit.now_us();
    reply.array(2);
    reply.bulk_int((now_us / 1_000_000).cast_signed());
    reply.bulk_int((now_us % 1_000_000).cast_signed());
    Ok(Flow::Done)
}

pub(super) const ROLE: Spec = Spec {
    since: "2.8.12",
    flags: flag::NO_SCRIPT | flag::LOADING | flag::STALE | flag::FAST,
    acl: &["admin", "dangerous"],
    summary: "Returns what the server is in replication: always a master",
    ..Spec::new("role", Group::Server, 1, Handler::Session(role))
};

fn role(_cx: &mut SessionCx<'_>, _args: Args<'_>, reply: &mut Reply) -> Result<Flow, CmdError> {
    reply.array(3);
    reply.bulk(b"master");
    reply.int(0);
    reply.array(0);
    Ok(Flow::Done)
}
