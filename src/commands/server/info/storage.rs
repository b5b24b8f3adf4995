//! Sections about what is on disk: persistence in Redis's words, the log and the collections in ours; replication.

use super::lines::{Lines, View};
use crate::engine::ids::DatabaseId;
use crate::engine::worker::unix_ms;
use crate::state::LoadingNow;
use crate::state::figures::slots;
use crate::wal::{Fsync, Lsn};

pub(super) fn persistence(view: &View<'_>, lines: &mut Lines) {
    let (checkpoints, engine) = (&view.server.checkpoints, &view.server.engine);
    let stats = checkpoints.stats();
    let running = u8::from(stats.running);
    let seconds_or_never = |known: bool, ms: u64| if known { (ms / 1000).cast_signed() } else { -1 };
    let saved_lsn = stats.last.map_or(Lsn::ZERO, |last| last.lsn);
    let status = if checkpoints.last_error().is_some() {
        "err"
    } else {
        "ok"
    };
    let saved_s = match checkpoints.last_save_s() {
        0 => view.server.started_s,
        at_s => at_s,
    };
    let loading = view.server.loading.now();
    lines.put("loading", u8::from(loading.is_some()));
    lines.put("async_loading", 0);
    // In records of the log: a record is a command's change, or a transaction's.
    let unsaved = engine.wal().last_lsn().records_since(saved_lsn);
    lines.put("rdb_changes_since_last_save", unsaved);
    lines.put("rdb_bgsave_in_progress", running);
    lines.put("rdb_last_save_time", saved_s);
    lines.put("rdb_last_bgsave_status", status);
    let last_s = seconds_or_never(stats.completed > 0, stats.last_ms);
    lines.put("rdb_last_bgsave_time_sec", last_s);
    let current_s = seconds_or_never(stats.running, stats.running_ms);
    lines.put("rdb_current_bgsave_time_sec", current_s);
    lines.put("rdb_saves", stats.completed);
    lines.put("rdb_last_cow_size", 0);
    // The log itself is opened behind the data.
    let is_logged = view.server.params.config().wal.enabled;
    lines.put("aof_enabled", u8::from(is_logged));
    lines.put("aof_rewrite_in_progress", running);
    lines.put("aof_rewrite_scheduled", 0);
    lines.put("aof_last_bgrewrite_status", status);
    let write_status = if engine.refuses_writes() { "err" } else { "ok" };
    lines.put("aof_last_write_status", write_status);
    if is_logged {
        let wal = engine.wal().stats();
        lines.put("aof_current_size", wal.disk_bytes);
        lines.put("aof_buffer_length", wal.pending_bytes);
        lines.put("aof_delayed_fsync", wal.delayed_fsyncs);
    }
    if let Some(now) = loading {
        put_loading(lines, now);
    }
}

fn put_loading(lines: &mut Lines, now: LoadingNow) {
    lines.put("loading_start_time", now.since_s);
    lines.put("loading_total_bytes", now.total_bytes);
    // Nobody knows before it is there.
    lines.put("loading_rdb_used_mem", 0);
    lines.put("loading_loaded_bytes", now.done_bytes);
    lines.put("loading_loaded_perc", format!("{:.2}", now.percent()));
    lines.put("loading_eta_seconds", now.eta_s(unix_ms() / 1000));
}

pub(super) fn replication(view: &View<'_>, lines: &mut Lines) {
    lines.put("role", "master");
    lines.put("connected_slaves", 0);
    lines.put("master_failover_state", "no-failover");
    lines.put("master_replid", &view.server.run_id);
    lines.put("master_replid2", "0".repeat(40));
    lines.put("master_repl_offset", 0);
    lines.put("second_repl_offset", -1);
    lines.put("repl_backlog_active", 0);
}

pub(super) fn lokikv(view: &View<'_>, lines: &mut Lines) {
    let (engine, checkpoints) = (&view.server.engine, &view.server.checkpoints);
    let (wal, stats) = (engine.wal(), engine.wal().stats());
    lines.put("wal_enabled", u8::from(wal.is_enabled()));
    lines.put("wal_fsync", policy(wal.fsync()));
    lines.put("wal_lsn", stats.last_lsn);
    lines.put("wal_written_lsn", stats.written_lsn);
    lines.put("wal_stable_lsn", stats.stable_lsn);
    lines.put("wal_segments", stats.segments);
    lines.put("wal_disk_bytes", stats.disk_bytes);
    lines.put("wal_written_bytes", stats.written_bytes);
    lines.put("wal_written_records", stats.written_records);
    lines.put("wal_pending_bytes", stats.pending_bytes);
    lines.put("wal_fsyncs", stats.fsyncs);
    lines.put("wal_fsync_last_us", stats.fsync_last_us);
    lines.put("wal_fsync_max_us", stats.fsync_max_us);
    lines.put("wal_commit", if stats.is_direct { "direct" } else { "sync" });
    lines.put("wal_failure", one_line(wal.failure().as_deref().unwrap_or_default()));
    let checkpoint = checkpoints.stats();
    lines.put("checkpoint_running", u8::from(checkpoint.running));
    lines.put("checkpoint_last_id", checkpoint.last.map_or(0, |last| last.id));
    lines.put(
        "checkpoint_last_lsn",
        checkpoint.last.map_or(Lsn::ZERO, |last| last.lsn),
    );
    lines.put(
        "checkpoint_last_time_ms",
        checkpoint.last.map_or(0, |last| last.wall_ms),
    );
    lines.put("checkpoint_last_pages", checkpoint.last_pages);
    lines.put("checkpoint_last_bytes", checkpoint.last_bytes);
    lines.put("checkpoint_last_duration_ms", checkpoint.last_ms);
    lines.put("checkpoint_last_pause_us", checkpoint.last_pause_us);
    lines.put("checkpoint_max_pause_us", checkpoint.max_pause_us);
    lines.put("checkpoints_completed", checkpoint.completed);
    lines.put("checkpoints_failed", checkpoint.failed);
    lines.put("checkpoints_kept", checkpoint.kept);
    lines.put("checkpoint_holds", checkpoints.holds());
    let error = checkpoints.last_error().unwrap_or_default();
    lines.put("checkpoint_last_error", one_line(&error));
    refusing(view, lines);
    lines.put("changes", engine.count(|counters| counters.changes.get()));
    for slot in slots(engine) {
        let sums = slot.collection.sums();
        if sums.keys == 0 && slot.id != DatabaseId::DEFAULT && slot.id.is_numbered() {
            continue;
        }
        lines.put(
            &format!("collection_{}", one_line(&slot.name)),
            format!(
                "kind={},keys={},expires={},pages={},bytes={}",
                slot.collection.placement().kind.name(),
                sums.keys,
                sums.expires,
                sums.pages,
                sums.bytes()
            ),
        );
    }
}

/// What writes may be refused for.
fn refusing(view: &View<'_>, lines: &mut Lines) {
    let server = view.server;
    lines.put("checkpoint_stops_writes", u8::from(server.checkpoints.stops_writes()));
    lines.put("checkpoint_unsaved_records", server.checkpoints.unsaved());
    lines.put("storage_free_bytes_min", server.params.live().free_bytes_min());
    lines.put("storage_refuses_writes", u8::from(server.space.refuses_writes()));
    for room in server.space.rooms() {
        let free = room.free_bytes.map_or(-1, u64::cast_signed);
        lines.put(&format!("storage_{}_free_bytes", room.purpose.name()), free);
    }
}

fn policy(fsync: Fsync) -> &'static str {
    match fsync {
        Fsync::Always => "always",
        Fsync::EverySec => "everysec",
        Fsync::No => "no",
    }
}

/// Text that may contain anything, as part of a line.
fn one_line(text: &str) -> String {
    text.replace(|letter: char| letter.is_control(), " ")
}
