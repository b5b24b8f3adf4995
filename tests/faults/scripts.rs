//! A script that changes keys of all types is ended at each of its points (`src/session/script/stop_at.rs`): afterwards
//! all is as it was, counts and memory included, and nobody has learned of it. A checkpoint runs meanwhile; then the
//! server is killed, and has the same data when it is back.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crate::args;
use crate::audience::{Audience, queue, say};
use crate::support::{Args, Conn, Rng, Server, Value, seed};

/// Elements of a big container.
const BIG: usize = 1_500;
const KILLED: &str = "Script killed by user with SCRIPT KILL";
/// Keys that the script is given, where it is.
const KEYS: [&str; 18] = [
    "k",
    "new",
    "list",
    "s:big",
    "l:big",
    "l:small",
    "h:big",
    "h:small",
    "t:big",
    "z:big",
    "z:small",
    "x:big",
    "x:small",
    "dying",
    "renamed",
    "wanted:list",
    "wanted:zset",
    "wanted:stream",
];
/// Changes everything, with work in between that asks whether it may go on.
const SCRIPT: &str = "
local function work() local n = 0 for i = 1, 1200 do n = n + i % 3 end return n end
redis.call('SET', 'k', 'other') redis.call('SET', 'new', 'v', 'PX', 100000) redis.call('GET', 'dying')
redis.call('APPEND', 's:big', 'more') redis.call('SETRANGE', 's:big', 70000, ('y'):rep(70000)) redis.call('SETBIT', 's:big', 9, 1)
work()
redis.call('LTRIM', 'l:big', 100, -2) redis.call('RPUSH', 'l:big', ('z'):rep(20000)) redis.call('LPOP', 'l:small', 9)
redis.call('LINSERT', 'l:big', 'BEFORE', 'e700', 'between') redis.call('LMOVE', 'l:big', 'l:small', 'LEFT', 'RIGHT')
for i = 1, 3 do redis.call('HDEL', 'h:big', 'f' .. i) redis.call('HSET', 'h:small', 'f' .. i, ('w'):rep(i * 400)) work() end
redis.call('HPEXPIRE', 'h:big', 50000, 'FIELDS', 2, 'f10', 'f11') redis.call('HINCRBY', 'h:small', 'n', 3)
redis.call('SPOP', 't:big', 1400) redis.call('SADD', 't:big', 'a', 'b') redis.call('SMOVE', 't:big', 't:new', 'a')
redis.call('ZREMRANGEBYRANK', 'z:big', 0, 900) redis.call('ZADD', 'z:big', 5, 'm5', -1, 'new') redis.call('ZPOPMAX', 'z:small', 5)
redis.call('XADD', 'x:big', '9-1', 'f', 'v') redis.call('XTRIM', 'x:big', 'MAXLEN', 3)
redis.call('XREADGROUP', 'GROUP', 'g', 'c', 'STREAMS', 'x:small', '>') redis.call('XGROUP', 'DESTROY', 'x:big', 'g')
work()
redis.call('PEXPIRE', 'l:big', 0) redis.call('RPUSH', 'l:big', 'again') redis.call('PERSIST', 'h:small')
redis.call('RENAME', 'z:big', 'renamed') redis.call('RENAME', 'h:big', 'z:big') redis.call('COPY', 'x:big', 'x:copy')
redis.pcall('INCR', 'k') pcall(redis.call, 'LPUSH', 'k', 1)
redis.call('RPUSH', 'list', 'a', 'b') redis.call('LPOP', 'list') redis.call('PUBLISH', 'c', 'm')
redis.call('RPUSH', 'wanted:list', 'a') redis.call('ZADD', 'wanted:zset', 1, 'a') redis.call('XADD', 'wanted:stream', '*', 'f', 'v')
redis.call('UNLINK', 's:big', 't:big') redis.call('PFADD', 's:big', 'a') redis.call('GEOADD', 't:big', 15, 37, 'g')
";
/// What it does where it runs alone, besides.
const WHOLE: &str =
    "redis.call('FLUSHALL') redis.call('SET', 'k', 'flushed') redis.call('SELECT', 1) redis.call('SET', 'k', 1)
redis.call('SWAPDB', 0, 1) redis.call('FLUSHDB') redis.call('SELECT', 0) redis.call('RPUSH', 'list', 'c')";
const WAITING: [&str; 3] = [
    "BLMOVE wanted:list moved LEFT LEFT 0",
    "BZPOPMIN wanted:zset 0",
    "XREAD BLOCK 0 STREAMS wanted:stream $",
];

fn fill(conn: &mut Conn) {
    let mut commands: Vec<Args> = vec![
        args!["FLUSHALL"],
        args!["SET", "k", "old"],
        args!["SETRANGE", "s:big", "300000", "end"],
        args!["RPUSH", "l:small", "a", "b", "c"],
        args!["HSET", "h:small", "f1", "v", "n", "7"],
        args!["PEXPIRE", "h:small", "1000000"],
        args!["ZADD", "z:small", "1", "a", "2", "b"],
        args!["XADD", "x:small", "1-1", "f", "v"],
        args!["XGROUP", "CREATE", "x:small", "g", "0"],
    ];
    for n in 0..BIG {
        let text = format!("{n}{}", "x".repeat(n % 180));
        commands.push(args!["RPUSH", "l:big", format!("e{n}"), text.clone()]);
        commands.push(args!["HSET", "h:big", format!("f{n}"), text.clone()]);
        commands.push(args!["SADD", "t:big", text.clone()]);
        commands.push(args!["ZADD", "z:big", n.to_string(), format!("m{text}")]);
        commands.push(args!["XADD", "x:big", format!("1-{}", n + 1), "f", text]);
    }
    commands.push(args!["XGROUP", "CREATE", "x:big", "g", "0"]);
    commands.push(args![
        "XREADGROUP",
        "GROUP",
        "g",
        "c",
        "COUNT",
        "300",
        "STREAMS",
        "x:big",
        ">"
    ]);
    for reply in conn.pipeline(&commands).expect("replies") {
        assert!(!reply.is_error(), "{reply}");
    }
}

/// What a key holds, and when it dies.
fn content(conn: &mut Conn, key: &str) -> Vec<Value> {
    let read: &[&str] = match say(conn, &format!("TYPE {key}")).text().as_str() {
        "string" => &["GET $"],
        "list" => &["LRANGE $ 0 -1"],
        "set" => &["SMEMBERS $"],
        "hash" => &["HGETALL $", "HPEXPIRETIME $ FIELDS 2 f10 f11"],
        "zset" => &["ZRANGE $ 0 -1 WITHSCORES"],
        "stream" => &["XRANGE $ - +", "XINFO GROUPS $", "XPENDING $ g"],
        kind => panic!("{kind}"),
    };
    let lines = read.iter().chain(&["PEXPIRETIME $", "OBJECT ENCODING $"]);
    lines.map(|line| say(conn, &line.replace('$', key))).collect()
}

/// All there is. In RESP3, which says what has no order.
fn data(conn: &mut Conn) -> BTreeMap<String, Vec<Value>> {
    let mut all = BTreeMap::new();
    for database in ["1", "0"] {
        say(conn, &format!("SELECT {database}"));
        for key in say(conn, "KEYS *").items() {
            let key = key.text();
            // It is dead, and there until somebody looks.
            if key != "dying" {
                all.insert(format!("{database}:{key}"), content(conn, &key));
            }
        }
    }
    all
}

/// What is counted of it.
fn counted(conn: &mut Conn) -> Vec<String> {
    let info = conn.call(&["INFO", "everything"]).text();
    let is_counted = |line: &&str| {
        let name = line.split(':').next().unwrap_or_default();
        [
            "db0",
            "db1",
            "expired_keys",
            "expired_subkeys",
            "changes",
            "used_memory_dataset",
        ]
        .contains(&name)
    };
    info.lines().filter(is_counted).map(without_averages).collect()
}

/// The averages of `INFO keyspace` are of the time that is left.
fn without_averages(line: &str) -> String {
    let parts = line.split(',').filter(|part| !part.starts_with("avg_ttl"));
    parts.collect::<Vec<_>>().join(",")
}

/// Whether counts become `before`, as soon as what was kept for the way back has been let go of.
fn assert_counted(conn: &mut Conn, before: &[String], what: &str) {
    let since = Instant::now();
    loop {
        let now = counted(conn);
        if now == before {
            return;
        }
        assert!(
            since.elapsed() < Duration::from_secs(30),
            "{what}: {now:?}, {before:?} before"
        );
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// How the script is run: with its keys, without, and in a transaction that is rolled back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Within,
    Alone,
    Rollback,
}

/// Runs it up to its point `stop_at`; whether it was ended there.
fn run(conn: &mut Conn, way: Way, stop_at: usize) -> bool {
    let script = if way == Way::Within {
        SCRIPT
            .replace("redis.call('SMOVE', 't:big', 't:new', 'a')", "")
            .replace("redis.call('COPY', 'x:big', 'x:copy')", "")
    } else {
        format!("{SCRIPT}{WHOLE}")
    };
    let keys: &[&str] = if way == Way::Within { &KEYS } else { &[] };
    let (count, stop_at) = (keys.len().to_string(), format!("stop-at:{stop_at}"));
    let mut request = vec!["EVAL", &script, &count];
    request.extend(keys);
    request.push(&stop_at);
    let reply = match way {
        Way::Within | Way::Alone => conn.call(&request),
        Way::Rollback => {
            queue(conn, &["SET k first", "RPUSH list x"]);
            conn.call(&request);
            say(conn, "EXEC ROLLBACK")
        }
    };
    if !reply.is_error() {
        return false;
    }
    assert!(reply.text().contains(KILLED), "{reply}");
    true
}

struct Waiting {
    audience: Audience,
    blocked: Vec<Conn>,
}

impl Waiting {
    fn of(server: &Server) -> Self {
        let blocked = WAITING.iter().map(|line| {
            let mut conn = server.connect();
            let words: Vec<&str> = line.split(' ').collect();
            conn.send(&words).expect("send");
            conn
        });
        let blocked = blocked.collect();
        let mut conn = server.connect();
        let audience = Audience::of(server);
        while conn.call(&["INFO", "clients"]).figure("blocked_clients") < 1 + WAITING.len() as u64 {
            std::thread::sleep(Duration::from_millis(1));
        }
        Self { audience, blocked }
    }
}

fn ended_everywhere(way: Way) {
    let mut server = Server::lokikv(&["server.workers=2", "checkpoint.interval_s=0", "wal.segment_bytes=65536"]);
    let (mut conn, mut reads) = (server.connect(), server.connect3());
    say(&mut conn, "DEBUG SET-ACTIVE-EXPIRE 0");
    fill(&mut conn);
    let mut waiting = Waiting::of(&server);
    say(&mut conn, "SET dying v PX 1");
    std::thread::sleep(Duration::from_millis(3));
    let (before, counts) = (data(&mut reads), counted(&mut reads));
    waiting.audience.told();
    let (mut points, mut savers) = (0, Vec::new());
    while run(&mut conn, way, points + 1) {
        points += 1;
        if points % 20 == 1 {
            let mut saver = server.connect();
            saver.send(&["CHECKPOINT"]).expect("send");
            savers.push(saver);
        }
        let what = format!("{way:?}, ended at {points}");
        assert_counted(&mut reads, &counts, &what);
        if points % 7 == 0 {
            let now = data(&mut reads);
            for (key, value) in &before {
                assert!(now.get(key) == Some(value), "{what}: {key} differs");
            }
            assert_eq!(now.len(), before.len(), "{what}");
            waiting.audience.told();
        } else {
            let [events, stale, broadcast, _] = waiting.audience.told();
            assert_eq!((events, stale, broadcast), (vec![], vec![], vec![]), "{what}");
        }
    }
    println!("{way:?}: {points} points");
    assert!(points > 60);
    // It has come to its end now, and all have learned of it.
    assert!(waiting.audience.has_watched_change());
    assert!(!waiting.audience.told()[0].is_empty());
    assert!(waiting.audience.blocked.recv().is_ok());
    if way == Way::Within {
        for conn in &mut waiting.blocked {
            assert!(conn.recv().is_ok());
        }
    }
    drop(waiting);
    let after = data(&mut reads);
    assert!(after != before);
    server.kill9();
    server.restart();
    assert!(data(&mut server.connect3()) == after, "after a kill");
}

#[test]
fn under_the_locks_of_its_keys() {
    ended_everywhere(Way::Within);
}

#[test]
fn alone() {
    ended_everywhere(Way::Alone);
}

#[test]
fn in_a_transaction_that_is_rolled_back() {
    ended_everywhere(Way::Rollback);
}

/// A kill -9 behind some kills of a script, with a checkpoint in between: what was before the script is there.
#[test]
fn the_server_is_killed_behind_a_script() {
    let mut random = Rng::new(seed());
    let mut server = Server::lokikv(&["server.workers=2", "checkpoint.interval_s=0", "wal.segment_bytes=65536"]);
    fill(&mut server.connect());
    let before = data(&mut server.connect3());
    for way in [Way::Within, Way::Alone, Way::Rollback, Way::Alone] {
        let mut conn = server.connect();
        for _ in 0..6 {
            assert!(run(&mut conn, way, 1 + random.below(50)));
            if random.one_in(3) {
                assert_eq!(say(&mut conn, "CHECKPOINT").text(), "OK");
            }
        }
        server.kill9();
        server.restart();
        let now = data(&mut server.connect3());
        for (key, value) in &before {
            assert!(now.get(key) == Some(value), "{way:?}: {key} differs");
        }
        assert_eq!(now.len(), before.len());
    }
}

/// By SCRIPT KILL, whenever that comes.
#[test]
fn killed_by_a_client_at_any_moment() {
    let mut random = Rng::new(seed());
    let server = Server::lokikv(&[
        "server.workers=2",
        "scripts.busy_reply_threshold_ms=1",
        "wal.enabled=false",
    ]);
    let (mut runs, mut conn) = (server.connect(), server.connect3());
    fill(&mut conn);
    let before = data(&mut conn);
    let counts = counted(&mut conn);
    for round in 0..8 {
        let endless = format!(
            "while true do {SCRIPT} redis.call('DEL', 'l:small', 'x:small', 'z:big', 't:big', 's:big')
            redis.pcall('RPUSH', 'h:big', 1) end"
        );
        let endless = endless.replace("redis.call(", "redis.pcall(");
        let mut request = vec!["EVAL", &endless];
        if round % 2 == 0 {
            request.push("18");
            request.extend(KEYS);
        } else {
            request.push("0");
        }
        runs.send(&request).expect("send");
        std::thread::sleep(Duration::from_millis(random.below(120) as u64));
        let since = Instant::now();
        while say(&mut conn, "SCRIPT KILL") != Value::ok() {
            assert!(since.elapsed() < Duration::from_secs(20));
        }
        let reply = runs.recv().expect("a reply").value;
        assert!(reply.text().contains(KILLED), "{reply}");
        assert_counted(&mut conn, &counts, "after a kill");
        assert!(data(&mut conn) == before, "round {round}");
    }
}
