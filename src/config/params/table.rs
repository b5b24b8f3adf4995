//! Redis's parameter names, each with the keys it stands for.
//!
//! **Invariants**
//! - A name is here only when its value is true of this server; those without effect are elsewhere ([`super::idle`]).
//! - Names are lower-case, unique and sorted; every key exists in the schema.
//! - Whether a parameter can change at run time is decided per key ([`is_mutable`]), once, for both of its names.

use crate::config::acl::USERS;
use crate::page::value::STRING_BYTES_MAX;

/// How a parameter's text and its keys' values translate into each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::config) enum Kind {
    /// A whole number within bounds.
    Int(i64, i64),
    /// Bytes with Redis's units, of at least this many.
    Memory(u64),
    /// A number of bytes within these bounds.
    MemoryIn(u64, u64),
    /// Bytes, or a percentage of the memory limit.
    Share,
    /// `yes` or `no`.
    YesNo,
    /// One of Redis's words, in Redis's order; the keys use the same words.
    Words(&'static [&'static str]),
    /// How much is logged: one of these words for all, or more than Redis knows of.
    LogLevel(&'static [&'static str]),
    /// A string, as it is.
    Text,
    /// A list, blank-separated.
    List,
    /// The save points of snapshots.
    Save,
    /// The nine limits of output buffers in one line.
    OutputBuffers,
    /// Letters of event classes.
    Events,
    /// Percentiles, blank-separated.
    Percentiles,
    /// Words for how a signal ends the server.
    Stop,
    /// Nothing, and it can be set to nothing else, for this reason.
    Absent(&'static str),
    /// Always this: true of every instance of this version.
    Fixed(&'static str),
    /// Its default and nothing else, for this reason.
    Only(&'static str),
}

/// One of Redis's parameters.
#[derive(Debug)]
pub(in crate::config) struct Param {
    /// Redis's name.
    pub(in crate::config) name: &'static str,
    /// The dotted keys behind it; none for a fixed one.
    pub(in crate::config) keys: &'static [&'static str],
    /// Its form.
    pub(in crate::config) kind: Kind,
}

const INT_MAX: i64 = i32::MAX as i64;
const NO: Kind = Kind::Fixed("no");
// Large values and whole databases are always freed in the background.
const YES: Kind = Kind::Fixed("yes");
const EMPTY: Kind = Kind::Fixed("");
const NO_TLS_CLIENT: Kind = Kind::Absent("this server connects to no other one");
const POLICIES: Kind = Kind::Words(&[
    "volatile-lru",
    "volatile-lfu",
    "volatile-lrm",
    "volatile-random",
    "volatile-ttl",
    "allkeys-lru",
    "allkeys-lfu",
    "allkeys-lrm",
    "allkeys-random",
    "noeviction",
]);

/// The keys of [`Kind::OutputBuffers`], class by class: hard bytes, soft bytes, soft seconds.
pub(in crate::config) const OUTPUT_BUFFER_KEYS: [&str; 9] = [
    "limits.output_buffer_normal_hard_bytes",
    "limits.output_buffer_normal_soft_bytes",
    "limits.output_buffer_normal_soft_s",
    "limits.output_buffer_replica_hard_bytes",
    "limits.output_buffer_replica_soft_bytes",
    "limits.output_buffer_replica_soft_s",
    "limits.output_buffer_pubsub_hard_bytes",
    "limits.output_buffer_pubsub_soft_bytes",
    "limits.output_buffer_pubsub_soft_s",
];

const fn param(name: &'static str, keys: &'static [&'static str], kind: Kind) -> Param {
    Param { name, keys, kind }
}

const fn fixed(name: &'static str, kind: Kind) -> Param {
    Param { name, keys: &[], kind }
}

/// All of them, sorted by name.
#[rustfmt::skip] // one line each, like the table it is
pub(in crate::config) const PARAMS: &[Param] = &[
    param("acl-pubsub-default", &["acl.pubsub_default"], Kind::Words(&["allchannels", "resetchannels"])),
    param("aclfile", &["acl.file"], Kind::Text),
    param("acllog-max-len", &["acl.log_len_max"], Kind::Int(0, i64::MAX)),
    param("active-defrag-ignore-bytes", &["memory.defrag_ignore_bytes"], Kind::Memory(1)),
    param("active-defrag-threshold-lower", &["memory.defrag_threshold_percent"], Kind::Int(0, 1000)),
    param("activedefrag", &["memory.defrag"], Kind::YesNo),
    fixed("always-show-logo", NO),
    fixed("aof-rewrite-cpulist", EMPTY),
    fixed("aof_rewrite_cpulist", EMPTY),
    fixed("appenddirname", Kind::Fixed("appendonlydir")),
    fixed("appendfilename", Kind::Fixed("appendonly.aof")),
    param("appendfsync", &["wal.fsync"], Kind::Words(&["everysec", "always", "no"])),
    param("appendonly", &["wal.enabled"], Kind::YesNo),
    fixed("bgsave-cpulist", EMPTY),
    fixed("bgsave_cpulist", EMPTY),
    param("bind", &["server.bind"], Kind::List),
    fixed("bio-cpulist", EMPTY),
    fixed("bio_cpulist", EMPTY),
    param("busy-reply-threshold", &["scripts.busy_reply_threshold_ms"], Kind::Int(0, i64::MAX)),
    param("client-output-buffer-limit", &OUTPUT_BUFFER_KEYS, Kind::OutputBuffers),
    param("client-query-buffer-limit", &["limits.query_buffer_bytes_max"], Kind::Memory(1 << 20)),
    fixed("cluster-config-file", Kind::Fixed("nodes.conf")),
    fixed("cluster-databases", Kind::Fixed("1")),
    fixed("cluster-enabled", NO),
    fixed("cluster-port", Kind::Fixed("0")),
    param("commandlog-execution-slower-than", &["slowlog.log_slower_than_us"], Kind::Int(-1, i64::MAX)),
    param("commandlog-large-reply-max-len", &["commandlog.large_reply_max_len"], Kind::Int(0, i64::MAX)),
    param("commandlog-large-request-max-len", &["commandlog.large_request_max_len"], Kind::Int(0, i64::MAX)),
    param("commandlog-reply-larger-than", &["commandlog.reply_larger_than_bytes"], Kind::Int(-1, i64::MAX)),
    param("commandlog-request-larger-than", &["commandlog.request_larger_than_bytes"], Kind::Int(-1, i64::MAX)),
    param("commandlog-slow-execution-max-len", &["slowlog.max_len"], Kind::Int(0, i64::MAX)),
    fixed("daemonize", NO),
    param("databases", &["server.databases"], Kind::Int(1, 65_536)),
    fixed("dbfilename", Kind::Fixed("dump.rdb")),
    param("dir", &["storage.data_dir"], Kind::Text),
    fixed("disable-thp", NO),
    param("enable-debug-command", &["server.enable_debug_command"], Kind::Words(&["no", "yes", "local"])),
    fixed("enable-module-command", NO),
    fixed("enable-protected-configs", NO),
    param("hash-max-listpack-entries", &["encoding.hash_entries_max"], Kind::Int(0, i64::MAX)),
    param("hash-max-listpack-value", &["encoding.hash_value_bytes_max"], Kind::Memory(0)),
    param("hash-max-ziplist-entries", &["encoding.hash_entries_max"], Kind::Int(0, i64::MAX)),
    param("hash-max-ziplist-value", &["encoding.hash_value_bytes_max"], Kind::Memory(0)),
    fixed("hash-seed", EMPTY),
    param("hll-sparse-max-bytes", &["memory.hll_sparse_bytes_max"], Kind::Memory(0)),
    fixed("io-threads", Kind::Fixed("1")),
    fixed("io-threads-do-reads", NO),
    param("latency-monitor-threshold", &["latency.monitor_threshold_ms"], Kind::Int(0, i64::MAX)),
    param("latency-tracking", &["latency.tracking"], Kind::YesNo),
    param("latency-tracking-info-percentiles", &["latency.info_percentiles"], Kind::Percentiles),
    param("lfu-decay-time", &["memory.lfu_decay_min"], Kind::Int(0, INT_MAX)),
    param("lfu-log-factor", &["memory.lfu_log_factor"], Kind::Int(0, INT_MAX)),
    param("list-max-listpack-size", &["encoding.list_size"], Kind::Int(i32::MIN as i64, INT_MAX)),
    param("list-max-ziplist-size", &["encoding.list_size"], Kind::Int(i32::MIN as i64, INT_MAX)),
    param("logfile", &["log.file"], Kind::Text),
    param("loglevel", &["log.level"], Kind::LogLevel(&["debug", "verbose", "notice", "warning", "nothing"])),
    param("lua-time-limit", &["scripts.busy_reply_threshold_ms"], Kind::Int(0, i64::MAX)),
    param("maxclients", &["server.maxclients"], Kind::Int(1, 4_294_967_295)),
    param("maxmemory", &["memory.max_bytes"], Kind::Memory(0)),
    param("maxmemory-clients", &["limits.clients_bytes_max"], Kind::Share),
    param("maxmemory-eviction-tenacity", &["memory.eviction_tenacity"], Kind::Int(0, 100)),
    param("maxmemory-policy", &["memory.policy"], POLICIES),
    param("maxmemory-samples", &["memory.eviction_samples"], Kind::Int(1, 64)),
    fixed("mptcp", NO),
    param("notify-keyspace-events", &["notifications.keyspace_events"], Kind::Events),
    fixed("pidfile", EMPTY),
    param("port", &["server.port"], Kind::Int(0, 65_535)),
    param("protected-mode", &["server.protected_mode"], Kind::YesNo),
    param("proto-max-bulk-len", &["limits.bulk_bytes_max"], Kind::MemoryIn(1 << 20, STRING_BYTES_MAX)),
    fixed("rdbchecksum", YES),
    fixed("rdma-completion-vector", Kind::Fixed("-1")),
    fixed("rdma-rx-size", Kind::Fixed("1048576")),
    fixed("repl-mptcp", NO),
    fixed("replicaof", EMPTY),
    param("requirepass", &["server.requirepass"], Kind::Text),
    param("save", &["checkpoint.interval_s"], Kind::Save),
    fixed("server-cpulist", EMPTY),
    fixed("server_cpulist", EMPTY),
    param("set-max-intset-entries", &["encoding.intset_entries_max"], Kind::Int(0, i64::MAX)),
    param("set-max-listpack-entries", &["encoding.set_entries_max"], Kind::Int(0, i64::MAX)),
    param("set-max-listpack-value", &["encoding.set_value_bytes_max"], Kind::Int(0, i64::MAX)),
    fixed("set-proc-title", YES),
    param("shutdown-on-sigint", &["server.shutdown_on_sigint"], Kind::Stop),
    param("shutdown-on-sigterm", &["server.shutdown_on_sigterm"], Kind::Stop),
    param("shutdown-timeout", &["server.shutdown_timeout_s"], Kind::Int(0, INT_MAX)),
    fixed("slaveof", EMPTY),
    param("slowlog-log-slower-than", &["slowlog.log_slower_than_us"], Kind::Int(-1, i64::MAX)),
    param("slowlog-max-len", &["slowlog.max_len"], Kind::Int(0, i64::MAX)),
    fixed("socket-mark-id", Kind::Fixed("0")),
    param("stop-writes-on-bgsave-error", &["checkpoint.stop_writes_on_error"], Kind::YesNo),
    param("stream-node-max-bytes", &["encoding.stream_node_bytes_max"], Kind::Memory(0)),
    param("stream-node-max-entries", &["encoding.stream_node_entries_max"], Kind::Int(0, i64::MAX)),
    fixed("supervised", NO),
    fixed("syslog-enabled", NO),
    fixed("syslog-facility", Kind::Fixed("local0")),
    fixed("syslog-ident", Kind::Fixed("redis")),
    param("tcp-backlog", &["server.tcp_backlog"], Kind::Int(0, INT_MAX)),
    param("tcp-keepalive", &["server.tcp_keepalive_s"], Kind::Int(0, INT_MAX)),
    param("timeout", &["server.timeout_s"], Kind::Int(0, INT_MAX)),
    param("tls-auth-clients", &["tls.auth_clients"], Kind::Words(&["no", "yes", "optional"])),
    param("tls-auth-clients-user", &["tls.auth_clients_user"], Kind::Words(&["off", "CN"])),
    param("tls-ca-cert-dir", &["tls.ca_dir"], Kind::Text),
    param("tls-ca-cert-file", &["tls.ca_file"], Kind::Text),
    param("tls-cert-file", &["tls.cert_file"], Kind::Text),
    param("tls-ciphers", &["tls.ciphers"], Kind::Text),
    param("tls-ciphersuites", &["tls.ciphersuites"], Kind::Text),
    fixed("tls-client-cert-file", NO_TLS_CLIENT),
    fixed("tls-client-key-file", NO_TLS_CLIENT),
    fixed("tls-client-key-file-pass", NO_TLS_CLIENT),
    fixed("tls-dh-params-file", Kind::Absent("keys are agreed on over elliptic curves only: there are no DH parameters")),
    param("tls-key-file", &["tls.key_file"], Kind::Text),
    fixed("tls-key-file-pass", Kind::Absent("encrypted private keys cannot be read: decrypt it, and guard its file")),
    param("tls-port", &["tls.port"], Kind::Int(0, 65_535)),
    param("tls-prefer-server-ciphers", &["tls.prefer_server_ciphers"], Kind::YesNo),
    param("tls-protocols", &["tls.protocols"], Kind::Text),
    param("tls-session-cache-size", &["tls.session_cache_size"], Kind::Int(0, INT_MAX)),
    param("tls-session-cache-timeout", &["tls.session_cache_timeout_s"], Kind::Int(0, INT_MAX)),
    param("tls-session-caching", &["tls.session_caching"], Kind::YesNo),
    param("tracking-table-max-keys", &["limits.tracking_keys_max"], Kind::Int(0, i64::MAX)),
    param("unixsocket", &["server.unixsocket"], Kind::Text),
    fixed("unixsocketgroup", EMPTY),
    param("unixsocketperm", &["server.unixsocketperm"], Kind::Text),
    param("zset-max-listpack-entries", &["encoding.zset_entries_max"], Kind::Int(0, i64::MAX)),
    param("zset-max-listpack-value", &["encoding.zset_value_bytes_max"], Kind::Memory(0)),
    param("zset-max-ziplist-entries", &["encoding.zset_entries_max"], Kind::Int(0, i64::MAX)),
    param("zset-max-ziplist-value", &["encoding.zset_value_bytes_max"], Kind::Memory(0)),
];

/// The keys that a running server takes over at once.
const MUTABLE: &[&str] = &[
    "server.requirepass",
    "server.protected_mode",
    "server.maxclients",
    "server.timeout_s",
    "server.tcp_keepalive_s",
    "server.shutdown_timeout_s",
    "server.shutdown_on_sigterm",
    "server.shutdown_on_sigint",
    "acl.pubsub_default",
    "acl.log_len_max",
    "tls.cert_file",
    "tls.key_file",
    "tls.ca_file",
    "tls.ca_dir",
    "tls.auth_clients",
    "tls.auth_clients_user",
    "tls.protocols",
    "tls.ciphers",
    "tls.ciphersuites",
    "tls.prefer_server_ciphers",
    "tls.session_caching",
    "tls.session_cache_size",
    "tls.session_cache_timeout_s",
    "tls.handshake_timeout_s",
    "tls.handshakes_max",
    "storage.free_bytes_min",
    "checkpoint.interval_s",
    "checkpoint.wal_bytes_max",
    "checkpoint.keep_count",
    "checkpoint.keep_age_s",
    "checkpoint.compression",
    "checkpoint.on_shutdown",
    "checkpoint.stop_writes_on_error",
    "wal.fsync",
    "wal.segment_bytes",
    "wal.keep_age_s",
    "memory.max_bytes",
    "memory.policy",
    "memory.eviction_samples",
    "memory.eviction_tenacity",
    "memory.lfu_log_factor",
    "memory.lfu_decay_min",
    "memory.defrag",
    "memory.defrag_ignore_bytes",
    "memory.defrag_threshold_percent",
    "memory.hll_sparse_bytes_max",
    "encoding.hash_entries_max",
    "encoding.hash_value_bytes_max",
    "encoding.intset_entries_max",
    "encoding.set_entries_max",
    "encoding.set_value_bytes_max",
    "encoding.list_size",
    "encoding.zset_entries_max",
    "encoding.zset_value_bytes_max",
    "encoding.stream_node_bytes_max",
    "encoding.stream_node_entries_max",
    "limits.clients_bytes_max",
    "limits.query_buffer_bytes_max",
    "limits.bulk_bytes_max",
    "limits.args_max",
    "limits.collections_max",
    "limits.tracking_keys_max",
    "scripts.busy_reply_threshold_ms",
    "scripts.on_error",
    "scripts.memory_bytes_max",
    "slowlog.log_slower_than_us",
    "slowlog.max_len",
    "commandlog.request_larger_than_bytes",
    "commandlog.large_request_max_len",
    "commandlog.reply_larger_than_bytes",
    "commandlog.large_reply_max_len",
    "latency.monitor_threshold_ms",
    "latency.tracking",
    "latency.info_percentiles",
    "notifications.keyspace_events",
    "log.level",
];

/// The parameter with this lower-case name. O(log n).
pub(in crate::config) fn find(name: &str) -> Option<&'static Param> {
    PARAMS
        .binary_search_by(|param| param.name.cmp(name))
        .ok()
        .and_then(|index| PARAMS.get(index))
}

/// Whether `key` can change while the server runs.
pub(in crate::config) fn is_mutable(key: &str) -> bool {
    MUTABLE.contains(&key) || OUTPUT_BUFFER_KEYS.contains(&key)
}

/// Names of both kinds whose values nobody may read in a log, those of Redis that this server does not have included.
const SECRET: &[&str] = &[
    USERS,
    "masterauth",
    "masteruser",
    "primaryauth",
    "primaryuser",
    "requirepass",
    "server.requirepass",
    "tls-client-key-file-pass",
    "tls-key-file-pass",
];

/// Whether the value of the parameter `name` (in any case) is a secret.
pub fn is_secret(name: &[u8]) -> bool {
    SECRET.iter().any(|secret| name.eq_ignore_ascii_case(secret.as_bytes()))
}

/// Whether Redis guards what has this name against change by a client, rather than calling it immutable.
pub(in crate::config) fn is_protected(name: &str) -> bool {
    ["storage.data_dir", "dbfilename"].contains(&name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::flat::DEFAULTS;

    #[test]
    fn names_are_sorted_and_keys_exist() {
        assert!(PARAMS.is_sorted_by(|a, b| a.name < b.name));
        for key in PARAMS.iter().flat_map(|param| param.keys).chain(MUTABLE) {
            assert!(DEFAULTS.contains_key(*key), "{key}");
        }
        assert_eq!(find("maxmemory").unwrap().keys, ["memory.max_bytes"]);
        assert!(find("maxmemor").is_none());
    }

    #[test]
    fn passwords_are_secret() {
        let names = PARAMS.iter().map(|param| param.name);
        for name in names.chain(DEFAULTS.keys().map(String::as_str)) {
            let is_password = [
                "pass",
                "masterauth",
                "masteruser",
                "primaryauth",
                "primaryuser",
                "secret",
            ];
            let is_password = name == USERS || is_password.iter().any(|word| name.contains(word));
            assert_eq!(is_secret(name.as_bytes()), is_password, "{name}");
        }
        assert!(is_secret(b"RequirePass") && !is_secret(b"maxmemory"));
    }
}
