//! COMMANDLOG (as in Valkey 9.1), and SLOWLOG, which is its kind `slow`.

use crate::commands::context::SessionCx;
use crate::commands::error::CmdError;
use crate::commands::flow::Flow;
use crate::commands::help::{help_spec, subcommand_syntax};
use crate::commands::spec::assert_sorted;
use crate::commands::spec::{Group, Handler, Spec, flag};
use crate::commands::support::number::parse_i64;
use crate::metrics::command_log::LogKind;
use crate::resp::{Args, Reply};

pub(super) const COMMANDLOG: Spec = Spec {
    since: "8.1.0",
    summary: "A container for commands about the logs of commands that stand out",
    complexity: "Depends on subcommand.",
    subcommands: COMMANDLOG_SUBCOMMANDS,
    ..Spec::new("commandlog", Group::Server, -2, Handler::Container)
};

const COMMANDLOG_SUBCOMMANDS: &[Spec] = &[GET, help_spec(Group::Server, "8.1.0", &[]), LEN, RESET];

const _: () = assert_sorted(COMMANDLOG_SUBCOMMANDS);

pub(super) const SLOWLOG: Spec = Spec {
    since: "2.2.12",
    summary: "A container for commands about the slow log",
    complexity: "Depends on subcommand.",
    subcommands: SLOWLOG_SUBCOMMANDS,
    ..Spec::new("slowlog", Group::Server, -2, Handler::Container)
};

const SLOWLOG_SUBCOMMANDS: &[Spec] = &[SLOW_GET, help_spec(Group::Server, "6.2.0", &[]), SLOW_LEN, SLOW_RESET];

const _: () = assert_sorted(SLOWLOG_SUBCOMMANDS);

const FLAGS: u32 = flag::ADMIN | flag::LOADING | flag::STALE;

/// Entries that SLOWLOG GET returns when it is not told.
const COUNT_DEFAULT: usize = 10;

/// Which log is meant.
fn kind(arg: &[u8]) -> Result<LogKind, CmdError> {
    match arg.to_ascii_lowercase().as_slice() {
        b"slow" => Ok(LogKind::Slow),
        b"large-request" => Ok(LogKind::LargeRequest),
        b"large-reply" => Ok(LogKind::LargeReply),
        _ => Err(CmdError::text(
            "ERR type should be one of the following: slow, large-request, large-reply",
        )),
    }
}

/// How many entries are wanted; -1 = all.
fn count(arg: &[u8]) -> Result<usize, CmdError> {
    match parse_i64(arg) {
        Some(-1) => Ok(usize::MAX),
        Some(count) if count >= 0 => Ok(count as usize),
        _ => Err(CmdError::text("ERR count should be greater than or equal to -1")),
    }
}

fn write_newest(cx: &SessionCx<'_>, kind: LogKind, count: usize, reply: &mut Reply) -> Result<Flow, CmdError> {
    let newest = cx.server.stats.logs.newest(kind, count);
    reply.array(newest.len());
    for command in newest {
        reply.array(6);
        reply.int(command.id.cast_signed());
        reply.int(command.at_s.cast_signed());
        reply.int(command.value.cast_signed());
        reply.array(command.args.len());
        command.args.iter().for_each(|arg| reply.bulk(arg));
        reply.bulk(command.addr.as_bytes());
        reply.bulk(&command.name);
    }
    Ok(Flow::Done)
}

fn write_len(cx: &SessionCx<'_>, kind: LogKind, reply: &mut Reply) -> Result<Flow, CmdError> {
    reply.int(cx.server.stats.logs.len(kind) as i64);
    Ok(Flow::Done)
}

fn clear(cx: &SessionCx<'_>, kind: LogKind, reply: &mut Reply) -> Result<Flow, CmdError> {
    cx.server.stats.logs.clear(kind);
    reply.ok();
    Ok(Flow::Done)
}

const GET: Spec = Spec {
    since: "8.1.0",
    flags: FLAGS,
    tips: &["request_policy:all_nodes", "nondeterministic_output"],
    summary: "Returns the newest entries of a log",
    complexity: "O(N) where N is the number of entries returned",
    syntax: "count <SLOW | LARGE-REQUEST | LARGE-REPLY>",
    ..Spec::new("get", Group::Server, 4, Handler::Session(get))
};

fn get(cx: &mut SessionCx<'_>, args: Args<'_>, reply: &mut Reply) -> Result<Flow, CmdError> {
    let kind = kind(args.at(3))?;
    write_newest(cx, kind, count(args.at(2))?, reply)
}

const LEN: Spec = Spec {
    since: "8.1.0",
    flags: FLAGS,
    tips: &[
        "request_policy:all_nodes",
        "response_policy:agg_sum",
        "nondeterministic_output",
    ],
    summary: "Returns how many entries a log has",
    syntax: "<SLOW | LARGE-REQUEST | LARGE-REPLY>",
    ..Spec::new("len", Group::Server, 3, Handler::Session(len))
};

fn len(cx: &mut SessionCx<'_>, args: Args<'_>, reply: &mut Reply) -> Result<Flow, CmdError> {
    write_len(cx, kind(args.at(2))?, reply)
}

const RESET: Spec = Spec {
    since: "8.1.0",
    flags: FLAGS,
    tips: &["request_policy:all_nodes", "response_policy:all_succeeded"],
    summary: "Empties a log",
    complexity: "O(N) where N is the number of entries in the log",
    syntax: "<SLOW | LARGE-REQUEST | LARGE-REPLY>",
    ..Spec::new("reset", Group::Server, 3, Handler::Session(reset))
};

fn reset(cx: &mut SessionCx<'_>, args: Args<'_>, reply: &mut Reply) -> Result<Flow, CmdError> {
    clear(cx, kind(args.at(2))?, reply)
}

const SLOW_GET: Spec = Spec {
    since: "2.2.12",
    flags: FLAGS,
    tips: &["request_policy:all_nodes", "nondeterministic_output"],
    summary: "Returns the newest slow commands",
    complexity: "O(N) where N is the number of entries returned",
    syntax: "[count]",
    ..Spec::new("get", Group::Server, -2, Handler::Session(slow_get))
};

fn slow_get(cx: &mut SessionCx<'_>, args: Args<'_>, reply: &mut Reply) -> Result<Flow, CmdError> {
    if args.len() > 3 {
        return Err(subcommand_syntax("slowlog", args.at(1)));
    }
    let count = args.get(2).map_or(Ok(COUNT_DEFAULT), count)?;
    write_newest(cx, LogKind::Slow, count, reply)
}

const SLOW_LEN: Spec = Spec {
    since: "2.2.12",
    flags: FLAGS,
    tips: &[
        "request_policy:all_nodes",
        "response_policy:agg_sum",
        "nondeterministic_output",
    ],
    summary: "Returns how many slow commands are kept",
    ..Spec::new("len", Group::Server, 2, Handler::Session(slow_len))
};

fn slow_len(cx: &mut SessionCx<'_>, _args: Args<'_>, reply: &mut Reply) -> Result<Flow, CmdError> {
    write_len(cx, LogKind::Slow, reply)
}

const SLOW_RESET: Spec = Spec {
    since: "2.2.12",
    flags: FLAGS,
    tips: &["request_policy:all_nodes", "response_policy:all_succeeded"],
    summary: "Empties the slow log",
    complexity: "O(N) where N is the number of entries in the slowlog",
    ..Spec::new("reset", Group::Server, 2, Handler::Session(slow_reset))
};

fn slow_reset(cx: &mut SessionCx<'_>, _args: Args<'_>, reply: &mut Reply) -> Result<Flow, CmdError> {
    clear(cx, LogKind::Slow, reply)
}
