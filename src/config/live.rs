//! The settings that hot paths read, as atomics: one relaxed load each, no lock.
//!
//! **Invariants**
//! - Written only by `Live::store`, under the lock of [`super::Params`]; anyone may read at any time.
//! - `generation` grows after all values are in place: who sees a new generation sees the new values.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicI64, AtomicU8, AtomicU32, AtomicU64, Ordering::Relaxed, Ordering::Release},
};

use parking_lot::RwLock;

use crate::checkpoint::CheckpointSettings;

use super::values::Compression;
use super::{
    schema::{Config, Limits},
    values::{Fsync, MemoryPolicy},
};

/// A class of clients with its own output buffer limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClientClass {
    /// Plain clients, MONITOR included.
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

/// The atomics of one [`OutputBufferLimit`].
#[derive(Debug, Default)]
struct LiveLimit {
    hard_bytes: AtomicU64,
    soft_bytes: AtomicU64,
    soft_s: AtomicU64,
}

/// Current values of the settings that can change while the server runs.
#[derive(Debug, Default)]
pub struct Live {
    /// `memory.max_bytes`; 0: no limit.
    pub maxmemory: AtomicU64,
    policy: AtomicU8,
    /// `slowlog.log_slower_than_us`; -1: off.
    pub slowlog_us: AtomicI64,
    /// `slowlog.max_len`
    pub slowlog_len_max: AtomicU64,
    /// `latency.monitor_threshold_ms`; 0: off.
    pub latency_threshold_ms: AtomicU64,
    /// `server.timeout_s`; 0: never.
    pub timeout_s: AtomicU64,
    /// `server.tcp_keepalive_s`; 0: none.
    pub tcp_keepalive_s: AtomicU64,
    /// `server.shutdown_timeout_s`
    pub shutdown_timeout_s: AtomicU64,
    /// `server.maxclients`
    pub maxclients: AtomicU64,
    /// `server.protected_mode`
    pub protected_mode: AtomicBool,
    /// Whether `server.requirepass` is not empty.
    pub has_password: AtomicBool,
    requirepass: RwLock<Arc<str>>,
    /// `limits.query_buffer_bytes_max`
    pub query_buffer_bytes_max: AtomicU64,
    /// `limits.bulk_bytes_max`
    pub bulk_bytes_max: AtomicU64,
    /// `limits.args_max`
    pub args_max: AtomicU64,
    normal: LiveLimit,
    replica: LiveLimit,
    pubsub: LiveLimit,
    /// `notifications.keyspace_events` as the bits of [`super::keyspace_events`].
    pub keyspace_events: AtomicU32,
    fsync: AtomicU8,
    /// `wal.segment_bytes`
    pub wal_segment_bytes: AtomicU64,
    /// What the checkpointer follows.
    pub checkpoint: Arc<CheckpointSettings>,
    /// `checkpoint.on_shutdown`
    pub checkpoint_on_shutdown: AtomicBool,
    /// Grows with every change; whoever caches a value compares this.
    pub generation: AtomicU64,
}

impl Live {
    /// The values of `config`, generation 1.
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
        self.slowlog_us.store(config.slowlog.log_slower_than_us, Relaxed);
        self.slowlog_len_max.store(config.slowlog.max_len, Relaxed);
        self.latency_threshold_ms
            .store(config.latency.monitor_threshold_ms, Relaxed);
        self.keyspace_events.store(config.notifications.flags(), Relaxed);
        self.generation.fetch_add(1, Release);
    }

    fn store_server(&self, config: &Config) {
        let server = &config.server;
        self.timeout_s.store(server.timeout_s, Relaxed);
        self.tcp_keepalive_s.store(server.tcp_keepalive_s, Relaxed);
        self.shutdown_timeout_s.store(server.shutdown_timeout_s, Relaxed);
        self.maxclients.store(server.maxclients, Relaxed);
        self.protected_mode.store(server.protected_mode, Relaxed);
        *self.requirepass.write() = Arc::from(server.requirepass.as_str());
        self.has_password.store(!server.requirepass.is_empty(), Release);
    }

    fn store_limits(&self, limits: &Limits) {
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
        self.wal_segment_bytes.store(config.wal.segment_bytes, Relaxed);
        let checkpoint = &config.checkpoint;
        let live = &self.checkpoint;
        live.interval_s.store(checkpoint.interval_s, Relaxed);
        live.wal_bytes_max.store(checkpoint.wal_bytes_max, Relaxed);
        live.keep_count.store(checkpoint.keep_count, Relaxed);
        live.keep_age_s.store(checkpoint.keep_age_s, Relaxed);
        live.is_lz4.store(checkpoint.compression == Compression::Lz4, Relaxed);
        live.wal_keep_age_s.store(config.wal.keep_age_s, Relaxed);
        live.memory_bytes_max.store(config.memory.max_bytes, Relaxed);
        self.checkpoint_on_shutdown.store(checkpoint.on_shutdown, Relaxed);
    }

    /// `server.requirepass`; look at `has_password` first where it matters.
    pub fn requirepass(&self) -> Arc<str> {
        Arc::clone(&self.requirepass.read())
    }

    /// `wal.fsync`
    pub fn fsync(&self) -> Fsync {
        by_discriminant(Fsync::ALL, self.fsync.load(Relaxed), Fsync::Always)
    }

    /// `memory.policy`
    pub fn policy(&self) -> MemoryPolicy {
        by_discriminant(MemoryPolicy::ALL, self.policy.load(Relaxed), MemoryPolicy::NoEviction)
    }

    /// The output buffer limits of `class`.
    pub fn output_buffer(&self, class: ClientClass) -> OutputBufferLimit {
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
        config.server.requirepass = "secret".to_owned();
        config.limits.output_buffer_pubsub_soft_s = 5;
        let live = Live::new(&config);
        assert_eq!(live.fsync(), Fsync::No);
        assert_eq!(live.policy(), MemoryPolicy::NoEviction);
        assert_eq!(&*live.requirepass(), "secret");
        assert!(live.has_password.load(Relaxed));
        assert_eq!(
            live.output_buffer(ClientClass::PubSub),
            config.limits.output_buffer(ClientClass::PubSub)
        );
        assert_eq!(live.generation.load(Relaxed), 1);
        live.store(&Config::default());
        assert!(!live.has_password.load(Relaxed));
        assert_eq!(live.generation.load(Relaxed), 2);
    }
}
