//! MONITOR: shows the client what the server runs, from then on.

use crate::commands::context::SessionCx;
use crate::commands::error::CmdError;
use crate::commands::flow::Flow;
use crate::commands::spec::{Group, Handler, Spec, flag};
use crate::resp::{Args, Reply};

pub(super) const MONITOR: Spec = Spec {
    flags: flag::ADMIN | flag::NO_SCRIPT | flag::LOADING | flag::STALE,
    summary: "Shows what the server runs as it runs it",
    ..Spec::new("monitor", Group::Server, 1, Handler::Session(monitor))
};

fn monitor(cx: &mut SessionCx<'_>, _args: Args<'_>, reply: &mut Reply) -> Result<Flow, CmdError> {
    if cx.alone.is_some() {
        return Err(CmdError::text("ERR MONITOR isn't allowed for DENY BLOCKING client"));
    }
    // Who is in it already gets no reply, as in Redis.
    if cx.client.start_monitor(&cx.server.pubsub) {
        reply.ok();
    }
    Ok(Flow::Done)
}
