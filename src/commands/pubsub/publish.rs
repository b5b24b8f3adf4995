//! PUBLISH and SPUBLISH.

use crate::commands::context::PublishCx;
use crate::commands::spec::{Channels, CmdResult, Group, Handler, KeySpec, Spec, first_key, flag};
use crate::resp::{Args, Reply};

const FLAGS: u32 = flag::PUBSUB | flag::LOADING | flag::STALE | flag::FAST | flag::MAY_REPLICATE;

/// A shard channel is where a key of its name would be.
pub(super) const SHARD_CHANNEL: KeySpec = first_key(&["not_key"]);

pub(super) const PUBLISH: Spec = Spec {
    since: "2.0.0",
    flags: FLAGS,
    channels: Channels::First,
    summary: "Sends a message to all who have subscribed to a channel",
    complexity: "O(N+M) where N is the number of clients subscribed to the channel and M is the number of patterns that \
                 begin as the channel does.",
    syntax: "channel message",
    ..Spec::new("publish", Group::PubSub, 3, Handler::Publish(publish))
};

fn publish(cx: &PublishCx<'_>, args: Args<'_>, reply: &mut Reply) -> CmdResult {
    send(cx, args, false, reply)
}

pub(super) const SPUBLISH: Spec = Spec {
    since: "7.0.0",
    flags: FLAGS,
    channels: Channels::First,
    keys: &[SHARD_CHANNEL],
    summary: "Sends a message to all who have subscribed to a shard channel",
    complexity: "O(N) where N is the number of clients subscribed to the channel.",
    syntax: "shardchannel message",
    ..Spec::new("spublish", Group::PubSub, 3, Handler::Publish(spublish))
};

fn spublish(cx: &PublishCx<'_>, args: Args<'_>, reply: &mut Reply) -> CmdResult {
    send(cx, args, true, reply)
}

fn send(cx: &PublishCx<'_>, args: Args<'_>, is_sharded: bool, reply: &mut Reply) -> CmdResult {
    let channel = (args.at(1), is_sharded);
    let receivers = cx.pubsub.publish(cx.outlet, channel, args.at(2), cx.kit.dependencies());
    reply.int(i64::try_from(receivers).unwrap_or(i64::MAX));
    Ok(())
}
