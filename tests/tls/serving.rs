//! What works without TLS works over it.

use std::io::{Read, Write};
use std::time::{Duration, Instant};

use rustls::version::{TLS12, TLS13};

use crate::args;
use crate::client::{Secure, Wishes};
use crate::pki::{Authority, Files, Odd};
use crate::support::conn::encode;
use crate::support::server::free_port;
use crate::support::{Args, Rng, Server, Value};

#[test]
fn beside_the_plain_port() {
    let secure = Secure::for_all(&[]);
    let mut conn = secure.connect();
    assert_eq!(conn.call(&["SET", "key", "value"]), Value::ok());
    assert_eq!(secure.server.connect().call(&["GET", "key"]), Value::bulk("value"));
    assert_eq!(secure.figure("tls_connected_clients"), "1");
    assert_eq!(secure.figure("tls_handshakes"), "1");
    assert_eq!(secure.figure("tls_handshakes_unfinished"), "0");
    assert_eq!(secure.figure("tls_port"), secure.port.to_string());
    let list = conn.call(&["CLIENT", "LIST"]).text();
    assert!(list.contains(&format!("laddr=127.0.0.1:{}", secure.port)), "{list}");
    drop(conn);
    secure.wait_for("tls_connected_clients", |figure| figure == "0");
}

#[test]
fn each_protocol() {
    let secure = Secure::for_all(&[]);
    for version in [&TLS12, &TLS13] {
        let wishes = Wishes {
            versions: vec![version],
            ..Wishes::default()
        };
        let mut conn = secure.try_connect(None, &wishes).unwrap();
        assert_eq!(conn.call(&["ECHO", "hello"]), Value::bulk("hello"));
        assert_eq!(conn.stream().conn.protocol_version(), Some(version.version));
    }
}

#[test]
fn values_of_all_sizes() {
    let secure = Secure::for_all(&[]);
    let mut conn = secure.connect();
    // Around the sizes of records, of what is received at once, and of arguments that are received by themselves.
    let sizes = [
        0, 1, 16_383, 16_384, 16_385, 65_535, 65_536, 65_537, 200_000, 3_000_000, 20_000_000,
    ];
    for size in sizes {
        let value: Vec<u8> = (0..size).map(|at: usize| (at % 251) as u8).collect();
        assert_eq!(conn.call(&args!["SET", "key", value]), Value::ok(), "{size}");
        assert_eq!(conn.call(&["GET", "key"]), Value::bulk(&value), "{size}");
    }
    // One behind the other, so that the end of one is in a record with the beginning of the next.
    let commands: Vec<Args> = sizes.iter().map(|size| args!["ECHO", vec![b'x'; *size]]).collect();
    let replies = conn.pipeline(&commands).unwrap();
    for (reply, command) in replies.iter().zip(&commands) {
        assert_eq!(reply, &Value::bulk(&command[1]));
    }
}

#[test]
fn nothing_waits_that_the_socket_does_not_tell_of() {
    let secure = Secure::for_all(&[]);
    let mut conn = secure.connect();
    let mut rng = Rng::new(7);
    for _ in 0..200 {
        // Many requests in a record, many records in what arrives at once, requests across records.
        let mut batch = Vec::new();
        let count = 1 + rng.below(40);
        (0..count).for_each(|number| encode(&["ECHO", &number.to_string().repeat(100)], &mut batch));
        let mut rest = batch.as_slice();
        while !rest.is_empty() {
            let (piece, behind) = rest.split_at(rest.len().min(1 + rng.below(500)));
            conn.send_raw(piece).unwrap();
            rest = behind;
        }
        for number in 0..count {
            assert_eq!(conn.recv().unwrap().value, Value::bulk(number.to_string().repeat(100)));
        }
    }
    // One byte in each record.
    let mut request = Vec::new();
    encode(&["ECHO", "slowly"], &mut request);
    request.iter().for_each(|byte| conn.send_raw(&[*byte]).unwrap());
    assert_eq!(conn.recv().unwrap().value, Value::bulk("slowly"));
}

#[test]
fn what_comes_unasked() {
    let secure = Secure::for_all(&[]);
    let (mut subscriber, mut blocked) = (secure.connect(), secure.connect());
    subscriber.call(&["SUBSCRIBE", "news"]);
    blocked.send(&["BLPOP", "list", "0"]).unwrap();
    blocked.stream_mut().flush().unwrap();
    let mut plain = secure.server.connect();
    for _ in 0..500 {
        if plain.call(&["INFO", "clients"]).text().contains("blocked_clients:1") {
            break;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    assert_eq!(plain.call(&["PUBLISH", "news", "hello"]), Value::Int(1));
    assert_eq!(subscriber.recv().unwrap().value.items()[2], Value::bulk("hello"));
    assert_eq!(plain.call(&["RPUSH", "list", "a"]), Value::Int(1));
    assert_eq!(blocked.recv().unwrap().value.items()[1], Value::bulk("a"));
}

#[test]
fn an_idle_client_costs_no_time() {
    let secure = Secure::for_all(&["server.linger_us=0"]);
    let conns: Vec<_> = (0..20).map(|_| secure.connect()).collect();
    let mut plain = secure.server.connect();
    let used = |conn: &mut crate::support::Conn| -> f64 {
        let info = conn.call(&["INFO", "cpu"]).text();
        let seconds = |name: &str| -> f64 {
            let line = info.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
            line.unwrap().parse().unwrap()
        };
        seconds("used_cpu_sys") + seconds("used_cpu_user")
    };
    let before = used(&mut plain);
    std::thread::sleep(Duration::from_millis(1500));
    let spent = used(&mut plain) - before;
    assert!(
        spent < 0.7,
        "{spent} s of CPU in 1.5 s with {} idle clients",
        conns.len()
    );
}

#[test]
fn a_client_that_reads_nothing_is_bounded() {
    let secure = Secure::for_all(&["limits.output_buffer_normal_hard_bytes=8mb"]);
    let mut conn = secure.connect();
    let value = vec![b'x'; 1 << 20];
    assert_eq!(conn.call(&args!["SET", "key", value]), Value::ok());
    let mut batch = Vec::new();
    (0..200).for_each(|_| encode(&["GET", "key"], &mut batch));
    conn.send_raw(&batch).unwrap();
    secure.wait_for_log("closing: output buffer hard limit");
    // What was sent before that comes, and then the end, which nobody has announced.
    let mut got = 0;
    let mut chunk = vec![0; 65_536];
    let end = loop {
        match conn.stream_mut().read(&mut chunk) {
            Ok(0) => break "closed".to_owned(),
            Ok(count) => got += count,
            Err(error) => break error.to_string(),
        }
    };
    assert!(got < 200 << 20, "{got} bytes, {end}");
    secure.serves();
}

#[test]
fn the_last_reply_comes_and_then_the_end_is_told() {
    let secure = Secure::for_all(&[]);
    let mut conn = secure.connect();
    assert_eq!(conn.call(&["QUIT"]), Value::ok());
    // Without a close_notify this would be an error.
    let mut rest = Vec::new();
    assert_eq!(conn.stream_mut().read_to_end(&mut rest).unwrap(), 0);
}

/// A server without a plain port; nothing if its port has gone to another process meanwhile.
fn start_for_tls_alone() -> Option<Secure> {
    let authority = Authority::new("authority");
    let files = Files::new(&authority.server(1), &authority);
    let port = free_port();
    let mut settings = files.settings(port);
    settings.extend(["wal.enabled=false", "tls.auth_clients=no", "server.port=0"].map(str::to_owned));
    let settings: Vec<&str> = settings.iter().map(String::as_str).collect();
    let mut server = Server::lokikv_stopped(&settings);
    server.launch();
    let since = Instant::now();
    while !server.stdout().contains("ready for clients") {
        if !server.is_running() {
            let said = server.stdout() + &server.stderr();
            assert!(said.to_lowercase().contains("in use"), "{said}");
            return None;
        }
        assert!(since.elapsed() < Duration::from_secs(60), "{}", server.stdout());
        std::thread::sleep(Duration::from_millis(10));
    }
    Some(Secure {
        client: authority.client("default", Odd::Nothing),
        server,
        port,
        files,
        authority,
    })
}

#[test]
fn a_port_for_tls_alone() {
    let secure = (0..5).find_map(|_| start_for_tls_alone()).expect("a free port");
    let mut conn = secure.connect();
    assert_eq!(conn.call(&["CONFIG", "GET", "port"]).items()[1], Value::bulk("0"));
    let tells_port = format!("tcp_port:{}\r\n", secure.port);
    assert!(conn.call(&["INFO", "server"]).text().contains(&tells_port));
}
