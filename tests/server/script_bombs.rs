//! Scripts that take as much memory as they can get: the server stays within a bound, serves others, and goes on. What
//! each of them ends with is tested beside Lua (`src/script/tests/bounds.rs`).

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::in_memory;
use crate::support::{Conn, Server, Value};

const LIMIT_MB: u64 = 4;
/// Two workers' scripts at their limit and replies of the same size, a request, and what the server takes itself.
const RESIDENT_MB_MAX: u64 = 4 * LIMIT_MB + 160;

const BOMBS: &[&str] = &[
    "local t = {} while true do t[#t + 1] = {} end",
    "local s = 'x' while true do s = s .. s end",
    "local t = {} while true do local x = {} t[#t + 1] = function() return x end end",
    "local t = {} while true do t[#t + 1] = coroutine.create(function() end) end",
    "local s = 'x' for _ = 1, 60 do s = s:gsub('.', '%0%0') end return #s",
    "return #string.rep('x', 1e12)",
    "local t = {1} for _ = 1, 60 do t = {t, t} end return t",
    "local t = {1} for _ = 1, 60 do t = {map = {a = t, b = t}} end return t",
    "local t = {1} for _ = 1, 60 do t = {t, t} end return cjson.encode(t)",
    "local t = {} for _ = 1, 13 do local n = {} for i = 1, 100 do n[i] = t end t = n end return cmsgpack.pack(t)",
    "local s = ('x'):rep(1e6) local t = {} for i = 1, 500 do t[i] = s end return struct.pack(('s'):rep(500), unpack(t))",
    "return cjson.decode('[' .. ('[],'):rep(5e5) .. '1]')",
    "return cmsgpack.unpack('\\221\\0\\64\\0\\0' .. ('\\144'):rep(4e6))",
    // A value that is an argument, or a reply, many times.
    "local s = ('x'):rep(1e6) local t = {} for i = 1, 3000 do t[i] = s end return redis.call('RPUSH', 'k', unpack(t))",
    "local s = ('x'):rep(1e6) local t = {} for i = 1, 3000 do t[i] = s end redis.call('ECHO', unpack(t))",
    "redis.call('SET', 'big', ('x'):rep(1e6)) local t = {} for i = 1, 3000 do t[i] = 'big' end return redis.call('MGET', unpack(t))",
    "redis.call('SET', 'big', ('x'):rep(1e6)) while true do redis.call('RPUSH', 'list', '') \
     redis.call('SORT', 'list', 'BY', 'nosort', 'GET', 'big*', 'GET', 'big*', 'GET', 'big*') end",
    // It catches it, and tries again, until the calls that it makes at the end are refused.
    "for _ = 1, 30 do pcall(function() local t = {} while true do t[#t + 1] = {} end end) end error('enough')",
];

fn status_mb(server: &Server, name: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", server.pid())).expect("its status");
    let line = status.lines().find(|line| line.starts_with(name)).expect("a line");
    let kb: u64 = line
        .split_whitespace()
        .nth(1)
        .expect("a number")
        .parse()
        .expect("a number");
    kb >> 10
}

/// Asks until `is_done`; how long an answer took at most.
fn others(conn: &mut Conn, is_done: &AtomicBool) -> Duration {
    let mut longest = Duration::ZERO;
    while !is_done.load(Ordering::Relaxed) {
        let since = Instant::now();
        let answer = conn.call(&["GET", "k"]);
        assert!(!answer.is_error() || answer.text().starts_with("BUSY "), "{answer}");
        longest = longest.max(since.elapsed());
        std::thread::sleep(Duration::from_millis(5));
    }
    longest
}

/// Sends a request until no other script is busy.
fn run(conn: &mut Conn, request: &[&str]) -> Value {
    loop {
        let answer = conn.call(request);
        if !answer.text().starts_with("BUSY ") {
            return answer;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn bombs_do_not_take_the_server_with_them() {
    let limit = format!("scripts.memory_bytes_max={}", LIMIT_MB << 20);
    let server = Server::lokikv(&[
        "wal.enabled=false",
        "server.workers=2",
        &limit,
        "limits.query_buffer_bytes_max=67108864",
        "scripts.busy_reply_threshold_ms=300",
    ]);
    let is_done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let waits: Vec<_> = (0..2)
            .map(|_| {
                let (mut conn, is_done) = (server.connect(), &is_done);
                scope.spawn(move || others(&mut conn, is_done))
            })
            .collect();
        let bombers: Vec<_> = (0..2)
            .map(|number| {
                let mut conn = server.connect();
                scope.spawn(move || {
                    for script in BOMBS.iter().skip(number).step_by(2) {
                        for keys in [&["0"][..], &["3", "k", "big", "list"]] {
                            let request: Vec<&str> = ["EVAL", script].into_iter().chain(keys.iter().copied()).collect();
                            let answer = run(&mut conn, &request);
                            assert!(answer.is_error(), "{script}: {answer:.200}");
                            assert_eq!(run(&mut conn, &["EVAL", "return 1", "0"]), Value::Int(1));
                        }
                    }
                })
            })
            .collect();
        let bombed: Vec<_> = bombers.into_iter().map(|bomber| bomber.join()).collect();
        is_done.store(true, Ordering::Relaxed);
        let longest = waits
            .into_iter()
            .map(|wait| wait.join().expect("others are served"))
            .max();
        assert!(bombed.iter().all(Result::is_ok));
        println!(
            "an answer took {longest:?} at most, {} MB at most",
            status_mb(&server, "VmHWM:")
        );
        assert!(longest < Some(Duration::from_secs(30)), "{longest:?}");
    });
    let most = status_mb(&server, "VmHWM:");
    assert!(most < RESIDENT_MB_MAX, "{most} MB");
    let mut conn = server.connect();
    assert!(
        conn.call(&["MGET", "big", "list"]).items().iter().all(Value::is_null),
        "all were taken back"
    );
}

#[test]
fn many_keys_and_arguments_are_taken_or_refused() {
    let server = Server::lokikv(&["wal.enabled=false", "scripts.memory_bytes_max=67108864"]);
    let mut conn = server.connect();
    let script = "return #KEYS + #ARGV";
    let many: Vec<String> = (0..300_000).map(|n| n.to_string()).collect();
    for keys in [0, 100_000, 300_000] {
        let keys = keys.to_string();
        let words = ["EVAL", script, &keys].into_iter();
        let request: Vec<&str> = words.chain(many.iter().map(String::as_str)).collect();
        assert_eq!(conn.call(&request), Value::Int(300_000));
    }
    let long = "x".repeat(100 << 20);
    let answer = conn.call(&["EVAL", "return ARGV[1] .. 'x'", "0", &long]).text();
    assert!(answer.ends_with("not enough memory"), "{answer:.200}");
    assert_eq!(conn.call(&["EVAL", script, "1", "k", "a"]), Value::Int(2));
}

#[test]
fn cached_scripts_count_as_used_memory() {
    let server = in_memory();
    let mut conn = server.connect();
    let used = |conn: &mut Conn| conn.call(&["INFO", "memory"]).figure("used_memory");
    let before = used(&mut conn);
    let text = "x".repeat(1 << 20);
    for n in 0..8 {
        conn.call(&["SCRIPT", "LOAD", &format!("return {n} --{text}")]);
    }
    assert!(used(&mut conn) > before + (8 << 20));
    let stats = conn.call(&["MEMORY", "STATS"]);
    let caches = stats.field("lua.caches").and_then(|bytes| bytes.int());
    assert!(caches > Some(8 << 20), "{caches:?}");
    assert!(stats.field("script.VMs").and_then(|bytes| bytes.int()) > Some(0));
    // They take what the data may have; but like Redis it is data that is refused for it.
    assert_eq!(conn.call(&["CONFIG", "SET", "maxmemory", "4mb"]), Value::ok());
    assert!(conn.call(&["SET", "k", "v"]).text().starts_with("OOM "));
    assert_eq!(conn.call(&["SCRIPT", "LOAD", "return 'more'"]).text().len(), 40);
    assert_eq!(conn.call(&["SCRIPT", "FLUSH"]), Value::ok());
    assert_eq!(conn.call(&["SET", "k", "v"]), Value::ok());
    assert!(used(&mut conn) < before + (1 << 20));
}
