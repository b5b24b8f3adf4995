//! SIGTERM under load, SHUTDOWN and restart: a stop in good order loses nothing that was acknowledged.

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::{Duration, Instant};

use crate::args;
use crate::support::{Args, Conn, Server, Value};

const WRITERS: usize = 8;

/// Writes `<client>:<n>` one after the other until the server stops; returns how many were acknowledged. The first one
/// counts as one more of those who are `writing`.
fn write_until_stopped(client: usize, port: u16, writing: &AtomicUsize) -> u64 {
    let Ok(mut conn) = Conn::connect(port) else { return 0 };
    for n in 0.. {
        let key = format!("{client}:{n}");
        match conn.try_call(&["SET", &key, &n.to_string()]) {
            Ok(reply) if !reply.is_error() => {
                writing.fetch_add(usize::from(n == 0), Relaxed);
            }
            _ => return n,
        }
    }
    0
}

fn terminate_under_load(settings: &[&str]) {
    let mut server = Server::lokikv(settings);
    for round in 0..2 {
        let port = server.port();
        let writing = &AtomicUsize::new(0);
        let acknowledged: Vec<u64> = std::thread::scope(|scope| {
            let writers: Vec<_> = (0..WRITERS)
                .map(|n| scope.spawn(move || write_until_stopped(round * WRITERS + n, port, writing)))
                .collect();
            // Without a panic, which would wait for the writers.
            let since = Instant::now();
            while writing.load(Relaxed) < WRITERS && since.elapsed() < Duration::from_secs(20) {
                std::thread::sleep(Duration::from_millis(10));
            }
            std::thread::sleep(Duration::from_millis(400));
            let status = server.terminate();
            assert!(status.success(), "SIGTERM: {status}");
            writers.into_iter().map(|w| w.join().expect("a writer")).collect()
        });
        assert!(acknowledged.iter().all(|n| *n > 0), "{acknowledged:?}");
        server.restart();
        let mut conn = server.connect();
        for (n, count) in acknowledged.iter().enumerate() {
            let commands: Vec<Args> = (0..*count)
                .map(|i| args!["GET", format!("{}:{i}", round * WRITERS + n)])
                .collect();
            let values = conn.pipeline(&commands).expect("read back");
            let lost = values.iter().enumerate().find(|(i, v)| v.text() != i.to_string());
            assert!(lost.is_none(), "client {n}, of {count} acknowledged: {lost:?}");
        }
    }
}

/// As in Redis: a terminal that is closed takes no server with it.
#[test]
fn a_hangup_does_nothing() {
    let mut server = Server::lokikv(&[]);
    crate::support::server::signal(server.pid(), libc::SIGHUP);
    std::thread::sleep(Duration::from_millis(100));
    assert!(server.is_running());
    assert_eq!(server.connect().call(&["PING"]).text(), "PONG");
}

#[test]
fn terminate_under_load_fsync_always() {
    terminate_under_load(&["wal.fsync=always"]);
}

#[test]
fn terminate_under_load_fsync_everysec() {
    terminate_under_load(&["wal.fsync=everysec"]);
}

#[test]
fn terminate_under_load_fsync_no() {
    terminate_under_load(&["wal.fsync=no"]);
}

/// Nothing of a restart may show: values, times to live, databases.
#[test]
fn restart_keeps_everything() {
    let mut server = Server::lokikv(&["wal.fsync=always"]);
    let mut conn = server.connect();
    for database in ["0", "7"] {
        conn.call(&["SELECT", database]);
        conn.call(&[b"SET".as_slice(), b"\x00key\xff", b"\r\nvalue\x00"]);
        conn.call(&["SET", "timed", "v", "PXAT", "4000000000123"]);
        conn.call(&["SET", "gone", "v", "PX", "50"]);
        conn.call(&["PFADD", "log", "a", "b", "c"]);
        conn.call(&["SETRANGE", "range", "100", database]);
    }
    for stop in [Server::kill9 as fn(&mut Server), |s: &mut Server| {
        assert!(s.terminate().success())
    }] {
        stop(&mut server);
        std::thread::sleep(Duration::from_millis(60));
        server.restart();
        let mut conn = server.connect();
        for database in ["0", "7"] {
            conn.call(&["SELECT", database]);
            assert_eq!(
                conn.call(&[b"GET".as_slice(), b"\x00key\xff"]).bytes(),
                Some(&b"\r\nvalue\x00"[..])
            );
            assert_eq!(conn.call(&["PEXPIRETIME", "timed"]).int(), Some(4_000_000_000_123));
            assert!(conn.call(&["GET", "gone"]).is_null());
            assert_eq!(conn.call(&["PFCOUNT", "log"]).int(), Some(3));
            assert_eq!(conn.call(&["STRLEN", "range"]).int(), Some(101));
        }
        conn.call(&["SELECT", "1"]);
        assert_eq!(conn.call(&["DBSIZE"]).int(), Some(0));
    }
}

/// Asks it to end, and checks that the exit code is 0 and that it does not take much longer than it may, be the machine
/// busy; what it has said of it.
fn ends_within(server: &mut Server, timeout: Duration) -> String {
    let asked = Instant::now();
    let status = server.terminate();
    let took = asked.elapsed();
    assert!(status.success(), "{status}: {}", server.stderr());
    assert!(took < timeout + Duration::from_secs(10), "{took:?}");
    server.stdout()
}

#[test]
fn clients_that_do_not_read_are_waited_for_half_of_the_time() {
    let mut server = Server::lokikv(&["server.shutdown_timeout_s=8"]);
    let mut deaf = server.connect();
    deaf.call(&["SET", "large", &"v".repeat(1 << 20)]);
    for _ in 0..64 {
        deaf.send(&["GET", "large"]).expect("send");
    }
    let mut blocked = server.connect();
    blocked.send(&["BLPOP", "list", "0"]).expect("send");
    let mut queueing = server.connect();
    queueing.call(&["MULTI"]);
    queueing.call(&["SET", "queued", "1"]);
    let mut half = server.connect();
    half.send_raw(b"*3\r\n$3\r\nSET\r\n$4\r\nhalf\r\n$100\r\nx")
        .expect("send");
    assert_eq!(
        server.connect().call(&["CLIENT", "PAUSE", "100000", "WRITE"]).text(),
        "OK"
    );
    let mut paused = server.connect();
    paused.send(&["SET", "paused", "1"]).expect("send");
    std::thread::sleep(Duration::from_millis(100));
    let said = ends_within(&mut server, Duration::from_secs(8));
    assert!(said.contains("ended cleanly"), "{said}");
    for conn in [&mut blocked, &mut queueing, &mut half, &mut paused] {
        assert_eq!(conn.read_to_close().expect("closed"), b"");
    }
    server.restart();
    assert_eq!(server.connect().call(&["DBSIZE"]), Value::Int(1));
}

/// A transaction that sleeps has a worker, and everybody who waits for it, hang.
#[test]
fn a_worker_that_hangs_is_left_behind() {
    let mut server = Server::lokikv(&["server.shutdown_timeout_s=8", "server.enable_debug_command=yes"]);
    let mut conn = server.connect();
    assert_eq!(conn.call(&["SET", "k", "v"]).text(), "OK");
    for line in [&["MULTI"][..], &["DEBUG", "SLEEP", "100"], &["EXEC"]] {
        conn.send(line).expect("send");
    }
    std::thread::sleep(Duration::from_millis(2500));
    let said = ends_within(&mut server, Duration::from_secs(8));
    assert!(said.contains("not waited for workers and their clients"), "{said}");
    server.restart();
    assert_eq!(server.connect().call(&["GET", "k"]).text(), "v");
}

#[test]
fn a_conversion_under_way_is_given_up() {
    let mut server = Server::lokikv(&["server.shutdown_timeout_s=8", "checkpoint.interval_s=0"]);
    let mut conn = server.connect();
    for from in (0..200_000).step_by(10_000) {
        let sets: Vec<Args> = (from..from + 10_000)
            .map(|n| args!["SET", format!("key:{n}"), "v"])
            .collect();
        conn.pipeline(&sets).expect("filled");
    }
    conn.send(&["COLLECTION", "CONVERT", "default", "KIND", "bcust"])
        .expect("send");
    std::thread::sleep(Duration::from_millis(200));
    ends_within(&mut server, Duration::from_secs(8));
    server.restart();
    assert_eq!(server.connect().call(&["DBSIZE"]), Value::Int(200_000));
}
