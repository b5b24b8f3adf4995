//! MEMORY: what the data takes.

use crate::allocator::Round;
use crate::commands::context::SessionCx;
use crate::commands::error::CmdError;
use crate::commands::flow::Flow;
use crate::commands::help::help_spec;
use crate::commands::spec::assert_sorted;
use crate::commands::spec::{Begin, CmdResult, Group, Handler, KeySpec, Spec, Support, first_key, flag};
use crate::commands::support::number::parse_i64;
use crate::engine::txn::ReadTxn;
use crate::resp::{Args, Reply};
use crate::state::Server;
use crate::state::figures::process;

pub(super) const MEMORY: Spec = Spec {
    since: "4.0.0",
    summary: "A container for commands about memory",
    complexity: "Depends on subcommand.",
    subcommands: SUBCOMMANDS,
    ..Spec::new("memory", Group::Server, -2, Handler::Container)
};

const HELP: Spec = Spec {
    flags: flag::LOADING | flag::STALE,
    ..help_spec(Group::Server, "4.0.0", &[])
};

const SUBCOMMANDS: &[Spec] = &[DOCTOR, HELP, MALLOC_STATS, PURGE, STATS, USAGE];

const _: () = assert_sorted(SUBCOMMANDS);

const TIPS: &[&str] = &[
    "nondeterministic_output",
    "request_policy:all_shards",
    "response_policy:special",
];

/// Below this much data the figures say little.
const SMALL_BYTES: u64 = 5 << 20;

const DOCTOR: Spec = Spec {
    since: "4.0.0",
    tips: TIPS,
    summary: "Says whether memory is used well",
    support: Support::Partial("says it in its own words"),
    ..Spec::new("doctor", Group::Server, 2, Handler::Session(doctor))
};

fn doctor(cx: &mut SessionCx<'_>, _args: Args<'_>, reply: &mut Reply) -> Result<Flow, CmdError> {
    let meter = cx.server.engine.meter();
    let (used, peak, rss) = (meter.used_bytes(), meter.peak_bytes(), process::rss_bytes());
    let mut text = String::new();
    if used < SMALL_BYTES {
        text.push_str("There is so little data that there is nothing to say about it.\n");
    } else {
        if peak > used + used / 2 {
            text.push_str(
                "- Peak: the data once took over 150 % of what it takes now; the allocator may keep the rest.\n",
            );
        }
        if rss > used + used / 2 {
            text.push_str(
                "- Resident: the process takes over 150 % of the data; MEMORY PURGE gives back what it can.\n",
            );
        }
        if text.is_empty() {
            text.push_str("No trouble found.\n");
        }
    }
    reply.verbatim(b"txt", &text);
    Ok(Flow::Done)
}

const MALLOC_STATS: Spec = Spec {
    since: "4.0.0",
    tips: TIPS,
    summary: "Returns what the allocator and the system say of memory",
    complexity: "Depends on how much memory is allocated, could be slow",
    support: Support::Partial("in the form of our allocator"),
    ..Spec::new("malloc-stats", Group::Server, 2, Handler::Session(malloc_stats))
};

fn malloc_stats(cx: &mut SessionCx<'_>, _args: Args<'_>, reply: &mut Reply) -> Result<Flow, CmdError> {
    let engine = &cx.server.engine;
    let text = format!(
        "allocator: mimalloc\nrequested by the data: {} bytes\nresident: {} bytes\n",
        engine.meter().used_bytes(),
        process::rss_bytes(),
    );
    reply.verbatim(b"txt", &text);
    Ok(Flow::Done)
}

const PURGE: Spec = Spec {
    since: "4.0.0",
    tips: &["request_policy:all_shards", "response_policy:all_succeeded"],
    summary: "Asks the allocator to give unused memory back",
    complexity: "Depends on how much memory is allocated, could be slow",
    ..Spec::new("purge", Group::Server, 2, Handler::Session(purge))
};

fn purge(_cx: &mut SessionCx<'_>, _args: Args<'_>, reply: &mut Reply) -> Result<Flow, CmdError> {
    Round::begin();
    reply.ok();
    Ok(Flow::Done)
}

const STATS: Spec = Spec {
    since: "4.0.0",
    tips: TIPS,
    summary: "Returns figures about memory",
    ..Spec::new("stats", Group::Server, 2, Handler::Session(stats))
};

enum Figure {
    Int(u64),
    Double(f64),
}
use Figure::{Double, Int};

fn stats(cx: &mut SessionCx<'_>, _args: Args<'_>, reply: &mut Reply) -> Result<Flow, CmdError> {
    let engine = &cx.server.engine;
    let (used, peak, rss) = (engine.used_bytes(), engine.meter().peak_bytes(), process::rss_bytes());
    let slots: Vec<_> = engine.registry().slots().cloned().collect();
    let mut databases = Vec::new();
    let (mut keys, mut overhead) = (0, 0);
    for slot in slots {
        let sums = slot.collection.sums();
        keys += sums.keys;
        overhead += sums.index_bytes;
        if sums.keys > 0 {
            databases.push((format!("db.{}", slot.id), sums.index_bytes));
        }
    }
    let held = Held::of(cx.server);
    let dataset = used.saturating_sub(overhead);
    let ratio = |part: u64, whole: u64| part as f64 / whole.max(1) as f64;
    let before = allocated(cx.server, used, peak, &held);
    let after = [
        ("overhead.total", Int(overhead + held.sum())),
        ("keys.count", Int(keys)),
        ("keys.bytes-per-key", Int(used.checked_div(keys).unwrap_or_default())),
        ("dataset.bytes", Int(dataset)),
        ("dataset.percentage", Double(100.0 * ratio(dataset, used))),
        ("peak.percentage", Double(100.0 * ratio(used, peak))),
        ("allocator.allocated", Int(used + held.sum())),
        ("allocator.active", Int(rss)),
        ("allocator.resident", Int(rss)),
        ("allocator-fragmentation.ratio", Double(ratio(rss, used))),
        ("allocator-fragmentation.bytes", Int(rss.saturating_sub(used))),
        ("allocator-rss.ratio", Double(1.0)),
        ("allocator-rss.bytes", Int(0)),
        ("rss-overhead.ratio", Double(1.0)),
        ("rss-overhead.bytes", Int(0)),
        ("fragmentation", Double(ratio(rss, used))),
        ("fragmentation.bytes", Int(rss.saturating_sub(used))),
    ];
    reply.map(before.len() + databases.len() + after.len());
    write_figures(&before, reply);
    for (name, overhead) in &databases {
        reply.bulk(name.as_bytes());
        reply.map(3);
        write_figures(
            &[
                ("overhead.hashtable.main", Int(*overhead)),
                ("overhead.hashtable.expires", Int(0)),
                ("overhead.hashtable.slot-to-keys", Int(0)),
            ],
            reply,
        );
    }
    write_figures(&after, reply);
    Ok(Flow::Done)
}

/// What is held beside the data.
struct Held {
    clients: u64,
    scripts: u64,
    /// What waits to be written to the log.
    log: u64,
    /// Values of scripts, which do not count as used.
    machines: u64,
}

impl Held {
    fn of(server: &Server) -> Self {
        Self {
            clients: server.clients.held_bytes(),
            scripts: server.scripts.bytes(),
            log: server.engine.wal().stats().pending_bytes,
            machines: server.scripts.machines.get() + server.functions.machines.get(),
        }
    }

    fn sum(&self) -> u64 {
        self.clients + self.scripts + self.log
    }
}

/// What has been allocated, by purpose.
fn allocated(server: &Server, used: u64, peak: u64, held: &Held) -> [(&'static str, Figure); 11] {
    let (engine, functions) = (&server.engine, &server.functions);
    [
        ("peak.allocated", Int(peak)),
        ("total.allocated", Int(used + held.sum())),
        ("startup.allocated", Int(0)),
        ("replication.backlog", Int(0)),
        ("clients.slaves", Int(0)),
        ("clients.normal", Int(held.clients)),
        ("cluster.links", Int(0)),
        ("aof.buffer", Int(held.log)),
        ("lua.caches", Int(held.scripts)),
        ("functions.caches", Int(functions.now(engine).bytes())),
        ("script.VMs", Int(held.machines)),
    ]
}

fn write_figures(figures: &[(&str, Figure)], reply: &mut Reply) {
    for (name, figure) in figures {
        reply.bulk(name.as_bytes());
        match figure {
            Int(value) => reply.int(value.cast_signed()),
            Double(value) => reply.double(*value),
        }
    }
}

const USAGE: Spec = Spec {
    since: "4.0.0",
    keys: &[KeySpec {
        begin: Begin::Index(2),
        ..first_key(&["RO"])
    }],
    summary: "Returns how many bytes a key and its value take",
    complexity: "O(N) where N is the number of samples.",
    syntax: "key [SAMPLES count]",
    support: Support::Partial("the bytes are those of our own structures"),
    ..Spec::new("usage", Group::Server, -3, Handler::Read(usage))
};

fn usage(txn: &mut ReadTxn<'_, '_>, args: Args<'_>, reply: &mut Reply) -> CmdResult {
    let mut options = args.iter().skip(3);
    while let Some(option) = options.next() {
        let count = options.next().filter(|_| option.eq_ignore_ascii_case(b"samples"));
        let count = parse_i64(count.ok_or(CmdError::Syntax)?).ok_or(CmdError::NotInteger)?;
        if count < 0 {
            return Err(CmdError::Syntax);
        }
    }
    let key = args.at(2);
    match txn.peek(key).map(|entry| entry.heap_bytes()) {
        None => reply.null(),
        Some(bytes) => reply.int((bytes + txn.index_share_bytes(key)) as i64),
    }
    Ok(())
}
