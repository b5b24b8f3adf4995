//! SIGTERM under load, SHUTDOWN and restart: a stop in good order loses nothing that was acknowledged.

use std::time::Duration;

use crate::args;
use crate::support::{Args, Conn, Server};

/// Writes `<client>:<n>` one after the other until the server stops; returns how many were acknowledged.
fn write_until_stopped(client: usize, port: u16) -> u64 {
    let Ok(mut conn) = Conn::connect(port) else { return 0 };
    for n in 0.. {
        let key = format!("{client}:{n}");
        match conn.try_call(&["SET", &key, &n.to_string()]) {
            Ok(reply) if !reply.is_error() => {}
            _ => return n,
        }
    }
    0
}

fn terminate_under_load(settings: &[&str]) {
    let mut server = Server::lokikv(settings);
    for round in 0..2 {
        let port = server.port();
        let acknowledged: Vec<u64> = std::thread::scope(|scope| {
            let writers: Vec<_> = (0..8)
                .map(|n| scope.spawn(move || write_until_stopped(round * 8 + n, port)))
                .collect();
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
                .map(|i| args!["GET", format!("{}:{i}", round * 8 + n)])
                .collect();
            let values = conn.pipeline(&commands).expect("read back");
            let lost = values.iter().enumerate().find(|(i, v)| v.text() != i.to_string());
            assert!(lost.is_none(), "client {n}, of {count} acknowledged: {lost:?}");
        }
    }
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
