//! What was executed, by redis_exporter's names where it has some.

use super::super::exposition::{Exposition, Rows};
use crate::acl::Reason;
use crate::metrics::command_log::LogKind;
use crate::state::Server;
use crate::state::figures::WorkFigures;

const COUNTS: &Rows<WorkFigures> = &[
    ("redis_connections_received_total", "Connections", |work| {
        work.connections
    }),
    ("redis_rejected_connections_total", "Connections turned away", |work| {
        work.rejected_connections
    }),
    ("redis_commands_processed_total", "Commands", |work| work.commands),
    ("redis_net_input_bytes_total", "Bytes from clients", |work| {
        work.input_bytes
    }),
    ("redis_net_output_bytes_total", "Bytes to clients", |work| {
        work.output_bytes
    }),
    (
        "redis_expired_keys_total",
        "Keys removed because their time had come",
        |work| work.expired_keys,
    ),
    ("redis_evicted_keys_total", "Keys removed for want of memory", |work| {
        work.evicted_keys
    }),
    (
        "redis_evicted_clients_total",
        "Clients closed for want of memory",
        |work| work.evicted_clients,
    ),
    (
        "redis_evicted_scripts_total",
        "Scripts let go of because there were many",
        |work| work.evicted_scripts,
    ),
    ("redis_keyspace_hits_total", "Lookups that found a key", |work| {
        work.hits
    }),
    ("redis_keyspace_misses_total", "Lookups that found none", |work| {
        work.misses
    }),
    ("lokikv_error_replies_total", "Error replies", |work| work.errors),
    ("lokikv_changes_total", "Changes of data", |work| work.changes),
];

const DENIED: [(Reason, &str, &str); Reason::ALL.len()] = [
    (Reason::Auth, "redis_acl_access_denied_auth_total", "Logins refused"),
    (
        Reason::Command,
        "redis_acl_access_denied_cmd_total",
        "Calls denied for their command",
    ),
    (
        Reason::Key,
        "redis_acl_access_denied_key_total",
        "Calls denied for a key",
    ),
    (
        Reason::Channel,
        "redis_acl_access_denied_channel_total",
        "Calls denied for a channel",
    ),
    (
        Reason::Database,
        "redis_acl_access_denied_database_total",
        "Calls denied for a database",
    ),
];

pub(super) fn put(server: &Server, out: &mut Exposition) {
    let work = WorkFigures::of(server);
    out.count_each(COUNTS, &work);
    for (reason, name, help) in DENIED {
        out.counter(name, help, work.denied.get(reason.index()).copied().unwrap_or_default());
    }
    let exceeded = work.exceeded_ms as f64 / 1000.0;
    let help = "Seconds for which more memory was used than may be";
    out.counter("lokikv_eviction_exceeded_seconds_total", help, exceeded);
    audience(server, work.topics, out);
    slow_log(server, out);
}

fn audience(server: &Server, topics: [usize; 3], out: &mut Exposition) {
    for (name, count) in [
        "redis_pubsub_channels",
        "redis_pubsub_patterns",
        "redis_pubsubshard_channels",
    ]
    .into_iter()
    .zip(topics)
    {
        out.gauge(name, "Those that somebody has subscribed to", count);
    }
    let tracked = server.engine.tracking().totals();
    out.gauge("redis_tracking_total_keys", "Keys that clients cache", tracked.keys);
    out.gauge(
        "redis_tracking_total_items",
        "Keys that clients cache, for each client",
        tracked.items,
    );
    out.gauge(
        "redis_tracking_total_prefixes",
        "Prefixes that clients cache by",
        tracked.prefixes,
    );
}

fn slow_log(server: &Server, out: &mut Exposition) {
    let logs = &server.stats.logs;
    let (length, last) = (logs.len(LogKind::Slow), logs.newest(LogKind::Slow, 1));
    let (id, us) = last.first().map_or((0, 0), |entry| (entry.id, entry.value));
    out.gauge("redis_slowlog_length", "Entries of the slow log", length);
    out.gauge("redis_slowlog_last_id", "The last entry of the slow log", id);
    let help = "How long the last entry of the slow log took";
    out.gauge("redis_last_slow_execution_duration_seconds", help, us as f64 / 1e6);
}
