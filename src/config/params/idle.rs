//! Parameters of Redis and Valkey that have no effect here, because there is nothing that they could set: tools, test
//! suites and configuration managers set dozens of them.
//!
//! **Invariants**
//! - A value is checked as a peer does, shown again, and forgotten at the end: nothing reads it, no file keeps it.
//! - Where another value would be taken for a promise ([`Kind::Only`]), it is refused with the reason.
//! - Names are lower-case, unique and sorted, and none is a name of the other table.

use super::table::Kind;

/// See the module.
#[derive(Debug)]
pub(super) struct Idle {
    /// Its name.
    pub(super) name: &'static str,
    /// The name of whose value it is; another one for an old name.
    pub(super) means: &'static str,
    /// Its form.
    pub(super) kind: Kind,
    /// What it is in Redis unless it is set.
    pub(super) default: &'static str,
}

const INT_MAX: i64 = i32::MAX as i64;
const NO_REPLICAS: &str = "there are no replicas";
const NO_CLUSTER: &str = "there is no cluster";
const NO_CONNECTIONS: &str = "this server connects to no other one";
const NO_RDMA: &str = "No RDMA building support.";
const NO_OOM_SCORE: &str = "which process ends for want of memory is left to the system";
const OWN_LOG: &str = "the log has a form of its own: see log.format";

const fn idle(name: &'static str, kind: Kind, default: &'static str) -> Idle {
    alias(name, name, kind, default)
}

const fn alias(name: &'static str, means: &'static str, kind: Kind, default: &'static str) -> Idle {
    Idle {
        name,
        means,
        kind,
        default,
    }
}

/// All of them, sorted by name.
#[rustfmt::skip] // one line each, like the table it is
pub(super) const IDLE: &[Idle] = &[
    idle("active-defrag-cycle-max", Kind::Int(1, 99), "25"),
    idle("active-defrag-cycle-min", Kind::Int(1, 99), "1"),
    idle("active-defrag-cycle-us", Kind::Int(0, 100_000), "500"),
    idle("active-defrag-max-scan-fields", Kind::Int(1, i64::MAX), "1000"),
    idle("active-defrag-threshold-upper", Kind::Int(0, 1000), "100"),
    idle("active-expire-effort", Kind::Int(1, 10), "1"),
    idle("activerehashing", Kind::YesNo, "yes"),
    idle("aof-disable-auto-gc", Kind::YesNo, "no"),
    idle("aof-load-truncated", Kind::YesNo, "yes"),
    idle("aof-rewrite-incremental-fsync", Kind::YesNo, "yes"),
    idle("aof-timestamp-enabled", Kind::YesNo, "no"),
    idle("aof-use-rdb-preamble", Kind::YesNo, "yes"),
    idle("auto-aof-rewrite-min-size", Kind::Memory(0), "67108864"),
    idle("auto-aof-rewrite-percentage", Kind::Int(0, INT_MAX), "100"),
    idle("availability-zone", Kind::Text, ""),
    idle("bind-source-addr", Kind::Only(NO_CONNECTIONS), ""),
    idle("cluster-allow-pubsubshard-when-down", Kind::YesNo, "yes"),
    idle("cluster-allow-reads-when-down", Kind::YesNo, "no"),
    idle("cluster-allow-replica-migration", Kind::YesNo, "yes"),
    idle("cluster-announce-bus-port", Kind::Only(NO_CLUSTER), "0"),
    idle("cluster-announce-client-ipv4", Kind::Only(NO_CLUSTER), ""),
    idle("cluster-announce-client-ipv6", Kind::Only(NO_CLUSTER), ""),
    idle("cluster-announce-client-port", Kind::Only(NO_CLUSTER), "0"),
    idle("cluster-announce-client-tls-port", Kind::Only(NO_CLUSTER), "0"),
    idle("cluster-announce-hostname", Kind::Only(NO_CLUSTER), ""),
    idle("cluster-announce-human-nodename", Kind::Only(NO_CLUSTER), ""),
    idle("cluster-announce-ip", Kind::Only(NO_CLUSTER), ""),
    idle("cluster-announce-port", Kind::Only(NO_CLUSTER), "0"),
    idle("cluster-announce-tls-port", Kind::Only(NO_CLUSTER), "0"),
    idle("cluster-blacklist-ttl", Kind::Int(0, i64::MAX), "60"),
    idle("cluster-compatibility-sample-ratio", Kind::Int(0, 100), "0"),
    idle("cluster-config-save-behavior", Kind::Words(&["sync", "best-effort"]), "sync"),
    idle("cluster-link-sendbuf-limit", Kind::Memory(0), "0"),
    idle("cluster-manual-failover-timeout", Kind::Int(1, INT_MAX), "5000"),
    idle("cluster-migration-barrier", Kind::Int(0, INT_MAX), "1"),
    idle("cluster-node-timeout", Kind::Int(0, i64::MAX), "15000"),
    idle("cluster-preferred-endpoint-type", Kind::Words(&["ip", "hostname", "unknown-endpoint"]), "ip"),
    idle("cluster-replica-no-failover", Kind::YesNo, "no"),
    idle("cluster-replica-validity-factor", Kind::Int(0, INT_MAX), "10"),
    idle("cluster-require-full-coverage", Kind::YesNo, "yes"),
    alias("cluster-slave-no-failover", "cluster-replica-no-failover", Kind::YesNo, "no"),
    alias("cluster-slave-validity-factor", "cluster-replica-validity-factor", Kind::Int(0, INT_MAX), "10"),
    idle("cluster-slot-migration-log-max-len", Kind::Int(0, i64::MAX), "1000"),
    idle("cluster-slot-stats-enabled", Kind::YesNo, "no"),
    idle("crash-log-enabled", Kind::YesNo, "yes"),
    idle("crash-memcheck-enabled", Kind::YesNo, "yes"),
    idle("dual-channel-replication-enabled", Kind::YesNo, "no"),
    idle("dynamic-hz", Kind::YesNo, "yes"),
    idle("extended-redis-compatibility", Kind::YesNo, "no"),
    idle("hide-user-data-from-log", Kind::YesNo, "no"),
    idle("hz", Kind::Int(0, INT_MAX), "10"),
    idle("ignore-warnings", Kind::Text, ""),
    idle("import-mode", Kind::Only("keys that expire are always removed"), "no"),
    idle("jemalloc-bg-thread", Kind::YesNo, "yes"),
    idle("lazyfree-lazy-eviction", Kind::YesNo, "yes"),
    idle("lazyfree-lazy-expire", Kind::YesNo, "yes"),
    idle("lazyfree-lazy-server-del", Kind::YesNo, "yes"),
    idle("lazyfree-lazy-user-del", Kind::YesNo, "yes"),
    idle("lazyfree-lazy-user-flush", Kind::YesNo, "yes"),
    idle("list-compress-depth", Kind::Int(0, INT_MAX), "0"),
    idle("locale-collate", Kind::Only("texts are sorted by their bytes"), ""),
    idle("log-format", Kind::Only(OWN_LOG), "legacy"),
    idle("log-timestamp-format", Kind::Only(OWN_LOG), "legacy"),
    idle("masterauth", Kind::Only(NO_REPLICAS), ""),
    idle("masteruser", Kind::Only(NO_REPLICAS), ""),
    idle("max-new-connections-per-cycle", Kind::Int(1, 1000), "10"),
    idle("max-new-tls-connections-per-cycle", Kind::Int(1, 1000), "1"),
    idle("min-replicas-max-lag", Kind::Int(0, INT_MAX), "10"),
    idle("min-replicas-to-write", Kind::Only(NO_REPLICAS), "0"),
    alias("min-slaves-max-lag", "min-replicas-max-lag", Kind::Int(0, INT_MAX), "10"),
    alias("min-slaves-to-write", "min-replicas-to-write", Kind::Only(NO_REPLICAS), "0"),
    idle("no-appendfsync-on-rewrite", Kind::YesNo, "no"),
    idle("oom-score-adj", Kind::Only(NO_OOM_SCORE), "no"),
    idle("oom-score-adj-values", Kind::Only(NO_OOM_SCORE), "0 200 800"),
    idle("prefetch-batch-max-size", Kind::Int(0, 128), "16"),
    alias("primaryauth", "masterauth", Kind::Only(NO_REPLICAS), ""),
    alias("primaryuser", "masteruser", Kind::Only(NO_REPLICAS), ""),
    idle("proc-title-template", Kind::Text, "{title} {listen-addr} {server-mode}"),
    idle("propagation-error-behavior", Kind::Words(&["ignore", "panic", "panic-on-replicas"]), "ignore"),
    idle("rdb-del-sync-files", Kind::YesNo, "no"),
    idle("rdb-save-incremental-fsync", Kind::YesNo, "yes"),
    idle("rdb-version-check", Kind::Words(&["strict", "relaxed"]), "strict"),
    idle("rdbcompression", Kind::YesNo, "yes"),
    idle("rdma-bind", Kind::Only(NO_RDMA), ""),
    idle("rdma-port", Kind::Only(NO_RDMA), "0"),
    idle("repl-backlog-size", Kind::Memory(1), "1048576"),
    idle("repl-backlog-ttl", Kind::Int(0, i64::MAX), "3600"),
    idle("repl-disable-tcp-nodelay", Kind::YesNo, "no"),
    idle("repl-diskless-load", Kind::Words(&["disabled", "on-empty-db", "swapdb"]), "disabled"),
    idle("repl-diskless-sync", Kind::YesNo, "yes"),
    idle("repl-diskless-sync-delay", Kind::Int(0, INT_MAX), "5"),
    idle("repl-diskless-sync-max-replicas", Kind::Int(0, INT_MAX), "0"),
    idle("repl-ping-replica-period", Kind::Int(1, INT_MAX), "10"),
    alias("repl-ping-slave-period", "repl-ping-replica-period", Kind::Int(1, INT_MAX), "10"),
    idle("repl-timeout", Kind::Int(1, INT_MAX), "60"),
    idle("replica-announce-ip", Kind::Only(NO_REPLICAS), ""),
    idle("replica-announce-port", Kind::Only(NO_REPLICAS), "0"),
    idle("replica-announced", Kind::YesNo, "yes"),
    idle("replica-full-sync-buffer-limit", Kind::Memory(0), "0"),
    idle("replica-ignore-disk-write-errors", Kind::YesNo, "no"),
    idle("replica-ignore-maxmemory", Kind::YesNo, "yes"),
    idle("replica-lazy-flush", Kind::YesNo, "no"),
    idle("replica-priority", Kind::Int(0, INT_MAX), "100"),
    idle("replica-read-only", Kind::YesNo, "yes"),
    idle("replica-serve-stale-data", Kind::YesNo, "yes"),
    idle("sanitize-dump-payload", Kind::Words(&["no", "yes", "clients"]), "no"),
    alias("slave-announce-ip", "replica-announce-ip", Kind::Only(NO_REPLICAS), ""),
    alias("slave-announce-port", "replica-announce-port", Kind::Only(NO_REPLICAS), "0"),
    alias("slave-ignore-maxmemory", "replica-ignore-maxmemory", Kind::YesNo, "yes"),
    alias("slave-lazy-flush", "replica-lazy-flush", Kind::YesNo, "no"),
    alias("slave-priority", "replica-priority", Kind::Int(0, INT_MAX), "100"),
    alias("slave-read-only", "replica-read-only", Kind::YesNo, "yes"),
    alias("slave-serve-stale-data", "replica-serve-stale-data", Kind::YesNo, "yes"),
    idle("slot-migration-max-failover-repl-bytes", Kind::Memory(0), "0"),
    idle("tls-auto-reload-interval", Kind::Int(0, INT_MAX), "0"),
    idle("tls-cluster", Kind::Only(NO_CLUSTER), "no"),
    idle("tls-replication", Kind::Only(NO_REPLICAS), "no"),
    idle("vset-force-single-threaded-execution", Kind::YesNo, "no"),
];

/// The one with this lower-case name. O(log n).
pub(super) fn find(name: &str) -> Option<&'static Idle> {
    let found = IDLE.binary_search_by(|idle| idle.name.cmp(name));
    found.ok().and_then(|index| IDLE.get(index))
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use super::super::table::{self, PARAMS};
    use super::*;
    use crate::config::convert;

    const BEGIN: &str = "<!-- parameters: begin -->";
    const END: &str = "<!-- parameters: end -->";

    #[test]
    fn names_are_sorted_and_defaults_are_values() {
        assert!(IDLE.is_sorted_by(|a, b| a.name < b.name));
        for idle in IDLE {
            assert!(table::find(idle.name).is_none(), "{}", idle.name);
            let shown = convert::checked(idle.kind, idle.default, idle.default);
            assert_eq!(shown.unwrap(), idle.default, "{}", idle.name);
            let meant = find(idle.means).unwrap();
            assert_eq!(
                (meant.means, meant.default),
                (idle.means, idle.default),
                "{}",
                idle.name
            );
        }
    }

    /// A list in lines of at most 120 characters.
    fn wrapped(begin: &str, items: &[String]) -> String {
        let (mut text, mut width) = (begin.to_owned(), begin.len());
        for (at, item) in items.iter().enumerate() {
            let end = if at + 1 == items.len() { "." } else { "," };
            if width + item.len() + 2 > 120 {
                text.push('\n');
                width = 0;
            } else {
                text.push(' ');
                width += 1;
            }
            text += item;
            text += end;
            width += item.len() + 1;
        }
        text + "\n"
    }

    /// What redis-compat.md says of parameters that do nothing.
    fn section() -> String {
        let without = IDLE.iter().filter(|idle| !matches!(idle.kind, Kind::Only(_)));
        let names: Vec<_> = without.map(|idle| format!("`{}`", idle.name)).collect();
        let mut text = wrapped("Accepted and shown, without effect:", &names);
        text += "\n| Takes one value only | Value | Why |\n|---|---|---|\n";
        for idle in IDLE {
            if let Kind::Only(why) = idle.kind {
                let value = Some(idle.default).filter(|value| !value.is_empty());
                let value = value.map_or("(empty)".to_owned(), |value| format!("`{value}`"));
                let _ = writeln!(text, "| `{}` | {value} | {why} |", idle.name);
            }
        }
        let fixed = PARAMS.iter().filter_map(|param| match param.kind {
            Kind::Fixed("") => Some(format!("`{}` (empty)", param.name)),
            Kind::Fixed(value) => Some(format!("`{}` (`{value}`)", param.name)),
            _ => None,
        });
        let fixed: Vec<_> = fixed.collect();
        text + "\n" + &wrapped("Cannot be set:", &fixed)
    }

    #[test]
    fn compat_document_names_them() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/redis-compat.md");
        let document = std::fs::read_to_string(path).unwrap();
        let (before, rest) = document.split_once(BEGIN).unwrap();
        let (_, after) = rest.split_once(END).unwrap();
        let wanted = format!("{before}{BEGIN}\n\n{}\n{END}{after}", section());
        if std::env::var_os("UPDATE_COMPAT").is_some() {
            std::fs::write(path, &wanted).unwrap();
        }
        assert!(
            document == wanted || std::env::var_os("UPDATE_COMPAT").is_some(),
            "redis-compat.md is out of date; regenerate it with: UPDATE_COMPAT=1 cargo test compat"
        );
    }
}
