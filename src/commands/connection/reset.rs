//! RESET and QUIT: back to a fresh connection's state, or none at all.

use std::sync::atomic::Ordering;

use crate::commands::context::SessionCx;
use crate::commands::error::CmdError;
use crate::commands::flow::Flow;
use crate::commands::pubsub::forget_some_subscriptions;
use crate::commands::spec::{Group, Handler, Spec, flag};
use crate::commands::transactions;
use crate::engine::ids::DatabaseId;
use crate::resp::{Args, Proto, Reply, Wants};

const FLAGS: u32 = flag::NO_SCRIPT
    | flag::LOADING
    | flag::STALE
    | flag::FAST
    | flag::NO_AUTH
    | flag::ALLOW_BUSY
    | flag::NOT_QUEUED
    | flag::WHILE_SUBSCRIBED
    | flag::ENDS_MULTI;

pub(super) const QUIT: Spec = Spec {
    flags: FLAGS,
    acl: &["connection"],
    summary: "Closes the connection once all replies are sent",
    ..Spec::new("quit", Group::Connection, -1, Handler::Session(quit))
};

fn quit(_cx: &mut SessionCx<'_>, _args: Args<'_>, reply: &mut Reply) -> Result<Flow, CmdError> {
    reply.ok();
    Ok(Flow::Close)
}

pub(super) const RESET: Spec = Spec {
    since: "6.2.0",
    flags: FLAGS,
    acl: &["connection"],
    summary: "Puts the connection back into the state of a new one",
    ..Spec::new("reset", Group::Connection, 1, Handler::Session(reset))
};

fn reset(cx: &mut SessionCx<'_>, _args: Args<'_>, reply: &mut Reply) -> Result<Flow, CmdError> {
    transactions::discard_transaction(cx);
    while !forget_some_subscriptions(cx.server, cx.client) {}
    cx.client.end_caching(cx.server.engine.tracking());
    cx.client.select(DatabaseId::DEFAULT);
    // A reply that is being skipped still is.
    if reply.wants() != Wants::SkipsThis {
        reply.set_wants(Wants::All);
    }
    cx.client.log_out(&cx.server.acl);
    let handle = &cx.client.handle;
    handle.relabel(|labels| labels.name = Vec::new());
    handle.no_touch.store(false, Ordering::Relaxed);
    handle.no_evict.store(false, Ordering::Relaxed);
    reply.set_proto(Proto::Resp2);
    cx.client.note_proto(Proto::Resp2);
    reply.simple("RESET");
    Ok(Flow::Done)
}
