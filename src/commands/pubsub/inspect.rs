//! PUBSUB: who listens where.

use crate::commands::context::SessionCx;
use crate::commands::error::CmdError;
use crate::commands::flow::Flow;
use crate::commands::help::{help_spec, subcommand_syntax};
use crate::commands::spec::{Group, Handler, Spec, assert_sorted, flag};
use crate::glob::{Case, glob_match};
use crate::resp::{Args, Reply};

const FLAGS: u32 = flag::PUBSUB | flag::LOADING | flag::STALE;

pub(super) const PUBSUB: Spec = Spec {
    since: "2.8.0",
    summary: "A container for commands that tell who listens where",
    complexity: "Depends on subcommand.",
    subcommands: SUBCOMMANDS,
    ..Spec::new("pubsub", Group::PubSub, -2, Handler::Container)
};

const SUBCOMMANDS: &[Spec] = &[
    Spec {
        since: "2.8.0",
        flags: FLAGS,
        summary: "The channels that have subscribers",
        complexity: "O(N) where N is the number of such channels, and assuming constant time pattern matching",
        syntax: "[pattern]",
        ..Spec::new("channels", Group::PubSub, -2, Handler::Session(channels))
    },
    help_spec(Group::PubSub, "6.2.0", &[]),
    Spec {
        since: "2.8.0",
        flags: FLAGS,
        summary: "How many different patterns clients have subscribed to",
        ..Spec::new("numpat", Group::PubSub, 2, Handler::Session(numpat))
    },
    Spec {
        since: "2.8.0",
        flags: FLAGS,
        summary: "How many have subscribed to each channel",
        complexity: "O(N) for the NUMSUB subcommand, where N is the number of requested channels",
        syntax: "[channel [channel ...]]",
        ..Spec::new("numsub", Group::PubSub, -2, Handler::Session(numsub))
    },
    Spec {
        since: "7.0.0",
        flags: FLAGS,
        summary: "The shard channels that have subscribers",
        complexity: "O(N) where N is the number of such channels, and assuming constant time pattern matching",
        syntax: "[pattern]",
        ..Spec::new("shardchannels", Group::PubSub, -2, Handler::Session(shardchannels))
    },
    Spec {
        since: "7.0.0",
        flags: FLAGS,
        summary: "How many have subscribed to each shard channel",
        complexity: "O(N) for the SHARDNUMSUB subcommand, where N is the number of requested shard channels",
        syntax: "[shardchannel [shardchannel ...]]",
        ..Spec::new("shardnumsub", Group::PubSub, -2, Handler::Session(shardnumsub))
    },
];

const _: () = assert_sorted(SUBCOMMANDS);

fn channels(cx: &mut SessionCx<'_>, args: Args<'_>, reply: &mut Reply) -> Result<Flow, CmdError> {
    list(cx, args, false, reply)
}

fn shardchannels(cx: &mut SessionCx<'_>, args: Args<'_>, reply: &mut Reply) -> Result<Flow, CmdError> {
    list(cx, args, true, reply)
}

fn list(cx: &SessionCx<'_>, args: Args<'_>, is_sharded: bool, reply: &mut Reply) -> Result<Flow, CmdError> {
    if args.len() > 3 {
        return Err(subcommand_syntax("pubsub", args.at(1)));
    }
    let pattern = args.get(2);
    let wants = |name: &[u8]| pattern.is_none_or(|pattern| glob_match(pattern, name, Case::Sensitive));
    let topics = cx.server.pubsub.channels(is_sharded, wants);
    reply.array(topics.len());
    for topic in topics {
        reply.bulk(&topic.name);
    }
    Ok(Flow::Done)
}

fn numsub(cx: &mut SessionCx<'_>, args: Args<'_>, reply: &mut Reply) -> Result<Flow, CmdError> {
    count(cx, args, false, reply)
}

fn shardnumsub(cx: &mut SessionCx<'_>, args: Args<'_>, reply: &mut Reply) -> Result<Flow, CmdError> {
    count(cx, args, true, reply)
}

fn count(cx: &SessionCx<'_>, args: Args<'_>, is_sharded: bool, reply: &mut Reply) -> Result<Flow, CmdError> {
    let names = args.skip(2);
    reply.array(2 * names.len());
    for name in names.iter() {
        reply.bulk(name);
        let subscribers = cx.server.pubsub.subscribers(is_sharded, name);
        reply.int(i64::try_from(subscribers).unwrap_or(i64::MAX));
    }
    Ok(Flow::Done)
}

fn numpat(cx: &mut SessionCx<'_>, _args: Args<'_>, reply: &mut Reply) -> Result<Flow, CmdError> {
    let count = cx.server.pubsub.pattern_count();
    reply.int(i64::try_from(count).unwrap_or(i64::MAX));
    Ok(Flow::Done)
}
