//! The status page: its figures are INFO's, nothing that a client names becomes markup, and who may not see others does
//! not.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use crate::client::Secure;
use crate::pki::{Authority, Files, Odd};
use crate::support::server::free_port;
use crate::support::{Conn, Server};
use crate::{await_that, call};

/// A server with these settings that has all its ports; `None` if another process has taken one of them.
fn try_start(settings: &[String]) -> Option<Server> {
    let settings: Vec<&str> = settings.iter().map(String::as_str).collect();
    let mut server = Server::lokikv_stopped(&settings);
    match server.try_start() {
        Ok(()) => Some(server),
        Err(why) => {
            assert!(why.to_lowercase().contains("in use"), "{why}");
            None
        }
    }
}

/// A server with HTTP, and its port for that.
pub fn with_page(settings: &[&str]) -> (Server, u16) {
    for _ in 0..5 {
        let port = free_port();
        let mut all = vec![format!("http.port={port}")];
        all.extend(settings.iter().map(|setting| (*setting).to_owned()));
        if let Some(server) = try_start(&all) {
            return (server, port);
        }
    }
    panic!("no free port");
}

/// The same with TLS, by HTTP too.
pub fn secure_with_page(settings: &[&str]) -> (Secure, u16) {
    for _ in 0..5 {
        let authority = Authority::new("authority");
        let files = Files::new(&authority.server(1), &authority);
        let (tls_port, port) = (free_port(), free_port());
        let mut all = files.settings(tls_port);
        all.extend([format!("http.port={port}"), "http.tls=true".to_owned()]);
        all.extend(["wal.enabled=false", "checkpoint.interval_s=0"].map(str::to_owned));
        all.extend(settings.iter().map(|setting| (*setting).to_owned()));
        if let Some(server) = try_start(&all) {
            let client = authority.client("default", Odd::Nothing);
            let secure = Secure {
                server,
                port: tls_port,
                files,
                authority,
                client,
            };
            return (secure, port);
        }
    }
    panic!("no free port");
}

/// What a browser gets: the head and the body of the answer.
fn get(port: u16, path: &str, more: &str) -> (String, String) {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).expect("connect by HTTP");
    stream
        .set_read_timeout(Some(Duration::from_secs(10)))
        .expect("a timeout");
    let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n{more}Connection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).expect("a request");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head and a body");
    (head.to_ascii_lowercase(), body.to_owned())
}

fn page(port: u16) -> String {
    let (head, body) = get(port, "/", "");
    assert!(head.starts_with("http/1.1 200"), "{head}");
    body
}

/// The number of a figure.
fn figure(page: &str, id: &str) -> u64 {
    let start = format!("<data id=\"{id}\" value=\"");
    let (_, rest) = page.split_once(&start).unwrap_or_else(|| panic!("no {id} in {page}"));
    let (number, _) = rest.split_once('"').expect("a number");
    number.parse().unwrap_or_else(|_| panic!("{id} is {number}"))
}

fn info(conn: &mut Conn, field: &str) -> u64 {
    call(conn, "INFO everything").figure(field)
}

#[test]
fn figures_are_those_of_info() {
    let (server, port) = with_page(&["checkpoint.interval_s=0"]);
    let mut conn = server.connect();
    for n in 0..1000 {
        conn.call(&["SET", &format!("key:{n}"), &"x".repeat(100)]);
    }
    for n in 0..7 {
        conn.call(&["SELECT", "3"]);
        conn.call(&["SET", &format!("key:{n}"), "x"]);
    }
    assert!(!call(&mut conn, "CHECKPOINT").is_error());
    let mut others: Vec<Conn> = (0..3).map(|_| server.connect()).collect();
    others.iter_mut().for_each(|other| drop(call(other, "PING")));
    let shown = page(port);
    for (id, field) in [("connected-clients", "connected_clients"), ("log-lsn", "wal_lsn")] {
        assert_eq!(figure(&shown, id), info(&mut conn, field), "{id}");
    }
    assert_eq!(figure(&shown, "keys"), 1007);
    // Whoever asks for INFO holds a request and a reply meanwhile.
    await_that("both tell of as much memory", || {
        let (used, told) = (figure(&page(port), "used-memory"), info(&mut conn, "used_memory"));
        used.abs_diff(told) < 32 << 10 && told > 100_000
    });
    let uptime_s = info(&mut conn, "uptime_in_seconds");
    assert!(uptime_s - figure(&shown, "uptime") <= 30, "{uptime_s}");
    let id = info(&mut conn, "checkpoint_last_id");
    let lsn = info(&mut conn, "checkpoint_last_lsn");
    assert!(shown.contains(&format!("<th scope=\"row\">{id}</th>")), "{shown}");
    assert!(shown.contains("any moment since") && lsn > 1000);
    assert!(
        shown.contains("<th scope=\"row\">default</th><td>1,000</td>"),
        "{shown}"
    );
    assert!(shown.contains("<th scope=\"row\">3</th><td>7</td>"));
    assert!(figure(&shown, "checkpoint-age") < 60);
}

#[test]
fn a_minute_later_there_are_curves_that_survive_a_reload() {
    let (server, port) = with_page(&["wal.enabled=false", "checkpoint.interval_s=0"]);
    let mut conn = server.connect();
    // On a busy machine it may have come.
    let early = page(port);
    assert!(early.contains("The first sample comes after some seconds.") || early.contains("<path class=\"line "));
    let deadline = Instant::now() + Duration::from_secs(20);
    while page(port).contains("The first sample comes") {
        assert!(Instant::now() < deadline, "no sample");
        call(&mut conn, "PING");
        std::thread::sleep(Duration::from_millis(200));
    }
    for _ in 0..2 {
        let shown = page(port);
        // Requests, latency (two) and memory (two); nothing is logged.
        assert_eq!(shown.matches("<path class=\"line ").count(), 5, "{shown}");
        assert!(!shown.contains("class=\"line a\" d=\"\""), "{shown}");
    }
    assert!(!page(port).contains("Log on disk"));
}

#[test]
fn what_clients_name_is_text_and_secrets_are_not_shown() {
    let (server, port) = with_page(&[
        "wal.enabled=false",
        "checkpoint.interval_s=0",
        "slowlog.log_slower_than_us=0",
    ]);
    let mut conn = server.connect();
    let evil = "<script>alert(1)</script>";
    conn.call(&["CLIENT", "SETNAME", evil]);
    conn.call(&["SET", evil, "\"><img src=x onerror=y>"]);
    conn.call(&["CONFIG", "SET", "requirepass", ""]);
    conn.call(&["ACL", "SETUSER", "bob", "on", ">hunter2", "+@all", "~*"]);
    conn.call(&["AUTH", "bob", "hunter2"]);
    let shown = page(port);
    assert!(!shown.contains("<script") && !shown.contains("<img"), "{shown}");
    assert!(shown.contains("&lt;script&gt;alert(1)&lt;/script&gt;"), "{shown}");
    assert!(!shown.contains("hunter2") && shown.contains("(redacted)"), "{shown}");
}

#[test]
fn the_page_is_one_document_without_a_script_under_a_strict_policy() {
    let (_server, port) = with_page(&["wal.enabled=false", "checkpoint.interval_s=0"]);
    let (head, body) = get(port, "/?sort=-keys&refresh=1", "");
    assert!(head.contains("content-security-policy: default-src 'none'"), "{head}");
    assert!(head.contains("content-type: text/html; charset=utf-8"), "{head}");
    assert!(!body.contains("<script") && !body.contains(" style=") && body.len() < 150 << 10);
    assert!(body.contains("http-equiv=\"refresh\"") && body.contains("aria-sort=\"ascending\""));
    let (head, body) = get(port, "/page.css", "");
    assert!(
        head.starts_with("http/1.1 200") && head.contains("content-type: text/css"),
        "{head}"
    );
    assert!(body.contains("prefers-color-scheme: dark"));
    let (head, body) = get(port, "/page.svg", "");
    assert!(
        head.contains("content-type: image/svg+xml") && body.starts_with("<svg "),
        "{head}"
    );
}

#[test]
fn who_may_run_info_alone_sees_no_other_clients() {
    let (server, port) = with_page(&[
        "wal.enabled=false",
        "checkpoint.interval_s=0",
        "slowlog.log_slower_than_us=0",
    ]);
    let mut conn = server.connect();
    conn.call(&["ACL", "SETUSER", "eye", "on", ">see", "+info"]);
    conn.call(&["CLIENT", "SETNAME", "somebody"]);
    assert!(page(port).contains("somebody"));
    // eye:see
    let (head, body) = get(port, "/", "Authorization: Basic ZXllOnNlZQ==\r\n");
    assert!(head.starts_with("http/1.1 200"), "{head}");
    assert!(
        !body.contains("somebody") && body.contains("users who may run <code>CLIENT LIST</code>"),
        "{body}"
    );
    let (head, _) = get(port, "/", "Authorization: Basic ZXllOndyb25n\r\n");
    assert!(head.starts_with("http/1.1 401"), "{head}");
}
