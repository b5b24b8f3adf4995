//! Sections about what was executed: stats, commandstats, errorstats, latencystats.

use std::sync::atomic::Ordering::Relaxed;
use std::time::Instant;

use super::lines::{Lines, View};
use crate::acl::Reason;
use crate::config::percentiles;
use crate::metrics::stats::CommandTotals;

pub(super) fn stats(view: &View<'_>, lines: &mut Lines) {
    let (server, engine) = (view.server, &view.server.engine);
    let commands = engine.count(|counters| counters.commands.get());
    let input = engine.count(|counters| counters.net_input_bytes.get());
    let output = engine.count(|counters| counters.net_output_bytes.get());
    server.stats.rates.sample(Instant::now(), [commands, input, output]);
    let [commands_rate, input_rate, output_rate] = server.stats.rates.per_second();
    lines.put("total_connections_received", server.clients.accepted.load(Relaxed));
    lines.put("total_commands_processed", commands);
    lines.put("instantaneous_ops_per_sec", commands_rate.round());
    lines.put("total_net_input_bytes", input);
    lines.put("total_net_output_bytes", output);
    lines.put("instantaneous_input_kbps", format!("{:.2}", input_rate / 1024.0));
    lines.put("instantaneous_output_kbps", format!("{:.2}", output_rate / 1024.0));
    lines.put("rejected_connections", server.clients.rejected.load(Relaxed));
    lines.put("sync_full", 0);
    lines.put("sync_partial_ok", 0);
    lines.put("sync_partial_err", 0);
    lines.put("expired_keys", engine.count(|counters| counters.expired.get()));
    let (exceeded_ms, exceeding_ms) = server.pressure.exceeded_ms();
    lines.put("evicted_keys", engine.count(|counters| counters.evicted.get()));
    lines.put("evicted_scripts", server.scripts.evicted());
    lines.put("evicted_clients", server.clients.evicted.load(Relaxed));
    lines.put("total_eviction_exceeded_time", exceeded_ms);
    lines.put("current_eviction_exceeded_time", exceeding_ms);
    lines.put("keyspace_hits", engine.count(|counters| counters.hits.get()));
    lines.put("keyspace_misses", engine.count(|counters| counters.misses.get()));
    lines.put("pubsub_channels", server.pubsub.channel_count(false));
    lines.put("pubsub_patterns", server.pubsub.pattern_count());
    lines.put("pubsubshard_channels", server.pubsub.channel_count(true));
    lines.put("latest_fork_usec", 0);
    lines.put("total_forks", 0);
    let tracked = engine.tracking().totals();
    lines.put("tracking_total_keys", tracked.keys);
    lines.put("tracking_total_items", tracked.items);
    lines.put("tracking_total_prefixes", tracked.prefixes);
    lines.put("total_error_replies", engine.count(|counters| counters.errors.get()));
    let denied = [
        Reason::Auth,
        Reason::Command,
        Reason::Key,
        Reason::Channel,
        Reason::Database,
    ];
    for (reason, name) in denied.into_iter().zip(["auth", "cmd", "key", "channel", "database"]) {
        lines.put(&format!("acl_access_denied_{name}"), server.acl.denied_count(reason));
    }
}

/// Commands that were called or refused, with their figures.
fn figures(view: &View<'_>) -> Vec<(String, CommandTotals)> {
    let with_totals = view
        .commands
        .all()
        .iter()
        .map(|command| (command, view.server.stats.command_totals(command.id)));
    with_totals
        .filter(|(_, totals)| totals.calls + totals.rejected + totals.failed > 0)
        .map(|(command, totals)| (command.full_name(), totals))
        .collect()
}

pub(super) fn commandstats(view: &View<'_>, lines: &mut Lines) {
    for (name, totals) in figures(view) {
        let usec = totals.nanos / 1000;
        let mean = totals.nanos as f64 / 1000.0 / totals.calls.max(1) as f64;
        lines.put(
            &format!("cmdstat_{name}"),
            format!(
                "calls={},usec={usec},usec_per_call={mean:.2},rejected_calls={},failed_calls={}",
                totals.calls, totals.rejected, totals.failed
            ),
        );
    }
}

pub(super) fn errorstats(view: &View<'_>, lines: &mut Lines) {
    for (word, count) in view.server.stats.errors.lock().iter() {
        lines.put(&format!("errorstat_{word}"), format!("count={count}"));
    }
}

pub(super) fn latencystats(view: &View<'_>, lines: &mut Lines) {
    let config = view.server.params.config();
    let latency = &config.latency;
    if !latency.tracking {
        return;
    }
    // They were checked when they were set.
    let percentiles = percentiles::from_text(&latency.info_percentiles).unwrap_or_default();
    for (name, totals) in figures(view) {
        if totals.durations.calls() == 0 {
            continue;
        }
        let shown = percentiles.iter().map(|percent| {
            let micros = totals.durations.percentile_nanos(*percent) as f64 / 1000.0;
            format!("p{}={micros:.3}", percentiles::shown(*percent))
        });
        let shown: Vec<String> = shown.collect();
        lines.put(&format!("latency_percentiles_usec_{name}"), shown.join(","));
    }
}
