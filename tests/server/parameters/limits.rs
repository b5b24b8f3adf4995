//! `limits.*`, `memory.*` and the counts of clients.

use std::io::Read;
use std::time::{Duration, Instant};

use super::{Effect, await_that, call, set};
use crate::memory::resident_mb;
use crate::support::conn::encode;
use crate::support::{Conn, Server, Value};
use crate::{args, figure, in_memory};

pub const EFFECTS: &[Effect] = &[
    ("limits.output_buffer_normal_hard_bytes", hard_limit),
    ("limits.output_buffer_normal_soft_bytes", soft_limit),
    ("limits.output_buffer_normal_soft_s", soft_limit),
    ("limits.output_buffer_replica_hard_bytes", nobody_is_a_replica),
    ("limits.output_buffer_replica_soft_bytes", nobody_is_a_replica),
    ("limits.output_buffer_replica_soft_s", nobody_is_a_replica),
    ("limits.output_buffer_pubsub_hard_bytes", nobody_subscribes),
    ("limits.output_buffer_pubsub_soft_bytes", nobody_subscribes),
    ("limits.output_buffer_pubsub_soft_s", nobody_subscribes),
    ("limits.clients_bytes_max", all_clients),
    ("limits.query_buffer_bytes_max", query_buffer),
    ("limits.bulk_bytes_max", bulk),
    ("limits.args_max", args),
    ("limits.collections_max", collections),
    ("limits.tracking_keys_max", tracked_keys),
    ("memory.max_bytes", memory),
    ("memory.policy", policy),
    ("memory.eviction_samples", samples),
    ("memory.eviction_tenacity", tenacity),
    ("memory.lfu_log_factor", log_factor),
    ("memory.lfu_decay_min", decay),
    ("memory.defrag", || defrag("memory.defrag", "no", "yes")),
    ("memory.defrag_ignore_bytes", || {
        defrag("memory.defrag_ignore_bytes", "1gb", "4mb");
    }),
    ("memory.defrag_threshold_percent", || {
        defrag("memory.defrag_threshold_percent", "1000", "25");
    }),
    ("server.maxclients", maxclients),
];

/// Asks for 30 MB and reads nothing.
fn ask_for_much(server: &Server) -> Conn {
    let mut conn = server.connect();
    conn.call(&["SET", "value", &"v".repeat(10_000)]);
    let mut request = Vec::new();
    (0..3000).for_each(|_| encode(&["GET", "value"], &mut request));
    let _ = conn.send_raw(&request);
    conn
}

fn clients(conn: &mut Conn) -> usize {
    call(conn, "CLIENT LIST").text().lines().count()
}

/// Holes between keys stay with one value of a parameter, and go with another.
fn defrag(parameter: &str, stays: &str, goes: &str) {
    let server = in_memory();
    let mut conn = server.connect();
    set(&mut conn, "memory.defrag_ignore_bytes", "4mb");
    set(&mut conn, parameter, stays);
    let (keys, value) = (|| (0..100_000).map(|n| format!("key:{n}")), "v".repeat(400));
    let sets: Vec<_> = keys().map(|key| args!["SET", key, &value]).collect();
    conn.pipeline(&sets).expect("replies");
    let gone = keys().enumerate().filter(|(n, _)| n % 4 != 0);
    let dels: Vec<_> = gone.map(|(_, key)| args!["DEL", key]).collect();
    conn.pipeline(&dels).expect("replies");
    std::thread::sleep(Duration::from_secs(3));
    assert_eq!(figure(&mut conn, "active_defrag_hits"), 0, "{parameter} at {stays}");
    let kept = resident_mb(&server);
    set(&mut conn, parameter, goes);
    let started = Instant::now();
    while resident_mb(&server) + 10 >= kept {
        // Workers give it little of their time, and a busy machine gives workers little.
        let moved = figure(&mut conn, "active_defrag_hits");
        let now = resident_mb(&server);
        assert!(
            started.elapsed() < Duration::from_secs(60),
            "{parameter}: {moved} moved, {kept} -> {now} MB"
        );
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn hard_limit() {
    let server = in_memory();
    let mut conn = server.connect();
    let patient = ask_for_much(&server);
    std::thread::sleep(Duration::from_millis(500));
    assert_eq!(clients(&mut conn), 2);
    drop(patient);
    await_that("it is gone", || clients(&mut conn) == 1);
    set(&mut conn, "limits.output_buffer_normal_hard_bytes", "1mb");
    let _greedy = ask_for_much(&server);
    await_that("the greedy one is closed", || clients(&mut conn) == 1);
}

/// Of two that hold much the one that holds more is closed, unless it is not to be.
fn all_clients() {
    let server = in_memory();
    let mut conn = server.connect();
    let mut half = Vec::new();
    encode(&["SET", "k", &"v".repeat(20 << 20)], &mut half);
    let holding = |bytes: usize, no_evict: bool| {
        let mut client = server.connect();
        if no_evict {
            client.call(&["CLIENT", "NO-EVICT", "ON"]);
        }
        client.send_raw(&half[..bytes]).expect("half a request");
        client
    };
    let _clients = [holding(8 << 20, true), holding(6 << 20, false), holding(2 << 20, false)];
    await_that("all is received", || mem_clients(&mut conn) > 15 << 20);
    set(&mut conn, "maxmemory", "100mb");
    set(&mut conn, "maxmemory-clients", "12%");
    await_that("the largest that may be closed is closed", || clients(&mut conn) == 3);
    // It leaves the list first.
    await_that("what it held is given back", || mem_clients(&mut conn) < 12 << 20);
    await_that("it is counted", || figure(&mut conn, "evicted_clients") == 1);
}

fn mem_clients(conn: &mut Conn) -> u64 {
    call(conn, "INFO memory").figure("mem_clients_normal")
}

fn soft_limit() {
    let server = in_memory();
    let mut conn = server.connect();
    set(&mut conn, "client-output-buffer-limit", "normal 0 1mb 5");
    let mut greedy = ask_for_much(&server);
    std::thread::sleep(Duration::from_millis(500));
    assert_eq!(clients(&mut conn), 2);
    let _ = greedy.send(&["PING"]);
    await_that("the greedy one is closed", || clients(&mut conn) == 1);
}

fn shown(parameter: &str, value: &str) -> String {
    let server = in_memory();
    let mut conn = server.connect();
    set(&mut conn, parameter, value);
    call(&mut conn, "CONFIG GET client-output-buffer-limit").items()[1].text()
}

/// This version has no clients of the class: nothing can come of it, but what was set is kept.
fn nobody_is_a_replica() {
    let limits = shown("client-output-buffer-limit", "replica 7 6 5");
    assert!(limits.contains("slave 7 6 5"), "{limits}");
}

/// The same.
fn nobody_subscribes() {
    let limits = shown("client-output-buffer-limit", "pubsub 7 6 5");
    assert!(limits.contains("pubsub 7 6 5"), "{limits}");
}

/// Whether the connection stays open when these bytes have been sent.
fn stays_open(server: &Server, bytes: &[u8]) -> bool {
    until_closed(server, bytes, Duration::from_millis(500)).is_none()
}

/// What comes when these bytes have been sent, up to the close; `None` when it stays open.
fn sent(server: &Server, bytes: &[u8]) -> Option<Vec<u8>> {
    until_closed(server, bytes, Duration::from_secs(20))
}

/// The same, if each part of it comes within this time.
fn until_closed(server: &Server, bytes: &[u8], time: Duration) -> Option<Vec<u8>> {
    let mut conn = server.connect();
    let _ = conn.send_raw(bytes);
    conn.stream().set_read_timeout(Some(time)).expect("a timeout");
    let (mut came, mut chunk) = (Vec::new(), [0; 4096]);
    loop {
        match conn.stream().read(&mut chunk) {
            Ok(0) => return Some(came),
            Ok(n) => came.extend_from_slice(&chunk[..n]),
            Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => return Some(came),
            Err(_) => return None,
        }
    }
}

fn query_buffer() {
    let server = in_memory();
    let mut conn = server.connect();
    let request = [
        &b"*2\r\n$3\r\nGET\r\n$5000000\r\n"[..],
        vec![b'x'; 2_000_000].as_slice(),
    ]
    .concat();
    assert!(stays_open(&server, &request));
    set(&mut conn, "client-query-buffer-limit", "1mb");
    assert_eq!(sent(&server, &request), Some(Vec::new()));
}

fn bulk() {
    let server = in_memory();
    let mut conn = server.connect();
    let request = b"*2\r\n$3\r\nGET\r\n$2000000\r\n";
    assert!(stays_open(&server, request));
    set(&mut conn, "proto-max-bulk-len", "1mb");
    let error = b"-ERR Protocol error: invalid bulk length\r\n";
    assert_eq!(sent(&server, request).as_deref(), Some(&error[..]));
}

fn args() {
    let server = in_memory();
    let mut conn = server.connect();
    let mut request = vec!["DEL"; 17];
    assert_eq!(conn.call(&request), Value::Int(0));
    set(&mut conn, "limits.args_max", "16");
    request[0] = "EXISTS";
    let mut bytes = Vec::new();
    encode(&request, &mut bytes);
    let error = b"-ERR Protocol error: invalid multibulk length\r\n";
    assert_eq!(sent(&server, &bytes).as_deref(), Some(&error[..]));
}

fn memory() {
    let server = in_memory();
    let mut conn = server.connect();
    assert_eq!(call(&mut conn, "SET k v"), Value::ok());
    set(&mut conn, "maxmemory", "1");
    assert!(call(&mut conn, "SET k v").text().starts_with("OOM "));
    set(&mut conn, "maxmemory", "0");
    assert_eq!(call(&mut conn, "SET k v"), Value::ok());
}

/// What is over the limit is refused, or goes.
fn policy() {
    let server = in_memory();
    let mut conn = server.connect();
    set(&mut conn, "maxmemory-policy", "noeviction");
    assert!(call(&mut conn, "CONFIG SET maxmemory-policy lru").is_error());
    assert!(
        call(&mut conn, "INFO memory")
            .text()
            .contains("maxmemory_policy:noeviction")
    );
    call(&mut conn, "SET k v");
    set(&mut conn, "maxmemory", "1");
    assert!(call(&mut conn, "SET x v").text().starts_with("OOM "));
    set(&mut conn, "maxmemory-policy", "allkeys-random");
    await_that("the key goes", || call(&mut conn, "DBSIZE") == Value::Int(0));
}

/// Keys, each one idle for a second longer than the one before; how many are in use.
fn fill_by_age(conn: &mut Conn, count: usize) -> u64 {
    call(conn, "SET k v");
    let payload = conn.call(&["DUMP", "k"]).bytes().unwrap().to_vec();
    for idle_s in 0..count {
        let (key, idle_s) = (format!("idle:{idle_s}"), idle_s.to_string());
        let words = [
            b"RESTORE",
            key.as_bytes(),
            b"0",
            &payload,
            b"IDLETIME",
            idle_s.as_bytes(),
        ];
        assert_eq!(conn.call(&words), Value::ok());
    }
    call(conn, "INFO memory").figure("used_memory")
}

/// The more keys are looked at, the fewer go before older ones.
fn samples() {
    let misses = ["1", "64"].map(|samples| {
        let server = in_memory();
        let mut conn = server.connect();
        set(&mut conn, "maxmemory-policy", "allkeys-lru");
        set(&mut conn, "maxmemory-samples", samples);
        let used = fill_by_age(&mut conn, 2_000);
        set(&mut conn, "maxmemory", &(used * 8 / 10).to_string());
        await_that("some go", || {
            call(&mut conn, "INFO memory").figure("used_memory") <= used * 8 / 10
        });
        let kept = call(&mut conn, "KEYS idle:*").items();
        let ages = kept
            .iter()
            .map(|key| key.text().strip_prefix("idle:").unwrap().parse::<usize>().unwrap());
        ages.filter(|age| *age >= kept.len()).count()
    });
    assert!(misses[0] > 2 * misses[1], "{misses:?}");
}

/// With all patience a command evicts whatever it takes, with none it leaves that to others. These help in both cases,
/// and on a busy machine either may be late.
fn tenacity() {
    let mut seen: Vec<[i64; 2]> = Vec::new();
    while !seen.iter().any(|[none, all]| *all > 2 * none + 1) {
        assert!(seen.len() < 10, "{seen:?}");
        seen.push(["0", "100"].map(longest_eviction_ms));
    }
}

/// How long a command evicted that came just behind a limit of a part of what there is.
fn longest_eviction_ms(tenacity: &str) -> i64 {
    let server = in_memory();
    let mut conn = server.connect();
    set(&mut conn, "maxmemory-policy", "allkeys-lru");
    set(&mut conn, "maxmemory-eviction-tenacity", tenacity);
    set(&mut conn, "latency-monitor-threshold", "1");
    for batch in 0..150 {
        let keys: Vec<String> = (0..1000).map(|key| format!("{batch}:{key}")).collect();
        let words = keys.iter().flat_map(|key| [key.as_str(), "a value"]);
        let words: Vec<&str> = ["MSET"].into_iter().chain(words).collect();
        assert_eq!(conn.call(&words), Value::ok());
    }
    let mut both = Vec::new();
    encode(&["CONFIG", "SET", "maxmemory", "2mb"], &mut both);
    encode(&["SET", "k", "v"], &mut both);
    conn.send_raw(&both).unwrap();
    assert_eq!([(); 2].map(|()| conn.recv().unwrap().value), [Value::ok(), Value::ok()]);
    let samples = call(&mut conn, "LATENCY HISTORY eviction-cycle").items();
    let longest = samples.iter().filter_map(|sample| sample.items()[1].int()).max();
    longest.unwrap_or_default()
}

fn log_factor() {
    let server = in_memory();
    let mut conn = server.connect();
    set(&mut conn, "maxmemory-policy", "allkeys-lfu");
    set(&mut conn, "lfu-decay-time", "0");
    let mut frequency = |factor: &str| {
        set(&mut conn, "lfu-log-factor", factor);
        call(&mut conn, "DEL k");
        call(&mut conn, "SET k v");
        (0..20).for_each(|_| drop(call(&mut conn, "GET k")));
        call(&mut conn, "OBJECT FREQ k").int()
    };
    assert_eq!(frequency("0"), Some(25));
    assert!(frequency("1000000") < Some(9));
}

/// A key that has not been used for ten minutes has lost the counter of a new one, or nothing.
fn decay() {
    let server = in_memory();
    let mut conn = server.connect();
    fill_by_age(&mut conn, 0);
    let payload = conn.call(&["DUMP", "k"]).bytes().unwrap().to_vec();
    let words = [&b"RESTORE"[..], b"old", b"0", &payload, b"IDLETIME", b"600"];
    assert_eq!(conn.call(&words), Value::ok());
    set(&mut conn, "maxmemory-policy", "allkeys-lfu");
    assert_eq!(call(&mut conn, "OBJECT FREQ old"), Value::Int(0));
    set(&mut conn, "lfu-decay-time", "0");
    assert_eq!(call(&mut conn, "OBJECT FREQ old"), Value::Int(5));
}

fn maxclients() {
    let server = in_memory();
    let mut conn = server.connect();
    set(&mut conn, "maxclients", "1");
    assert_eq!(
        sent(&server, b"").as_deref(),
        Some(&b"-ERR max number of clients reached\r\n"[..])
    );
    set(&mut conn, "maxclients", "2");
    assert!(stays_open(&server, b""));
}

/// Each way to make one more is refused, and what is there goes on.
fn collections() {
    let server = in_memory();
    let mut conn = server.connect();
    set(&mut conn, "limits.collections_max", "2");
    for name in ["one", "two"] {
        assert_eq!(call(&mut conn, &format!("COLLECTION CREATE {name}")), Value::ok());
    }
    for command in ["COLLECTION CREATE three", "/c_hcol three", "COLLECTION COPY one three"] {
        let refused = call(&mut conn, command);
        assert!(
            refused.is_error() && refused.text().contains("'limits.collections_max'"),
            "{command}: {refused:?}"
        );
    }
    assert_eq!(call(&mut conn, "COLLECTION DROP one"), Value::ok());
    assert_eq!(call(&mut conn, "COLLECTION CREATE three"), Value::ok());
    set(&mut conn, "limits.collections_max", "0");
    assert_eq!(call(&mut conn, "COLLECTION CREATE four"), Value::ok());
}

/// Of what a client has read no more is remembered.
fn tracked_keys() {
    let server = in_memory();
    let mut conn = server.connect();
    call(&mut conn, "CLIENT TRACKING ON");
    set(&mut conn, "limits.tracking_keys_max", "2");
    call(&mut conn, "MGET a b c d");
    let tracked = |conn: &mut Conn| call(conn, "INFO stats").figure("tracking_total_keys");
    assert_eq!(tracked(&mut conn), 2);
    set(&mut conn, "limits.tracking_keys_max", "0");
    call(&mut conn, "MGET a b c d");
    assert_eq!(tracked(&mut conn), 4);
}
