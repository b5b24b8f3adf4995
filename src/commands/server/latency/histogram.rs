//! LATENCY HISTOGRAM: how long each command's calls took, up to each power of two.

use super::{FLAGS, TIPS};
use crate::commands::context::SessionCx;
use crate::commands::error::CmdError;
use crate::commands::flow::Flow;
use crate::commands::spec::{Command, Group, Handler, Spec, Table};
use crate::metrics::stats::Stats;
use crate::resp::{Args, Reply};

pub(super) const HISTOGRAM: Spec = Spec {
    since: "7.0.0",
    flags: FLAGS,
    tips: TIPS,
    summary: "Returns how the durations of commands are distributed",
    complexity: "O(N) where N is the number of commands with latency information being retrieved.",
    syntax: "[command [command ...]]",
    ..Spec::new("histogram", Group::Server, -2, Handler::Session(histogram))
};

fn histogram(cx: &mut SessionCx<'_>, args: Args<'_>, reply: &mut Reply) -> Result<Flow, CmdError> {
    let mut chosen: Vec<Command> = Vec::new();
    if args.len() == 2 {
        chosen.extend(cx.commands.all());
    }
    for name in args.iter().skip(2) {
        choose(cx.commands, name, &mut chosen);
    }
    let map = reply.deferred_map();
    let mut written = 0;
    for command in chosen {
        written += usize::from(write(command, &cx.server.stats, reply));
    }
    reply.finish_map(map, written);
    Ok(Flow::Done)
}

/// The command, or all subcommands of a container.
fn choose(commands: &Table, name: &[u8], chosen: &mut Vec<Command>) {
    let (first, second) = match name.iter().position(|byte| *byte == b'|') {
        Some(at) => (name.get(..at).unwrap_or_default(), name.get(at + 1..)),
        None => (name, None),
    };
    let Some(command) = commands.lookup(first) else {
        return;
    };
    match second {
        Some(second) => chosen.extend(commands.lookup_subcommand(command, second)),
        None => {
            let from = usize::from(command.id);
            let family = commands.all().get(from..=from + command.spec.subcommands.len());
            chosen.extend(family.unwrap_or_default());
        }
    }
}

/// Writes a command's distribution if it was ever called; whether it was.
fn write(command: Command, stats: &Stats, reply: &mut Reply) -> bool {
    // Its number within the table, not that of a copy made elsewhere.
    let durations = stats.command_totals(command.id).durations;
    if durations.calls() == 0 {
        return false;
    }
    reply.bulk(command.full_name().as_bytes());
    reply.map(2);
    reply.bulk(b"calls");
    reply.int(durations.calls().cast_signed());
    reply.bulk(b"histogram_usec");
    let buckets = durations.by_power_of_two();
    reply.map(buckets.len());
    for (nanos, calls) in buckets {
        reply.int((nanos / 1000).cast_signed());
        reply.int(calls.cast_signed());
    }
    true
}
