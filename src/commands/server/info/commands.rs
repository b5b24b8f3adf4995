//! Sections about what was executed: stats, commandstats, errorstats, latencystats.

use super::lines::{Lines, View};
use crate::acl::Reason;
use crate::config::percentiles;
use crate::metrics::stats::CommandTotals;
use crate::state::figures::{CommandFigures, WorkFigures};

pub(super) fn stats(view: &View<'_>, lines: &mut Lines) {
    let work = WorkFigures::of(view.server);
    let [commands_rate, input_rate, output_rate] = work.per_second;
    lines.put("total_connections_received", work.connections);
    lines.put("total_commands_processed", work.commands);
    lines.put("instantaneous_ops_per_sec", commands_rate.round());
    lines.put("total_net_input_bytes", work.input_bytes);
    lines.put("total_net_output_bytes", work.output_bytes);
    lines.put("instantaneous_input_kbps", format!("{:.2}", input_rate / 1024.0));
    lines.put("instantaneous_output_kbps", format!("{:.2}", output_rate / 1024.0));
    lines.put("rejected_connections", work.rejected_connections);
    lines.put("sync_full", 0);
    lines.put("sync_partial_ok", 0);
    lines.put("sync_partial_err", 0);
    lines.put("expired_keys", work.expired_keys);
    lines.put("evicted_keys", work.evicted_keys);
    // What is moved are keys with all that goes with them.
    for name in ["active_defrag_hits", "active_defrag_key_hits"] {
        lines.put(name, view.server.defrag.moved());
    }
    lines.put("evicted_scripts", work.evicted_scripts);
    lines.put("evicted_clients", work.evicted_clients);
    lines.put("total_eviction_exceeded_time", work.exceeded_ms);
    lines.put("current_eviction_exceeded_time", work.exceeding_ms);
    lines.put("keyspace_hits", work.hits);
    lines.put("keyspace_misses", work.misses);
    let [channels, patterns, shard_channels] = work.topics;
    lines.put("pubsub_channels", channels);
    lines.put("pubsub_patterns", patterns);
    lines.put("pubsubshard_channels", shard_channels);
    lines.put("latest_fork_usec", 0);
    lines.put("total_forks", 0);
    let tracked = view.server.engine.tracking().totals();
    lines.put("tracking_total_keys", tracked.keys);
    lines.put("tracking_total_items", tracked.items);
    lines.put("tracking_total_prefixes", tracked.prefixes);
    lines.put("total_error_replies", work.errors);
    for (reason, name) in DENIED {
        let denied = work.denied.get(reason.index()).copied().unwrap_or_default();
        lines.put(&format!("acl_access_denied_{name}"), denied);
    }
}

/// What may be denied, in the order and by the names of the section.
const DENIED: [(Reason, &str); 5] = [
    (Reason::Auth, "auth"),
    (Reason::Command, "cmd"),
    (Reason::Key, "key"),
    (Reason::Channel, "channel"),
    (Reason::Database, "database"),
];

/// Commands that were called or refused, with their figures.
fn figures(view: &View<'_>) -> Vec<(String, CommandTotals)> {
    let all = view.commands.all().iter().map(|command| (command.id, command));
    CommandFigures::of(view.server, all)
        .map(|figures| (figures.command.full_name(), figures.totals))
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
