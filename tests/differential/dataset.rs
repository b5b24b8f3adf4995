//! The whole dataset of both servers compared: every database, key, type, encoding, value and time to live; of streams
//! their groups, consumers and pending entries, too.

use crate::args;
use crate::compare::{same_but_digits, same_encoding};
use crate::pair::{Difference, Pair};
use crate::similar;
use crate::support::{Args, Conn, Value};

pub use crate::generate::DATABASES;

/// How far apart times may be: the servers are used and read one after the other, and times to live are far longer.
const APART_MS_MAX: u64 = 60_000;
/// Numbers from here on are readings of the clock in milliseconds; nothing else grows that large inside a value.
const CLOCK_MS_MIN: i64 = 1_500_000_000_000;

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
            let names = entries.iter().map(|e| format!("{}:{}", e.database, e.key));
            names.collect::<Vec<_>>().join(" ")
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
    let ttl_close = a.ttl_ms.signum() == b.ttl_ms.signum() && a.ttl_ms.abs_diff(b.ttl_ms) <= APART_MS_MAX;
    ttl_close
        && same_encoding(&a.encoding, &b.encoding)
        && (a.database, &a.key, &a.kind) == (b.database, &b.key, &b.kind)
        && match a.kind.text().as_str() {
            // Vectors are made from floats.
            "vectorset" => similar::is_close(&a.value, &b.value),
            _ => alike(&a.value, &b.value),
        }
}

/// Equal but for readings of the clock, which may be a little apart.
fn alike(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Int(a), Value::Int(b)) if *a.min(b) >= CLOCK_MS_MIN => a.abs_diff(*b) <= APART_MS_MAX,
        (Value::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| alike(a, b)),
        _ => same_but_digits(a, b),
    }
}

fn dump(conn: &mut Conn) -> Vec<Entry> {
    let mut entries = Vec::new();
    for database in 0..DATABASES {
        for key in keys_of(conn, database) {
            let name = key.bytes().unwrap_or_default().to_vec();
            let commands: Vec<Args> = vec![
                args!["TYPE", name],
                args!["OBJECT", "ENCODING", name],
                args!["PTTL", name],
            ];
            let replies = conn.pipeline(&commands).expect("read the dataset");
            let [kind, encoding, ttl] = &replies[..] else {
                unreachable!("three replies to three commands")
            };
            let kind = kind.clone();
            let value = value_of(conn, &kind.text(), &name);
            entries.push(Entry {
                database,
                key,
                kind,
                encoding: encoding.clone(),
                value,
                ttl_ms: ttl.int().unwrap_or(i64::MIN),
            });
        }
    }
    entries
}

/// Selects a database; its keys, sorted.
pub fn keys_of(conn: &mut Conn, database: u8) -> Vec<Value> {
    assert_eq!(conn.call(&args!["SELECT", database.to_string()]), Value::ok());
    conn.call(&["KEYS", "*"]).sorted().items()
}

/// Nodes that 8.2.3 leaves in an empty stream are not here.
const NOT_COMPARED: [&str; 2] = ["radix-tree-keys", "radix-tree-nodes"];

fn without_nodes(value: Value) -> Value {
    let is_left_out = |name: &Value| NOT_COMPARED.iter().any(|other| *name == Value::bulk(other));
    match value {
        Value::Array(items) => {
            let mut left = Vec::new();
            let mut items = items.into_iter();
            while let Some(item) = items.next() {
                match is_left_out(&item) {
                    true => drop(items.next()),
                    false => left.push(without_nodes(item)),
                }
            }
            Value::Array(left)
        }
        Value::Map(pairs) => {
            let left = pairs.into_iter().filter(|(name, _)| !is_left_out(name));
            Value::Map(left.map(|(name, item)| (name, without_nodes(item))).collect())
        }
        other => other,
    }
}

/// The fields of a hash with their values, sorted, and behind them when each dies.
pub fn fields_of(conn: &mut Conn, name: &[u8]) -> Value {
    let mut pairs = conn.call(&args!["HGETALL", name]).pairs();
    pairs.sort();
    let mut args = args!["HPEXPIRETIME", name, "FIELDS", pairs.len().to_string()];
    args.extend(pairs.iter().filter_map(|(field, _)| field.bytes().map(<[u8]>::to_vec)));
    let times = conn.call(&args);
    let pairs = pairs.into_iter().flat_map(|(field, value)| [field, value]);
    Value::Array(pairs.chain([times]).collect())
}

/// All that a key holds, in an order that both servers can agree on.
fn value_of(conn: &mut Conn, kind: &str, name: &[u8]) -> Value {
    match kind {
        "string" => conn.call(&args!["GET", name]),
        "list" => conn.call(&args!["LRANGE", name, "0", "-1"]),
        "set" => conn.call(&args!["SMEMBERS", name]).sorted(),
        "zset" => conn.call(&args!["ZRANGE", name, "0", "-1", "WITHSCORES"]),
        "hash" => fields_of(conn, name),
        "stream" => without_nodes(conn.call(&args!["XINFO", "STREAM", name, "FULL", "COUNT", "0"])),
        "vectorset" => {
            let mut elements = conn.call(&args!["VRANDMEMBER", name, "1000000"]).items();
            elements.sort();
            let of_each = |element: Value| {
                let element_name = element.bytes().unwrap_or_default().to_vec();
                let vector = conn.call(&args!["VEMB", name, element_name]);
                let attributes = conn.call(&args!["VGETATTR", name, element_name]);
                Value::Array(vec![element, vector, attributes])
            };
            Value::Array(elements.into_iter().map(of_each).collect())
        }
        other => unreachable!("a key of type {other}"),
    }
}
