//! Memory goes back to the system when values go, and counts for what it is.

use std::time::{Duration, Instant};

use crate::support::rng::Rng;
use crate::support::{Conn, Server, Value};
use crate::{args, await_that, in_memory};

/// What the process has in memory, in megabytes.
pub fn resident_mb(server: &Server) -> u64 {
    status_mb(server, "VmRSS:")
}

/// What its status tells, in megabytes.
fn status_mb(server: &Server, name: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", server.pid())).unwrap();
    let line = status.lines().find(|line| line.starts_with(name)).unwrap();
    let kb: u64 = line.split_whitespace().nth(1).unwrap().parse().unwrap();
    kb >> 10
}

fn used_mb(conn: &mut Conn) -> u64 {
    let text = conn.call(&["INFO", "memory"]).text();
    let line = text.lines().find(|line| line.starts_with("used_memory:")).unwrap();
    line.split_once(':').unwrap().1.trim().parse::<u64>().unwrap() >> 20
}

#[test]
fn large_values_that_come_and_go_leave_nothing_behind() {
    let server = Server::lokikv(&["wal.enabled=false", "checkpoint.interval_s=0", "memory.max_bytes=500mb"]);
    let mut conn = server.connect();
    let before = resident_mb(&server);
    let value = vec![b'v'; 100_000_000];
    for round in 0..20 {
        let set = conn.call(&[b"SET", &b"k"[..], &value]);
        assert_eq!(set, Value::ok(), "round {round}");
        // It becomes chunks.
        let grown = conn.call(&["SETRANGE", "k", "100000000", "x"]);
        assert_eq!(grown, Value::Int(100_000_001), "round {round}");
        assert_eq!(conn.call(&["DEL", "k"]), Value::Int(1));
        wait_until_resident(&server, before + 350);
    }
}

#[test]
fn a_write_waits_for_what_was_flushed_before_it() {
    let server = Server::lokikv(&["wal.enabled=false", "checkpoint.interval_s=0", "memory.max_bytes=28mb"]);
    let before = resident_mb(&server);
    let (mut conn, mut saving, mut other) = (server.connect(), server.connect(), server.connect());
    // Seven are too many. Six are on any disk long before the write has waited for as long as it may.
    let value = Rng::new(1).bytes(4 << 20);
    for round in 0..8 {
        for n in 0..6 {
            assert_eq!(conn.call(&[b"SET", format!("k{n}").as_bytes(), &value]), Value::ok());
        }
        // It has to write what is flushed meanwhile.
        saving.send(&["CHECKPOINT"]).unwrap();
        std::thread::sleep(Duration::from_millis(5));
        assert_eq!(conn.call(&["FLUSHALL"]), Value::ok());
        conn.send(&[b"SET", b"fresh".as_slice(), &value]).unwrap();
        let asked = Instant::now();
        assert_eq!(other.call(&["GET", "fresh:not"]), Value::Null);
        assert!(asked.elapsed() < Duration::from_secs(20), "others are served");
        assert_eq!(conn.recv().unwrap().value, Value::ok(), "round {round}");
        for words in [&["MULTI"][..], &["APPEND", "fresh", "x"], &["EXEC"]] {
            assert!(!conn.call(words).text().starts_with("OOM"), "round {round}");
        }
        assert_eq!(saving.recv().unwrap().value, Value::ok());
        assert_eq!(conn.call(&["DEL", "fresh"]), Value::Int(1));
    }
    wait_until_resident(&server, before + 100);
}

#[test]
fn a_write_is_refused_at_once_where_nothing_is_to_be_waited_for() {
    let server = Server::lokikv(&["wal.enabled=false", "checkpoint.interval_s=0", "memory.max_bytes=50mb"]);
    let mut conn = server.connect();
    let value = vec![b'v'; 16 << 20];
    let set = |conn: &mut Conn, n: u32| conn.call(&[b"SET", format!("k{n}").as_bytes(), &value]);
    let refused = (0..9).find(|n| set(&mut conn, *n).text().starts_with("OOM"));
    assert_eq!(refused, Some(3));
    let asked = Instant::now();
    assert!(set(&mut conn, 9).text().starts_with("OOM"));
    // One that waits does so for ten seconds.
    assert!(asked.elapsed() < Duration::from_secs(9), "{:?}", asked.elapsed());
}

#[test]
fn shared_values_that_go_do_not_count_until_then() {
    let server = Server::lokikv(&["wal.enabled=false", "checkpoint.interval_s=0", "memory.max_bytes=500mb"]);
    let mut conn = server.connect();
    conn.call(&[b"SET", &b"k"[..], &vec![b'v'; 100_000_000]]);
    for (in_chunks, round) in [false, true]
        .into_iter()
        .flat_map(|in_chunks| (0..60).map(move |round| (in_chunks, round)))
    {
        if in_chunks {
            conn.call(&["SETRANGE", "k", "100000000", "x"]);
        }
        assert_eq!(conn.call(&["COPY", "k", "k2"]), Value::Int(1), "round {round}");
        assert_eq!(conn.call(&["DEL", "k2"]), Value::Int(1));
    }
}

#[test]
fn a_byte_more_does_not_take_as_much_again() {
    let server = in_memory();
    let mut conn = server.connect();
    conn.call(&[b"SET", &b"k"[..], &vec![b'v'; 70_000_000]]);
    conn.call(&["APPEND", "k", "y"]);
    let used = used_mb(&mut conn);
    assert!((66..70).contains(&used), "{used} MB");
}

#[test]
fn what_chunks_of_a_shared_string_take_counts_until_it_goes() {
    const MB: usize = 1 << 20;
    let server = in_memory();
    let mut conn = server.connect();
    let (before, resident) = (used_mb(&mut conn), resident_mb(&server));
    conn.call(&[b"SET", &b"k"[..], &vec![b'v'; 64 * MB]]);
    conn.call(&["COPY", "k", "copy"]);
    let write_up_to = |conn: &mut Conn, end: usize| {
        let changes: Vec<_> = (0..end)
            .step_by(64 << 10)
            .map(|at| args!["SETRANGE", "k", at.to_string(), "x"])
            .collect();
        conn.pipeline(&changes).expect("replies");
    };
    write_up_to(&mut conn, 16 * MB);
    let used = used_mb(&mut conn) - before;
    assert!(
        (143..147).contains(&used),
        "two times 64 MB, and 16 that were copied: {used}"
    );
    // Nothing is left where it was set, and so that is the copy's alone.
    write_up_to(&mut conn, 64 * MB);
    let used = used_mb(&mut conn) - before;
    assert!((127..131).contains(&used), "{used}");
    assert_eq!(conn.call(&["DEL", "copy", "k"]), Value::Int(2));
    let started = Instant::now();
    while used_mb(&mut conn) > before + 1 || resident_mb(&server) > resident + 40 {
        assert!(started.elapsed() < Duration::from_secs(20), "{} MB", used_mb(&mut conn));
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn what_a_long_string_is_not_needed_for_leaves_it_where_it_is() {
    let server = Server::lokikv(&["wal.enabled=false", "checkpoint.interval_s=0"]);
    let mut conn = server.connect();
    assert_eq!(conn.call(&["SETRANGE", "k", "400000000", "x"]), Value::Int(400_000_001));
    assert_eq!(conn.call(&["PFADD", "h", "a"]), Value::Int(1));
    assert_eq!(conn.call(&["SET", "s", "text"]), Value::ok());
    let before = status_mb(&server, "VmHWM:");
    for words in [
        &["PFADD", "k", "a"][..],
        &["PFCOUNT", "k"],
        &["PFCOUNT", "h", "k"],
        &["PFMERGE", "h", "k"],
        &["PFMERGE", "k", "h"],
        &["PFDEBUG", "ENCODING", "k"],
    ] {
        let reply = conn.call(words);
        let expected = "WRONGTYPE Key is not a valid HyperLogLog string value.";
        assert_eq!(reply, Value::Error(expected.into()), "{words:?}");
    }
    let refused = "ERR Insufficient memory, transient memory for LCS exceeds proto-max-bulk-len";
    assert_eq!(conn.call(&["LCS", "k", "s"]), Value::Error(refused.into()));
    assert_eq!(
        conn.call(&["INCR", "k"]),
        Value::Error("ERR value is not an integer or out of range".into())
    );
    assert_eq!(
        conn.call(&["INCRBYFLOAT", "k", "1"]),
        Value::Error("ERR value is not a valid float".into())
    );
    for (words, answer) in [
        (&["STRLEN", "k"][..], 400_000_001),
        (&["BITCOUNT", "k"], 4),
        (&["BITPOS", "k", "1"], 3_200_000_001),
        (&["GETBIT", "k", "3200000001"], 1),
        (&["SETBIT", "k", "3200000007", "1"], 0),
    ] {
        assert_eq!(conn.call(words), Value::Int(answer), "{words:?}");
    }
    assert_eq!(conn.call(&["GETRANGE", "k", "-2", "-1"]).bytes(), Some(&b"\0y"[..]));
    assert_eq!(conn.call(&["RENAME", "k", "moved"]), Value::ok());
    assert_eq!(conn.call(&["COPY", "moved", "k"]), Value::Int(1));
    let after = status_mb(&server, "VmHWM:");
    assert!(after < before + 100, "{after} MB at most, {before} before");
}

#[test]
fn what_is_kept_for_clients_that_cache_counts() {
    const NAME_BYTES: usize = 1 << 19;
    let server = in_memory();
    let (mut conn, mut caches) = (server.connect(), server.connect3());
    caches.call(&["CLIENT", "TRACKING", "ON"]);
    for number in 10..50 {
        caches.call(&["GET", &number.to_string().repeat(NAME_BYTES)]);
    }
    assert!(used_mb(&mut conn) >= 40);
    assert_eq!(conn.call(&["CONFIG", "SET", "maxmemory", "30mb"]), Value::ok());
    let refused = conn.call(&["SET", "x", "y"]);
    assert!(refused.text().starts_with("OOM "), "{refused}");
    drop(caches);
    await_that("what nobody needs goes", || {
        conn.call(&["SET", "x", "y"]) == Value::ok()
    });
}

#[test]
fn a_client_asked_for_many_times_takes_no_more_than_replies_may() {
    const TIMES: usize = 100_000;
    let name = "n".repeat(4096);
    for setting in [
        "limits.output_buffer_normal_hard_bytes=1mb",
        "limits.clients_bytes_max=2mb",
    ] {
        let server = Server::lokikv(&["wal.enabled=false", "checkpoint.interval_s=0", setting]);
        let mut conn = server.connect();
        assert_eq!(conn.call(&["CLIENT", "SETNAME", &name]), Value::ok());
        let id = conn.call(&["CLIENT", "ID"]).int().expect("a number").to_string();
        let before = status_mb(&server, "VmHWM:");
        let mut words = vec!["CLIENT", "LIST", "ID"];
        words.resize(TIMES, &id);
        conn.send(&words).expect("send");
        assert!(conn.read_to_close().is_ok(), "closed for what it asks for");
        let grown = status_mb(&server, "VmHWM:") - before;
        assert!(grown < 64, "{setting}: {grown} MB");
    }
}

/// Keys of the tests below: some 45 MB with their values.
const MANY: u32 = 300_000;

fn write_many(conn: &mut Conn) {
    let keys: Vec<_> = (0..MANY).map(|n| format!("key:{n:012}")).collect();
    for some in keys.chunks(1_000) {
        let mut words = vec!["MSET"];
        let value = "v".repeat(64);
        words.extend(some.iter().flat_map(|key| [key.as_str(), &value]));
        assert_eq!(conn.call(&words), Value::ok());
    }
}

fn wait_until_resident(server: &Server, most_mb: u64) {
    let started = Instant::now();
    while resident_mb(server) > most_mb {
        let now = resident_mb(server);
        assert!(
            started.elapsed() < Duration::from_secs(60),
            "{now} MB, {most_mb} wanted"
        );
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn memory_figure(conn: &mut Conn, name: &str) -> u64 {
    let text = conn.call(&["INFO", "memory"]).text();
    let mut fields = text.lines().filter_map(|line| line.split_once(':'));
    fields.find(|(field, _)| *field == name).unwrap().1.parse().unwrap()
}

#[test]
fn memory_goes_back_when_all_keys_go() {
    for kind in ["hmap", "bcust"] {
        let server = in_memory();
        let mut conn = server.connect();
        conn.call(&["COLLECTION", "CREATE", "c", "KIND", kind]);
        assert_eq!(conn.call(&["SELECT", "c"]), Value::ok());
        let empty = resident_mb(&server);
        write_many(&mut conn);
        let full = resident_mb(&server);
        assert!(full > empty + 25, "{kind}: {full} MB, {empty} without");
        conn.call(&["FLUSHALL"]);
        // Nobody asks for it.
        wait_until_resident(&server, empty + (full - empty) / 3);
        let started = Instant::now();
        while memory_figure(&mut conn, "used_memory") >> 20 > 0 {
            assert!(started.elapsed() < Duration::from_secs(30), "it counts for ever");
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

#[test]
fn memory_goes_back_when_a_large_container_goes() {
    for command in ["HSET", "SADD", "ZADD"] {
        let server = in_memory();
        let mut conn = server.connect();
        let empty = resident_mb(&server);
        for from in (0..MANY).step_by(1_000) {
            let items = from..from + 1_000;
            let texts: Vec<_> = items.map(|n| [n.to_string(), format!("element:{n:020}")]).collect();
            let mut words = vec![command, "k"];
            words.extend(texts.iter().flatten().map(String::as_str));
            assert!(conn.call(&words).int().is_some());
        }
        let full = resident_mb(&server);
        assert!(full > empty + 15, "{command}: {full} MB, {empty} without");
        assert_eq!(conn.call(&["DEL", "k"]), Value::Int(1));
        wait_until_resident(&server, empty + (full - empty) / 3);
    }
}

#[test]
fn memory_goes_back_when_most_keys_go() {
    for kind in ["hmap", "bdef", "bcust"] {
        let server = Server::lokikv(&[
            "wal.enabled=false",
            "checkpoint.interval_s=0",
            "memory.defrag=false",
            "memory.defrag_ignore_bytes=8mb",
        ]);
        let mut conn = server.connect();
        conn.call(&["COLLECTION", "CREATE", "c", "KIND", kind]);
        assert_eq!(conn.call(&["SELECT", "c"]), Value::ok());
        let empty = resident_mb(&server);
        write_many(&mut conn);
        let full = resident_mb(&server);
        // One of ten stays, and has others near it nowhere.
        let gone: Vec<_> = (0..MANY)
            .filter(|n| n % 10 != 0)
            .map(|n| format!("key:{n:012}"))
            .collect();
        for some in gone.chunks(1_000) {
            let mut words = vec!["DEL"];
            words.extend(some.iter().map(String::as_str));
            assert_eq!(conn.call(&words), Value::Int(some.len() as i64));
        }
        std::thread::sleep(Duration::from_millis(2_500));
        let used = memory_figure(&mut conn, "used_memory");
        let kept = resident_mb(&server);
        assert!(
            kept > empty + (full - empty) * 2 / 3,
            "{kind}: they lie everywhere: {kept} of {full} MB"
        );
        assert_eq!(conn.call(&["CONFIG", "SET", "activedefrag", "yes"]), Value::ok());
        wait_until_resident(&server, empty + (full - empty) * 2 / 5);
        let started = Instant::now();
        while memory_figure(&mut conn, "used_memory") != used || memory_figure(&mut conn, "active_defrag_running") > 0 {
            assert!(
                started.elapsed() < Duration::from_secs(60),
                "{kind}: as much is used as before"
            );
            std::thread::sleep(Duration::from_millis(10));
        }
        for n in (0..MANY).step_by(10) {
            let key = format!("key:{n:012}");
            assert_eq!(conn.call(&["GET", &key]).text(), "v".repeat(64), "{key}");
        }
        assert_eq!(conn.call(&["DBSIZE"]), Value::Int(i64::from(MANY / 10)));
    }
}
