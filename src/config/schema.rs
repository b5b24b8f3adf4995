//! The typed configuration: one struct per section of `config.toml` (some of them in files of their own), with the
//! default of every key. What follows from the values is in `super::derived`.
//!
//! **Invariants**
//! - A key's name, type, range and default are stated here and nowhere else; `config.toml` explains them to users.
//! - Sizes are bytes, durations carry their unit in the name, 0 means "off" or "no limit" where it is allowed.
//! - Paths are relative to the directory the server was started in.

use serde::{Deserialize, Serialize};

use crate::page::thresholds;
use crate::page::value::STRING_BYTES_MAX;

use super::{
    acl::Acl,
    de,
    http::Http,
    log_levels::LogLevels,
    logs::{Commandlog, Slowlog},
    scripts::Scripts,
    share::ByteShare,
    tls::Tls,
    values::{Compression, DebugCommand, Fsync, LogFormat, MemoryPolicy},
};

const MB: u64 = 1 << 20;
const GB: u64 = 1 << 30;
/// What Redis accepts for counts and seconds that it keeps in a C `int`.
const INT_MAX: i64 = i32::MAX as i64;

/// The whole configuration.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// `[server]`
    pub server: Server,
    /// `[tls]`
    pub tls: Tls,
    /// `[http]`
    pub http: Http,
    /// `[storage]`
    pub storage: Storage,
    /// `[checkpoint]`
    pub checkpoint: Checkpoint,
    /// `[wal]`
    pub wal: Wal,
    /// `[memory]`
    pub memory: Memory,
    /// `[encoding]`
    pub encoding: Encoding,
    /// `[limits]`
    pub limits: Limits,
    /// `[acl]`
    pub acl: Acl,
    /// `[scripts]`
    pub scripts: Scripts,
    /// `[slowlog]`
    pub slowlog: Slowlog,
    /// `[commandlog]`
    pub commandlog: Commandlog,
    /// `[latency]`
    pub latency: Latency,
    /// `[notifications]`
    pub notifications: Notifications,
    /// `[metrics]`
    pub metrics: Metrics,
    /// `[log]`
    pub log: Log,
}

/// Where clients connect, and what they may do before anything else.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Server {
    /// Addresses to listen on.
    #[serde(deserialize_with = "de::addresses")]
    pub bind: Vec<String>,
    /// TCP port. 0: no TCP when there is a Unix socket, else a free port that the system chooses.
    #[serde(deserialize_with = "de::port")]
    pub port: u16,
    /// Threads that run connections; 0: one per core but one, and at least one.
    #[serde(deserialize_with = "de::int::<_, _, 0, 1024>")]
    pub workers: usize,
    /// Microseconds for which a worker looks for more requests before it sleeps, where there are cores to spare; 0:
    /// not.
    #[serde(deserialize_with = "de::int::<_, _, 0, 1000>")]
    pub linger_us: u64,
    /// Numbered databases that SELECT reaches.
    #[serde(deserialize_with = "de::int::<_, _, 1, 65536>")]
    pub databases: usize,
    /// Password of the default user; empty: none.
    #[serde(deserialize_with = "de::text")]
    pub requirepass: String,
    /// Without a password, serve only loopback addresses and the Unix socket.
    #[serde(deserialize_with = "de::switch")]
    pub protected_mode: bool,
    /// Path of the Unix socket; empty: none.
    #[serde(deserialize_with = "de::word")]
    pub unixsocket: String,
    /// Permissions of the Unix socket in octal; "0": what the umask gives.
    #[serde(deserialize_with = "de::octal")]
    pub unixsocketperm: String,
    /// Where administrators connect who are served when nobody else is: a path of a Unix socket, or an address; empty:
    /// nowhere.
    #[serde(deserialize_with = "de::word")]
    pub admin_bind: String,
    /// Connections at the same time.
    #[serde(deserialize_with = "de::int::<_, _, 1, 4294967295>")]
    pub maxclients: u64,
    /// Seconds after which an idle client is closed; 0: never.
    #[serde(deserialize_with = "de::int::<_, _, 0, INT_MAX>")]
    pub timeout_s: u64,
    /// Seconds between TCP keepalive probes; 0: none.
    #[serde(deserialize_with = "de::int::<_, _, 0, INT_MAX>")]
    pub tcp_keepalive_s: u64,
    /// Connections that wait to be accepted.
    #[serde(deserialize_with = "de::int::<_, _, 0, INT_MAX>")]
    pub tcp_backlog: u32,
    /// Who may use DEBUG.
    pub enable_debug_command: DebugCommand,
    /// Seconds that a shutdown may wait for clients and a last checkpoint.
    #[serde(deserialize_with = "de::int::<_, _, 0, INT_MAX>")]
    pub shutdown_timeout_s: u64,
    /// How SIGTERM ends the server: words of SHUTDOWN.
    #[serde(deserialize_with = "de::stop")]
    pub shutdown_on_sigterm: String,
    /// How SIGINT ends it.
    #[serde(deserialize_with = "de::stop")]
    pub shutdown_on_sigint: String,
}

impl Default for Server {
    fn default() -> Self {
        Self {
            bind: vec!["127.0.0.1".to_owned()],
            port: 6379,
            workers: 0,
            linger_us: 20,
            databases: 16,
            requirepass: String::new(),
            protected_mode: true,
            unixsocket: String::new(),
            unixsocketperm: "0".to_owned(),
            admin_bind: "admin.sock".to_owned(),
            maxclients: 10_000,
            timeout_s: 0,
            tcp_keepalive_s: 300,
            tcp_backlog: 511,
            enable_debug_command: DebugCommand::No,
            shutdown_timeout_s: 10,
            shutdown_on_sigterm: "default".to_owned(),
            shutdown_on_sigint: "default".to_owned(),
        }
    }
}

/// Where things lie on disk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Storage {
    /// The folder of everything.
    #[serde(deserialize_with = "de::path")]
    pub data_dir: String,
    /// Checkpoints; empty: `checkpoint` under `data_dir`.
    #[serde(deserialize_with = "de::word")]
    pub checkpoint_dir: String,
    /// Persisted collections; empty: `persist` under `data_dir`.
    #[serde(deserialize_with = "de::word")]
    pub persist_dir: String,
    /// WAL segments; empty: `wal` under `data_dir`.
    #[serde(deserialize_with = "de::word")]
    pub wal_dir: String,
    /// Writes are refused while less than this is free where the log or checkpoints are; 0: never.
    #[serde(deserialize_with = "de::size::<_, 0>")]
    pub free_bytes_min: u64,
}

impl Default for Storage {
    fn default() -> Self {
        let none = String::new;
        Self {
            data_dir: "./data".to_owned(),
            checkpoint_dir: none(),
            persist_dir: none(),
            wal_dir: none(),
            free_bytes_min: 64 * MB,
        }
    }
}

/// When checkpoints are taken and how long they are kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Checkpoint {
    /// Seconds between checkpoints, when something changed; 0: none by time.
    #[serde(deserialize_with = "de::int::<_, _, 0, INT_MAX>")]
    pub interval_s: u64,
    /// A checkpoint is also taken when the WAL has grown by this much; 0: none by size.
    #[serde(deserialize_with = "de::size::<_, 0>")]
    pub wal_bytes_max: u64,
    /// The newest checkpoints that are always kept.
    #[serde(deserialize_with = "de::int::<_, _, 1, INT_MAX>")]
    pub keep_count: u64,
    /// Beyond those, checkpoints younger than this are kept; 0: none.
    #[serde(deserialize_with = "de::int::<_, _, 0, { i64::MAX }>")]
    pub keep_age_s: u64,
    /// How pages are packed.
    pub compression: Compression,
    /// Whether a clean shutdown takes a last checkpoint.
    #[serde(deserialize_with = "de::switch")]
    pub on_shutdown: bool,
    /// Whether writes are refused while checkpoints fail, when nothing else keeps them.
    #[serde(deserialize_with = "de::switch")]
    pub stop_writes_on_error: bool,
}

impl Default for Checkpoint {
    fn default() -> Self {
        Self {
            interval_s: 300,
            wal_bytes_max: 256 * MB,
            keep_count: 2,
            keep_age_s: 0,
            compression: Compression::None,
            on_shutdown: true,
            stop_writes_on_error: true,
        }
    }
}

/// The log of what came after the last checkpoint.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Wal {
    /// Whether there is one.
    #[serde(deserialize_with = "de::switch")]
    pub enabled: bool,
    /// When it is forced to the disk.
    pub fsync: Fsync,
    /// Size at which a segment is closed and the next begun.
    #[serde(deserialize_with = "de::size::<_, 65536>")]
    pub segment_bytes: u64,
    /// Seconds that segments are kept after a checkpoint made them unnecessary, for restore to a time; 0: not at all.
    #[serde(deserialize_with = "de::int::<_, _, 0, { i64::MAX }>")]
    pub keep_age_s: u64,
}

impl Default for Wal {
    fn default() -> Self {
        Self {
            enabled: true,
            fsync: Fsync::Everysec,
            segment_bytes: 64 * MB,
            keep_age_s: 0,
        }
    }
}

/// How much memory data may take.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Memory {
    /// Limit in bytes; 0: none.
    #[serde(deserialize_with = "de::size::<_, 0>")]
    pub max_bytes: u64,
    /// What happens there.
    pub policy: MemoryPolicy,
    /// Keys that are looked at for each that is evicted.
    #[serde(deserialize_with = "de::int::<_, _, 1, 64>")]
    pub eviction_samples: u64,
    /// How long a command evicts before it goes on, 0 to 100.
    #[serde(deserialize_with = "de::int::<_, _, 0, 100>")]
    pub eviction_tenacity: u64,
    /// How many uses it takes for the next step of the counter.
    #[serde(deserialize_with = "de::int::<_, _, 0, INT_MAX>")]
    pub lfu_log_factor: u64,
    /// After so many minutes without use it falls by one; 0: never.
    #[serde(deserialize_with = "de::int::<_, _, 0, INT_MAX>")]
    pub lfu_decay_min: u64,
    /// Whether entries are moved together where much memory lies between them.
    pub defrag: bool,
    /// Less than so many bytes is not much,
    #[serde(deserialize_with = "de::size::<_, 1>")]
    pub defrag_ignore_bytes: u64,
    /// nor less than this share of what is used.
    #[serde(deserialize_with = "de::int::<_, _, 0, 1000>")]
    pub defrag_threshold_percent: u64,
    /// HyperLogLogs larger than this are kept dense.
    #[serde(deserialize_with = "de::size::<_, 0>")]
    pub hll_sparse_bytes_max: u64,
}

impl Default for Memory {
    fn default() -> Self {
        Self {
            max_bytes: 0,
            policy: MemoryPolicy::NoEviction,
            eviction_samples: 5,
            eviction_tenacity: 10,
            lfu_log_factor: 10,
            lfu_decay_min: 1,
            defrag: true,
            defrag_ignore_bytes: 100 << 20,
            defrag_threshold_percent: 25,
            hll_sparse_bytes_max: 3000,
        }
    }
}

/// Up to which size containers keep the compact name of their encoding, and how streams are cut.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Encoding {
    /// Fields of a hash.
    #[serde(deserialize_with = "de::int::<_, _, 0, { i64::MAX }>")]
    pub hash_entries_max: u64,
    /// Bytes of a field or value of a hash.
    #[serde(deserialize_with = "de::size::<_, 0>")]
    pub hash_value_bytes_max: u64,
    /// Members of a set of integers.
    #[serde(deserialize_with = "de::int::<_, _, 0, { i64::MAX }>")]
    pub intset_entries_max: u64,
    /// Members of another set.
    #[serde(deserialize_with = "de::int::<_, _, 0, { i64::MAX }>")]
    pub set_entries_max: u64,
    /// Bytes of a member of another set.
    #[serde(deserialize_with = "de::size::<_, 0>")]
    pub set_value_bytes_max: u64,
    /// Elements of a list; below 0 its bytes, in steps of Redis's.
    pub list_size: i64,
    /// Members of a sorted set.
    #[serde(deserialize_with = "de::int::<_, _, 0, { i64::MAX }>")]
    pub zset_entries_max: u64,
    /// Bytes of a member of a sorted set.
    #[serde(deserialize_with = "de::size::<_, 0>")]
    pub zset_value_bytes_max: u64,
    /// Bytes of a stream's node; 0: no limit.
    #[serde(deserialize_with = "de::size::<_, 0>")]
    pub stream_node_bytes_max: u64,
    /// Entries of a stream's node; 0: no limit.
    #[serde(deserialize_with = "de::int::<_, _, 0, { i64::MAX }>")]
    pub stream_node_entries_max: u64,
}

impl Default for Encoding {
    fn default() -> Self {
        let limits = thresholds::Limits::DEFAULT;
        Self {
            hash_entries_max: limits.hash_entries_max,
            hash_value_bytes_max: limits.hash_value_bytes_max,
            intset_entries_max: limits.intset_entries_max,
            set_entries_max: 128,
            set_value_bytes_max: 64,
            list_size: -2,
            zset_entries_max: limits.zset_entries_max,
            zset_value_bytes_max: limits.zset_value_bytes_max,
            stream_node_bytes_max: limits.stream_node_bytes_max,
            stream_node_entries_max: limits.stream_node_entries_max,
        }
    }
}

/// What clients may take of the server's memory.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Replies waiting for a normal client: closed at once beyond this; 0: no limit.
    #[serde(deserialize_with = "de::size::<_, 0>")]
    pub output_buffer_normal_hard_bytes: u64,
    /// Closed when beyond this for the soft seconds; 0: no limit.
    #[serde(deserialize_with = "de::size::<_, 0>")]
    pub output_buffer_normal_soft_bytes: u64,
    /// The soft seconds.
    #[serde(deserialize_with = "de::int::<_, _, 0, INT_MAX>")]
    pub output_buffer_normal_soft_s: u64,
    /// The hard limit of a replica.
    #[serde(deserialize_with = "de::size::<_, 0>")]
    pub output_buffer_replica_hard_bytes: u64,
    /// The soft limit of a replica.
    #[serde(deserialize_with = "de::size::<_, 0>")]
    pub output_buffer_replica_soft_bytes: u64,
    /// The soft seconds of a replica.
    #[serde(deserialize_with = "de::int::<_, _, 0, INT_MAX>")]
    pub output_buffer_replica_soft_s: u64,
    /// The hard limit of a subscriber.
    #[serde(deserialize_with = "de::size::<_, 0>")]
    pub output_buffer_pubsub_hard_bytes: u64,
    /// The soft limit of a subscriber.
    #[serde(deserialize_with = "de::size::<_, 0>")]
    pub output_buffer_pubsub_soft_bytes: u64,
    /// The soft seconds of a subscriber.
    #[serde(deserialize_with = "de::int::<_, _, 0, INT_MAX>")]
    pub output_buffer_pubsub_soft_s: u64,
    /// What all clients together may hold; beyond it those that hold most are closed. 0: no limit.
    pub clients_bytes_max: ByteShare,
    /// Bytes of a request that has not been executed yet.
    #[serde(deserialize_with = "de::size::<_, 1048576>")]
    pub query_buffer_bytes_max: u64,
    /// Bytes of one argument, and of a string that a command makes.
    #[serde(deserialize_with = "de::size_in::<_, 1048576, STRING_BYTES_MAX>")]
    pub bulk_bytes_max: u64,
    /// Arguments of one request.
    #[serde(deserialize_with = "de::int::<_, _, 16, INT_MAX>")]
    pub args_max: u64,
    /// Collections that clients may make, attached ones included; 0: no limit.
    #[serde(deserialize_with = "de::int::<_, _, 0, INT_MAX>")]
    pub collections_max: u64,
    /// Keys that are remembered for clients that cache what they read; 0: no limit.
    #[serde(deserialize_with = "de::int::<_, _, 0, { i64::MAX }>")]
    pub tracking_keys_max: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            output_buffer_normal_hard_bytes: 0,
            output_buffer_normal_soft_bytes: 0,
            output_buffer_normal_soft_s: 0,
            output_buffer_replica_hard_bytes: 256 * MB,
            output_buffer_replica_soft_bytes: 64 * MB,
            output_buffer_replica_soft_s: 60,
            output_buffer_pubsub_hard_bytes: 32 * MB,
            output_buffer_pubsub_soft_bytes: 8 * MB,
            output_buffer_pubsub_soft_s: 60,
            clients_bytes_max: ByteShare::default(),
            query_buffer_bytes_max: GB,
            bulk_bytes_max: 512 * MB,
            args_max: 1 << 20,
            collections_max: 10_000,
            tracking_keys_max: 1_000_000,
        }
    }
}

/// The latency monitor.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Latency {
    /// Milliseconds from which an event is remembered; 0: off.
    #[serde(deserialize_with = "de::int::<_, _, 0, { i64::MAX }>")]
    pub monitor_threshold_ms: u64,
    /// Whether it is kept how the durations of each command's calls are distributed.
    #[serde(deserialize_with = "de::switch")]
    pub tracking: bool,
    /// Percentiles that INFO tells of them.
    #[serde(deserialize_with = "de::percentiles")]
    pub info_percentiles: String,
}

impl Default for Latency {
    fn default() -> Self {
        Self {
            monitor_threshold_ms: 0,
            tracking: true,
            info_percentiles: "50 99 99.9".to_owned(),
        }
    }
}

/// Keyspace notifications.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Notifications {
    /// Letters of the event classes to publish; empty: none.
    #[serde(deserialize_with = "de::events")]
    pub keyspace_events: String,
}

/// Metrics: no keys yet; the section is accepted so that a file may carry it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Metrics {}

/// The server's own log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Log {
    /// How much is logged.
    pub level: LogLevels,
    /// File to append to; empty: standard output.
    #[serde(deserialize_with = "de::word")]
    pub file: String,
    /// How a line looks.
    pub format: LogFormat,
}

impl Default for Log {
    fn default() -> Self {
        Self {
            level: LogLevels::default(),
            file: String::new(),
            format: LogFormat::Text,
        }
    }
}
