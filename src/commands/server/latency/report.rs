//! LATENCY DOCTOR: what the samples say, in words: what was slow, what makes others wait here, and what to do.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::{FLAGS, TIPS};
use crate::checkpoint::CheckpointStats;
use crate::commands::context::SessionCx;
use crate::commands::error::CmdError;
use crate::commands::flow::Flow;
use crate::commands::spec::{Group, Handler, Spec, Support};
use crate::metrics::stats::{LatencyEvent, events};
use crate::resp::{Args, Reply};
use crate::state::Server;
use crate::wal::{Fsync, WalStats};

pub(super) const DOCTOR: Spec = Spec {
    since: "2.8.13",
    flags: FLAGS,
    tips: TIPS,
    summary: "Explains the latency samples",
    support: Support::Partial("says it in its own words"),
    ..Spec::new("doctor", Group::Server, 2, Handler::Session(doctor))
};

fn doctor(cx: &mut SessionCx<'_>, _args: Args<'_>, reply: &mut Reply) -> Result<Flow, CmdError> {
    let threshold_ms = cx.server.params.live().latency_threshold_ms();
    let events = cx.server.stats.latency.lock().clone();
    let text = if threshold_ms == 0 {
        "Latency monitoring is off. CONFIG SET latency-monitor-threshold <milliseconds> turns it on.\n".to_owned()
    } else if events.is_empty() {
        format!("No event has taken {threshold_ms} ms or longer.\n")
    } else {
        report(
            &events,
            &Circumstances::of(cx.server),
            threshold_ms,
            cx.kit.now_ms() / 1000,
        )
    };
    reply.verbatim(b"txt", &text);
    Ok(Flow::Done)
}

/// What the server knows of the causes.
struct Circumstances {
    fsync: Fsync,
    wal: WalStats,
    checkpoint: CheckpointStats,
    max_bytes: u64,
    used_bytes: u64,
    evicted: u64,
}

impl Circumstances {
    fn of(server: &Server) -> Self {
        let wal = server.engine.wal();
        Self {
            fsync: wal.fsync(),
            wal: wal.stats(),
            checkpoint: server.checkpoints.stats(),
            max_bytes: server.params.live().maxmemory(),
            used_bytes: server.engine.used_bytes(),
            evicted: server.engine.count(|counters| counters.evicted.get()),
        }
    }
}

fn report(
    events: &BTreeMap<&'static str, LatencyEvent>,
    known: &Circumstances,
    threshold_ms: u64,
    now_s: u64,
) -> String {
    // Writing to a String cannot fail.
    let mut text = format!("Events that took {threshold_ms} ms or longer (of each at most one a second is kept):\n");
    for (name, event) in events {
        let count = event.samples.len() as u64;
        let sum: u64 = event.samples.iter().map(|sample| u64::from(sample.ms)).sum();
        let mean = sum.checked_div(count).unwrap_or_default();
        let age_s = event.samples.back().map_or(0, |last| now_s.saturating_sub(last.at_s));
        let _ = writeln!(
            text,
            "\n- {name}: {count} samples, mean {mean} ms, longest {} ms, the last one {age_s} s ago.",
            event.max_ms
        );
        let _ = writeln!(text, "  {}", explain(name, known));
        if let Some(suspects) = suspects(name, events) {
            let _ = writeln!(text, "  {suspects}");
        }
    }
    text
}

/// What an event is, with figures, and what to do about it.
fn explain(event: &str, known: &Circumstances) -> String {
    match event {
        events::COMMAND => "Commands that look at much. SLOWLOG GET names them; ask for shorter ranges, use SCAN in \
                            place of KEYS, and UNLINK or EXPIRE in place of what empties large keys at once."
            .to_owned(),
        events::FAST_COMMAND => "Commands of constant time were slow: something else had them wait. See below what \
                                 fell together with them; else the machine is short of CPU or memory (swapping), or \
                                 transparent huge pages are on (lokikv doctor looks at those)."
            .to_owned(),
        events::LOG_SYNC => sync(known),
        events::CHECKPOINT => checkpoint(&known.checkpoint),
        events::EXCLUSIVE => {
            "Something ran alone while every client waited: FLUSHALL, SWAPDB, a transaction or script \
                              over several databases, a script without declared keys, or COLLECTION commands. \
                              INFO commandstats and SLOWLOG GET name them; keep such transactions and scripts short, \
                              and declare keys."
                .to_owned()
        }
        events::EVICTION => eviction(known),
        _ => "Look at the disk's and the machine's load at those times (LATENCY HISTORY).".to_owned(),
    }
}

fn sync(known: &Circumstances) -> String {
    let wal = &known.wal;
    let consequence = match known.fsync {
        Fsync::Always => {
            "With wal.fsync = \"always\" every write waits for its sync: wal.fsync = \"everysec\" would not have it \
             wait, at the price of the last second after a power failure"
        }
        Fsync::EverySec => {
            "With wal.fsync = \"everysec\" writes wait for a sync only when it takes longer than two seconds"
        }
        Fsync::No => "With wal.fsync = \"no\" nobody waits for these",
    };
    format!(
        "The disk took so long to make the log durable: {} syncs since the start, the last one {:.1} ms, the longest \
         {:.1} ms. {consequence} (that happened {} times). Give the log a disk of its own (storage.wal_dir), and \
         look for what else writes to this one.",
        wal.fsyncs,
        wal.fsync_last_us as f64 / 1000.0,
        wal.fsync_max_us as f64 / 1000.0,
        wal.delayed_fsyncs,
    )
}

fn checkpoint(stats: &CheckpointStats) -> String {
    format!(
        "At a checkpoint's instant every client waits until all workers stand: the last time {:.1} ms, at most {:.1} \
         ms. It is long where a worker is in a command that takes long (see command), or where there are very many \
         collections. Writing the last one took {} ms beside clients ({} pages, {} bytes; {} since the start): if the \
         disk is busy meanwhile, take them less often (checkpoint.interval_s, checkpoint.wal_bytes_max).",
        stats.last_pause_us as f64 / 1000.0,
        stats.max_pause_us as f64 / 1000.0,
        stats.last_ms,
        stats.last_pages,
        stats.last_bytes,
        stats.completed,
    )
}

fn eviction(known: &Circumstances) -> String {
    format!(
        "Writes had to find memory first: {} of {} bytes are used, {} keys were evicted since the start. Raise \
         maxmemory, write smaller values at once, or lower maxmemory-eviction-tenacity, so that more is left to the \
         evictor's thread.",
        known.used_bytes, known.max_bytes, known.evicted
    )
}

/// What of our own doing fell into the same seconds as slow commands.
fn suspects(event: &str, events: &BTreeMap<&'static str, LatencyEvent>) -> Option<String> {
    if event != events::COMMAND && event != events::FAST_COMMAND {
        return None;
    }
    let slow = &events.get(event)?.samples;
    let causes = [
        events::LOG_SYNC,
        events::CHECKPOINT,
        events::EXCLUSIVE,
        events::EVICTION,
    ];
    let together = causes.into_iter().filter_map(|cause| {
        let samples = &events.get(cause)?.samples;
        let is_near = |at_s: u64| samples.iter().any(|sample| sample.at_s.abs_diff(at_s) <= 1);
        let near = slow.iter().filter(|sample| is_near(sample.at_s)).count();
        (near > 0).then(|| format!("{near} with {cause}"))
    });
    let together: Vec<String> = together.collect();
    (!together.is_empty()).then(|| format!("Of these fell together, within a second: {}.", together.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::Stats;

    fn known(fsync: Fsync) -> Circumstances {
        Circumstances {
            fsync,
            wal: WalStats {
                segments: 1,
                fsyncs: 7,
                fsync_last_us: 1_500,
                fsync_max_us: 250_000,
                delayed_fsyncs: 3,
                ..WalStats::default()
            },
            checkpoint: CheckpointStats {
                last_pause_us: 120_000,
                max_pause_us: 130_000,
                last_ms: 4_000,
                ..CheckpointStats::default()
            },
            max_bytes: 1_000,
            used_bytes: 990,
            evicted: 55,
        }
    }

    fn told(fsync: Fsync, samples: &[(&'static str, u64, u32)]) -> String {
        let stats = Stats::new(1, 1);
        for (event, at_s, ms) in samples {
            stats.add_latency(event, *at_s, *ms);
        }
        let events = stats.latency.lock();
        report(&events, &known(fsync), 100, 1_010)
    }

    #[test]
    fn each_cause_has_its_figures_and_advice() {
        let text = told(
            Fsync::Always,
            &[
                (events::LOG_SYNC, 1_000, 250),
                (events::LOG_SYNC, 1_005, 150),
                (events::CHECKPOINT, 1_000, 120),
                (events::EXCLUSIVE, 1_000, 300),
                (events::EVICTION, 1_000, 110),
            ],
        );
        for part in [
            "- log-sync: 2 samples, mean 200 ms, longest 250 ms, the last one 5 s ago.\n",
            "7 syncs since the start, the last one 1.5 ms, the longest 250.0 ms. With wal.fsync = \"always\" every write",
            "(that happened 3 times)",
            "- checkpoint-instant: 1 samples, mean 120 ms",
            "the last time 120.0 ms, at most 130.0 ms",
            "Writing the last one took 4000 ms",
            "- exclusive-section: 1 samples",
            "990 of 1000 bytes are used, 55 keys were evicted",
        ] {
            assert!(text.contains(part), "{part:?} in\n{text}");
        }
        assert!(told(Fsync::EverySec, &[(events::LOG_SYNC, 1, 250)]).contains("longer than two seconds"));
    }

    #[test]
    fn slow_commands_are_told_with_what_fell_together_with_them() {
        let text = told(
            Fsync::No,
            &[
                (events::FAST_COMMAND, 900, 101),
                (events::FAST_COMMAND, 950, 102),
                (events::FAST_COMMAND, 1_000, 103),
                (events::CHECKPOINT, 951, 120),
                (events::LOG_SYNC, 999, 120),
                (events::LOG_SYNC, 950, 120),
                (events::EXCLUSIVE, 940, 120),
            ],
        );
        let line = "Of these fell together, within a second: 2 with log-sync, 1 with checkpoint-instant.";
        assert!(text.contains(line), "{text}");
        assert!(!told(Fsync::No, &[(events::COMMAND, 900, 101)]).contains("together"));
    }
}
