//! Web pages that try to reach the server through a browser: nothing that follows an HTTP request's lines is run.

use std::time::{Duration, Instant};

use crate::in_memory;
use crate::support::conn::encode;
use crate::support::{Conn, Server, Value};

/// What `curl -X POST --data-binary $'FLUSHALL\r\nSET pwned 1\r\n'` sends.
const CURL: &str = "POST / HTTP/1.1\r\nHost: 127.0.0.1:6379\r\nUser-Agent: curl/8.5.0\r\nAccept: */*\r\n\
                    Content-Length: 23\r\nContent-Type: application/x-www-form-urlencoded\r\n\r\n\
                    FLUSHALL\r\nSET pwned 1\r\n";
const WARNING: &str = "SECURITY ATTACK";

fn with_data() -> (Server, Conn) {
    let server = in_memory();
    let mut conn = server.connect();
    assert_eq!(conn.call(&["SET", "kept", "1"]), Value::ok());
    (server, conn)
}

/// Sends these parts, each in a packet of its own; what came until the server closed.
fn send_parts<'a>(server: &Server, parts: impl IntoIterator<Item = &'a [u8]>) -> Vec<u8> {
    let mut conn = server.connect();
    for part in parts {
        // Once it has closed, the rest cannot be sent.
        if conn.send_raw(part).is_err() {
            break;
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    conn.read_to_close().expect("the server closes")
}

fn assert_untouched(conn: &mut Conn, what: &str) {
    let found = conn.call(&["MGET", "kept", "pwned"]);
    assert_eq!(found, Value::Array(vec![Value::bulk("1"), Value::Null]), "{what}");
}

fn warnings(server: &Server) -> Vec<String> {
    let started = Instant::now();
    loop {
        let found: Vec<String> = server
            .stdout()
            .lines()
            .filter(|line| line.contains(WARNING))
            .map(str::to_owned)
            .collect();
        if !found.is_empty() || started.elapsed() > Duration::from_secs(20) {
            return found;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn what_curl_posts_is_not_run() {
    let (server, mut conn) = with_data();
    let whole = CURL.as_bytes();
    assert_eq!(send_parts(&server, [whole]), b"", "in one packet");
    assert_untouched(&mut conn, "in one packet");
    assert_eq!(send_parts(&server, whole.split_inclusive(|byte| *byte == b'\n')), b"");
    assert_untouched(&mut conn, "line by line");
    for size in [1, 7, 64] {
        assert_eq!(send_parts(&server, whole.chunks(size)), b"", "in packets of {size}");
        assert_untouched(&mut conn, "in small packets");
    }
}

#[test]
fn a_request_without_a_body_ends_at_its_host() {
    let (server, mut conn) = with_data();
    for method in ["GET", "PUT", "OPTIONS", "PATCH"] {
        let request = CURL.replace("POST", method);
        // What is wrong with the first line is told only where it has come alone, as in Redis.
        let _ = send_parts(&server, [request.as_bytes()]);
        assert_untouched(&mut conn, method);
        let _ = send_parts(&server, request.as_bytes().split_inclusive(|byte| *byte == b'\n'));
        assert_untouched(&mut conn, method);
    }
}

#[test]
fn whatever_the_form() {
    let (server, mut conn) = with_data();
    let encoded = |lines: &[&[&str]]| {
        let mut request = Vec::new();
        lines.iter().for_each(|line| encode(line, &mut request));
        request
    };
    let forms = [
        b"post /\r\nSET pwned 1\r\n".to_vec(),
        b" \"POST\" /\r\nSET pwned 1\r\n".to_vec(),
        b"Post\nSET pwned 1\n".to_vec(),
        b"hOST: x\r\nSET pwned 1\r\n".to_vec(),
        encoded(&[&["POST", "/"], &["SET", "pwned", "1"]]),
        encoded(&[&["Host:", "x"], &["SET", "pwned", "1"]]),
        encoded(&[&["MULTI"], &["POST"], &["SET", "pwned", "1"], &["EXEC"]]),
        b"PING\r\nPOST /\r\nSET pwned 1\r\n".to_vec(),
    ];
    for form in forms {
        let shown = String::from_utf8_lossy(&form).into_owned();
        assert_eq!(send_parts(&server, [&form[..]]), b"", "{shown}");
        assert_untouched(&mut conn, &shown);
    }
    // Others begin alike and are only unknown.
    for name in ["POSTS", "HOST", "Host:x", "PUT"] {
        assert!(
            conn.call(&[name, "/"]).text().starts_with("ERR unknown command"),
            "{name}"
        );
    }
}

#[test]
fn the_log_warns_once_a_minute_and_names_the_client() {
    let (server, _conn) = with_data();
    let mut conn = server.connect();
    let addr = conn.stream().local_addr().expect("an address").to_string();
    conn.send_raw(CURL.as_bytes()).expect("send");
    assert_eq!(conn.read_to_close().expect("closed"), b"");
    let found = warnings(&server);
    assert!(found.len() == 1 && found[0].contains(&addr), "{addr}: {found:?}");
    (0..20).for_each(|_| drop(send_parts(&server, [CURL.as_bytes()])));
    assert_eq!(warnings(&server).len(), 1);
}

#[test]
fn before_authentication_as_well() {
    let server = Server::lokikv(&["wal.enabled=false", "server.requirepass=secret"]);
    let reply = send_parts(&server, [CURL.as_bytes()]);
    assert_eq!(reply, b"");
    assert_eq!(warnings(&server).len(), 1);
}
