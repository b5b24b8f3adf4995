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
    let replies: Vec<String> = commands
        .iter()
        .map(|command| {
            let reply = conn.call(command);
            assert!(!reply.is_error(), "{}: {reply}", crate::support::text::join(command));
            show(&kind, &reply)
        })
        .collect();
    format!("{kind} {}", replies.join(" "))
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
            format!("{items:?}")
        }
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
