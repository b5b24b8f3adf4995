//! Clients that misbehave or ask for much: others must not notice, and memory must stay bounded.

use std::time::{Duration, Instant};

use crate::in_memory;
use crate::support::conn::encode;
use crate::support::server::signal;
use crate::support::{Args, Conn, Server, Value};

/// Fails if the server does not answer somebody else at once. It has three tries: it may not be given a processor.
fn others_are_served(server: &Server) {
    let is_served_at_once = || {
        let started = Instant::now();
        assert_eq!(server.connect().call(&["PING"]).text(), "PONG");
        let took = started.elapsed();
        assert!(took < Duration::from_secs(20), "PING took {took:?}");
        took < Duration::from_secs(2)
    };
    assert!((0..3).any(|_| is_served_at_once()), "PING took 2 s, three times");
}

/// Resident memory of the server, in bytes.
fn resident_bytes(server: &Server) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", server.pid())).expect("its status");
    let line = status.lines().find(|l| l.starts_with("VmRSS:")).expect("VmRSS");
    line.split_whitespace()
        .nth(1)
        .and_then(|n| n.parse::<u64>().ok())
        .expect("a number")
        * 1024
}

#[test]
fn half_a_request_and_silence() {
    let server = in_memory();
    let request = b"*3\r\n$3\r\nSET\r\n$3\r\nkey\r\n$5\r\nvalue\r\n";
    for cut in 1..request.len() {
        let mut conn = server.connect();
        conn.send_raw(&request[..cut]).expect("the first part");
        if cut % 8 == 0 {
            std::thread::sleep(Duration::from_millis(10));
            others_are_served(&server);
        }
        conn.send_raw(&request[cut..]).expect("the rest");
        assert_eq!(conn.recv().expect("a reply").value, Value::ok(), "cut at {cut}");
    }
}

#[test]
fn half_a_request_and_gone() {
    let server = in_memory();
    for _ in 0..100 {
        let mut conn = server.connect();
        conn.send_raw(b"*2\r\n$3\r\nDEL\r\n$1000\r\nabc")
            .expect("half a request");
    }
    others_are_served(&server);
}

#[test]
fn one_byte_at_a_time() {
    let server = in_memory();
    let mut request = Vec::new();
    encode(&["SET", "key", &"x".repeat(2000)], &mut request);
    request.extend_from_slice(b"GET key\r\nPING inline\r\n");
    let mut conn = server.connect();
    for byte in request {
        conn.send_raw(&[byte]).expect("a byte");
    }
    assert_eq!(conn.recv().expect("SET").value, Value::ok());
    assert_eq!(conn.recv().expect("GET").value.bytes().map(<[u8]>::len), Some(2000));
    assert_eq!(conn.recv().expect("PING").value.text(), "inline");
}

#[test]
fn a_client_that_never_reads() {
    const VALUE_BYTES: usize = 256 * 1024;
    const REQUESTS: usize = 4_000;
    let server = in_memory();
    let mut conn = server.connect();
    conn.call(&[b"SET".as_slice(), b"big", &vec![b'x'; VALUE_BYTES]]);
    let before = resident_bytes(&server);
    conn.stream()
        .set_write_timeout(Some(Duration::from_secs(2)))
        .expect("a timeout");
    let mut request = Vec::new();
    (0..REQUESTS).for_each(|_| encode(&["GET", "big"], &mut request));
    // 1 GB of replies is asked for and none is read. The server may stop reading, or close: both bound its memory.
    let _ = conn.send_raw(&request);
    for _ in 0..20 {
        others_are_served(&server);
        std::thread::sleep(Duration::from_millis(50));
    }
    let grown = resident_bytes(&server).saturating_sub(before);
    assert!(grown < 300 * 1024 * 1024, "memory has grown by {} MiB", grown >> 20);
    drop(conn);
    others_are_served(&server);
}

#[test]
fn a_slow_reader_gets_every_reply() {
    const REQUESTS: usize = 400;
    let server = in_memory();
    let mut conn = server.connect();
    let value = vec![b'x'; 100_000];
    conn.call(&[b"SET".as_slice(), b"big", &value]);
    let mut request = Vec::new();
    (0..REQUESTS).for_each(|_| encode(&["GET", "big"], &mut request));
    conn.send_raw(&request).expect("all requests");
    std::thread::sleep(Duration::from_millis(300));
    for n in 0..REQUESTS {
        assert_eq!(
            conn.recv().expect("a reply").value.bytes(),
            Some(&value[..]),
            "reply {n}"
        );
    }
}

#[test]
fn a_million_arguments() {
    const KEYS: usize = 500_000;
    let server = in_memory();
    let mut conn = server.connect();
    let keys: Vec<String> = (0..KEYS).map(|n| format!("k{n}")).collect();
    let mut set: Args = vec![b"MSET".to_vec()];
    set.extend(keys.iter().flat_map(|k| [k.clone().into_bytes(), b"v".to_vec()]));
    assert_eq!(conn.call(&set), Value::ok());
    assert_eq!(conn.call(&["DBSIZE"]), Value::Int(KEYS as i64));
    let mut exists: Args = vec![b"EXISTS".to_vec()];
    exists.extend(keys.iter().chain(&keys).map(|k| k.clone().into_bytes()));
    exists.truncate(1_000_000);
    assert_eq!(conn.call(&exists), Value::Int(999_999));
    let mut del: Args = vec![b"UNLINK".to_vec()];
    del.extend(keys.into_iter().map(String::into_bytes));
    assert_eq!(conn.call(&del), Value::Int(KEYS as i64));
    others_are_served(&server);
}

#[test]
fn a_big_value() {
    const BYTES: usize = 64 << 20;
    let server = in_memory();
    let mut conn = server.connect();
    let value: Vec<u8> = (0..BYTES).map(|n| (n % 251) as u8).collect();
    assert_eq!(conn.call(&[b"SET".as_slice(), b"big", &value]), Value::ok());
    assert_eq!(conn.call(&["STRLEN", "big"]), Value::Int(BYTES as i64));
    assert!(
        conn.call(&["GET", "big"]).bytes() == Some(&value[..]),
        "another value came back"
    );
    assert_eq!(
        conn.call(&["GETRANGE", "big", "-3", "-1"]).bytes(),
        Some(&value[BYTES - 3..])
    );
    assert_eq!(conn.call(&["APPEND", "big", "x"]), Value::Int(BYTES as i64 + 1));
    assert_eq!(conn.call(&["DEL", "big"]), Value::Int(1));
}

#[test]
fn many_idle_connections() {
    let server = in_memory();
    let mut idle: Vec<Conn> = (0..500).map(|_| server.connect()).collect();
    idle.iter_mut()
        .for_each(|conn| assert_eq!(conn.call(&["PING"]).text(), "PONG"));
    others_are_served(&server);
    let info = idle[0].call(&["INFO", "clients"]).text();
    let connected = info
        .lines()
        .find_map(|l| l.strip_prefix("connected_clients:"))
        .map(str::trim);
    assert!(
        connected
            .and_then(|n| n.parse::<usize>().ok())
            .is_some_and(|n| n >= 500),
        "{info}"
    );
    idle.iter_mut()
        .rev()
        .for_each(|conn| assert_eq!(conn.call(&["SET", "k", "v"]), Value::ok()));
}

/// Each of these ends the connection (some with an error first) and nothing else.
#[test]
fn broken_requests() {
    let server = in_memory();
    let broken: &[&[u8]] = &[
        b"*1\r\n:4\r\nPING\r\n",
        b"*abc\r\n",
        b"*1\r\n$-5\r\n",
        b"*1\r\n$abc\r\n",
        b"*1\r\n$999999999999\r\n",
        b"*99999999999\r\n",
        b"*1\r\n$4294967296\r\n",
        b"SET \"unbalanced\r\n",
    ];
    for request in broken {
        let mut conn = server.connect();
        conn.send_raw(request).expect("send");
        let reply = conn.read_to_close().expect("the server closes");
        assert!(reply.starts_with(b"-ERR Protocol error"), "{request:?}: {reply:?}");
        others_are_served(&server);
    }
    let mut conn = server.connect();
    conn.send_raw(&vec![b'x'; 200 * 1024]).ok();
    let reply = conn.read_to_close().unwrap_or_default();
    assert!(
        reply.is_empty() || reply.starts_with(b"-ERR Protocol error: too big inline request"),
        "{reply:?}"
    );
    others_are_served(&server);
}

/// What a client remembers in the server beside requests and replies is charged, and given back.
#[test]
fn what_a_session_keeps_counts_among_what_clients_hold() {
    const KEYS: usize = 40_000;
    let server = in_memory();
    let mut conn = server.connect();
    conn.call(&["CLIENT", "NO-EVICT", "ON"]);
    conn.call(&["CONFIG", "SET", "maxmemory-clients", "6mb"]);
    let names: Vec<String> = (0..KEYS).map(|number| format!("key:{number:08}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let request = |head: &[&str], names: &[&str], tail: &[&str]| {
        let mut request = Vec::new();
        encode(&[head, names, tail].concat(), &mut request);
        request
    };
    let mut modest = server.connect();
    for _ in 0..100 {
        modest
            .send_raw(&request(&["WATCH"], &names[..1000], &[]))
            .expect("a request");
        assert_eq!(modest.recv().expect("WATCH").value, Value::ok());
        assert_eq!(modest.call(&["UNWATCH"]), Value::ok());
        modest
            .send_raw(&request(&["BLPOP"], &names[..1000], &["0.001"]))
            .expect("a request");
        assert_eq!(modest.recv().expect("BLPOP").value, Value::NullArray);
        assert_eq!(modest.call(&["CLIENT", "SETNAME", &"x".repeat(4000)]), Value::ok());
    }
    for greedy in [request(&["WATCH"], &names, &[]), request(&["BLPOP"], &names, &["0"])] {
        let mut watching = server.connect();
        watching.send_raw(&greedy).expect("a request");
        let ended = std::iter::from_fn(|| watching.recv().ok().map(|_| ())).count();
        assert!(ended <= 1, "its end comes after one reply at most");
    }
    assert_eq!(modest.call(&["PING"]).text(), "PONG");
    assert!(conn.call(&["INFO", "stats"]).text().contains("evicted_clients:2"));
}

/// Whether each of its threads has been stopped.
fn stands_still(server: &Server) -> bool {
    let threads = std::fs::read_dir(format!("/proc/{}/task", server.pid())).expect("its threads");
    threads.flatten().all(|thread| {
        let status = std::fs::read_to_string(thread.path().join("status")).unwrap_or_default();
        status.contains("State:\tT")
    })
}

/// Those who are in the middle of a large request are received from after everybody else, a little at a time.
#[test]
fn large_requests_on_their_way_do_not_hold_up_others() {
    const UPLOADS: usize = 256;
    let server = Server::lokikv(&["wal.enabled=false", "checkpoint.interval_s=0", "server.workers=1"]);
    let mut conn = server.connect();
    const RECEIVED: &str = "total_net_input_bytes";
    let received = |conn: &mut Conn| conn.call(&["INFO", "stats"]).figure(RECEIVED);
    let mut uploads: Vec<Conn> = (0..UPLOADS).map(|_| server.connect()).collect();
    for upload in &mut uploads {
        upload
            .send_raw(b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$100000000\r\n")
            .expect("its head");
        upload.send_raw(&[b'x'; 300_000]).expect("its first bytes");
    }
    let started = Instant::now();
    while received(&mut conn) < UPLOADS as u64 * 300_000 {
        assert!(started.elapsed() < Duration::from_secs(20), "they are received");
        std::thread::sleep(Duration::from_millis(10));
    }
    let before = received(&mut conn);
    signal(server.pid(), libc::SIGSTOP);
    while !stands_still(&server) {
        std::thread::sleep(Duration::from_millis(1));
    }
    for upload in &mut uploads {
        // As much as the system takes while the server stands still.
        upload.stream().set_nonblocking(true).expect("a socket");
        let _ = upload.send_raw(&vec![b'x'; 1 << 20]);
    }
    conn.send(&["INFO", "stats"]).expect("a question");
    signal(server.pid(), libc::SIGCONT);
    let after = conn.recv().expect("an answer").value.figure(RECEIVED);
    let first = after - before;
    assert!(first < 24 << 20, "{first} bytes were received first");
}
