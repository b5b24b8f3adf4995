//! Functions: their libraries are data, known to all workers at once; and functions that run for long.

use std::time::{Duration, Instant};

use crate::support::{Conn, Server, Value};
use crate::{await_that, figure, in_memory};

fn error(value: &Value) -> String {
    assert!(value.is_error(), "{value:?}");
    value.text()
}

fn load(conn: &mut Conn, name: &str, body: &str) {
    let code = format!("#!lua name={name}\n{body}");
    assert_eq!(conn.call(&["FUNCTION", "LOAD", "REPLACE", &code]), Value::bulk(name));
}

/// A library with one function of the same name.
fn load_one(conn: &mut Conn, name: &str, body: &str) {
    let body = format!("redis.register_function('{name}', function(keys, args) {body} end)");
    load(conn, name, &body);
}

#[test]
fn libraries_outlive_the_server() {
    let mut server = Server::lokikv(&["checkpoint.interval_s=0"]);
    let mut conn = server.connect();
    load_one(&mut conn, "kept", "return redis.call('incr', 'n')");
    load_one(&mut conn, "gone", "return 1");
    load_one(&mut conn, "changed", "return 'old'");
    assert_eq!(conn.call(&["FCALL", "kept", "0"]), Value::Int(1));
    conn.call(&["PERSIST"]);
    for checkpointed in [false, true] {
        load_one(&mut conn, "changed", &format!("return 'new {checkpointed}'"));
        conn.call(&["FUNCTION", "DELETE", "gone"]);
        let list = conn.call(&["FUNCTION", "LIST", "WITHCODE"]);
        if checkpointed {
            conn.call(&["SAVE"]);
        }
        server.kill9();
        server.restart();
        conn = server.connect();
        assert_eq!(figure(&mut conn, "number_of_libraries"), 2);
        assert_eq!(figure(&mut conn, "number_of_functions"), 2);
        assert_eq!(conn.call(&["FUNCTION", "LIST", "WITHCODE"]), list);
        assert!(conn.call(&["FCALL", "kept", "0"]).int().is_some());
        let new = format!("new {checkpointed}");
        assert_eq!(conn.call(&["FCALL", "changed", "0"]), Value::bulk(&new));
        assert_eq!(error(&conn.call(&["FCALL", "gone", "0"])), "ERR Function not found");
    }
    assert_eq!(conn.call(&["FUNCTION", "FLUSH"]), Value::ok());
    server.kill9();
    server.restart();
    assert!(server.connect().call(&["FUNCTION", "LIST"]).items().is_empty());
}

/// Whoever has been told of a change finds it, on whichever worker.
#[test]
fn all_workers_have_the_same_functions() {
    let server = Server::lokikv(&["wal.enabled=false", "server.workers=3"]);
    let mut conns: Vec<Conn> = (0..6).map(|_| server.connect()).collect();
    for round in 0..200 {
        let (by, version) = (round % 6, format!("v{round}"));
        load_one(&mut conns[by], "f", &format!("return '{version}'"));
        for conn in &mut conns {
            assert_eq!(conn.call(&["FCALL", "f", "0"]), Value::bulk(&version));
        }
        if round % 10 == 9 {
            conns[by].call(&["FUNCTION", "DELETE", "f"]);
            for conn in &mut conns {
                assert_eq!(error(&conn.call(&["FCALL", "f", "0"])), "ERR Function not found");
            }
        }
    }
}

/// One that needs more than its keys starts again, alone; it may have been replaced until then.
#[test]
fn a_function_that_strays_is_the_present_one() {
    let server = Server::lokikv(&["wal.enabled=false", "server.workers=2"]);
    let until = Instant::now() + Duration::from_secs(2);
    let mut by = server.connect();
    let stray = |version: i64| {
        format!(
            "redis.call('set', keys[1], {version}) redis.call('set', 'other', {version}) return redis.call('get', 'version')"
        )
    };
    load_one(&mut by, "f", &stray(0));
    by.call(&["SET", "version", "0"]);
    std::thread::scope(|scope| {
        for n in 0..3 {
            let mut conn = server.connect();
            scope.spawn(move || {
                while Instant::now() < until {
                    let key = format!("k{n}");
                    assert!(!conn.call(&["FCALL", "f", "1", &key]).is_error());
                    let both = conn.call(&[
                        "EVAL",
                        "return {redis.call('get', 'version'), redis.call('get', 'other')}",
                        "0",
                    ]);
                    let both = both.items();
                    let [version, other] = [&both[0], &both[1]].map(|value| value.text().parse::<i64>().unwrap_or(0));
                    assert!(
                        other >= version - 1,
                        "{other} was written by an older function than {version}"
                    );
                }
            });
        }
        for version in 1.. {
            if Instant::now() >= until {
                break;
            }
            let body = stray(version);
            let code = format!("#!lua name=f\nredis.register_function('f', function(keys, args) {body} end)");
            let version = version.to_string();
            by.call(&["MULTI"]);
            by.call(&["FUNCTION", "LOAD", "REPLACE", &code]);
            by.call(&["SET", "version", &version]);
            by.call(&["SET", "other", &version]);
            assert_eq!(by.call(&["EXEC"]).items().len(), 3);
        }
    });
}

#[test]
fn a_dump_restores_all_or_nothing() {
    let server = in_memory();
    let mut conn = server.connect();
    load_one(&mut conn, "one", "return 1");
    load_one(&mut conn, "two", "return 2");
    let dump = conn.call(&["FUNCTION", "DUMP"]);
    let Value::Bulk(dump) = dump else { panic!("{dump:?}") };
    let restore = |conn: &mut Conn, policy: &str| conn.call(&[&b"FUNCTION"[..], b"RESTORE", &dump, policy.as_bytes()]);
    conn.call(&["FUNCTION", "DELETE", "one"]);
    assert_eq!(error(&restore(&mut conn, "APPEND")), "ERR Library two already exists");
    assert_eq!(error(&conn.call(&["FCALL", "one", "0"])), "ERR Function not found");
    load_one(&mut conn, "two", "return 'changed'");
    assert_eq!(restore(&mut conn, "REPLACE"), Value::ok());
    assert_eq!(conn.call(&["FCALL", "one", "0"]), Value::Int(1));
    assert_eq!(conn.call(&["FCALL", "two", "0"]), Value::Int(2));
    load(
        &mut conn,
        "two",
        "redis.register_function('three', function() return 3 end)",
    );
    load(
        &mut conn,
        "other",
        "redis.register_function('TWO', function() return 'other' end)",
    );
    assert_eq!(error(&restore(&mut conn, "REPLACE")), "ERR Function two already exists");
    assert_eq!(conn.call(&["FCALL", "three", "0"]), Value::Int(3));
    assert_eq!(restore(&mut conn, "FLUSH"), Value::ok());
    assert_eq!(conn.call(&["FCALL", "two", "0"]), Value::Int(2));
    assert_eq!(conn.call(&["FUNCTION", "LIST"]).items().len(), 2);
    let before = conn.call(&["FUNCTION", "LIST", "WITHCODE"]);
    for at in 0..dump.len() {
        let mut damaged = dump.clone();
        damaged[at] ^= 0x20;
        let reply = conn.call(&[&b"FUNCTION"[..], b"RESTORE", &damaged, b"FLUSH"]);
        assert_eq!(error(&reply), "ERR DUMP payload version or checksum are wrong");
    }
    assert_eq!(conn.call(&["FUNCTION", "LIST", "WITHCODE"]), before);
}

#[test]
fn a_transaction_that_is_rolled_back_has_loaded_nothing() {
    let mut server = Server::lokikv(&["checkpoint.interval_s=0"]);
    let mut conn = server.connect();
    load_one(&mut conn, "f", "return 'old'");
    let before = conn.call(&["FUNCTION", "LIST", "WITHCODE"]);
    let new = "#!lua name=f\nredis.register_function('f', function() return 'new' end)";
    let more = "#!lua name=more\nredis.register_function('more', function() return 1 end)";
    for words in [
        &["MULTI"][..],
        &["FUNCTION", "LOAD", "REPLACE", new],
        &["FUNCTION", "LOAD", more],
        &["FUNCTION", "DELETE", "nosuch"],
    ] {
        assert!(!conn.call(words).is_error());
    }
    assert!(error(&conn.call(&["EXEC", "ROLLBACK"])).starts_with("EXECABORT Transaction rolled back: command 3 of 3"));
    assert_eq!(conn.call(&["FCALL", "f", "0"]), Value::bulk("old"));
    assert_eq!(error(&conn.call(&["FCALL", "more", "0"])), "ERR Function not found");
    for words in [
        &["MULTI"][..],
        &["FUNCTION", "LOAD", more],
        &["FUNCTION", "FLUSH"],
        &["GET", "k", "x"],
    ] {
        conn.call(words);
    }
    assert!(conn.call(&["EXEC"]).is_error());
    for words in [
        &["MULTI"][..],
        &["FUNCTION", "FLUSH"],
        &["INCR", "k"],
        &["LPUSH", "k", "x"],
    ] {
        conn.call(words);
    }
    assert!(error(&conn.call(&["EXEC", "ROLLBACK"])).starts_with("EXECABORT"));
    assert_eq!(conn.call(&["FUNCTION", "LIST", "WITHCODE"]), before);
    server.kill9();
    server.restart();
    assert_eq!(server.connect().call(&["FUNCTION", "LIST", "WITHCODE"]), before);
}

const ENDLESS: &str = "redis.register_function('loop', function(keys, args)
    redis.call('set', keys[1], 'half') redis.call('del', keys[2]) while true do end end)";

/// A server with so many workers, one of whose clients runs a function without end, which has changed something.
fn with_endless(workers: usize) -> (Server, Conn) {
    let workers = format!("server.workers={workers}");
    let server = Server::lokikv(&[
        &workers,
        "scripts.busy_reply_threshold_ms=50",
        "checkpoint.interval_s=0",
    ]);
    let mut runs = server.connect();
    load(&mut runs, "l", ENDLESS);
    runs.call(&["SET", "there", "here"]);
    runs.send(&["FCALL", "Loop", "2", "half", "there"]).unwrap();
    let mut conn = server.connect();
    await_that("it is busy", || conn.call(&["GET", "k"]).is_error());
    (server, runs)
}

#[test]
fn a_function_that_runs_for_long_is_shown_and_ended_on_every_worker() {
    for workers in [1, 3] {
        let (server, mut runs) = with_endless(workers);
        let mut conns: Vec<Conn> = (0..6).map(|_| server.connect()).collect();
        for conn in &mut conns {
            for words in [
                &["GET", "k"][..],
                &["FUNCTION", "LIST"],
                &["FCALL", "loop", "0"],
                &["SCRIPT", "KILL"],
            ] {
                let text = error(&conn.call(words));
                assert!(
                    text.starts_with("BUSY Redis is busy running a script. You can only call FUNCTION KILL"),
                    "{text}"
                );
            }
            let stats = conn.call(&["FUNCTION", "STATS"]).items();
            let running = stats[1].items();
            assert_eq!(running[1], Value::bulk("loop"));
            assert_eq!(
                running[3].items(),
                ["FCALL", "Loop", "2", "half", "there"].map(Value::bulk)
            );
            assert!(running[5].int().is_some_and(|took| took >= 50), "{running:?}");
            assert_eq!(stats[3].items()[1].items()[1], Value::Int(1));
        }
        // It has written, and can be ended all the same: that is taken back.
        let by = &mut conns[workers];
        assert_eq!(by.call(&["FUNCTION", "KILL"]), Value::ok());
        let text = error(&runs.recv().unwrap().value);
        assert!(
            text.starts_with("ERR Script killed by user with SCRIPT KILL... script: loop"),
            "{text}"
        );
        for conn in &mut conns {
            assert_eq!(conn.call(&["EXISTS", "half"]), Value::Int(0));
            assert_eq!(conn.call(&["GET", "there"]), Value::bulk("here"));
            assert!(error(&conn.call(&["FUNCTION", "KILL"])).starts_with("NOTBUSY"));
            assert_eq!(conn.call(&["FUNCTION", "STATS"]).items()[1], Value::Null);
        }
    }
}

#[test]
fn one_that_changes_nothing_runs_beside_others_and_may_not_write() {
    let server = in_memory();
    let mut conn = server.connect();
    load(
        &mut conn,
        "l",
        "redis.register_function{function_name='ro', callback=function(keys) return redis.call('get', keys[1]) end, flags={'no-writes'}}
         redis.register_function{function_name='cheats', callback=function(keys) return redis.call('set', keys[1], 'x') end, flags={'no-writes'}}
         redis.register_function('writes', function(keys) return redis.call('set', keys[1], 'v') end)",
    );
    assert_eq!(conn.call(&["FCALL", "writes", "1", "k"]), Value::ok());
    assert_eq!(conn.call(&["FCALL_RO", "ro", "1", "k"]), Value::bulk("v"));
    assert!(
        error(&conn.call(&["FCALL_RO", "writes", "1", "k"]))
            .starts_with("ERR Can not execute a script with write flag")
    );
    for command in ["FCALL", "FCALL_RO"] {
        let text = error(&conn.call(&[command, "cheats", "1", "k"]));
        assert!(
            text.starts_with("ERR Write commands are not allowed from read-only scripts."),
            "{text}"
        );
    }
    assert_eq!(conn.call(&["GET", "k"]), Value::bulk("v"));
}

#[test]
fn one_with_the_flag_rollback_leaves_nothing_when_it_fails() {
    let server = in_memory();
    let mut conn = server.connect();
    load(
        &mut conn,
        "l",
        "redis.register_function{function_name='f', flags={'rollback'}, callback=function(keys)
            redis.call('set', keys[1], 1) error('no') end}",
    );
    let flags = conn.call(&["FUNCTION", "LIST"]).items()[0].items()[5].items()[0].items()[5].items();
    assert_eq!(flags, [Value::Simple(b"rollback".to_vec())]);
    assert!(error(&conn.call(&["FCALL", "f", "1", "k"])).contains("no script: f"));
    assert_eq!(conn.call(&["EXISTS", "k"]), Value::Int(0));
}

#[test]
fn memory_is_bounded_while_a_library_is_loaded() {
    let server = Server::lokikv(&["wal.enabled=false", "scripts.memory_bytes_max=16777216"]);
    let mut conn = server.connect();
    let code = |doublings: usize| {
        format!(
            "#!lua name=l\nlocal s = 'x' for i = 1, {doublings} do s = s .. s end
             redis.register_function('f', function() return #s end)"
        )
    };
    let refused = error(&conn.call(&["FUNCTION", "LOAD", &code(24)]));
    assert_eq!(refused, "ERR Error registering functions: ERR not enough memory");
    assert_eq!(conn.call(&["FUNCTION", "LOAD", &code(16)]), Value::bulk("l"));
    assert_eq!(conn.call(&["FCALL", "f", "0"]), Value::Int(1 << 16));
}

#[test]
fn what_functions_take_is_told() {
    let server = in_memory();
    let mut conn = server.connect();
    let before = figure(&mut conn, "used_memory");
    assert_eq!(figure(&mut conn, "used_memory_vm_functions"), 0);
    let text = "x".repeat(1_000_000);
    load_one(&mut conn, "big", &format!("return #'{text}'"));
    assert!(figure(&mut conn, "used_memory") >= before + 1_000_000);
    assert!(figure(&mut conn, "used_memory_functions") >= 1_000_000);
    assert_eq!(conn.call(&["FCALL", "big", "0"]), Value::Int(1_000_000));
    assert!(figure(&mut conn, "used_memory_vm_functions") >= 1_000_000);
    assert_eq!(figure(&mut conn, "number_of_libraries"), 1);
    conn.call(&["FUNCTION", "FLUSH"]);
    assert_eq!(figure(&mut conn, "used_memory_functions"), 0);
    await_that("each worker lets go of it", || {
        figure(&mut conn, "used_memory_vm_functions") < 1_000_000
    });
}
