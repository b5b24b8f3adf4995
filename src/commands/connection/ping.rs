//! PING and ECHO.

use crate::commands::context::SessionCx;
use crate::commands::error::CmdError;
use crate::commands::flow::Flow;
use crate::commands::spec::{Group, Handler, Spec, flag};
use crate::resp::{Args, Reply};

pub(super) const ECHO: Spec = Spec {
    flags: flag::LOADING | flag::STALE | flag::FAST | flag::TOUCHES_NOTHING,
    acl: &["connection"],
    summary: "Returns its argument",
    syntax: "message",
    ..Spec::new("echo", Group::Connection, 2, Handler::Session(echo))
};

fn echo(_cx: &mut SessionCx<'_>, args: Args<'_>, reply: &mut Reply) -> Result<Flow, CmdError> {
    write_arg(args, reply);
    Ok(Flow::Done)
}

pub(super) const PING: Spec = Spec {
    flags: flag::FAST | flag::TELLS_OF_DISK | flag::WHILE_SUBSCRIBED | flag::TOUCHES_NOTHING,
    acl: &["connection"],
    tips: &["request_policy:all_shards", "response_policy:all_succeeded"],
    summary: "Answers PONG, or its argument",
    syntax: "[message]",
    ..Spec::new("ping", Group::Connection, -1, Handler::Session(ping))
};

fn ping(cx: &mut SessionCx<'_>, args: Args<'_>, reply: &mut Reply) -> Result<Flow, CmdError> {
    match args.len() {
        1 | 2 if cx.client.only_listens() => {
            // It looks like a message, since that is what the client reads.
            reply.array(2);
            reply.bulk(b"pong");
            write_arg(args, reply);
        }
        1 => reply.simple("PONG"),
        2 => write_arg(args, reply),
        _ => return Err(CmdError::Arity("ping".to_owned())),
    }
    Ok(Flow::Done)
}

/// Argument 1 as the reply, a huge one without copying.
fn write_arg(args: Args<'_>, reply: &mut Reply) {
    match args.shared(1) {
        Some(shared) => reply.bulk_shared(shared),
        None => reply.bulk(args.get(1).unwrap_or_default()),
    }
}
