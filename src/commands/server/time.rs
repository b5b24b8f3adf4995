//! TIME, and ROLE.

use std::time::{SystemTime, UNIX_EPOCH};

use crate::commands::context::SessionCx;
use crate::commands::error::CmdError;
use crate::commands::flow::Flow;
use crate::commands::spec::{Group, Handler, Spec, flag};
use crate::resp::{Args, Reply};

pub(super) const TIME: Spec = Spec {
    since: "2.6.0",
    flags: flag::LOADING | flag::STALE | flag::FAST,
    tips: &["nondeterministic_output"],
    summary: "Returns the server's time: Unix seconds, and microseconds within the second",
    ..Spec::new("time", Group::Server, 1, Handler::Session(time))
};

fn time(_cx: &mut SessionCx<'_>, _args: Args<'_>, reply: &mut Reply) -> Result<Flow, CmdError> {
    // Not the worker's clock, which stands still during a batch.
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    reply.array(2);
    reply.bulk_int(now.as_secs().cast_signed());
    reply.bulk_int(i64::from(now.subsec_micros()));
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
