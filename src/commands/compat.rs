//! The table of redis-compat.md: every command there is in Redis 7.0 and 7.2, and how far it is supported.
//!
//! **Invariant:** what is supported comes from the specs; only the names of Redis's commands are listed here, so a
//! command that is added moves from `no` to `yes` by itself.

use std::fmt::Write as _;

use super::spec::{Command, Spec, Support};
use super::table::table as commands;

/// Line before the table in redis-compat.md.
pub const BEGIN: &str = "<!-- table: begin -->";
/// Line after it.
pub const END: &str = "<!-- table: end -->";

struct Chapter {
    group: &'static str,
    title: &'static str,
    redis: &'static [&'static str],
}

/// Redis 7.0's commands by group, and those that 7.2 added. Subcommands of what is not supported are left out.
const CHAPTERS: &[Chapter] = &[
    Chapter {
        group: "string",
        title: "Strings",
        redis: &[
            "append",
            "decr",
            "decrby",
            "get",
            "getdel",
            "getex",
            "getrange",
            "getset",
            "incr",
            "incrby",
            "incrbyfloat",
            "lcs",
            "mget",
            "mset",
            "msetnx",
            "psetex",
            "set",
            "setex",
            "setnx",
            "setrange",
            "strlen",
            "substr",
        ],
    },
    Chapter {
        group: "bitmap",
        title: "Bitmaps",
        redis: &[
            "bitcount",
            "bitfield",
            "bitfield_ro",
            "bitop",
            "bitpos",
            "getbit",
            "setbit",
        ],
    },
    Chapter {
        group: "hyperloglog",
        title: "HyperLogLog",
        redis: &["pfadd", "pfcount", "pfdebug", "pfmerge", "pfselftest"],
    },
    Chapter {
        group: "generic",
        title: "Keys of any type",
        redis: &[
            "copy",
            "del",
            "dump",
            "exists",
            "expire",
            "expireat",
            "expiretime",
            "keys",
            "migrate",
            "move",
            "object",
            "persist",
            "pexpire",
            "pexpireat",
            "pexpiretime",
            "pttl",
            "randomkey",
            "rename",
            "renamenx",
            "restore",
            "scan",
            "sort",
            "sort_ro",
            "touch",
            "ttl",
            "type",
            "unlink",
            "wait",
            "waitaof",
        ],
    },
    Chapter {
        group: "connection",
        title: "Connection",
        redis: &["auth", "client", "echo", "hello", "ping", "quit", "reset", "select"],
    },
    Chapter {
        group: "transactions",
        title: "Transactions",
        redis: &["discard", "exec", "multi", "unwatch", "watch"],
    },
    Chapter {
        group: "server",
        title: "Server",
        redis: &[
            "acl",
            "bgrewriteaof",
            "bgsave",
            "command",
            "config",
            "dbsize",
            "debug",
            "failover",
            "flushall",
            "flushdb",
            "info",
            "lastsave",
            "latency",
            "lolwut",
            "memory",
            "module",
            "monitor",
            "psync",
            "replconf",
            "replicaof",
            "restore-asking",
            "role",
            "save",
            "shutdown",
            "slaveof",
            "slowlog",
            "swapdb",
            "sync",
            "time",
        ],
    },
    Chapter {
        group: "list",
        title: "Lists",
        redis: &[
            "blmove",
            "blmpop",
            "blpop",
            "brpop",
            "brpoplpush",
            "lindex",
            "linsert",
            "llen",
            "lmove",
            "lmpop",
            "lpop",
            "lpos",
            "lpush",
            "lpushx",
            "lrange",
            "lrem",
            "lset",
            "ltrim",
            "rpop",
            "rpoplpush",
            "rpush",
            "rpushx",
        ],
    },
    Chapter {
        group: "set",
        title: "Sets",
        redis: &[
            "sadd",
            "scard",
            "sdiff",
            "sdiffstore",
            "sinter",
            "sintercard",
            "sinterstore",
            "sismember",
            "smembers",
            "smismember",
            "smove",
            "spop",
            "srandmember",
            "srem",
            "sscan",
            "sunion",
            "sunionstore",
        ],
    },
    Chapter {
        group: "sorted-set",
        title: "Sorted sets",
        redis: &[
            "bzmpop",
            "bzpopmax",
            "bzpopmin",
            "zadd",
            "zcard",
            "zcount",
            "zdiff",
            "zdiffstore",
            "zincrby",
            "zinter",
            "zintercard",
            "zinterstore",
            "zlexcount",
            "zmpop",
            "zmscore",
            "zpopmax",
            "zpopmin",
            "zrandmember",
            "zrange",
            "zrangebylex",
            "zrangebyscore",
            "zrangestore",
            "zrank",
            "zrem",
            "zremrangebylex",
            "zremrangebyrank",
            "zremrangebyscore",
            "zrevrange",
            "zrevrangebylex",
            "zrevrangebyscore",
            "zrevrank",
            "zscan",
            "zscore",
            "zunion",
            "zunionstore",
        ],
    },
    Chapter {
        group: "hash",
        title: "Hashes",
        redis: &[
            "hdel",
            "hexists",
            "hget",
            "hgetall",
            "hincrby",
            "hincrbyfloat",
            "hkeys",
            "hlen",
            "hmget",
            "hmset",
            "hrandfield",
            "hscan",
            "hset",
            "hsetnx",
            "hstrlen",
            "hvals",
        ],
    },
    Chapter {
        group: "stream",
        title: "Streams",
        redis: &[
            "xack",
            "xackdel",
            "xadd",
            "xautoclaim",
            "xclaim",
            "xdel",
            "xdelex",
            "xgroup",
            "xinfo",
            "xlen",
            "xpending",
            "xrange",
            "xread",
            "xreadgroup",
            "xrevrange",
            "xsetid",
            "xtrim",
        ],
    },
    Chapter {
        group: "geo",
        title: "Geo",
        redis: &[
            "geoadd",
            "geodist",
            "geohash",
            "geopos",
            "georadius",
            "georadius_ro",
            "georadiusbymember",
            "georadiusbymember_ro",
            "geosearch",
            "geosearchstore",
        ],
    },
    Chapter {
        group: "pubsub",
        title: "Publish and subscribe",
        redis: &[
            "psubscribe",
            "publish",
            "pubsub",
            "punsubscribe",
            "spublish",
            "ssubscribe",
            "subscribe",
            "sunsubscribe",
            "unsubscribe",
        ],
    },
    Chapter {
        group: "scripting",
        title: "Scripts and functions",
        redis: &[
            "eval",
            "eval_ro",
            "evalsha",
            "evalsha_ro",
            "fcall",
            "fcall_ro",
            "function",
            "script",
        ],
    },
    Chapter {
        group: "cluster",
        title: "Cluster",
        redis: &["asking", "cluster", "readonly", "readwrite"],
    },
    Chapter {
        group: "collection",
        title: "Collections (our own)",
        redis: &[],
    },
];

/// The table in Markdown, chapter by chapter.
pub fn table() -> String {
    let mut text = String::new();
    for chapter in CHAPTERS {
        // Writing to a String cannot fail.
        let _ = write!(
            text,
            "### {}\n\n| Command | Supported | Remark |\n|---|---|---|\n",
            chapter.title
        );
        for (name, spec) in chapter.rows() {
            let (word, remark) = match spec.map(|spec| spec.support) {
                Some(Support::Full) => ("yes", ""),
                Some(Support::Partial(remark)) => ("partial", remark),
                None => ("no", ""),
            };
            let _ = writeln!(text, "| {name} | {word} | {remark} |");
        }
        text.push('\n');
    }
    text
}

impl Chapter {
    /// Upper-case names with their specs, sorted; a container gives a row for each subcommand.
    fn rows(&self) -> Vec<(String, Option<&'static Spec>)> {
        let supported = commands().all().iter().filter(|command| is_row(command));
        let mut rows: Vec<_> = supported
            .filter(|command| self.group == chapter_of(command))
            .map(|command| (shown(command), Some(command.spec)))
            .collect();
        let missing = self
            .redis
            .iter()
            .filter(|name| commands().lookup(name.as_bytes()).is_none());
        rows.extend(missing.map(|name| (name.to_uppercase(), None)));
        rows.sort_by(|(one, _), (other, _)| one.cmp(other));
        rows
    }
}

/// Containers themselves are no rows.
fn is_row(command: &Command) -> bool {
    !matches!(command.spec.handler, super::Handler::Container)
}

/// The group that Redis files the command under, or ours.
fn chapter_of(command: &Command) -> &'static str {
    let name = command.parent.unwrap_or(command.spec).name;
    let redis = CHAPTERS.iter().find(|chapter| chapter.redis.contains(&name));
    redis.map_or(command.spec.group.name(), |chapter| chapter.group)
}

fn shown(command: &Command) -> String {
    command.full_name().replace('|', " ").to_uppercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_has_exactly_one_row() {
        let table = table();
        for command in commands().all().iter().filter(|command| is_row(command)) {
            let row = format!("| {} | ", shown(command));
            assert_eq!(table.matches(&row).count(), 1, "{row}");
        }
    }

    #[test]
    fn compat_document_holds_this_table() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/redis-compat.md");
        let document = std::fs::read_to_string(path).unwrap();
        let (before, rest) = document.split_once(BEGIN).unwrap();
        let (_, after) = rest.split_once(END).unwrap();
        let wanted = format!("{before}{BEGIN}\n\n{}{END}{after}", table());
        if std::env::var_os("UPDATE_COMPAT").is_some() {
            std::fs::write(path, wanted).unwrap();
        } else {
            assert!(
                document == wanted,
                "redis-compat.md is out of date; regenerate it with: UPDATE_COMPAT=1 cargo test compat"
            );
        }
    }
}
