//! All that a server holds, as one text for each key.

use std::collections::BTreeMap;

use crate::args;
use crate::support::{Args, Conn, Value};

const DATABASES: u8 = 16;

/// Keys (by database) with everything that commands tell about them.
pub type Dataset = BTreeMap<(u8, Vec<u8>), String>;

/// Reads everything.
pub fn dataset(conn: &mut Conn) -> Dataset {
    let mut all = Dataset::new();
    for db in 0..DATABASES {
        assert_eq!(conn.call(&args!["SELECT", db.to_string()]), Value::ok());
        for key in conn.call(&["KEYS", "*"]).items() {
            let name = key.bytes().expect("a key").to_vec();
            let shown = describe(conn, &name);
            all.insert((db, name), shown);
        }
    }
    assert_eq!(conn.call(&["SELECT", "0"]), Value::ok());
    all
}

fn describe(conn: &mut Conn, key: &[u8]) -> String {
    let kind = conn.call(&args!["TYPE", key]).text();
    let mut commands: Vec<Args> = vec![args!["PEXPIRETIME", key], args!["OBJECT", "ENCODING", key]];
    commands.extend(match kind.as_str() {
        "string" => vec![args!["GET", key]],
        "list" => vec![args!["LRANGE", key, "0", "-1"]],
        "set" => vec![args!["SORT", key, "ALPHA"]],
        "zset" => vec![args!["ZRANGE", key, "0", "-1", "WITHSCORES"]],
        "hash" => vec![args!["HGETALL", key]],
        _ => vec![args!["XINFO", "STREAM", key, "FULL", "COUNT", "0"]],
    });
    let mut shown = format!("{kind} {}", all(conn, &kind, &commands));
    if kind == "hash" {
        shown.push_str(&times_of_fields(conn, key));
    }
    shown
}

/// When the fields of a hash expire, those that do.
fn times_of_fields(conn: &mut Conn, key: &[u8]) -> String {
    let mut fields: Vec<Vec<u8>> = Vec::new();
    for field in conn.call(&args!["HKEYS", key]).items() {
        fields.push(field.bytes().expect("a field").to_vec());
    }
    fields.sort();
    let mut command = args!["HPEXPIRETIME", key, "FIELDS", fields.len().to_string()];
    command.extend(fields.iter().cloned());
    let times = conn.call(&command);
    // Servers before Redis 7.4 know no such fields.
    let known = fields
        .iter()
        .zip(times.items())
        .filter(|(_, time)| time.int() != Some(-1));
    known
        .map(|(field, time)| format!(" {}@{time}", field.escape_ascii()))
        .collect()
}

fn all(conn: &mut Conn, kind: &str, commands: &[Args]) -> String {
    let replies: Vec<String> = commands
        .iter()
        .map(|command| {
            let reply = conn.call(command);
            assert!(!reply.is_error(), "{}: {reply}", crate::support::text::join(command));
            show(kind, &reply)
        })
        .collect();
    replies.join(" ")
}

/// Without when consumers last got something, which LokiKV does not keep.
fn without_active_times(value: &Value) -> Value {
    let Value::Array(items) = value else {
        return value.clone();
    };
    let mut kept = Vec::new();
    let mut items = items.iter();
    while let Some(item) = items.next() {
        if item.bytes() == Some(b"active-time") {
            items.next();
        } else {
            kept.push(without_active_times(item));
        }
    }
    Value::Array(kept)
}

fn show(kind: &str, reply: &Value) -> String {
    let mut items = reply.items().to_vec();
    match kind {
        "hash" if !items.is_empty() => {
            let mut pairs: Vec<String> = items.chunks(2).map(|pair| format!("{pair:?}")).collect();
            pairs.sort();
            pairs.join(" ")
        }
        // How the nodes lie is the server's affair.
        "stream" if items.len() > 8 => {
            for at in (0..items.len() - 1).step_by(2).rev() {
                if items[at].text().starts_with("radix-tree-") {
                    items.drain(at..at + 2);
                }
            }
            format!("{:?}", without_active_times(&Value::Array(items)))
        }
        // Whether fields have ever expired is the server's affair.
        _ if reply.text() == "listpackex" => "listpack".to_owned(),
        _ => reply.to_string(),
    }
}

/// Fails with the first keys that differ.
pub fn assert_same(expected: &Dataset, found: &Dataset) {
    let mut differences = Vec::new();
    for ((db, key), value) in expected {
        let other = found.get(&(*db, key.clone())).map_or("(nothing)", String::as_str);
        if other != value {
            let short = |text: &str| text.chars().take(1_500).collect::<String>();
            let name = key.escape_ascii();
            differences.push(format!(
                "{db}:{name}\n   expected {}\n   found    {}",
                short(value),
                short(other)
            ));
        }
    }
    for (db, key) in found.keys().filter(|key| !expected.contains_key(*key)) {
        differences.push(format!("{db}:{} should not be", key.escape_ascii()));
    }
    let shown = differences.iter().take(5).cloned().collect::<Vec<_>>().join("\n");
    assert!(differences.is_empty(), "{} keys differ:\n{shown}", differences.len());
}
