//! SLOWLOG.

use crate::commands::context::SessionCx;
use crate::commands::error::CmdError;
use crate::commands::flow::Flow;
use crate::commands::help::{help_spec, subcommand_syntax};
use crate::commands::spec::assert_sorted;
use crate::commands::spec::{Group, Handler, Spec, flag};
use crate::commands::support::number::parse_i64;
use crate::resp::{Args, Reply};

pub(super) const SLOWLOG: Spec = Spec {
    since: "2.2.12",
    summary: "A container for commands about the slow log",
    complexity: "Depends on subcommand.",
    subcommands: SUBCOMMANDS,
    ..Spec::new("slowlog", Group::Server, -2, Handler::Container)
};

const SUBCOMMANDS: &[Spec] = &[GET, help_spec(Group::Server, "6.2.0", &[]), LEN, RESET];

const _: () = assert_sorted(SUBCOMMANDS);

const FLAGS: u32 = flag::ADMIN | flag::LOADING | flag::STALE;

/// Entries that GET returns when it is not told.
const GET_COUNT_DEFAULT: usize = 10;

const GET: Spec = Spec {
    since: "2.2.12",
    flags: FLAGS,
    tips: &["request_policy:all_nodes", "nondeterministic_output"],
    summary: "Returns the newest slow commands",
    complexity: "O(N) where N is the number of entries returned",
    syntax: "[count]",
    ..Spec::new("get", Group::Server, -2, Handler::Session(get))
};

fn get(cx: &mut SessionCx<'_>, args: Args<'_>, reply: &mut Reply) -> Result<Flow, CmdError> {
    if args.len() > 3 {
        return Err(subcommand_syntax("slowlog", args.at(1)));
    }
    let count = match args.get(2) {
        None => GET_COUNT_DEFAULT,
        Some(text) => match parse_i64(text) {
            Some(-1) => usize::MAX,
            Some(count) if count >= 0 => count as usize,
            _ => {
                return Err(CmdError::text("ERR count should be greater than or equal to -1"));
            }
        },
    };
    let log = cx.server.stats.slow.lock();
    reply.array(log.len().min(count));
    for slow in log.iter().take(count) {
        reply.array(6);
        reply.int(slow.id.cast_signed());
        reply.int(slow.at_s.cast_signed());
        reply.int(slow.micros.cast_signed());
        reply.array(slow.args.len());
        slow.args.iter().for_each(|arg| reply.bulk(arg));
        reply.bulk(slow.addr.as_bytes());
        reply.bulk(&slow.name);
    }
    Ok(Flow::Done)
}

const LEN: Spec = Spec {
    since: "2.2.12",
    flags: FLAGS,
    tips: &[
        "request_policy:all_nodes",
        "response_policy:agg_sum",
        "nondeterministic_output",
    ],
    summary: "Returns how many slow commands are kept",
    ..Spec::new("len", Group::Server, 2, Handler::Session(len))
};

fn len(cx: &mut SessionCx<'_>, _args: Args<'_>, reply: &mut Reply) -> Result<Flow, CmdError> {
    reply.int(cx.server.stats.slow.lock().len() as i64);
    Ok(Flow::Done)
}

const RESET: Spec = Spec {
    since: "2.2.12",
    flags: FLAGS,
    tips: &["request_policy:all_nodes", "response_policy:all_succeeded"],
    summary: "Empties the slow log",
    complexity: "O(N) where N is the number of entries in the slowlog",
    ..Spec::new("reset", Group::Server, 2, Handler::Session(reset))
};

fn reset(cx: &mut SessionCx<'_>, _args: Args<'_>, reply: &mut Reply) -> Result<Flow, CmdError> {
    cx.server.stats.slow.lock().clear();
    reply.ok();
    Ok(Flow::Done)
}
