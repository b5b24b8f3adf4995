//! Figures of each command that was called or refused, and errors by their first words.

use super::super::asked::Asked;
use super::super::exposition::{Exposition, Rows};
use crate::metrics::stats::{CommandTotals, DURATION_BUCKETS};
use crate::state::figures::CommandFigures;

pub(super) fn put(asked: &Asked<'_>, out: &mut Exposition) {
    let all = asked.commands.all().iter().map(|command| (command.id, command));
    let figures: Vec<_> = CommandFigures::of(asked.server, all)
        .map(|figures| (figures.command.full_name(), figures.totals))
        .collect();
    counts(&figures, out);
    let help = "How long calls of a command took";
    let mut histograms = out.histograms("lokikv_command_duration_seconds", help);
    for (name, totals) in figures.iter().filter(|(_, totals)| totals.calls > 0) {
        let (within, beyond) = totals.by_duration.split_at(DURATION_BUCKETS - 1);
        let bounded = within.iter().enumerate().map(|(n, count)| (bound_s(n), *count));
        histograms.put(
            &[("cmd", name)],
            bounded,
            beyond.iter().sum(),
            totals.nanos as f64 / 1e9,
        );
    }
    // Copied first: who answers an error waits for the lock.
    let words = asked.server.stats.errors.lock().clone();
    let mut errors = out.counters("redis_errors_total", "Error replies by their first word");
    for (word, count) in words {
        errors.put(&[("err", &word)], count);
    }
}

/// The bound of a bucket.
fn bound_s(bucket: usize) -> f64 {
    (1_u64 << bucket) as f64 / 1e6
}

fn counts(figures: &[(String, CommandTotals)], out: &mut Exposition) {
    let families: &Rows<CommandTotals> = &[
        ("redis_commands_total", "Calls of a command", |totals| totals.calls),
        (
            "redis_commands_rejected_calls_total",
            "Calls of a command that were refused before they ran",
            |totals| totals.rejected,
        ),
        (
            "redis_commands_failed_calls_total",
            "Calls of a command that answered an error",
            |totals| totals.failed,
        ),
    ];
    for (family, help, pick) in families {
        let mut samples = out.counters(family, help);
        for (name, totals) in figures {
            samples.put(&[("cmd", name)], pick(totals));
        }
    }
    let help = "Time in calls of a command";
    let mut seconds = out.counters("redis_commands_duration_seconds_total", help);
    for (name, totals) in figures {
        seconds.put(&[("cmd", name)], totals.nanos as f64 / 1e9);
    }
}
