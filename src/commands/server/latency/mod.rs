//! LATENCY: samples of slow events, and how long each command takes.

mod graph;
mod histogram;
mod report;

use crate::commands::context::SessionCx;
use crate::commands::error::CmdError;
use crate::commands::flow::Flow;
use crate::commands::help::help_spec;
use crate::commands::spec::assert_sorted;
use crate::commands::spec::{Group, Handler, Spec, flag};
use crate::resp::{Args, Reply};

pub(super) const LATENCY: Spec = Spec {
    since: "2.8.13",
    summary: "A container for commands about latency",
    complexity: "Depends on subcommand.",
    subcommands: SUBCOMMANDS,
    ..Spec::new("latency", Group::Server, -2, Handler::Container)
};

const SUBCOMMANDS: &[Spec] = &[
    report::DOCTOR,
    graph::GRAPH,
    help_spec(Group::Server, "2.8.13", &[]),
    histogram::HISTOGRAM,
    HISTORY,
    LATEST,
    RESET,
];

const _: () = assert_sorted(SUBCOMMANDS);

const FLAGS: u32 = flag::ADMIN | flag::NO_SCRIPT | flag::LOADING | flag::STALE;
const TIPS: &[&str] = &[
    "nondeterministic_output",
    "request_policy:all_nodes",
    "response_policy:special",
];

const LATEST: Spec = Spec {
    since: "2.8.13",
    flags: FLAGS,
    tips: TIPS,
    summary: "Returns the newest and the longest sample of each event",
    ..Spec::new("latest", Group::Server, 2, Handler::Session(latest))
};

fn latest(cx: &mut SessionCx<'_>, _args: Args<'_>, reply: &mut Reply) -> Result<Flow, CmdError> {
    let events = cx.server.stats.latency.lock();
    reply.array(events.len());
    for (name, event) in events.iter() {
        let (at_s, ms) = event.samples.back().map_or((0, 0), |sample| (sample.at_s, sample.ms));
        reply.array(4);
        reply.bulk(name.as_bytes());
        reply.int(at_s.cast_signed());
        reply.int(i64::from(ms));
        reply.int(i64::from(event.max_ms));
    }
    Ok(Flow::Done)
}

const HISTORY: Spec = Spec {
    since: "2.8.13",
    flags: FLAGS,
    tips: TIPS,
    summary: "Returns the samples of an event",
    syntax: "event",
    ..Spec::new("history", Group::Server, 3, Handler::Session(history))
};

fn history(cx: &mut SessionCx<'_>, args: Args<'_>, reply: &mut Reply) -> Result<Flow, CmdError> {
    let events = cx.server.stats.latency.lock();
    let event = std::str::from_utf8(args.at(2)).ok().and_then(|name| events.get(name));
    let Some(event) = event else {
        reply.array(0);
        return Ok(Flow::Done);
    };
    reply.array(event.samples.len());
    for sample in &event.samples {
        reply.array(2);
        reply.int(sample.at_s.cast_signed());
        reply.int(i64::from(sample.ms));
    }
    Ok(Flow::Done)
}

const RESET: Spec = Spec {
    since: "2.8.13",
    flags: FLAGS,
    tips: &["request_policy:all_nodes", "response_policy:agg_sum"],
    summary: "Forgets the samples of the given events, or of all",
    syntax: "[event [event ...]]",
    ..Spec::new("reset", Group::Server, -2, Handler::Session(reset))
};

fn reset(cx: &mut SessionCx<'_>, args: Args<'_>, reply: &mut Reply) -> Result<Flow, CmdError> {
    let mut events = cx.server.stats.latency.lock();
    let before = events.len();
    if args.len() == 2 {
        events.clear();
    } else {
        events.retain(|name, _| {
            !args
                .iter()
                .skip(2)
                .any(|given| given.eq_ignore_ascii_case(name.as_bytes()))
        });
    }
    reply.int((before - events.len()) as i64);
    Ok(Flow::Done)
}
