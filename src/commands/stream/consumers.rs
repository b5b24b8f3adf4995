//! Consumers of a group: XGROUP CREATECONSUMER, DELCONSUMER.

use super::common::{MADE_CONSUMER, apply};
use super::group::stream_with_group;
use crate::commands::spec::{Group, flag, key_at};
use crate::commands::{CmdResult, Handler, Spec};
use crate::engine::events::Classes;
use crate::engine::txn::Txn;
use crate::page::stream::StreamOp;
use crate::resp::{Args, Reply};

pub(super) const CREATECONSUMER: Spec = Spec {
    since: "6.2.0",
    flags: flag::DENY_OOM,
    acl: &["stream"],
    keys: &[key_at(2, &["RW", "insert"])],
    summary: "Makes a consumer of a group",
    syntax: "key groupname consumername",
    ..Spec::new("createconsumer", Group::Stream, 5, Handler::Write(create_consumer))
};

fn create_consumer(txn: &mut Txn<'_, '_>, args: Args<'_>, reply: &mut Reply) -> CmdResult {
    let (key, name, consumer) = (args.at(2), args.at(3), args.at(4));
    let group = stream_with_group(txn, key, name)?.group(name);
    let is_new = group.is_none_or(|group| group.consumer(consumer).is_none());
    if is_new {
        let op = StreamOp::ConsumerSeen {
            group: name,
            consumer,
            at_ms: txn.now_ms(),
        };
        apply(txn, key, op);
        txn.notify(Classes::STREAM, MADE_CONSUMER, key);
    }
    reply.int(i64::from(is_new));
    Ok(())
}

pub(super) const DELCONSUMER: Spec = Spec {
    since: "5.0.0",
    acl: &["stream"],
    keys: &[key_at(2, &["RW", "delete"])],
    summary: "Deletes a consumer of a group with all that is pending for it",
    syntax: "key groupname consumername",
    ..Spec::new("delconsumer", Group::Stream, 5, Handler::Write(delete_consumer))
};

fn delete_consumer(txn: &mut Txn<'_, '_>, args: Args<'_>, reply: &mut Reply) -> CmdResult {
    let (key, name, consumer) = (args.at(2), args.at(3), args.at(4));
    let group = stream_with_group(txn, key, name)?.group(name);
    let pending = group.and_then(|group| Some(group.consumer_of_number(group.consumer(consumer)?)?.pending));
    if pending.is_some() {
        let op = StreamOp::ConsumerDelete { group: name, consumer };
        apply(txn, key, op);
        txn.notify(Classes::STREAM, "xgroup-delconsumer", key);
    }
    reply.int(pending.unwrap_or(0) as i64);
    Ok(())
}
