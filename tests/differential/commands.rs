//! The command table: what `COMMAND INFO` and `COMMAND DOCS` say of each command both servers have.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use crate::known;
use crate::pair::{start_lokikv, start_redis, start_valkey};
use crate::support::{Conn, Server, Value};

fn names(conn: &mut Conn) -> Vec<String> {
    let mut names: Vec<String> = conn
        .call(&["COMMAND", "LIST"])
        .items()
        .iter()
        .map(Value::text)
        .collect();
    assert!(!names.is_empty(), "COMMAND LIST is empty");
    names.sort();
    names
}

/// Differences between two `COMMAND INFO` entries, by field.
fn compare_info(name: &str, redis: &Value, loki: &Value, out: &mut Vec<String>) {
    const FIELDS: &[&str] = &[
        "name",
        "arity",
        "flags",
        "first key",
        "last key",
        "step",
        "ACL categories",
        "tips",
        "key specs",
        "subcommands",
    ];
    let (redis, loki) = (redis.items(), loki.items());
    for (n, field) in FIELDS.iter().enumerate() {
        let (a, b) = (redis.get(n), loki.get(n));
        if *field == "subcommands" {
            compare_subcommands(a, b, out);
            continue;
        }
        let same = match (*field, a, b) {
            ("key specs", Some(a), Some(b)) => a == b,
            (_, Some(a), Some(b)) => a.sorted() == b.sorted(),
            (_, a, b) => a == b,
        };
        if !same && known::covering(&format!("COMMAND INFO {name} {field}")).is_none() {
            let show = |v: Option<&Value>| v.map_or("(missing)".to_string(), Value::to_string);
            out.push(format!(
                "{name}: {field}\n   redis: {}\n   loki:  {}\n",
                show(a),
                show(b)
            ));
        }
    }
}

fn compare_subcommands(redis: Option<&Value>, loki: Option<&Value>, out: &mut Vec<String>) {
    let list = |v: Option<&Value>| v.map(Value::items).unwrap_or_default();
    let name = |v: &Value| v.items().first().map(Value::text).unwrap_or_default();
    let loki = list(loki);
    for sub in list(redis) {
        match loki.iter().find(|other| name(other) == name(&sub)) {
            Some(other) => compare_info(&name(&sub), &sub, other, out),
            None if known::covering(&format!("COMMAND INFO {}", name(&sub))).is_some() => {}
            None => out.push(format!("{}: missing\n", name(&sub))),
        }
    }
}

/// Commands that are not here: those of Valkey's cluster.
const MISSING: &[&str] = &[
    "clusterscan",
    "cluster|cancelslotmigrations",
    "cluster|flushslot",
    "cluster|getslotmigrations",
    "cluster|migrateslots",
    "cluster|syncslots",
];

/// Each command and subcommand with its group, containers left out, as `COMMAND DOCS` tells.
fn groups(server: &Server) -> BTreeMap<String, String> {
    let mut groups = BTreeMap::new();
    let field = |docs: &Value, name: &str| {
        let pairs = docs.pairs();
        pairs
            .into_iter()
            .find(|(key, _)| key.text() == name)
            .map(|(_, value)| value)
    };
    for (name, docs) in server.connect().call(&["COMMAND", "DOCS"]).pairs() {
        let group = field(&docs, "group").unwrap().text();
        // The one that can be called with and without a subcommand.
        if lower(&name) == "command" {
            groups.insert(lower(&name), group.clone());
        }
        match field(&docs, "subcommands") {
            Some(subs) => groups.extend(subs.pairs().iter().map(|(sub, _)| (lower(sub), group.clone()))),
            None => drop(groups.insert(lower(&name), group)),
        }
    }
    groups
}

fn lower(name: &Value) -> String {
    name.text().to_ascii_lowercase()
}

#[test]
fn nothing_is_missing() {
    let (redis, valkey, loki) = (start_redis(), start_valkey(), start_lokikv());
    let (redis, valkey, ours) = (groups(&redis), groups(&valkey), groups(&loki));
    let mut lines = String::new();
    let all: BTreeSet<&String> = redis.keys().chain(valkey.keys()).collect();
    for name in &all {
        let group = redis.get(*name).or_else(|| valkey.get(*name)).unwrap();
        let has = |peer: &BTreeMap<_, _>, word| if peer.contains_key(*name) { word } else { "" };
        let (redis, valkey) = (has(&redis, " redis"), has(&valkey, " valkey"));
        lines.push_str(&format!("{name} {group}{redis}{valkey}\n"));
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/commands/compat/peers.txt");
    if std::env::var_os("UPDATE_COMPAT").is_some() {
        std::fs::write(&path, &lines).unwrap();
    }
    let listed = std::fs::read_to_string(&path).unwrap();
    assert!(
        listed == lines,
        "peers.txt is out of date; write it with UPDATE_COMPAT=1"
    );
    let missing: Vec<_> = all.into_iter().filter(|name| !ours.contains_key(*name)).collect();
    assert_eq!(missing, MISSING);
}

fn run_info(loki: fn() -> Server) {
    let (redis, loki) = (start_redis(), loki());
    let mut out = Vec::new();
    for (mut redis, mut loki) in [(redis.connect(), loki.connect()), (redis.connect3(), loki.connect3())] {
        for name in names(&mut loki) {
            let info = |conn: &mut Conn| conn.call(&["COMMAND", "INFO", &name]).items().remove(0);
            let (theirs, ours) = (info(&mut redis), info(&mut loki));
            if !theirs.is_null() {
                compare_info(&name, &theirs, &ours, &mut out);
            }
        }
    }
    assert!(out.is_empty(), "{} differences\n{}", out.len(), out.concat());
}

/// `since` and `group` must agree; the summary is our own text, but must be there.
fn run_docs(loki: fn() -> Server) {
    let (redis, loki) = (start_redis(), loki());
    let (mut redis, mut loki) = (redis.connect(), loki.connect());
    let mut out = String::new();
    for name in names(&mut loki) {
        let docs = |conn: &mut Conn| {
            let all = conn.call(&["COMMAND", "DOCS", &name]).pairs();
            all.into_iter().next().map(|(_, docs)| docs.pairs()).unwrap_or_default()
        };
        let field = |docs: &[(Value, Value)], name: &str| {
            docs.iter()
                .find(|(k, _)| k.text() == name)
                .map(|(_, v)| v.text())
                .unwrap_or_default()
        };
        let (theirs, ours) = (docs(&mut redis), docs(&mut loki));
        if theirs.is_empty() || known::covering(&format!("COMMAND DOCS {name}")).is_some() {
            continue;
        }
        for of in ["since", "group"] {
            let (a, b) = (field(&theirs, of), field(&ours, of));
            if a != b {
                out.push_str(&format!("{name}: {of}: redis {a:?}, loki {b:?}\n"));
            }
        }
        if field(&ours, "summary").is_empty() {
            out.push_str(&format!("{name}: no summary\n"));
        }
    }
    assert!(out.is_empty(), "{out}");
}

/// Fields of INFO that are left out, since they tell of forks, replicas, clusters, threads and tables of Redis's (D7).
const INFO_LEFT_OUT: &str = include_str!("info_left_out.txt");

#[test]
fn info_has_the_fields_of_redis() {
    let (redis, loki) = (start_redis(), start_lokikv());
    let fields = |server: &Server| -> BTreeSet<String> {
        let info = server.connect().call(&["INFO", "everything"]).text();
        let names = info.lines().filter_map(|line| line.split_once(':'));
        // Those of commands follow from what was called.
        let of_calls = |name: &str| name.starts_with("cmdstat_") || name.starts_with("latency_percentiles_");
        names
            .map(|(name, _)| name.to_owned())
            .filter(|name| !of_calls(name))
            .collect()
    };
    let (redis, loki) = (fields(&redis), fields(&loki));
    let missing: Vec<&str> = redis.difference(&loki).map(String::as_str).collect();
    let listed: Vec<&str> = INFO_LEFT_OUT.lines().collect();
    assert_eq!(missing, listed);
}

/// RANDOMKEY is compared by type elsewhere; here the key it names must exist.
#[test]
fn randomkey_names_keys_that_exist() {
    let loki = start_lokikv();
    let mut conn = loki.connect();
    for n in 0..20 {
        conn.call(&["SET", &format!("k{n}"), "v"]);
    }
    let keys: std::collections::BTreeSet<String> = (0..400).map(|_| conn.call(&["RANDOMKEY"]).text()).collect();
    assert!(
        keys.iter().all(|k| conn.call(&["EXISTS", k]) == Value::Int(1)),
        "{keys:?}"
    );
    assert!(keys.len() > 10, "400 draws of 20 keys gave only {keys:?}");
}

/// What only Valkey has is as there.
#[test]
fn command_info_of_valkey() {
    let (redis, valkey, loki) = (start_redis(), start_valkey(), start_lokikv());
    let (mut redis, mut valkey, mut loki) = (redis.connect(), valkey.connect(), loki.connect());
    let info = |conn: &mut Conn, name: &String| conn.call(&["COMMAND", "INFO", name]).items().remove(0);
    let (mut out, mut count) = (Vec::new(), 0);
    let all = names(&mut loki);
    for name in all.iter().filter(|name| info(&mut redis, name).is_null()) {
        let theirs = info(&mut valkey, name);
        if !theirs.is_null() {
            count += 1;
            compare_info(name, &theirs, &info(&mut loki, name), &mut out);
        }
    }
    assert!(
        count > 0 && out.is_empty(),
        "{} differences\n{}",
        out.len(),
        out.concat()
    );
}

#[test]
fn command_info() {
    run_info(start_lokikv);
}

#[test]
fn command_docs() {
    run_docs(start_lokikv);
}

#[test]
#[ignore = "checks the comparison, not the server"]
fn command_table_redis_agrees_with_itself() {
    run_info(start_redis);
    run_docs(start_redis);
}
