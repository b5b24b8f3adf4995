//! The log, checkpoints, disks, and the load at the start.

use super::super::exposition::{Exposition, Rows};
use crate::checkpoint::CheckpointStats;
use crate::engine::worker::unix_ms;
use crate::state::Server;
use crate::wal::{Lsn, WalStats};

pub(super) fn put(server: &Server, out: &mut Exposition) {
    log(server, out);
    checkpoints(server, out);
    disks(server, out);
}

const LOG: &Rows<WalStats> = &[
    ("lokikv_wal_last_lsn", "The last record", |log| log.last_lsn.get()),
    ("lokikv_wal_written_lsn", "The last record in the log's file", |log| {
        log.written_lsn.get()
    }),
    (
        "lokikv_wal_stable_lsn",
        "The last record that a power cut leaves",
        |log| log.stable_lsn.get(),
    ),
    (
        "lokikv_wal_unstable_records",
        "Records that a power cut would take",
        |log| log.last_lsn.records_since(log.stable_lsn),
    ),
    ("lokikv_wal_segments", "Files of the log", |log| log.segments),
    ("lokikv_wal_disk_bytes", "The log's files", |log| log.disk_bytes),
    ("lokikv_wal_pending_bytes", "Waits to be written to the log", |log| {
        log.pending_bytes
    }),
];

const LOG_COUNTS: &Rows<WalStats> = &[
    ("lokikv_wal_written_bytes_total", "Written to the log", |log| {
        log.written_bytes
    }),
    (
        "lokikv_wal_written_records_total",
        "Records written to the log",
        |log| log.written_records,
    ),
    ("lokikv_wal_fsyncs_total", "Syncs of the log", |log| log.fsyncs),
    (
        "lokikv_wal_delayed_fsyncs_total",
        "How often writers waited for a sync",
        |log| log.delayed_fsyncs,
    ),
];

fn log(server: &Server, out: &mut Exposition) {
    let wal = server.engine.wal();
    let stats = wal.stats();
    out.gauge("lokikv_wal_enabled", "There is a log", wal.is_enabled());
    out.gauge(
        "lokikv_wal_failed",
        "The log has failed: writes are refused",
        wal.is_failed(),
    );
    out.gauge_each(LOG, &stats);
    out.count_each(LOG_COUNTS, &stats);
    let seconds = |us: u64| us as f64 / 1e6;
    let (last, longest) = (seconds(stats.fsync_last_us), seconds(stats.fsync_max_us));
    out.gauge("lokikv_wal_fsync_last_seconds", "How long the last sync took", last);
    out.gauge(
        "lokikv_wal_fsync_max_seconds",
        "How long the longest sync took",
        longest,
    );
    if let Some((beyond, within)) = stats.fsyncs_by_us.split_last() {
        let bounded = within.iter().enumerate().map(|(n, count)| (seconds(1 << n), *count));
        let mut durations = out.histograms("lokikv_wal_fsync_duration_seconds", "How long syncs took");
        durations.put(&[], bounded, *beyond, seconds(stats.fsync_us));
    }
}

const CHECKPOINTS: &Rows<CheckpointStats> = &[
    ("lokikv_checkpoints_kept", "Checkpoints on disk", |stats| stats.kept),
    ("lokikv_checkpoint_running", "One is being taken", |stats| {
        u64::from(stats.running)
    }),
    (
        "lokikv_checkpoint_last_lsn",
        "The last record in the last one",
        |stats| stats.last.map_or(Lsn::ZERO, |last| last.lsn).get(),
    ),
    ("lokikv_checkpoint_last_pages", "Pages in the last one", |stats| {
        stats.last_pages
    }),
    (
        "lokikv_checkpoint_last_written_pages",
        "Those written for it",
        |stats| stats.last_written_pages,
    ),
    (
        "lokikv_checkpoint_last_taken_over_pages",
        "Those that were on disk already",
        |stats| stats.last_pages.saturating_sub(stats.last_written_pages),
    ),
    ("lokikv_checkpoint_last_bytes", "Bytes of the last one", |stats| {
        stats.last_bytes
    }),
];

const CHECKPOINT_COUNTS: &Rows<CheckpointStats> = &[
    ("lokikv_checkpoints_completed_total", "Checkpoints taken", |stats| {
        stats.completed
    }),
    (
        "lokikv_checkpoint_written_pages_total",
        "Pages written for checkpoints",
        |stats| stats.written_pages,
    ),
    (
        "lokikv_checkpoint_written_bytes_total",
        "Bytes written for checkpoints",
        |stats| stats.written_bytes,
    ),
    ("lokikv_checkpoints_failed_total", "Checkpoints that failed", |stats| {
        stats.failed
    }),
];

fn checkpoints(server: &Server, out: &mut Exposition) {
    let checkpoints = &server.checkpoints;
    let stats = checkpoints.stats();
    out.gauge_each(CHECKPOINTS, &stats);
    out.count_each(CHECKPOINT_COUNTS, &stats);
    let is_failing = checkpoints.last_error().is_some();
    out.gauge("lokikv_checkpoint_failing", "The last one failed", is_failing);
    let unsaved = checkpoints.unsaved();
    out.gauge(
        "lokikv_checkpoint_unsaved_records",
        "Records behind the last one",
        unsaved,
    );
    let last_ms = stats.last.map_or(0, |last| last.wall_ms);
    let help = "When the last one was taken, Unix seconds; 0: never";
    out.gauge(
        "lokikv_checkpoint_last_timestamp_seconds",
        help,
        last_ms as f64 / 1000.0,
    );
    if last_ms > 0 {
        let age_s = unix_ms().saturating_sub(last_ms) as f64 / 1000.0;
        out.gauge("lokikv_checkpoint_age_seconds", "How long ago that was", age_s);
    }
    for (name, help, seconds) in [
        (
            "lokikv_checkpoint_last_duration_seconds",
            "How long the last one took",
            stats.last_ms as f64 / 1e3,
        ),
        (
            "lokikv_checkpoint_last_pause_seconds",
            "How long all waited for it",
            stats.last_pause_us as f64 / 1e6,
        ),
        (
            "lokikv_checkpoint_max_pause_seconds",
            "The longest such wait",
            stats.max_pause_us as f64 / 1e6,
        ),
    ] {
        out.gauge(name, help, seconds);
    }
}

fn disks(server: &Server, out: &mut Exposition) {
    let (space, min) = (&server.space, server.params.live().free_bytes_min());
    out.gauge(
        "lokikv_storage_free_min_bytes",
        "With less than this writes are refused",
        min,
    );
    let help = "Too little is free: writes are refused";
    out.gauge("lokikv_storage_refuses_writes", help, space.refuses_writes());
    let mut free = out.gauges("lokikv_storage_free_bytes", "Free where a folder is");
    for room in space.rooms() {
        if let Some(bytes) = room.free_bytes {
            free.put(&[("folder", room.purpose.name())], bytes);
        }
    }
    let took_s = server.loading.took_ms() as f64 / 1e3;
    let help = "How long it took until all data was there; 0: it is loading";
    out.gauge("lokikv_recovery_duration_seconds", help, took_s);
    if let Some(now) = server.loading.now() {
        out.gauge("lokikv_loading_total_bytes", "What is to be loaded", now.total_bytes);
        out.gauge("lokikv_loading_done_bytes", "What has been loaded", now.done_bytes);
    }
}
