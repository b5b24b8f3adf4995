//! `encoding.*` and what else decides how values are kept.

use super::{Effect, call, set};
use crate::in_memory;
use crate::support::Value;

pub const EFFECTS: &[Effect] = &[
    ("encoding.hash_entries_max", || {
        encoding("hash-max-listpack-entries", "HSET k a 1 b 2", "listpack", "hashtable")
    }),
    ("encoding.hash_value_bytes_max", || {
        encoding("hash-max-listpack-value", "HSET k a 22", "listpack", "hashtable")
    }),
    ("encoding.intset_entries_max", || {
        encoding("set-max-intset-entries", "SADD k 1 2", "intset", "listpack")
    }),
    ("encoding.set_entries_max", || {
        encoding("set-max-listpack-entries", "SADD k a b", "listpack", "hashtable")
    }),
    ("encoding.set_value_bytes_max", || {
        encoding("set-max-listpack-value", "SADD k aa", "listpack", "hashtable")
    }),
    ("encoding.list_size", || {
        encoding("list-max-listpack-size", "RPUSH k a b", "listpack", "quicklist")
    }),
    ("encoding.zset_entries_max", || {
        encoding("zset-max-listpack-entries", "ZADD k 1 a 2 b", "listpack", "skiplist")
    }),
    ("encoding.zset_value_bytes_max", || {
        encoding("zset-max-listpack-value", "ZADD k 1 aa", "listpack", "skiplist")
    }),
    ("encoding.stream_node_bytes_max", || {
        trimmed("stream-node-max-bytes", "100")
    }),
    ("encoding.stream_node_entries_max", || {
        trimmed("stream-node-max-entries", "2")
    }),
    ("memory.hll_sparse_bytes_max", hyperloglog),
];

/// The command makes a value of encoding `usual`, and with a limit of 1 one of encoding `other`.
fn encoding(parameter: &str, command: &str, usual: &str, other: &str) {
    let server = in_memory();
    let mut conn = server.connect();
    for expected in [usual, other] {
        call(&mut conn, "DEL k");
        call(&mut conn, command);
        assert_eq!(call(&mut conn, "OBJECT ENCODING k").text(), expected, "{parameter}");
        set(&mut conn, parameter, "1");
    }
}

/// A stream of few entries is one node, of which `~` cuts nothing off; with this limit it is several.
fn trimmed(parameter: &str, limit: &str) {
    let server = in_memory();
    let mut conn = server.connect();
    let mut trimmed = || {
        call(&mut conn, "DEL k");
        (0..20).for_each(|_| drop(call(&mut conn, "XADD k * field value-value-value-value-value")));
        let trimmed = call(&mut conn, "XTRIM k MAXLEN ~ 5").int();
        set(&mut conn, parameter, limit);
        trimmed
    };
    assert_eq!(trimmed(), Some(0));
    assert!(trimmed() >= Some(10), "{parameter}");
}

fn hyperloglog() {
    let server = in_memory();
    let mut conn = server.connect();
    let mut encoding = || {
        call(&mut conn, "DEL k");
        assert_eq!(call(&mut conn, "PFADD k a b c"), Value::Int(1));
        let encoding = call(&mut conn, "PFDEBUG ENCODING k").text();
        set(&mut conn, "hll-sparse-max-bytes", "0");
        encoding
    };
    assert_eq!([encoding(), encoding()], ["sparse", "dense"]);
}
