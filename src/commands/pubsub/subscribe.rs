//! SUBSCRIBE and UNSUBSCRIBE in their three kinds.
//!
//! **Invariant:** each name gets a confirmation of its own, in the order of the request.

use super::publish::SHARD_CHANNEL;
use crate::client::Client;
use crate::commands::context::SessionCx;
use crate::commands::error::CmdError;
use crate::commands::flow::Flow;
use crate::commands::spec::{Channels, Group, Handler, KeySpec, Spec, flag};
use crate::pubsub::TopicKind;
use crate::resp::{Args, Reply};
use crate::state::Server;

const FLAGS: u32 = flag::PUBSUB | flag::NO_SCRIPT | flag::LOADING | flag::STALE | flag::WHILE_SUBSCRIBED;

/// So many subscriptions are forgotten at a time.
const FORGOTTEN_MAX: usize = 1024;

/// All shard channels of a request.
const SHARD_CHANNELS: KeySpec = KeySpec {
    find: crate::commands::spec::Find::Range {
        last: -1,
        step: 1,
        limit: 0,
    },
    ..SHARD_CHANNEL
};

pub(super) const SUBSCRIBE: Spec = Spec {
    since: "2.0.0",
    flags: FLAGS,
    channels: Channels::All,
    summary: "Subscribes to channels",
    complexity: "O(N) where N is the number of channels to subscribe to.",
    syntax: "channel [channel ...]",
    ..Spec::new("subscribe", Group::PubSub, -2, Handler::Session(subscribe))
};

fn subscribe(cx: &mut SessionCx<'_>, args: Args<'_>, reply: &mut Reply) -> Result<Flow, CmdError> {
    subscribe_to(cx, TopicKind::Channel, args, reply)
}

pub(super) const PSUBSCRIBE: Spec = Spec {
    since: "2.0.0",
    flags: FLAGS,
    channels: Channels::Patterns,
    summary: "Subscribes to all channels that fit patterns",
    complexity: "O(N) where N is the number of patterns to subscribe to.",
    syntax: "pattern [pattern ...]",
    ..Spec::new("psubscribe", Group::PubSub, -2, Handler::Session(psubscribe))
};

fn psubscribe(cx: &mut SessionCx<'_>, args: Args<'_>, reply: &mut Reply) -> Result<Flow, CmdError> {
    subscribe_to(cx, TopicKind::Pattern, args, reply)
}

pub(super) const SSUBSCRIBE: Spec = Spec {
    since: "7.0.0",
    flags: FLAGS,
    channels: Channels::All,
    keys: &[SHARD_CHANNELS],
    summary: "Subscribes to shard channels",
    complexity: "O(N) where N is the number of shard channels to subscribe to.",
    syntax: "shardchannel [shardchannel ...]",
    ..Spec::new("ssubscribe", Group::PubSub, -2, Handler::Session(ssubscribe))
};

fn ssubscribe(cx: &mut SessionCx<'_>, args: Args<'_>, reply: &mut Reply) -> Result<Flow, CmdError> {
    if cx.alone.is_some() {
        return Err(CmdError::text(
            "ERR SSUBSCRIBE isn't allowed for a DENY BLOCKING client",
        ));
    }
    subscribe_to(cx, TopicKind::Shard, args, reply)
}

pub(super) const UNSUBSCRIBE: Spec = Spec {
    since: "2.0.0",
    flags: FLAGS,
    summary: "Ends subscriptions to these channels, or to all",
    complexity: "O(N) where N is the number of channels to unsubscribe.",
    syntax: "[channel [channel ...]]",
    ..Spec::new("unsubscribe", Group::PubSub, -1, Handler::Session(unsubscribe))
};

fn unsubscribe(cx: &mut SessionCx<'_>, args: Args<'_>, reply: &mut Reply) -> Result<Flow, CmdError> {
    unsubscribe_from(cx, TopicKind::Channel, args, reply)
}

pub(super) const PUNSUBSCRIBE: Spec = Spec {
    since: "2.0.0",
    flags: FLAGS,
    summary: "Ends subscriptions to these patterns, or to all",
    complexity: "O(N) where N is the number of patterns to unsubscribe.",
    syntax: "[pattern [pattern ...]]",
    ..Spec::new("punsubscribe", Group::PubSub, -1, Handler::Session(punsubscribe))
};

fn punsubscribe(cx: &mut SessionCx<'_>, args: Args<'_>, reply: &mut Reply) -> Result<Flow, CmdError> {
    unsubscribe_from(cx, TopicKind::Pattern, args, reply)
}

pub(super) const SUNSUBSCRIBE: Spec = Spec {
    since: "7.0.0",
    flags: FLAGS,
    keys: &[SHARD_CHANNELS],
    summary: "Ends subscriptions to these shard channels, or to all",
    complexity: "O(N) where N is the number of shard channels to unsubscribe.",
    syntax: "[shardchannel [shardchannel ...]]",
    ..Spec::new("sunsubscribe", Group::PubSub, -1, Handler::Session(sunsubscribe))
};

fn sunsubscribe(cx: &mut SessionCx<'_>, args: Args<'_>, reply: &mut Reply) -> Result<Flow, CmdError> {
    unsubscribe_from(cx, TopicKind::Shard, args, reply)
}

fn subscribe_to(cx: &mut SessionCx<'_>, kind: TopicKind, args: Args<'_>, reply: &mut Reply) -> Result<Flow, CmdError> {
    for name in args.skip(1).iter() {
        cx.client.subscribe(&cx.server.pubsub, kind, name);
        confirm(reply, subscribed_word(kind), Some(name), told_count(cx.client, kind));
    }
    Ok(Flow::Done)
}

fn unsubscribe_from(
    cx: &mut SessionCx<'_>,
    kind: TopicKind,
    args: Args<'_>,
    reply: &mut Reply,
) -> Result<Flow, CmdError> {
    let word = unsubscribed_word(kind);
    for name in args.skip(1).iter() {
        cx.client.unsubscribe(&cx.server.pubsub, kind, name);
        confirm(reply, word, Some(name), told_count(cx.client, kind));
    }
    if args.len() > 1 {
        return Ok(Flow::Done);
    }
    if cx.client.subscriber.count(kind) == 0 {
        confirm(reply, word, None, told_count(cx.client, kind));
    }
    for topic in cx.client.subscriber.some(kind, usize::MAX) {
        cx.client.unsubscribe(&cx.server.pubsub, kind, &topic.name);
        confirm(reply, word, Some(&topic.name), told_count(cx.client, kind));
    }
    Ok(Flow::Done)
}

/// Ends some of a client's subscriptions, and MONITOR, without telling it; whether those were all.
pub fn forget_some_subscriptions(server: &Server, client: &mut Client) -> bool {
    client.end_monitor(&server.pubsub);
    for kind in TopicKind::ALL {
        for topic in client.subscriber.some(kind, FORGOTTEN_MAX) {
            client.unsubscribe(&server.pubsub, kind, &topic.name);
        }
    }
    !client.subscriber.is_any()
}

fn subscribed_word(kind: TopicKind) -> &'static [u8] {
    match kind {
        TopicKind::Channel => b"subscribe",
        TopicKind::Pattern => b"psubscribe",
        TopicKind::Shard => b"ssubscribe",
    }
}

fn unsubscribed_word(kind: TopicKind) -> &'static [u8] {
    match kind {
        TopicKind::Channel => b"unsubscribe",
        TopicKind::Pattern => b"punsubscribe",
        TopicKind::Shard => b"sunsubscribe",
    }
}

/// The number in a confirmation: channels and patterns are counted together, shard channels by themselves.
fn told_count(client: &Client, kind: TopicKind) -> usize {
    let count = |kind| client.subscriber.count(kind);
    match kind {
        TopicKind::Shard => count(TopicKind::Shard),
        TopicKind::Channel | TopicKind::Pattern => count(TopicKind::Channel) + count(TopicKind::Pattern),
    }
}

fn confirm(reply: &mut Reply, word: &[u8], name: Option<&[u8]>, count: usize) {
    reply.whatever_is_wanted(|reply| {
        reply.push(3);
        reply.bulk(word);
        match name {
            Some(name) => reply.bulk(name),
            None => reply.null(),
        }
        reply.int(i64::try_from(count).unwrap_or(i64::MAX));
    });
}
