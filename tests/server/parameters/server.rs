//! `server.*`, and what the server tells about itself.

use std::io::Read;
use std::net::{SocketAddr, TcpStream, UdpSocket};

use super::{Effect, await_that, call, set};
use crate::in_memory;
use crate::support::{Conn, Server, Value};

pub const EFFECTS: &[Effect] = &[
    ("server.requirepass", requirepass),
    ("server.protected_mode", protected_mode),
    ("server.timeout_s", timeout),
    ("server.tcp_keepalive_s", keepalive),
    ("scripts.busy_reply_threshold_ms", busy_scripts),
    ("scripts.memory_bytes_max", script_memory),
    ("scripts.on_error", script_errors),
    ("slowlog.log_slower_than_us", slowlog),
    ("slowlog.max_len", slowlog_len),
    ("commandlog.request_larger_than_bytes", large_requests),
    ("commandlog.large_request_max_len", large_requests),
    ("commandlog.reply_larger_than_bytes", large_replies),
    ("commandlog.large_reply_max_len", large_replies),
    ("latency.monitor_threshold_ms", latency),
    ("latency.tracking", latency_tracking),
    ("latency.info_percentiles", latency_percentiles),
    ("notifications.keyspace_events", events),
    ("log.level", log_level),
];

fn busy_scripts() {
    let server = in_memory();
    let (mut runs, mut conn) = (server.connect(), server.connect());
    set(&mut conn, "busy-reply-threshold", "50");
    let script = "redis.call('ping') while true do end";
    runs.send(&["EVAL", script, "0"]).unwrap();
    await_that("others are told", || {
        call(&mut conn, "GET k").text().starts_with("BUSY ")
    });
    assert_eq!(call(&mut conn, "SCRIPT KILL"), Value::ok());
    assert!(runs.recv().unwrap().value.is_error());
    set(&mut conn, "busy-reply-threshold", "0");
    runs.send(&["EVAL", "for n = 1, 30000000 do end return redis.call('ping')", "0"])
        .unwrap();
    std::thread::sleep(std::time::Duration::from_millis(100));
    assert!(call(&mut conn, "GET k").is_null());
    assert!(!runs.recv().unwrap().value.is_error());
}

fn script_memory() {
    let server = in_memory();
    let mut conn = server.connect();
    let script = "return #string.rep('x', 8 * 1024 * 1024)";
    for (max, is_refused) in [("4mb", true), ("64mb", false)] {
        set(&mut conn, "scripts.memory_bytes_max", max);
        assert_eq!(conn.call(&["EVAL", script, "0"]).is_error(), is_refused);
    }
}

fn script_errors() {
    let server = in_memory();
    let mut conn = server.connect();
    for (policy, left) in [("rollback", 0), ("keep", 1)] {
        set(&mut conn, "scripts.on_error", policy);
        let script = "redis.call('incr', 'n') error('no more')";
        assert!(conn.call(&["EVAL", script, "0"]).is_error());
        assert_eq!(call(&mut conn, "EXISTS n"), Value::Int(left));
    }
}

fn requirepass() {
    let server = in_memory();
    let mut conn = server.connect();
    set(&mut conn, "requirepass", "secret");
    assert!(call(&mut server.connect(), "GET k").text().starts_with("NOAUTH"));
    set(&mut conn, "requirepass", "");
    assert!(call(&mut server.connect(), "GET k").is_null());
}

/// An address of this machine that other machines would use, if it has one.
fn outer_address() -> Option<std::net::IpAddr> {
    let socket = UdpSocket::bind("0.0.0.0:0").ok()?;
    // Nothing is sent: this only asks the system for a route.
    socket.connect("192.0.2.1:9").ok()?;
    socket.local_addr().ok().map(|addr| addr.ip())
}

fn protected_mode() {
    let Some(ip) = outer_address() else {
        eprintln!("this machine has no address but loopback: not tried");
        return;
    };
    let server = Server::lokikv(&["wal.enabled=false", "server.bind=*"]);
    let mut conn = server.connect();
    let first_word = || {
        let mut socket = TcpStream::connect(SocketAddr::new(ip, server.port())).expect("connect");
        std::io::Write::write_all(&mut socket, b"PING\r\n").expect("send");
        let mut word = [0; 5];
        socket.read_exact(&mut word).expect("a reply");
        String::from_utf8_lossy(&word).into_owned()
    };
    assert_eq!(first_word(), "-DENI");
    set(&mut conn, "protected-mode", "no");
    assert_eq!(first_word(), "+PONG");
}

fn timeout() {
    let server = in_memory();
    let mut conn = server.connect();
    set(&mut conn, "timeout", "1");
    assert_eq!(server.connect().read_to_close().expect("closed"), b"");
}

/// Which timer the server's end of a connection has, as the kernel tells it: "00" for none, "02" for probes.
fn timer(server: &Server, conn: &Conn) -> String {
    let port = conn.stream().local_addr().expect("an address").port();
    let sockets = std::fs::read_to_string(format!("/proc/{}/net/tcp", server.pid())).expect("sockets");
    let (here, there) = (format!(":{:04X}", server.port()), format!(":{port:04X}"));
    let mut lines = sockets.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    let found = lines.find(|of| of.len() > 5 && of[1].ends_with(&here) && of[2].ends_with(&there));
    found.expect("the connection")[5][..2].to_owned()
}

fn keepalive() {
    let server = in_memory();
    let mut conn = server.connect();
    call(&mut conn, "PING");
    // Until the reply is acknowledged there is another timer.
    await_that("it is probed", || timer(&server, &conn) == "02");
    set(&mut conn, "tcp-keepalive", "0");
    let mut other = server.connect();
    call(&mut other, "PING");
    await_that("it is not probed", || timer(&server, &other) == "00");
}

fn slowlog() {
    let server = in_memory();
    let mut conn = server.connect();
    set(&mut conn, "slowlog-log-slower-than", "-1");
    call(&mut conn, "SLOWLOG RESET");
    call(&mut conn, "PING");
    assert_eq!(call(&mut conn, "SLOWLOG LEN"), Value::Int(0));
    set(&mut conn, "slowlog-log-slower-than", "0");
    assert_ne!(call(&mut conn, "SLOWLOG LEN"), Value::Int(0));
}

fn slowlog_len() {
    let server = in_memory();
    let mut conn = server.connect();
    set(&mut conn, "slowlog-log-slower-than", "0");
    for len in [7, 3] {
        set(&mut conn, "slowlog-max-len", &len.to_string());
        (0..10).for_each(|_| drop(call(&mut conn, "PING")));
        assert_eq!(call(&mut conn, "SLOWLOG LEN"), Value::Int(len));
    }
}

/// Both of its parameters; entries are of more than `bytes`.
fn large(kind: &str, larger_than: &str, max_len: &str) {
    let server = in_memory();
    let mut conn = server.connect();
    let len = |conn: &mut Conn| conn.call(&["COMMANDLOG", "LEN", kind]);
    let wide = "x".repeat(2000);
    conn.call(&["ECHO", &wide]);
    assert_eq!(len(&mut conn), Value::Int(0));
    set(&mut conn, larger_than, "2000");
    for wanted in [2, 4] {
        set(&mut conn, max_len, &wanted.to_string());
        (0..5).for_each(|_| drop(conn.call(&["ECHO", &wide])));
        conn.call(&["ECHO", "little"]);
        assert_eq!(len(&mut conn), Value::Int(wanted));
    }
}

fn large_requests() {
    large(
        "large-request",
        "commandlog-request-larger-than",
        "commandlog-large-request-max-len",
    );
}

fn large_replies() {
    large(
        "large-reply",
        "commandlog-reply-larger-than",
        "commandlog-large-reply-max-len",
    );
}

fn latency() {
    let server = Server::lokikv(&["wal.enabled=false", "server.enable_debug_command=yes"]);
    let mut conn = server.connect();
    call(&mut conn, "DEBUG SLEEP 0.02");
    assert!(call(&mut conn, "LATENCY LATEST").items().is_empty());
    set(&mut conn, "latency-monitor-threshold", "10");
    call(&mut conn, "DEBUG SLEEP 0.02");
    assert_eq!(call(&mut conn, "LATENCY LATEST").items().len(), 1);
}

fn latency_tracking() {
    let server = in_memory();
    let mut conn = server.connect();
    set(&mut conn, "latency-tracking", "no");
    call(&mut conn, "STRLEN k");
    call(&mut conn, "PING");
    assert!(call(&mut conn, "LATENCY HISTOGRAM strlen").items().is_empty());
    assert_eq!(call(&mut conn, "INFO latencystats").text(), "# Latencystats\r\n");
    set(&mut conn, "latency-tracking", "yes");
    call(&mut conn, "STRLEN k");
    assert_eq!(call(&mut conn, "LATENCY HISTOGRAM strlen").items().len(), 2);
}

fn latency_percentiles() {
    let server = in_memory();
    let mut conn = server.connect();
    call(&mut conn, "STRLEN k");
    set(&mut conn, "latency-tracking-info-percentiles", "1e1 99.990");
    let got = call(&mut conn, "CONFIG GET latency-tracking-info-percentiles").items();
    assert_eq!(got[1].text(), "10 99.99");
    let info = call(&mut conn, "INFO latencystats").text();
    let line = info
        .lines()
        .find(|line| line.starts_with("latency_percentiles_usec_strlen:"));
    let line = line.expect("a line");
    assert!(line.contains(":p10=") && line.contains(",p99.99="), "{line}");
    set(&mut conn, "latency-tracking-info-percentiles", "");
    assert!(
        call(&mut conn, "INFO latencystats")
            .text()
            .contains("latency_percentiles_usec_strlen:\r\n")
    );
}

fn events() {
    let server = in_memory();
    let mut conn = server.connect();
    let mut listener = server.connect();
    call(&mut listener, "PSUBSCRIBE __key*");
    set(&mut conn, "notify-keyspace-events", "Kg");
    call(&mut conn, "SET k v");
    call(&mut conn, "DEL k");
    let event = listener.recv().expect("an event").value.items();
    assert_eq!(event[2].text(), "__keyspace@0__:k");
    assert_eq!(event[3].text(), "del");
    set(&mut conn, "notify-keyspace-events", "");
    call(&mut conn, "SET k v");
    call(&mut conn, "DEL k");
    assert_eq!(call(&mut listener, "PING x").items()[1].text(), "x");
}

fn log_level() {
    let server = in_memory();
    let mut conn = server.connect();
    set(&mut conn, "loglevel", "warning");
    set(&mut conn, "timeout", "70");
    set(&mut conn, "loglevel", "notice");
    set(&mut conn, "timeout", "80");
    await_that("a line in the log", || {
        server.stdout().contains("server.timeout_s = 80")
    });
    assert!(!server.stdout().contains("server.timeout_s = 70"));
}
