//! Scripts: one record each, atomic for everybody, kept out of nobody's way by the cache's bound; and scripts that run
//! for long, while which others are answered.

use std::time::{Duration, Instant};

use crate::support::{Conn, Rng, Server, Value, seed};
use crate::{await_that, figure, in_memory};

fn error(value: &Value) -> String {
    assert!(value.is_error(), "{value:?}");
    value.text()
}

#[test]
fn a_script_is_one_record_and_survives_a_restart_as_a_whole() {
    let mut server = Server::lokikv(&["checkpoint.interval_s=0"]);
    let mut conn = server.connect();
    let script = "redis.call('set', KEYS[1], 1) redis.call('rpush', KEYS[2], 'a', 'b') redis.call('select', 5) \
                  redis.call('hset', 'h', 'f', 'v') return redis.call('incr', 'n')";
    // It needs more than its keys: what the first try had begun is a record without effects.
    assert_eq!(conn.call(&["EVAL", script, "2", "k", "l"]), Value::Int(1));
    let before = conn.wal_info("last-lsn");
    assert_eq!(conn.call(&["EVAL", script, "2", "k", "l"]), Value::Int(2));
    assert_eq!(conn.wal_info("last-lsn"), before + 1);
    // A script that fails keeps what it has done, as in Redis, and that is one record, too.
    let fails = "redis.call('set', 'x', 1) redis.call('set', 'y', 2) error('no')";
    error(&conn.call(&["EVAL", fails, "0"]));
    assert_eq!(conn.wal_info("last-lsn"), before + 2);
    // In a transaction it is part of its record.
    for words in [
        &["MULTI"][..],
        &["INCR", "k"],
        &["EVAL", "return redis.call('incr', 'k')", "0"],
        &["EXEC"],
    ] {
        conn.call(words);
    }
    assert_eq!(conn.wal_info("last-lsn"), before + 3);
    server.kill9();
    server.restart();
    let mut conn = server.connect();
    assert_eq!(
        conn.call(&["MGET", "k", "x", "y"]).items(),
        ["3", "1", "2"].map(Value::bulk)
    );
    assert_eq!(conn.call(&["LRANGE", "l", "0", "-1"]).items().len(), 4);
    conn.call(&["SELECT", "5"]);
    assert_eq!(conn.call(&["HGET", "h", "f"]), Value::bulk("v"));
}

#[test]
fn nobody_sees_a_script_half_done() {
    let server = Server::lokikv(&["wal.enabled=false", "server.workers=2"]);
    let until = Instant::now() + Duration::from_secs(2);
    let script = "local n = redis.call('incr', KEYS[1]) redis.call('set', KEYS[2], n) return n";
    std::thread::scope(|scope| {
        for _ in 0..3 {
            let mut conn = server.connect();
            scope.spawn(move || {
                while Instant::now() < until {
                    assert!(conn.call(&["EVAL", script, "2", "one", "other"]).int().is_some());
                }
            });
        }
        for _ in 0..2 {
            let mut conn = server.connect();
            scope.spawn(move || {
                while Instant::now() < until {
                    let both = conn.call(&["MGET", "one", "other"]).items();
                    assert_eq!(both[0], both[1]);
                }
            });
        }
    });
}

#[test]
fn scripts_of_eval_are_evicted_and_those_of_script_load_stay() {
    let server = in_memory();
    let mut conn = server.connect();
    let kept = conn.call(&["SCRIPT", "LOAD", "return 'kept'"]).text();
    let first = conn.call(&["EVAL", "return redis.sha1hex('return -1')", "0"]).text();
    conn.call(&["EVAL", "return -1", "0"]);
    for n in 0..498 {
        conn.call(&["EVAL", &format!("return {n}"), "0"]);
    }
    assert_eq!(figure(&mut conn, "number_of_cached_scripts"), 501);
    // What has been used again is not the oldest any more.
    assert_eq!(conn.call(&["EVALSHA", &first, "0"]), Value::Int(-1));
    for n in 500..520 {
        conn.call(&["EVAL", &format!("return {n}"), "0"]);
    }
    assert_eq!(figure(&mut conn, "number_of_cached_scripts"), 501);
    assert_eq!(figure(&mut conn, "evicted_scripts"), 20);
    assert_eq!(conn.call(&["EVALSHA", &kept, "0"]), Value::bulk("kept"));
    assert_eq!(conn.call(&["EVALSHA", &first, "0"]), Value::Int(-1));
    assert_eq!(conn.call(&["SCRIPT", "SHOW", &kept]), Value::bulk("return 'kept'"));
    assert_eq!(conn.call(&["SCRIPT", "FLUSH"]), Value::ok());
    assert_eq!(figure(&mut conn, "number_of_cached_scripts"), 0);
    assert_eq!(figure(&mut conn, "used_memory_scripts"), 0);
    assert!(error(&conn.call(&["SCRIPT", "SHOW", &kept])).starts_with("NOSCRIPT"));
}

/// A server with so many workers, one of whose clients runs a script without end that has first run `first`.
fn with_endless(workers: usize, first: &str) -> (Server, Conn) {
    with_busy(workers, &format!("{first} while true do end"))
}

/// The same with this script, which runs for long.
fn with_busy(workers: usize, script: &str) -> (Server, Conn) {
    let workers = format!("server.workers={workers}");
    let server = Server::lokikv(&[
        &workers,
        "scripts.busy_reply_threshold_ms=50",
        "checkpoint.interval_s=0",
    ]);
    let mut runs = server.connect();
    runs.call(&["SET", "there", "here"]);
    runs.send(&["EVAL", script, "3", "half", "list", "there"]).unwrap();
    let mut conn = server.connect();
    let since = Instant::now();
    while !conn.call(&["GET", "k"]).is_error() {
        assert!(since.elapsed() < Duration::from_secs(60));
    }
    (server, runs)
}

#[test]
fn others_are_told_of_a_script_that_runs_for_long_and_may_end_it() {
    for workers in [1, 3] {
        let (server, mut runs) = with_endless(workers, "");
        let mut conns: Vec<Conn> = (0..6).map(|_| server.connect()).collect();
        for conn in &mut conns {
            for words in [
                &["GET", "k"][..],
                &["SET", "k", "v"],
                &["PING"],
                &["EVAL", "return 1", "0"],
            ] {
                let text = error(&conn.call(words));
                assert!(
                    text.starts_with("BUSY Redis is busy running a script. You can only call SCRIPT KILL"),
                    "{text}"
                );
            }
            assert!(error(&conn.call(&["SHUTDOWN"])).starts_with("BUSY "));
            assert!(error(&conn.call(&["NOSUCH"])).starts_with("ERR unknown command"));
            assert!(error(&conn.call(&["GET"])).starts_with("ERR wrong number"));
        }
        assert_eq!(conns[0].call(&["MULTI"]), Value::ok());
        assert!(error(&conns[0].call(&["GET", "k"])).starts_with("BUSY "));
        assert_eq!(conns[1].call(&["SCRIPT", "KILL"]), Value::ok());
        let text = error(&runs.recv().unwrap().value);
        assert!(text.starts_with("ERR Script killed by user with SCRIPT KILL"), "{text}");
        assert!(error(&conns[0].call(&["EXEC"])).starts_with("EXECABORT "));
        for conn in &mut conns {
            assert_eq!(conn.call(&["PING"]).text(), "PONG");
        }
        assert!(error(&conns[2].call(&["SCRIPT", "KILL"])).starts_with("NOTBUSY "));
        assert_eq!(runs.call(&["EVAL", "return 1", "0"]), Value::Int(1));
    }
}

/// However few instructions of Lua run between two of the watcher's looks.
#[test]
fn a_loop_of_calls_that_take_long_is_ended() {
    let prepared = "local t = {} for i = 1, 3000 do t[i] = i end local s = ('x'):rep(2^23)";
    for call in [
        "cjson.encode(t)",
        "s:upper()",
        "redis.sha1hex(s)",
        "pcall(function() local b = s while true do b = b .. b end end)",
    ] {
        let (server, mut runs) = with_busy(2, &format!("{prepared} while true do {call} end"));
        let since = Instant::now();
        assert_eq!(server.connect().call(&["SCRIPT", "KILL"]), Value::ok(), "{call}");
        let text = error(&runs.recv().unwrap().value);
        assert!(text.contains("Script killed by user"), "{call}: {text}");
        assert!(
            since.elapsed() < Duration::from_secs(20),
            "{call}: {:?}",
            since.elapsed()
        );
    }
}

/// A function of Lua's library can't hold a worker either: the script is ended in the middle of it.
#[test]
fn a_pattern_that_takes_for_ever_is_ended() {
    for workers in [1, 3] {
        let first = "redis.call('set', KEYS[1], 'x') local s = ('a'):rep(40000) s:find('.-.-.-.-b')";
        let (server, mut runs) = with_endless(workers, first);
        let mut conns: Vec<Conn> = (0..6).map(|_| server.connect()).collect();
        let since = Instant::now();
        for conn in &mut conns {
            for words in [&["GET", "k"][..], &["SET", "k", "v"], &["EVAL", "return 1", "0"]] {
                let text = error(&conn.call(words));
                assert!(text.starts_with("BUSY "), "{text}");
            }
        }
        assert_eq!(conns[0].call(&["SCRIPT", "KILL"]), Value::ok());
        let text = error(&runs.recv().unwrap().value);
        assert!(text.contains("Script killed by user"), "{text}");
        assert!(since.elapsed() < Duration::from_secs(30), "{:?}", since.elapsed());
        for conn in &mut conns {
            assert!(conn.call(&["GET", "half"]).is_null());
        }
    }
}

/// A server whose scripts are busy only some time after they have begun, and clients that its workers have.
fn with_patience(clients: usize) -> (Server, Conn, Vec<Conn>) {
    let server = Server::lokikv(&["server.workers=2", "scripts.busy_reply_threshold_ms=3000"]);
    let connect = || {
        let mut conn = server.connect();
        conn.call(&["PING"]);
        conn
    };
    let (runs, others) = (connect(), (0..clients).map(|_| connect()).collect());
    (server, runs, others)
}

/// Waits until a script has said that it runs.
fn await_script(server: &Server) {
    await_that("the script runs", || server.stdout().contains("it runs now"));
}

#[test]
fn what_came_before_a_script_was_busy_is_told_so_too() {
    let (server, mut runs, mut others) = with_patience(4);
    // It calls something, and declares no key: it runs alone.
    let script = "redis.call('ping') redis.log(redis.LOG_NOTICE, 'it runs now') while true do end";
    runs.send(&["EVAL", script, "0"]).unwrap();
    await_script(&server);
    for other in &mut others {
        other.send(&["GET", "k"]).unwrap();
    }
    for other in &mut others {
        assert!(error(&other.recv().unwrap().value).starts_with("BUSY "));
    }
    assert_eq!(others[0].call(&["SCRIPT", "KILL"]), Value::ok());
    assert!(error(&runs.recv().unwrap().value).starts_with("ERR Script killed"));
}

#[test]
fn who_waits_for_what_a_script_has_locked_is_told_when_it_is_busy() {
    let get = "return redis.call('get', KEYS[1])";
    let waits: [&[&str]; 4] = [
        &["GET", "half"],
        &["MGET", "x", "half"],
        &["EVAL", get, "2", "x", "half"],
        &["DBSIZE"],
    ];
    // Two of each: one is of the worker that does not run the script.
    let (server, mut runs, mut others) = with_patience(2 * waits.len());
    runs.call(&["SET", "half", "1"]);
    let script = "redis.log(redis.LOG_NOTICE, 'it runs now') while true do end";
    runs.send(&["EVAL", script, "1", "half"]).unwrap();
    await_script(&server);
    for (at, other) in others.iter_mut().enumerate() {
        other.send(waits[at / 2]).unwrap();
    }
    for other in &mut others {
        assert!(error(&other.recv().unwrap().value).starts_with("BUSY "));
    }
    assert_eq!(others[0].call(&["SCRIPT", "KILL"]), Value::ok());
    assert!(error(&runs.recv().unwrap().value).starts_with("ERR Script killed"));
    assert_eq!(others[0].call(&["GET", "half"]), Value::bulk("1"));
}

#[test]
fn a_script_that_has_written_is_taken_back_when_it_is_ended() {
    for (workers, first) in [
        (1, "redis.call('set', 'half', 1)"),
        (
            2,
            "redis.call('set', 'half', 1) redis.call('rpush', 'list', 'x') redis.call('del', 'there')",
        ),
    ] {
        let (mut server, mut runs) = with_endless(workers, first);
        let mut conn = server.connect();
        assert_eq!(conn.call(&["SCRIPT", "KILL"]), Value::ok());
        assert!(error(&runs.recv().unwrap().value).starts_with("ERR Script killed"));
        for round in 0..2 {
            let mut conn = server.connect();
            let left = conn.call(&["MGET", "half", "list", "there"]).items();
            assert!(left[0].is_null() && left[1].is_null(), "{round}");
            assert_eq!(left[2], Value::bulk("here"), "{round}");
            if round == 0 {
                server.kill9();
                server.restart();
            }
        }
    }
}

#[test]
fn the_end_of_the_server_takes_a_busy_script_back() {
    for (workers, first) in [(1, "redis.call('flushall')"), (2, "redis.call('del', 'there')")] {
        let (mut server, _runs) = with_endless(workers, first);
        let since = Instant::now();
        server.connect().send(&["SHUTDOWN", "NOSAVE"]).unwrap();
        assert!(server.wait().success());
        assert!(since.elapsed() < Duration::from_secs(9), "{:?}", since.elapsed());
        server.restart();
        assert_eq!(server.connect().call(&["GET", "there"]), Value::bulk("here"));
    }
}

#[test]
fn a_script_that_touches_other_keys_starts_again_and_does_everything_once() {
    let mut server = Server::lokikv(&["server.workers=2", "checkpoint.interval_s=0"]);
    let mut conn = server.connect();
    let mut listens = server.connect();
    listens.call(&["SUBSCRIBE", "c"]);
    for script in [
        "redis.call('publish', 'c', 'told') redis.call('incr', KEYS[1]) return redis.call('incr', 'undeclared')",
        "redis.call('incr', KEYS[1]) redis.call('select', 1) return redis.call('incr', 'in1')",
        "redis.call('incr', KEYS[1]) redis.call('dbsize') return redis.call('incr', KEYS[1]) / 3",
    ] {
        assert_eq!(conn.call(&["EVAL", script, "1", "k"]), Value::Int(1), "{script}");
    }
    assert_eq!(listens.recv().unwrap().value.items()[2], Value::bulk("told"));
    assert_eq!(conn.call(&["PUBLISH", "c", "next"]), Value::Int(1));
    assert_eq!(listens.recv().unwrap().value.items()[2], Value::bulk("next"));
    server.kill9();
    server.restart();
    let mut conn = server.connect();
    assert_eq!(
        conn.call(&["MGET", "k", "undeclared"]).items(),
        ["4", "1"].map(Value::bulk)
    );
}

#[test]
fn scripts_beside_each_other_and_alone_lose_nothing() {
    const KEYS: usize = 20;
    let server = Server::lokikv(&["server.workers=3", "wal.enabled=false"]);
    let mut conn = server.connect();
    for n in 0..KEYS {
        conn.call(&["SET", &format!("account{n}"), "1000"]);
    }
    let moves = "local n = tonumber(ARGV[1]) redis.call('decrby', KEYS[1], n) return redis.call('incrby', KEYS[2], n)";
    let strays = "local n = tonumber(ARGV[2]) redis.call('decrby', KEYS[1], n) return redis.call('incrby', ARGV[1], n)";
    let until = Instant::now() + Duration::from_secs(3);
    std::thread::scope(|scope| {
        for thread in 0..6_u64 {
            let mut conn = server.connect();
            scope.spawn(move || {
                let mut rng = Rng::new(seed() + thread);
                while Instant::now() < until {
                    let [one, other] = [(); 2].map(|()| format!("account{}", rng.below(KEYS)));
                    let amount = rng.below(50).to_string();
                    let moved = match thread {
                        0 => conn.call(&["EVAL", strays, "1", &one, &other, &amount]),
                        1 => {
                            conn.call(&["MULTI"]);
                            conn.call(&["EVAL", moves, "2", &one, &other, &amount]);
                            conn.call(&["EXEC"]).items().remove(0)
                        }
                        2 => {
                            conn.call(&["MULTI"]);
                            conn.call(&["DECRBY", &one, &amount]);
                            conn.call(&["INCRBY", &other, &amount]);
                            conn.call(&["EXEC"]).items().remove(1)
                        }
                        _ => conn.call(&["EVAL", moves, "2", &one, &other, &amount]),
                    };
                    assert!(moved.int().is_some(), "{moved:?}");
                }
            });
        }
        let mut sums = server.connect();
        scope.spawn(move || {
            let keys: Vec<String> = (0..KEYS).map(|n| format!("account{n}")).collect();
            let request: Vec<&str> = std::iter::once("MGET").chain(keys.iter().map(String::as_str)).collect();
            while Instant::now() < until {
                let all = sums.call(&request).items();
                let sum: i64 = all.iter().map(|value| value.text().parse::<i64>().unwrap()).sum();
                assert_eq!(sum, KEYS as i64 * 1000);
            }
        });
    });
}

#[test]
fn a_script_ends_with_the_server() {
    // The second one holds a record that the log waits for, and everybody else.
    for first in ["", "redis.call('set', KEYS[1], 1) redis.call('set', 'other', 1)"] {
        let (mut server, _runs) = with_endless(1, first);
        assert!(server.terminate().success(), "{first}");
        server.restart();
        assert!(server.connect().call(&["GET", "half"]).is_null(), "{first}");
    }
}

#[test]
fn a_password_is_taken_while_a_script_is_busy() {
    let server = Server::lokikv(&["scripts.busy_reply_threshold_ms=50", "server.requirepass=secret"]);
    let mut runs = Conn::connect(server.port()).unwrap();
    let mut other = Conn::connect(server.port()).unwrap();
    for conn in [&mut runs, &mut other] {
        conn.call(&["AUTH", "secret"]);
    }
    runs.send(&["EVAL", "while true do end", "0"]).unwrap();
    await_that("the script is busy", || {
        other.call(&["GET", "k"]).text().starts_with("BUSY ")
    });
    let mut conn = Conn::connect(server.port()).unwrap();
    assert!(error(&conn.call(&["GET", "k"])).starts_with("NOAUTH "));
    assert!(error(&conn.call(&["SCRIPT", "KILL"])).starts_with("NOAUTH "));
    assert_eq!(conn.call(&["AUTH", "secret"]), Value::ok());
    assert_eq!(conn.call(&["HELLO", "3"]).kind(), "map");
    await_that("it is ended", || conn.call(&["SCRIPT", "KILL"]) == Value::ok());
}

#[test]
fn scripts_answer_for_want_of_memory_as_in_redis() {
    let server = in_memory();
    let mut conn = server.connect();
    conn.call(&["CONFIG", "SET", "maxmemory", "1"]);
    let oom = |value: &Value| assert!(error(value).starts_with("OOM "), "{value:?}");
    oom(&conn.call(&["EVAL", "return redis.call('set', 'k', 'v')", "0"]));
    oom(&conn.call(&["EVAL", "#!lua\nreturn 1", "0"]));
    assert_eq!(conn.call(&["EVAL", "return 1", "0"]), Value::Int(1));
    let deletes = "redis.call('del', 'k') return redis.call('set', 'k', 'v')";
    assert_eq!(conn.call(&["EVAL", deletes, "0"]), Value::ok());
    let allowed = "#!lua flags=allow-oom\nreturn redis.call('append', 'k', 'w')";
    assert_eq!(conn.call(&["EVAL", allowed, "0"]), Value::Int(2));
    assert_eq!(
        conn.call(&["EVAL", "#!lua flags=no-writes\nreturn redis.call('get', 'k')", "0"])
            .text(),
        "vw"
    );
}
