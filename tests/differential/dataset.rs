//! The whole dataset of both servers compared: every database, key, type, encoding, value and time to live.

use crate::args;
use crate::compare::same_encoding;
use crate::pair::{Difference, Pair};
use crate::support::{Args, Conn, Value};

/// Databases the generated sequences use.
pub const DATABASES: u8 = 4;

/// A key as seen from outside.
#[derive(Debug, PartialEq)]
struct Entry {
    database: u8,
    key: Value,
    kind: Value,
    encoding: Value,
    value: Value,
    ttl_ms: i64,
}

/// Compares both servers' datasets.
pub fn compare(pair: &Pair) -> Result<(), Box<Difference>> {
    let redis = dump(&mut pair.redis.connect());
    let loki = dump(&mut pair.loki.connect());
    if redis.len() != loki.len() {
        let show = |entries: &[Entry]| {
            entries
                .iter()
                .map(|e| format!("{}:{}", e.database, e.key))
                .collect::<Vec<_>>()
                .join(" ")
        };
        return Err(pair.difference("(dataset)".into(), "different keys".into(), show(&redis), show(&loki)));
    }
    for (a, b) in redis.iter().zip(&loki) {
        if !same(a, b) {
            let (a, b) = (format!("{a:?}"), format!("{b:?}"));
            return Err(pair.difference("(dataset)".into(), "different entries".into(), a, b));
        }
    }
    Ok(())
}

fn same(a: &Entry, b: &Entry) -> bool {
    let ttl_close = a.ttl_ms.signum() == b.ttl_ms.signum() && a.ttl_ms.abs_diff(b.ttl_ms) <= 100;
    ttl_close
        && same_encoding(&a.encoding, &b.encoding)
        && (a.database, &a.key, &a.kind, &a.value) == (b.database, &b.key, &b.kind, &b.value)
}

fn dump(conn: &mut Conn) -> Vec<Entry> {
    let mut entries = Vec::new();
    for database in 0..DATABASES {
        assert_eq!(conn.call(&args!["SELECT", database.to_string()]), Value::ok());
        for key in conn.call(&["KEYS", "*"]).sorted().items() {
            let name = key.bytes().unwrap_or_default().to_vec();
            let commands: Vec<Args> = vec![
                args!["TYPE", name],
                args!["OBJECT", "ENCODING", name],
                args!["GET", name],
                args!["PTTL", name],
            ];
            let replies = conn.pipeline(&commands).expect("read the dataset");
            let [kind, encoding, value, ttl] = &replies[..] else {
                unreachable!("four replies to four commands")
            };
            let (kind, encoding, value) = (kind.clone(), encoding.clone(), value.clone());
            entries.push(Entry {
                database,
                key,
                kind,
                encoding,
                value,
                ttl_ms: ttl.int().unwrap_or(i64::MIN),
            });
        }
    }
    entries
}
