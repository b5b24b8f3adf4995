//! Probes by HTTP are answered soon, whoever else is connected, and tell what state the server is in; `lokikv ping` and
//! `lokikv doctor` over TLS, and of servers that do not answer.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddrV4, TcpListener, TcpStream};
use std::process::Command;
use std::time::{Duration, Instant};

use socket2::{Domain, Socket, Type};

use crate::await_that;
use crate::client::Secure;
use crate::held::hold;
use crate::page::secure_with_page;
use crate::scrape::{Answer, Shown};
use crate::support::{Lease, Value};

/// So soon a probe is answered, on a machine that has other things to do as well: before connections that say nothing
/// are closed, which they are after ten seconds.
const SOON: Duration = Duration::from_secs(8);
const PROBE: &[u8] = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n";

/// A port that refuses connections for as long as the socket, which does not listen, has it.
pub fn closed_port() -> (Socket, u16) {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
    let any = SocketAddrV4::new(Ipv4Addr::LOCALHOST, 0);
    socket.bind(&any.into()).expect("a port");
    let address = socket.local_addr().expect("an address").as_socket();
    let port = address.expect("an address with a port").port();
    (socket, port)
}

fn without_log() -> Shown {
    Shown::start(&["wal.enabled=false"])
}

/// A connection from another address of this machine.
fn raw_from(last: u8, port: u16) -> TcpStream {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
    let own = SocketAddrV4::new(Ipv4Addr::new(127, 0, 0, last), 0);
    socket.bind(&own.into()).expect("an address");
    let there = SocketAddrV4::new(Ipv4Addr::LOCALHOST, port);
    socket.connect(&there.into()).expect("the port answers");
    let stream = TcpStream::from(socket);
    stream
        .set_read_timeout(Some(Duration::from_secs(20)))
        .expect("a timeout");
    stream
}

/// Whether a request on this connection is answered.
fn is_served(stream: &mut TcpStream) -> bool {
    let mut buffer = [0; 4096];
    stream.write_all(PROBE).is_ok()
        && stream
            .read(&mut buffer)
            .is_ok_and(|length| buffer[..length].starts_with(b"HTTP/1.1 200"))
}

fn assert_probed_soon(shown: &Shown, what: &str) {
    let begun = Instant::now();
    assert_eq!(shown.get("/healthz").status, 200, "{what}");
    assert!(begun.elapsed() < SOON, "{what}: {:?}", begun.elapsed());
}

#[test]
fn connections_that_say_nothing_keep_no_probe_waiting() {
    let shown = without_log();
    let mut other = raw_from(2, shown.port);
    assert!(is_served(&mut other));
    let silent: Vec<TcpStream> = (0..200).map(|_| shown.raw()).collect();
    assert_probed_soon(&shown, "silent ones");
    assert!(is_served(&mut other), "another address keeps its connection");
    assert_eq!(shown.server.connect().call(&["PING"]).text(), "PONG");
    drop(silent);
    // Slow ones: a byte of a head now and then.
    let mut slow: Vec<TcpStream> = (0..100).map(|_| shown.raw()).collect();
    for byte in ["G", "E", "T"] {
        // Those that had to go cannot be written to.
        slow.iter_mut()
            .for_each(|stream| drop(stream.write_all(byte.as_bytes())));
        assert_probed_soon(&shown, "slow ones");
    }
    assert!(is_served(&mut other));
    // Those that have not taken their answers.
    let mut greedy: Vec<TcpStream> = (0..100).map(|_| shown.raw()).collect();
    let many = b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n".repeat(50);
    greedy.iter_mut().for_each(|stream| drop(stream.write_all(&many)));
    assert_probed_soon(&shown, "those that do not read");
}

#[test]
fn all_addresses_together_keep_none_waiting() {
    let shown = without_log();
    let held: Vec<TcpStream> = (10..14)
        .flat_map(|last| (0..40).map(move |_| last))
        .map(|last| raw_from(last, shown.port))
        .collect();
    assert_probed_soon(&shown, "many addresses");
    assert!(is_served(&mut raw_from(99, shown.port)));
    drop(held);
}

/// How many answers come until the connection ends, and all of it.
fn answers(shown: &Shown, request: &str) -> (usize, String) {
    let mut stream = shown.raw();
    stream.write_all(request.as_bytes()).expect("a request");
    let mut all = Vec::new();
    // What has come before it is reset has come.
    let _ = stream.read_to_end(&mut all);
    let text = String::from_utf8_lossy(&all).into_owned();
    (text.matches("HTTP/1.1 ").count(), text)
}

#[test]
fn a_request_with_a_body_is_refused_and_is_the_last() {
    let shown = without_log();
    let hidden = "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n";
    let length = format!("Content-Length: {}\r\n", hidden.len());
    let chunk = format!("{:x}\r\n{hidden}\r\n0\r\n\r\n", hidden.len());
    let chunked = "Transfer-Encoding: chunked\r\n";
    for (headers, body) in [
        (length.as_str(), hidden),
        (chunked, chunk.as_str()),
        (chunked, "0\r\n\r\n"),
        (chunked, hidden),
        ("Transfer-Encoding: gzip, chunked\r\n", chunk.as_str()),
        ("Transfer-Encoding: identity\r\n", hidden),
        ("Transfer-Encoding: chunked\r\nContent-Length: 0\r\n", hidden),
        ("Content-Length: 0\r\nTransfer-Encoding: chunked\r\n", hidden),
        ("Content-Length: 1\r\nContent-Length: 2\r\n", hidden),
        ("Content-Length: +5\r\n", hidden),
        ("Content-Length: 99999999999999999999\r\n", hidden),
        ("Content-Length: 1000000000\r\n", ""),
        ("Transfer-Encoding: chunked\r\n", "ffffffffffffffff\r\nx"),
        ("Expect: 100-continue\r\nContent-Length: 5\r\n", ""),
    ] {
        let what = format!("{headers}{body}");
        let (count, text) = answers(
            &shown,
            &format!("GET /healthz HTTP/1.1\r\nHost: x\r\n{headers}\r\n{body}"),
        );
        assert!(count == 1 && text.starts_with("HTTP/1.1 400 "), "{what}: {text}");
        let (count, text) = answers(
            &shown,
            &format!("POST /healthz HTTP/1.1\r\nHost: x\r\n{headers}\r\n{body}"),
        );
        assert!(count == 1 && text.starts_with("HTTP/1.1 40"), "{what}: {text}");
    }
    // No body at all, said in so many words.
    let none = "GET /healthz HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n";
    let last = "GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    let (count, text) = answers(&shown, &format!("{none}{last}"));
    assert!(count == 2 && !text.contains("400"), "{text}");
}

fn ready(shown: &Shown) -> (u16, String) {
    let Answer { status, body, .. } = shown.get("/readyz");
    (status, body)
}

#[test]
fn while_it_loads_it_is_alive_and_not_ready() {
    let mut shown = Shown::start(&[]);
    let mut conn = shown.server.connect();
    for n in 0..500 {
        conn.call(&["SET", &format!("key:{n}"), "v"]);
    }
    assert_eq!(conn.call(&["CHECKPOINT"]), Value::ok());
    assert_eq!(ready(&shown), (200, "ready\n".to_owned()));
    shown.server.kill9();
    let _ports = [shown.server.port(), shown.port].map(hold);
    let folder = shown.server.data_dir().join("checkpoint");
    let names = std::fs::read_dir(folder).expect("a folder");
    let pages = names
        .map(|entry| entry.expect("an entry").path())
        .find(|path| path.extension().is_some_and(|kind| kind == "lkp"))
        .expect("a page file");
    let lease = Lease::on(&pages);
    shown.server.launch();
    drop(shown.server.connect_early());
    // Its other port is bound behind the first one.
    await_that("HTTP is served", || {
        TcpStream::connect(("127.0.0.1", shown.port)).is_ok()
    });
    let (status, body) = ready(&shown);
    assert!(
        status == 503 && body.starts_with("data is loading: "),
        "{status} {body}"
    );
    assert_eq!(shown.get("/healthz").status, 200);
    let page = shown.get("/");
    assert!(
        page.status == 200 && page.body.contains("<title>LokiKV: loading, "),
        "{}",
        page.body
    );
    let status = shown.get("/status");
    assert!(
        status.status == 200 && status.body.contains("data is loading"),
        "{}",
        status.body
    );
    drop(lease);
    shown.server.wait_until_ready().expect("ready");
    assert_eq!(ready(&shown), (200, "ready\n".to_owned()));
}

#[test]
fn while_the_log_has_failed_it_is_alive_and_not_ready() {
    let shown = Shown::start(&["wal.fsync=no"]);
    let mut conn = shown.server.connect();
    let value = "v".repeat(100_000);
    for n in 0..30 {
        assert_eq!(conn.call(&["SET", &format!("key:{n}"), &value]), Value::ok());
    }
    shown.server.limit_files(Some(1 << 20));
    let mut in_doubt = shown.server.connect();
    in_doubt.send(&["SET", "in doubt", "1"]).expect("send");
    let failed = "the log has failed: writes are refused\n";
    await_that("it has failed", || ready(&shown) == (503, failed.to_owned()));
    assert_eq!(shown.get("/healthz").status, 200);
    let page = shown.get("/").body;
    assert!(
        page.contains("<li>the log has failed: writes are refused</li>"),
        "{page}"
    );
    shown.server.limit_files(None);
    await_that("it is ready again", || ready(&shown) == (200, "ready\n".to_owned()));
    assert_eq!(in_doubt.recv().expect("it goes on").value, Value::ok());
}

/// Exit code and all that is said.
fn lokikv(args: &[&str]) -> (i32, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_lokikv"))
        .args(args)
        .output()
        .expect("it runs");
    let said = [output.stdout, output.stderr].concat();
    let code = output.status.code().expect("a code");
    (code, String::from_utf8_lossy(&said).into_owned())
}

/// The same of a server that answers, however slowly.
pub fn patiently(args: &[&str]) -> (i32, String) {
    lokikv(&[args, &["--timeout-ms", "20000"]].concat())
}

#[test]
fn ping_and_doctor_over_tls() {
    let secure = Secure::for_all(&["server.requirepass=secret"]);
    let file = |name: &str| secure.files.path(name).display().to_string();
    let (ca, place) = (file("ca.pem"), format!("localhost:{}", secure.port));
    let (open, closed) = (format!("rediss://{place}"), format!("rediss://:secret@{place}"));
    let (code, said) = patiently(&["ping", &closed, "--ca", &ca]);
    assert_eq!((code, said), (0, format!("rediss://{place}: PONG\n")));
    let (code, said) = patiently(&["ping", &open, "--ca", &ca]);
    assert!(code == 0 && said.contains("NOAUTH"), "alive, {code}: {said}");
    let (code, said) = patiently(&["ping", &format!("rediss://:wrong@{place}"), "--ca", &ca]);
    assert!(code == 1 && said.contains("WRONGPASS"), "{code}: {said}");
    let (code, said) = patiently(&["ping", &open]);
    assert!(
        code == 1 && said.contains("UnknownIssuer"),
        "not signed for: {code}: {said}"
    );
    let (code, said) = patiently(&["doctor", &closed, "--ca", &ca]);
    assert!(code < 2 && said.contains("ok: the server is lokikv "), "{code}: {said}");
    assert!(!said.contains("secret"), "{said}");
    let plain = format!("rediss://127.0.0.1:{}", secure.server.port());
    for command in ["ping", "doctor"] {
        let (code, said) = lokikv(&[command, &plain, "--ca", &ca]);
        assert!(
            code > 0 && said.contains(&plain) && !said.contains("os error"),
            "{code}: {said}"
        );
    }
}

#[test]
fn ping_and_doctor_show_a_certificate() {
    let secure = Secure::start(&[]);
    let file = |name: &str| secure.files.path(name).display().to_string();
    let (ca, url) = (file("ca.pem"), format!("rediss://localhost:{}", secure.port));
    secure.files.write("client.pem", &secure.client.cert_pem);
    secure.files.write("client.key", &secure.client.key_pem);
    let (cert, key) = (file("client.pem"), file("client.key"));
    for command in ["ping", "doctor"] {
        let (code, said) = patiently(&[command, &url, "--ca", &ca, "--cert", &cert, "--key", &key]);
        assert!(
            code < 2 && (said.contains("PONG") || said.contains("ok: the server")),
            "{code}: {said}"
        );
        let (code, said) = patiently(&[command, &url, "--ca", &ca]);
        assert!(code > 0 && said.contains("CertificateRequired"), "{code}: {said}");
    }
}

#[test]
fn silence_is_told_in_plain_words() {
    // The system takes connections for it, and nobody answers them.
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port().to_string();
    let place = format!("127.0.0.1:{port}");
    let (plain, secure) = (format!("redis://{place}"), format!("rediss://{place}"));
    let own = ["--timeout-ms", "300", "--ca"];
    let authority = crate::pki::Authority::new("nobody");
    let file = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(file.path(), &authority.pem).expect("written");
    let with_ca = [&own[..], &[file.path().to_str().expect("text")]].concat();
    let to = tempfile::tempdir().expect("a folder");
    let to = to.path().join("backups").display().to_string();
    for (args, who, silence) in [
        (
            vec!["ping", "--port", &port, "--timeout-ms", "1000"],
            place.as_str(),
            "no answer within 1 s",
        ),
        (
            [&["ping", plain.as_str()], &with_ca[..]].concat(),
            &plain,
            "no answer within 300 ms",
        ),
        (
            [&["ping", secure.as_str()], &with_ca[..]].concat(),
            &secure,
            "no answer within 300 ms",
        ),
        (
            [&["doctor", plain.as_str()], &with_ca[..]].concat(),
            &plain,
            "no answer within 300 ms",
        ),
        (
            [&["doctor", secure.as_str()], &with_ca[..]].concat(),
            &secure,
            "no answer within 300 ms",
        ),
        (
            vec!["backup", "--from", &plain, "--to", &to, "--retry-s", "1"],
            &plain,
            "no answer within 2 s",
        ),
    ] {
        let (code, said) = lokikv(&args);
        assert!(
            code > 0 && said.contains(who) && said.contains(silence),
            "{args:?}: {code}: {said}"
        );
        assert!(!said.contains("os error"), "{args:?}: {said}");
    }
    drop(listener);
}

#[test]
fn a_server_that_is_not_there_is_named() {
    let (_socket, port) = closed_port();
    let place = format!("127.0.0.1:{port}");
    for args in [
        ["ping", &format!("redis://{place}")],
        ["doctor", &format!("redis://{place}")],
    ] {
        let (code, said) = lokikv(&args);
        assert!(
            code > 0 && said.contains(&place) && said.contains("refused"),
            "{code}: {said}"
        );
    }
}

#[test]
fn the_page_over_tls() {
    let (secure, port) = secure_with_page(&["tls.auth_clients=no"]);
    let get = |path: &str| {
        let config = secure.config(None, &crate::client::Wishes::default());
        let name = rustls::pki_types::ServerName::try_from("localhost").expect("a name");
        let socket = TcpStream::connect(("127.0.0.1", port)).expect("it answers");
        socket
            .set_read_timeout(Some(Duration::from_secs(20)))
            .expect("a timeout");
        let session = rustls::ClientConnection::new(config, name).expect("a session");
        let mut stream = rustls::StreamOwned::new(session, socket);
        write!(
            stream,
            "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
        )
        .expect("sent");
        let mut all = String::new();
        let _ = stream.read_to_string(&mut all);
        all
    };
    for (path, part) in [
        ("/healthz", "alive"),
        ("/readyz", "ready"),
        ("/", "<title>LokiKV: ready</title>"),
    ] {
        let all = get(path);
        assert!(all.starts_with("HTTP/1.1 200") && all.contains(part), "{path}: {all}");
    }
    // Handshakes that never come to an end take no place from probes.
    let silent: Vec<TcpStream> = (0..100)
        .map(|_| TcpStream::connect(("127.0.0.1", port)).expect("it answers"))
        .collect();
    let begun = Instant::now();
    assert!(
        get("/healthz").contains("alive") && begun.elapsed() < SOON,
        "{:?}",
        begun.elapsed()
    );
    drop(silent);
}

#[test]
fn a_probe_comes_between_those_who_ask_for_figures() {
    let shown = without_log();
    let mut conn = shown.server.connect();
    for n in 0..400 {
        assert_eq!(conn.call(&["COLLECTION", "CREATE", &format!("c{n}")]), Value::ok());
    }
    let mut other = raw_from(2, shown.port);
    let comes_between = || {
        let mut asking: Vec<TcpStream> = (0..40).map(|_| shown.raw()).collect();
        for stream in &mut asking {
            stream
                .write_all(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n")
                .expect("sent");
        }
        assert!(is_served(&mut other));
        let waits = |stream: &TcpStream| stream.set_nonblocking(true).is_ok() && stream.peek(&mut [0]).is_err();
        asking.iter().any(waits)
    };
    // A thread that has all of them answered before it looks at anybody else does so each time.
    await_that("it comes between", comes_between);
}
