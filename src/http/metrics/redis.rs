//! What redis_exporter tells of a Redis, by its names, as far as it has a meaning here.

use super::super::exposition::{Exposition, Rows};
use crate::commands::server::{LOKIKV_VERSION, REDIS_VERSION};
use crate::state::Server;
use crate::state::figures::process;
use crate::wal::{Lsn, WalStats};

const LOG: &Rows<WalStats> = &[
    ("redis_aof_current_size_bytes", "The log's files", |log| log.disk_bytes),
    (
        "redis_aof_buffer_length",
        "Waits to be written to the log, in bytes",
        |log| log.pending_bytes,
    ),
    (
        "redis_aof_delayed_fsync",
        "How often writers waited for a sync",
        |log| log.delayed_fsyncs,
    ),
];

pub(super) fn put(server: &Server, out: &mut Exposition) {
    process(server, out);
    processor(out);
    persistence(server, out);
    log(server, out);
}

fn process(server: &Server, out: &mut Exposition) {
    out.gauge("redis_up", "The server answers", 1);
    let (port, pid) = (server.port.to_string(), std::process::id().to_string());
    let facts = [
        ("role", "master"),
        ("redis_version", REDIS_VERSION),
        ("lokikv_version", LOKIKV_VERSION),
        ("redis_mode", "standalone"),
        ("os", &process::os()),
        ("maxmemory_policy", &server.params.live().policy().to_string()),
        ("tcp_port", &port),
        ("run_id", &server.run_id),
        ("process_id", &pid),
    ];
    out.info("redis_instance_info", "What this server is", &facts);
    let uptime_s = server.started.elapsed().as_secs();
    out.gauge("redis_uptime_in_seconds", "Seconds since the start", uptime_s);
    out.gauge(
        "redis_start_time_seconds",
        "When the server started, Unix seconds",
        server.started_s,
    );
    out.gauge("redis_cluster_enabled", "Whether this is part of a cluster", 0);
    out.gauge("redis_connected_slaves", "Replicas", 0);
    out.gauge("redis_master_repl_offset", "Bytes of the stream to replicas", 0);
}

fn processor(out: &mut Exposition) {
    let (own, children) = (process::cpu_time(false), process::cpu_time(true));
    for (name, help, seconds) in [
        (
            "redis_cpu_sys_seconds_total",
            "Processor time in the system",
            own.system,
        ),
        (
            "redis_cpu_user_seconds_total",
            "Processor time in the program",
            own.user,
        ),
        (
            "redis_cpu_sys_children_seconds_total",
            "Processor time of ended children in the system",
            children.system,
        ),
        (
            "redis_cpu_user_children_seconds_total",
            "Processor time of ended children",
            children.user,
        ),
    ] {
        out.counter(name, help, seconds);
    }
}

fn persistence(server: &Server, out: &mut Exposition) {
    let (engine, checkpoints) = (&server.engine, &server.checkpoints);
    let stats = checkpoints.stats();
    let saved_s = match checkpoints.last_save_s() {
        0 => server.started_s,
        at_s => at_s,
    };
    let saved_lsn = stats.last.map_or(Lsn::ZERO, |last| last.lsn);
    let unsaved = engine.wal().last_lsn().records_since(saved_lsn);
    out.gauge("redis_loading_dump_file", "Data is loading", server.loading.is_on());
    out.gauge("redis_async_loading", "Data is loading beside other data", 0);
    let help = "Records behind the last checkpoint";
    out.gauge("redis_rdb_changes_since_last_save", help, unsaved);
    let help = "When the last checkpoint was taken, or the server started, Unix seconds";
    out.gauge("redis_rdb_last_save_timestamp_seconds", help, saved_s);
    out.counter("redis_rdb_saves_total", "Checkpoints taken", stats.completed);
    for name in ["redis_rdb_bgsave_in_progress", "redis_aof_rewrite_in_progress"] {
        out.gauge(name, "A checkpoint is being taken", stats.running);
    }
    for name in ["redis_rdb_last_bgsave_status", "redis_aof_last_bgrewrite_status"] {
        let is_good = checkpoints.last_error().is_none();
        out.gauge(name, "The last checkpoint is good", is_good);
    }
}

fn log(server: &Server, out: &mut Exposition) {
    let (wal, is_logged) = (server.engine.wal(), server.params.config().wal.enabled);
    out.gauge("redis_aof_enabled", "There is a log", is_logged);
    let help = "The log can be written";
    out.gauge("redis_aof_last_write_status", help, !wal.is_failed());
    out.gauge_each(LOG, &wal.stats());
}
