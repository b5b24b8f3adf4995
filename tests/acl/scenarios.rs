//! Hand-written scenarios, taken on LokiKV and on a peer: `redis_*.txt` beside Redis 8.2, `valkey_*.txt` beside Valkey
//! 9.1, each over RESP2 and RESP3.

use std::path::Path;
use std::time::{Duration, Instant};

use crate::script::{Scenario, Side, Step, parse};
use crate::support::{Server, Value, text};

/// Steps of all files together, each protocol counted.
const STEPS_MIN: usize = 300;

fn lokikv() -> Server {
    Server::lokikv(&[
        "wal.fsync=no",
        "checkpoint.interval_s=0",
        "server.enable_debug_command=yes",
    ])
}

fn content(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/acl/scenarios/{name}.txt"));
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// An answer without what tells of the program or the time.
fn shown(answer: &Result<Value, String>) -> String {
    match answer {
        Ok(value) => without_chance(value).to_string(),
        Err(error) => error.clone(),
    }
}

fn without_chance(value: &Value) -> Value {
    let kept = |name: &str, value: &Value| match name {
        "age-seconds" | "timestamp-created" | "timestamp-last-updated" => Value::bulk(value.kind()),
        "client-info" => Value::bulk(client(&value.text())),
        _ => without_chance(value),
    };
    let pairs = |pairs: &[(Value, Value)]| -> Vec<(Value, Value)> {
        let kept = |(name, value): &(Value, Value)| (name.clone(), kept(&name.text(), value));
        pairs.iter().map(kept).collect()
    };
    if value.field("role").is_some() {
        return Value::bulk("about the program");
    }
    match value {
        Value::Map(found) => Value::Map(pairs(found)),
        Value::Array(items) if items.first().is_some_and(|first| first.text() == "count") => {
            let pairs = pairs(&value.pairs());
            Value::Array(pairs.into_iter().flat_map(|(name, value)| [name, value]).collect())
        }
        Value::Array(items) => Value::Array(items.iter().map(without_chance).collect()),
        Value::Bulk(bytes) | Value::Verbatim(bytes) if bytes.starts_with(b"id=") => Value::bulk(client(&value.text())),
        other => other.clone(),
    }
}

/// What of a client's line does not depend on the program.
fn client(line: &str) -> String {
    const FIELDS: [&str; 6] = ["name", "db", "user", "resp", "multi", "cmd"];
    let fields = line.split(' ').filter(|field| {
        let name = field.split('=').next().unwrap_or_default();
        FIELDS.contains(&name)
    });
    fields.collect::<Vec<_>>().join(" ")
}

fn differences(scenario: &Scenario, protocol: u8, peer: &Server, loki: &Server) -> Vec<String> {
    let mut sides = [Side::new(peer, protocol), Side::new(loki, protocol)];
    let mut found = Vec::new();
    for step in &scenario.steps {
        let [theirs, ours] = sides.each_mut().map(|side| shown(&side.take(step)));
        if theirs != ours {
            found.push(format!(
                "{} {}\n   peer: {theirs}\n   ours: {ours}\n",
                scenario.title,
                words(step)
            ));
        }
    }
    found
}

fn words(step: &Step) -> String {
    let what = match &step.what {
        crate::script::What::Call(args) => text::join(args),
        crate::script::What::Closes => "closes".to_owned(),
    };
    format!("(line {}) {}: {what}", step.line, step.name)
}

fn reset(server: &Server) {
    let mut conn = server.connect();
    // Those of the scenario before have closed; whether the server has seen that is another matter.
    let since = Instant::now();
    while conn.call(&["CLIENT", "LIST"]).text().lines().count() > 1 {
        assert!(since.elapsed() < Duration::from_secs(60), "clients stay");
        std::thread::sleep(Duration::from_millis(1));
    }
    let users: Vec<String> = conn.call(&["ACL", "USERS"]).items().iter().map(Value::text).collect();
    for user in users.iter().filter(|user| *user != "default") {
        conn.call(&["ACL", "DELUSER", user]);
    }
    conn.call(&[
        "ACL", "SETUSER", "default", "reset", "on", "nopass", "+@all", "~*", "&*",
    ]);
    for args in [
        &["FLUSHALL"][..],
        &["FUNCTION", "FLUSH"],
        &["CONFIG", "RESETSTAT"],
        &["ACL", "LOG", "RESET"],
    ] {
        assert_eq!(conn.call(args).text(), "OK", "{args:?}");
    }
    conn.call(&["QUIT"]);
    conn.read_to_close().expect("closed");
}

fn run(name: &str, peer: &Server) -> (usize, String) {
    let loki = lokikv();
    let scenarios = parse(&content(name));
    let (mut report, mut steps) = (String::new(), 0);
    for scenario in &scenarios {
        for protocol in [2, 3] {
            // So that numbers of entries are the same.
            [peer, &loki].into_iter().for_each(reset);
            differences(scenario, protocol, peer, &loki)
                .into_iter()
                .for_each(|one| report += &format!("RESP{protocol} {one}"));
            steps += scenario.steps.len();
        }
    }
    eprintln!("{name}: {} scenarios, {steps} steps", scenarios.len());
    (steps, report)
}

#[test]
fn as_redis_and_valkey_do() {
    let beside_redis = |name| run(name, &Server::redis8(&["--appendonly", "no"]));
    let of_redis = ["redis_users", "redis_rights", "redis_log"].map(beside_redis);
    let of_valkey = run("valkey_databases", &Server::valkey(&["--appendonly", "no"]));
    let (steps, reports): (Vec<usize>, Vec<String>) = of_redis.into_iter().chain([of_valkey]).unzip();
    assert!(reports.concat().is_empty(), "{}", reports.concat());
    let steps: usize = steps.iter().sum();
    assert!(steps >= STEPS_MIN, "{steps} steps");
}

/// The commands of each category are Redis's, but for those that only one of both has.
#[test]
fn categories_are_those_of_redis() {
    let (redis, loki) = (Server::redis8(&["--appendonly", "no"]), lokikv());
    let (mut theirs, mut ours) = (redis.connect(), loki.connect());
    let names = |conn: &mut crate::support::Conn, args: &[&str]| -> Vec<String> {
        let mut names: Vec<String> = conn.call(args).items().iter().map(Value::text).collect();
        names.sort();
        names
    };
    let all = |conn: &mut crate::support::Conn| -> Vec<String> {
        ["fast", "slow"]
            .iter()
            .flat_map(|category| names(conn, &["ACL", "CAT", category]))
            .collect()
    };
    let (all_theirs, all_ours) = (all(&mut theirs), all(&mut ours));
    assert!(all_theirs.len() > 300, "{}", all_theirs.len());
    assert_eq!(theirs.call(&["ACL", "CAT"]), ours.call(&["ACL", "CAT"]));
    let mut different = Vec::new();
    for category in theirs.call(&["ACL", "CAT"]).items() {
        let category = category.text();
        let of = |conn: &mut crate::support::Conn, others: &[String]| -> Vec<String> {
            let mut names = names(conn, &["ACL", "CAT", &category]);
            names.retain(|name| others.contains(name));
            names
        };
        let (theirs, ours) = (of(&mut theirs, &all_ours), of(&mut ours, &all_theirs));
        let only = |these: &[String], those: &[String]| -> Vec<String> {
            these.iter().filter(|name| !those.contains(name)).cloned().collect()
        };
        let (missing, extra) = (only(&theirs, &ours), only(&ours, &theirs));
        if !missing.is_empty() || !extra.is_empty() {
            different.push(format!("@{category}: missing {missing:?}, extra {extra:?}"));
        }
    }
    assert!(different.is_empty(), "{different:#?}");
}
