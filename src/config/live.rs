//! The settings that hot paths read, as atomics: one relaxed load each, no lock.
//!
//! **Invariants**
//! - Written only by `Live::store`, under the lock of [`super::Params`]; anyone may read at any time.
//! - Every value has one getter, for this crate only: one that nobody reads any more, so that setting it would be in
//!   vain, fails the build.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicI64, AtomicU8, AtomicU64, Ordering::Relaxed},
};
use std::time::Duration;

use crate::checkpoint::{CheckpointSettings, CheckpointValues};
use crate::metrics::command_log::LogKind;

use super::share::ByteShare;
use super::stop;
use super::values::Compression;
use super::{
    schema::{Config, Limits, Memory},
    values::{Fsync, MemoryPolicy, OnScriptError},
};

/// A class of clients with its own output buffer limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClientClass {
    /// Plain clients; those in MONITOR, too, as long as there is a limit.
    Normal,
    /// Replication links.
    Replica,
    /// Clients with subscriptions.
    PubSub,
}

/// The limits of one class.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OutputBufferLimit {
    /// Closed at once beyond these bytes; 0: no limit.
    pub hard_bytes: u64,
    /// Closed when beyond these bytes for `soft_s` seconds; 0: no limit.
    pub soft_bytes: u64,
    /// See `soft_bytes`.
    pub soft_s: u64,
}

impl OutputBufferLimit {
    /// Whether there is no limit.
    pub fn is_none(&self) -> bool {
        self.hard_bytes == 0 && self.soft_bytes == 0
    }
}

/// The atomics of one [`OutputBufferLimit`].
#[derive(Debug, Default)]
struct LiveLimit {
    hard_bytes: AtomicU64,
    soft_bytes: AtomicU64,
    soft_s: AtomicU64,
}

/// What a log of commands takes.
#[derive(Debug, Default)]
struct LiveLog {
    threshold: AtomicI64,
    len_max: AtomicU64,
}

/// When memory is defragmented.
#[derive(Debug, Default)]
struct LiveDefrag {
    is_on: AtomicBool,
    ignore_bytes: AtomicU64,
    threshold_percent: AtomicU64,
}

impl LiveDefrag {
    fn store(&self, memory: &Memory) {
        self.is_on.store(memory.defrag, Relaxed);
        self.ignore_bytes.store(memory.defrag_ignore_bytes, Relaxed);
        self.threshold_percent.store(memory.defrag_threshold_percent, Relaxed);
    }
}

/// Current values of the settings that can change while the server runs.
#[derive(Debug, Default)]
pub struct Live {
    maxmemory: AtomicU64,
    policy: AtomicU8,
    eviction_tenacity: AtomicU8,
    defrag: LiveDefrag,
    logs: [LiveLog; LogKind::ALL.len()],
    latency_threshold_ms: AtomicU64,
    tracks_latency: AtomicBool,
    busy_reply_threshold_ms: AtomicU64,
    on_script_error: AtomicU8,
    script_bytes_max: AtomicU64,
    timeout_s: AtomicU64,
    tcp_keepalive_s: AtomicU64,
    shutdown_timeout_s: AtomicU64,
    stop_on_sigterm: AtomicU8,
    stop_on_sigint: AtomicU8,
    maxclients: AtomicU64,
    handshakes_max: AtomicU64,
    protected_mode: AtomicBool,
    clients_bytes_max: AtomicI64,
    query_buffer_bytes_max: AtomicU64,
    bulk_bytes_max: AtomicU64,
    args_max: AtomicU64,
    normal: LiveLimit,
    replica: LiveLimit,
    pubsub: LiveLimit,
    fsync: AtomicU8,
    checkpoint: Arc<CheckpointSettings>,
    checkpoint_on_shutdown: AtomicBool,
    free_bytes_min: AtomicU64,
}

impl Live {
    /// The values of `config`.
    pub fn new(config: &Config) -> Self {
        let live = Self::default();
        live.store(config);
        live
    }

    /// Takes over `config`.
    pub(super) fn store(&self, config: &Config) {
        self.store_server(config);
        self.store_limits(&config.limits);
        self.store_durability(config);
        self.maxmemory.store(config.memory.max_bytes, Relaxed);
        self.policy.store(config.memory.policy as u8, Relaxed);
        self.eviction_tenacity
            .store(config.memory.eviction_tenacity as u8, Relaxed);
        self.defrag.store(&config.memory);
        self.store_logs(config);
        self.latency_threshold_ms
            .store(config.latency.monitor_threshold_ms, Relaxed);
        self.tracks_latency.store(config.latency.tracking, Relaxed);
        self.busy_reply_threshold_ms
            .store(config.scripts.busy_reply_threshold_ms, Relaxed);
        self.on_script_error.store(config.scripts.on_error as u8, Relaxed);
        self.script_bytes_max.store(config.scripts.memory_bytes_max, Relaxed);
    }

    fn store_logs(&self, config: &Config) {
        let (slow, large) = (&config.slowlog, &config.commandlog);
        let of_kind = |kind| match kind {
            LogKind::Slow => (slow.log_slower_than_us, slow.max_len),
            LogKind::LargeRequest => (large.request_larger_than_bytes, large.large_request_max_len),
            LogKind::LargeReply => (large.reply_larger_than_bytes, large.large_reply_max_len),
        };
        for (log, kind) in self.logs.iter().zip(LogKind::ALL) {
            let (threshold, len_max) = of_kind(kind);
            log.threshold.store(threshold, Relaxed);
            log.len_max.store(len_max, Relaxed);
        }
    }

    fn store_server(&self, config: &Config) {
        let server = &config.server;
        self.timeout_s.store(server.timeout_s, Relaxed);
        self.tcp_keepalive_s.store(server.tcp_keepalive_s, Relaxed);
        self.shutdown_timeout_s.store(server.shutdown_timeout_s, Relaxed);
        // They were checked when they were read.
        let bits = |words: &str| stop::from_text(words).unwrap_or_default();
        self.stop_on_sigterm.store(bits(&server.shutdown_on_sigterm), Relaxed);
        self.stop_on_sigint.store(bits(&server.shutdown_on_sigint), Relaxed);
        self.maxclients.store(server.maxclients, Relaxed);
        self.handshakes_max.store(config.tls.handshakes_max, Relaxed);
        self.protected_mode.store(server.protected_mode, Relaxed);
    }

    fn store_limits(&self, limits: &Limits) {
        self.clients_bytes_max
            .store(limits.clients_bytes_max.to_number(), Relaxed);
        self.query_buffer_bytes_max
            .store(limits.query_buffer_bytes_max, Relaxed);
        self.bulk_bytes_max.store(limits.bulk_bytes_max, Relaxed);
        self.args_max.store(limits.args_max, Relaxed);
        for class in [ClientClass::Normal, ClientClass::Replica, ClientClass::PubSub] {
            let (limit, live) = (limits.output_buffer(class), self.limit(class));
            live.hard_bytes.store(limit.hard_bytes, Relaxed);
            live.soft_bytes.store(limit.soft_bytes, Relaxed);
            live.soft_s.store(limit.soft_s, Relaxed);
        }
    }

    fn store_durability(&self, config: &Config) {
        self.fsync.store(config.wal.fsync as u8, Relaxed);
        let checkpoint = &config.checkpoint;
        self.checkpoint.store(&CheckpointValues {
            interval_s: checkpoint.interval_s,
            wal_bytes_max: checkpoint.wal_bytes_max,
            keep_count: checkpoint.keep_count,
            keep_age_s: checkpoint.keep_age_s,
            is_lz4: checkpoint.compression == Compression::Lz4,
            wal_keep_age_s: config.wal.keep_age_s,
            memory_bytes_max: config.memory.max_bytes,
            stops_writes: checkpoint.stop_writes_on_error,
        });
        self.checkpoint_on_shutdown.store(checkpoint.on_shutdown, Relaxed);
        self.free_bytes_min.store(config.storage.free_bytes_min, Relaxed);
    }

    /// What the checkpointer follows.
    pub fn checkpoint(&self) -> &Arc<CheckpointSettings> {
        &self.checkpoint
    }

    /// `wal.fsync`
    pub(crate) fn fsync(&self) -> Fsync {
        by_discriminant(Fsync::ALL, self.fsync.load(Relaxed), Fsync::Always)
    }

    /// `memory.policy`
    pub(crate) fn policy(&self) -> MemoryPolicy {
        by_discriminant(MemoryPolicy::ALL, self.policy.load(Relaxed), MemoryPolicy::NoEviction)
    }

    /// `memory.eviction_tenacity`, 0 to 100.
    pub(crate) fn eviction_tenacity(&self) -> u8 {
        self.eviction_tenacity.load(Relaxed)
    }

    /// `memory.defrag`
    pub(crate) fn is_defrag_on(&self) -> bool {
        self.defrag.is_on.load(Relaxed)
    }

    /// `memory.defrag_ignore_bytes`
    pub(crate) fn defrag_ignore_bytes(&self) -> u64 {
        self.defrag.ignore_bytes.load(Relaxed)
    }

    /// `memory.defrag_threshold_percent`
    pub(crate) fn defrag_threshold_percent(&self) -> u64 {
        self.defrag.threshold_percent.load(Relaxed)
    }

    /// From what on a command is put into a log (`slowlog.log_slower_than_us`, `commandlog.…_larger_than_bytes`); -1:
    /// never.
    #[inline]
    pub(crate) fn log_threshold(&self, kind: LogKind) -> i64 {
        let log = self.logs.get(kind.index());
        log.map_or(-1, |log| log.threshold.load(Relaxed))
    }

    /// Whether a log takes a command of that value.
    #[inline]
    pub(crate) fn is_logged(&self, kind: LogKind, value: u64) -> bool {
        u64::try_from(self.log_threshold(kind)).is_ok_and(|threshold| value >= threshold)
    }

    /// How many entries a log keeps (`slowlog.max_len`, `commandlog.…_max_len`).
    pub(crate) fn log_len_max(&self, kind: LogKind) -> u64 {
        let log = self.logs.get(kind.index());
        log.map_or(0, |log| log.len_max.load(Relaxed))
    }

    /// `memory.max_bytes`; 0: no limit.
    #[inline]
    pub(crate) fn maxmemory(&self) -> u64 {
        self.maxmemory.load(Relaxed)
    }

    /// After how long a script keeps the server busy; `None`: never.
    pub(crate) fn busy_reply_threshold(&self) -> Option<Duration> {
        let threshold_ms = self.busy_reply_threshold_ms.load(Relaxed);
        (threshold_ms > 0).then(|| Duration::from_millis(threshold_ms))
    }

    /// `scripts.on_error`
    pub(crate) fn on_script_error(&self) -> OnScriptError {
        by_discriminant(
            OnScriptError::ALL,
            self.on_script_error.load(Relaxed),
            OnScriptError::Keep,
        )
    }

    /// `scripts.memory_bytes_max`
    pub(crate) fn script_bytes_max(&self) -> u64 {
        self.script_bytes_max.load(Relaxed)
    }

    /// `latency.monitor_threshold_ms`; 0: off.
    #[inline]
    pub(crate) fn latency_threshold_ms(&self) -> u64 {
        self.latency_threshold_ms.load(Relaxed)
    }

    /// `latency.tracking`
    #[inline]
    pub(crate) fn tracks_latency(&self) -> bool {
        self.tracks_latency.load(Relaxed)
    }

    /// `server.timeout_s`; 0: never.
    #[inline]
    pub(crate) fn timeout_s(&self) -> u64 {
        self.timeout_s.load(Relaxed)
    }

    /// `server.tcp_keepalive_s`; 0: none.
    #[inline]
    pub(crate) fn tcp_keepalive_s(&self) -> u64 {
        self.tcp_keepalive_s.load(Relaxed)
    }

    /// `server.shutdown_timeout_s`
    #[inline]
    pub(crate) fn shutdown_timeout_s(&self) -> u64 {
        self.shutdown_timeout_s.load(Relaxed)
    }

    /// `server.shutdown_on_sigterm`, bits of [`stop`].
    pub(crate) fn stop_on_sigterm(&self) -> u8 {
        self.stop_on_sigterm.load(Relaxed)
    }

    /// `server.shutdown_on_sigint`, likewise.
    pub(crate) fn stop_on_sigint(&self) -> u8 {
        self.stop_on_sigint.load(Relaxed)
    }

    /// `server.maxclients`
    #[inline]
    pub(crate) fn maxclients(&self) -> u64 {
        self.maxclients.load(Relaxed)
    }

    /// `tls.handshakes_max`
    pub(crate) fn handshakes_max(&self) -> u64 {
        self.handshakes_max.load(Relaxed)
    }

    /// `limits.clients_bytes_max`; 0: no limit.
    #[inline]
    pub(crate) fn clients_bytes_max(&self) -> u64 {
        match self.clients_bytes_max.load(Relaxed) {
            0 => 0,
            number => ByteShare::bytes_of(number, self.maxmemory()),
        }
    }

    /// `limits.query_buffer_bytes_max`
    #[inline]
    pub(crate) fn query_buffer_bytes_max(&self) -> u64 {
        self.query_buffer_bytes_max.load(Relaxed)
    }

    /// `limits.bulk_bytes_max`
    #[inline]
    pub(crate) fn bulk_bytes_max(&self) -> u64 {
        self.bulk_bytes_max.load(Relaxed)
    }

    /// `limits.args_max`
    #[inline]
    pub(crate) fn args_max(&self) -> u64 {
        self.args_max.load(Relaxed)
    }

    /// `server.protected_mode`
    #[inline]
    pub(crate) fn protected_mode(&self) -> bool {
        self.protected_mode.load(Relaxed)
    }

    /// `checkpoint.on_shutdown`
    #[inline]
    pub(crate) fn checkpoint_on_shutdown(&self) -> bool {
        self.checkpoint_on_shutdown.load(Relaxed)
    }

    /// `storage.free_bytes_min`; 0: not looked at.
    pub(crate) fn free_bytes_min(&self) -> u64 {
        self.free_bytes_min.load(Relaxed)
    }

    /// The output buffer limits of `class`.
    pub(crate) fn output_buffer(&self, class: ClientClass) -> OutputBufferLimit {
        let live = self.limit(class);
        OutputBufferLimit {
            hard_bytes: live.hard_bytes.load(Relaxed),
            soft_bytes: live.soft_bytes.load(Relaxed),
            soft_s: live.soft_s.load(Relaxed),
        }
    }

    fn limit(&self, class: ClientClass) -> &LiveLimit {
        match class {
            ClientClass::Normal => &self.normal,
            ClientClass::Replica => &self.replica,
            ClientClass::PubSub => &self.pubsub,
        }
    }
}

impl Limits {
    /// The output buffer limits of `class`.
    pub fn output_buffer(&self, class: ClientClass) -> OutputBufferLimit {
        let (hard_bytes, soft_bytes, soft_s) = match class {
            ClientClass::Normal => (
                self.output_buffer_normal_hard_bytes,
                self.output_buffer_normal_soft_bytes,
                self.output_buffer_normal_soft_s,
            ),
            ClientClass::Replica => (
                self.output_buffer_replica_hard_bytes,
                self.output_buffer_replica_soft_bytes,
                self.output_buffer_replica_soft_s,
            ),
            ClientClass::PubSub => (
                self.output_buffer_pubsub_hard_bytes,
                self.output_buffer_pubsub_soft_bytes,
                self.output_buffer_pubsub_soft_s,
            ),
        };
        OutputBufferLimit {
            hard_bytes,
            soft_bytes,
            soft_s,
        }
    }
}

/// The value whose discriminant was stored; `safest` stands in for one that never was.
fn by_discriminant<T: Copy>(all: &[T], discriminant: u8, safest: T) -> T {
    all.get(usize::from(discriminant)).copied().unwrap_or(safest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_arrive() {
        let mut config = Config::default();
        config.wal.fsync = Fsync::No;
        config.limits.output_buffer_pubsub_soft_s = 5;
        let live = Live::new(&config);
        assert_eq!(live.fsync(), Fsync::No);
        assert_eq!(live.policy(), MemoryPolicy::NoEviction);
        assert_eq!(
            live.output_buffer(ClientClass::PubSub),
            config.limits.output_buffer(ClientClass::PubSub)
        );
        live.store(&Config::default());
        assert_eq!(live.fsync(), Config::default().wal.fsync);
    }
}
