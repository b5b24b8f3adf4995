//! HOTKEYS: which keys take most of the processor's time and of the network, as in Redis 8.6.

use crate::commands::context::SessionCx;
use crate::commands::error::CmdError;
use crate::commands::flow::Flow;
use crate::commands::help::help_spec;
use crate::commands::spec::assert_sorted;
use crate::commands::spec::{Group, Handler, Spec, flag};
use crate::commands::support::number::parse_i64;
use crate::commands::value::reply_field;
use crate::metrics::hot_keys::{Tracking, Used};
use crate::resp::{Args, Reply};
use crate::state::figures::process::cpu_time;

pub(super) const HOTKEYS: Spec = Spec {
    since: "8.6.0",
    summary: "A container for commands about the keys that take most of the processor and the network",
    complexity: "Depends on subcommand.",
    subcommands: SUBCOMMANDS,
    ..Spec::new("hotkeys", Group::Server, -2, Handler::Container)
};

const SUBCOMMANDS: &[Spec] = &[GET, help_spec(Group::Server, "8.6.0", &[]), RESET, START, STOP];

const _: () = assert_sorted(SUBCOMMANDS);

const FLAGS: u32 = flag::ADMIN | flag::NO_SCRIPT;
const COUNT_DEFAULT: usize = 10;
const METRICS_MAX: usize = 2;

const GET: Spec = Spec {
    since: "8.6.0",
    flags: FLAGS,
    summary: "Returns what was found, while it goes on and afterwards",
    complexity: "O(K) where K is the number of hotkeys returned.",
    ..Spec::new("get", Group::Server, 2, Handler::Session(get))
};

fn get(cx: &mut SessionCx<'_>, _args: Args<'_>, reply: &mut Reply) -> Result<Flow, CmdError> {
    let Some(found) = cx.server.stats.hot_keys.found(cx.kit.now_ms()) else {
        reply.null();
        return Ok(Flow::Done);
    };
    let Tracking { cpu, net, .. } = found.tracking;
    let (since, until) = (found.tracking.used, found.used.unwrap_or_else(|| used(cx)));
    reply.array(1);
    reply.map(7 + 3 * usize::from(cpu) + 2 * usize::from(net));
    reply_field(reply, "tracking-active", u64::from(found.is_active));
    reply_field(reply, "sample-ratio", found.tracking.sample_ratio);
    reply.bulk(b"selected-slots");
    reply.array(0);
    reply_field(reply, "all-commands-all-slots-us", found.all_us);
    reply_field(reply, "net-bytes-all-commands-all-slots", found.all_bytes);
    reply_field(reply, "collection-start-time-unix-ms", found.tracking.since_ms);
    reply_field(reply, "collection-duration-ms", found.took_ms);
    if cpu {
        reply_field(
            reply,
            "total-cpu-time-user-ms",
            until.user_ms.saturating_sub(since.user_ms),
        );
        reply_field(
            reply,
            "total-cpu-time-sys-ms",
            until.system_ms.saturating_sub(since.system_ms),
        );
    }
    if net {
        reply_field(
            reply,
            "total-net-bytes",
            until.net_bytes.saturating_sub(since.net_bytes),
        );
    }
    let lists = [
        (cpu, "by-cpu-time-us", &found.by_cpu),
        (net, "by-net-bytes", &found.by_net),
    ];
    for (_, name, keys) in lists.into_iter().filter(|(is_tracked, ..)| *is_tracked) {
        reply.bulk(name.as_bytes());
        reply.array(keys.len() * 2);
        for (key, had) in keys {
            reply.bulk(key);
            reply.int(had.cast_signed());
        }
    }
    Ok(Flow::Done)
}

/// What the process has used so far.
fn used(cx: &SessionCx<'_>) -> Used {
    let (time, engine) = (cpu_time(false), &cx.server.engine);
    Used {
        user_ms: (time.user * 1000.0) as u64,
        system_ms: (time.system * 1000.0) as u64,
        net_bytes: engine.count(|counters| counters.net_input_bytes.get() + counters.net_output_bytes.get()),
    }
}

const RESET: Spec = Spec {
    since: "8.6.0",
    flags: FLAGS,
    summary: "Forgets what was found",
    complexity: "O(1)",
    ..Spec::new("reset", Group::Server, 2, Handler::Session(reset))
};

fn reset(cx: &mut SessionCx<'_>, _args: Args<'_>, reply: &mut Reply) -> Result<Flow, CmdError> {
    if !cx.server.stats.hot_keys.reset(cx.kit.now_ms()) {
        return Err(CmdError::text(
            "ERR hotkey tracking session in progress, stop tracking first",
        ));
    }
    reply.ok();
    Ok(Flow::Done)
}

const START: Spec = Spec {
    since: "8.6.0",
    flags: FLAGS,
    summary: "Begins to track which keys take most",
    complexity: "O(1)",
    syntax: "METRICS count [CPU] [NET] [COUNT k] [DURATION seconds] [SAMPLE ratio] [SLOTS count slot [slot ...]]",
    ..Spec::new("start", Group::Server, -2, Handler::Session(start))
};

fn start(cx: &mut SessionCx<'_>, args: Args<'_>, reply: &mut Reply) -> Result<Flow, CmdError> {
    const STARTED: CmdError = CmdError::text("ERR hotkey tracking session already in progress");
    let hot_keys = &cx.server.stats.hot_keys;
    let now_ms = cx.kit.now_ms();
    if hot_keys.found(now_ms).is_some_and(|found| found.is_active) {
        return Err(STARTED);
    }
    let tracking = Tracking {
        since_ms: now_ms,
        used: used(cx),
        ..parse(args)?
    };
    if !hot_keys.start(tracking) {
        return Err(STARTED);
    }
    reply.ok();
    Ok(Flow::Done)
}

fn parse(args: Args<'_>) -> Result<Tracking, CmdError> {
    let is = |at: usize, name: &[u8]| args.get(at).is_some_and(|option| option.eq_ignore_ascii_case(name));
    if !is(2, b"metrics") || args.len() < 4 {
        return Err(CmdError::text("ERR METRICS parameter is required"));
    }
    let mut tracking = Tracking {
        cpu: false,
        net: false,
        count: COUNT_DEFAULT,
        duration_ms: None,
        sample_ratio: 1,
        since_ms: 0,
        used: Used::default(),
    };
    let metrics = ranged(args.at(3), METRICS_MAX as i64, "ERR METRICS count must be > 0 and <= 2")? as usize;
    let given = args.skip(4).iter().take(metrics);
    if given.len() < metrics {
        // Redis reads what there is first.
        read_metrics(&mut tracking, given)?;
        return Err(CmdError::text(
            "ERR METRICS count does not match number of metric types provided",
        ));
    }
    read_metrics(&mut tracking, given)?;
    if !tracking.cpu && !tracking.net {
        return Err(CmdError::text(
            "ERR METRICS no valid metrics passed. Supported: CPU|NET",
        ));
    }
    let mut at = 4 + metrics;
    while at < args.len() {
        let value = args.get(at + 1).ok_or(CmdError::Syntax)?;
        if is(at, b"count") {
            tracking.count = ranged(value, 64, "ERR COUNT must be between 1 and 64")? as usize;
        } else if is(at, b"duration") {
            let seconds = ranged(value, 1_000_000, "ERR DURATION must be between 1 and 1000000")?;
            tracking.duration_ms = Some(seconds * 1000);
        } else if is(at, b"sample") {
            tracking.sample_ratio = ranged(value, i32::MAX.into(), "ERR SAMPLE ratio must be positive")?;
        } else if is(at, b"slots") {
            return Err(CmdError::text("ERR SLOTS parameter cannot be used in non-cluster mode"));
        } else {
            return Err(CmdError::Syntax);
        }
        at += 2;
    }
    Ok(tracking)
}

/// Metrics that are not known are for servers to come.
fn read_metrics<'a>(tracking: &mut Tracking, metrics: impl Iterator<Item = &'a [u8]>) -> Result<(), CmdError> {
    for metric in metrics {
        if metric.eq_ignore_ascii_case(b"cpu") && std::mem::replace(&mut tracking.cpu, true) {
            return Err(CmdError::text("ERR METRICS CPU defined more than once!"));
        }
        if metric.eq_ignore_ascii_case(b"net") && std::mem::replace(&mut tracking.net, true) {
            return Err(CmdError::text("ERR METRICS NET defined more than once!"));
        }
    }
    Ok(())
}

/// A number from one to `max`.
fn ranged(argument: &[u8], max: i64, outside: &'static str) -> Result<u64, CmdError> {
    let number = parse_i64(argument).filter(|number| (1..=max).contains(number));
    number.map(i64::cast_unsigned).ok_or(CmdError::text(outside))
}

const STOP: Spec = Spec {
    since: "8.6.0",
    flags: FLAGS,
    summary: "Ends what START began; what was found stays",
    complexity: "O(1)",
    ..Spec::new("stop", Group::Server, 2, Handler::Session(stop))
};

fn stop(cx: &mut SessionCx<'_>, _args: Args<'_>, reply: &mut Reply) -> Result<Flow, CmdError> {
    let used = used(cx);
    if cx.server.stats.hot_keys.stop(cx.kit.now_ms(), used) {
        reply.ok();
    } else {
        reply.null();
    }
    Ok(Flow::Done)
}
