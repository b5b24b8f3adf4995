//! Handshakes are bounded in number and time, and those that are in do not wait for them.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use rustls::ClientConnection;
use rustls::pki_types::ServerName;

use crate::client::{Secure, Wishes, push, read_to_close};
use crate::support::Value;

/// What a client says first.
pub fn hello(secure: &Secure) -> (ClientConnection, Vec<u8>) {
    let name = ServerName::try_from("localhost").unwrap();
    let mut client = ClientConnection::new(secure.config(None, &Wishes::default()), name).unwrap();
    let mut bytes = Vec::new();
    client.write_tls(&mut bytes).unwrap();
    (client, bytes)
}

#[test]
fn byte_by_byte() {
    let secure = Secure::for_all(&["tls.handshake_timeout_s=120"]);
    let (mut client, bytes) = hello(&secure);
    let mut socket = secure.socket();
    for byte in bytes {
        socket.write_all(&[byte]).unwrap();
        std::thread::sleep(Duration::from_micros(200));
    }
    while client.is_handshaking() {
        client.read_tls(&mut socket).unwrap();
        client.process_new_packets().unwrap();
        let mut answer = Vec::new();
        client.write_tls(&mut answer).unwrap();
        for byte in answer {
            socket.write_all(&[byte]).unwrap();
        }
    }
    let mut stream = rustls::StreamOwned::new(client, socket);
    stream.write_all(b"PING\r\n").unwrap();
    let mut reply = [0; 7];
    stream.read_exact(&mut reply).unwrap();
    assert_eq!(&reply, b"+PONG\r\n");
}

#[test]
fn what_takes_too_long_is_given_up() {
    let secure = Secure::for_all(&["tls.handshake_timeout_s=4"]);
    let (_, bytes) = hello(&secure);
    let begun = Instant::now();
    let mut silent = secure.socket();
    let mut half = secure.socket();
    half.write_all(&bytes[..bytes.len() / 2]).unwrap();
    let mut whole = secure.socket();
    whole.write_all(&bytes).unwrap();
    for (socket, speaks) in [(&mut silent, false), (&mut half, false), (&mut whole, true)] {
        let heard = read_to_close(socket);
        assert_eq!(!heard.is_empty(), speaks);
    }
    let took = begun.elapsed();
    assert!(took >= Duration::from_millis(3_900), "{took:?}");
    secure.wait_for("tls_handshakes_timed_out", |figure| figure == "3");
    secure.wait_for("tls_handshakes_unfinished", |figure| figure == "0");
    secure.serves();
}

#[test]
fn thousands_that_say_nothing() {
    // They are to be crowded out, not timed out.
    let secure = Secure::for_all(&["tls.handshakes_max=100", "tls.handshake_timeout_s=600"]);
    let mut inside = secure.connect();
    let (_, bytes) = hello(&secure);
    let mut idle: Vec<TcpStream> = Vec::new();
    let mut slowest = Duration::ZERO;
    for number in 0..2000 {
        let mut socket = secure.socket();
        match number % 3 {
            0 => {}
            1 => push(&mut socket, &bytes[..40]),
            _ => push(&mut socket, &bytes),
        }
        idle.push(socket);
        if number % 100 == 0 {
            let begun = Instant::now();
            assert_eq!(inside.call(&["PING"]).text(), "PONG");
            slowest = slowest.max(begun.elapsed());
            // Not one more for a moment, whichever workers they come to.
            let unfinished: u64 = secure.figure("tls_handshakes_unfinished").parse().unwrap();
            assert!(unfinished <= 100, "{unfinished}");
            // Others come in, though one may be turned away as long as the worker has not got to those before it.
            let begun = Instant::now();
            let mut other = loop {
                match secure.try_connect(None, &Wishes::default()) {
                    Ok(conn) => break conn,
                    Err(error) => assert!(begun.elapsed() < Duration::from_secs(60), "{error}"),
                }
            };
            assert_eq!(other.call(&["INCR", "others"]).int(), Some(1 + number / 100));
        }
    }
    let are_most = |figure: &str| figure.parse::<u64>().unwrap() >= 1800;
    secure.wait_for("tls_handshakes_crowded_out", are_most);
    assert!(slowest < Duration::from_secs(10), "{slowest:?}");
    // Each of them is a client no more, with the worker's next turn.
    secure.wait_for("connected_clients", |figure| figure.parse::<u64>().unwrap() <= 110);
}

#[test]
fn a_storm_leaves_those_inside_alone() {
    let secure = Secure::for_all(&[]);
    let mut inside = secure.connect();
    assert_eq!(inside.call(&["SET", "key", "value"]), Value::ok());
    let (port, config) = (secure.port, secure.config(None, &Wishes::default()));
    let until = Instant::now() + Duration::from_secs(2);
    let storm = std::thread::spawn(move || {
        let mut count = 0;
        while Instant::now() < until {
            let socket = TcpStream::connect(("127.0.0.1", port)).unwrap();
            let name = ServerName::try_from("localhost").unwrap();
            let client = ClientConnection::new(std::sync::Arc::clone(&config), name).unwrap();
            let mut stream = rustls::StreamOwned::new(client, socket);
            let _ = stream.write_all(b"PING\r\n");
            count += 1;
        }
        count
    });
    let mut slow = Vec::new();
    while !storm.is_finished() {
        let begun = Instant::now();
        assert_eq!(inside.call(&["GET", "key"]), Value::bulk("value"));
        slow.push(begun.elapsed());
    }
    slow.sort();
    let count = storm.join().unwrap();
    assert!(
        count > 10 && slow.len() > 10,
        "{count} handshakes, {} requests",
        slow.len()
    );
    // Far from what is promised, since tests run beside others: nobody is kept out for long.
    let late = slow[slow.len() * 99 / 100];
    assert!(late < Duration::from_secs(20), "{late:?}");
}

/// While a script keeps the only worker busy the others are looked after in its middle: who leaves then has left.
#[test]
fn who_fails_beside_a_busy_script_is_counted_once() {
    let secure = Secure::for_all(&[
        "server.workers=1",
        "scripts.busy_reply_threshold_ms=50",
        "tls.handshake_timeout_s=600",
    ]);
    let (_, bytes) = hello(&secure);
    let mut busy = secure.server.connect();
    let mut beside = secure.server.connect();
    busy.send(&["EVAL", "while true do end", "0"]).unwrap();
    let begun = Instant::now();
    while !beside.call(&["GET", "key"]).text().starts_with("BUSY ") {
        assert!(begun.elapsed() < Duration::from_secs(20), "it is never busy");
    }
    let (mut leaves, mut plain) = (secure.socket(), secure.socket());
    push(&mut leaves, &bytes[..40]);
    push(&mut plain, b"PING\r\n");
    // Looked at several times.
    std::thread::sleep(Duration::from_millis(200));
    drop(leaves);
    std::thread::sleep(Duration::from_millis(500));
    assert_eq!(beside.call(&["SCRIPT", "KILL"]), Value::ok());
    assert!(busy.recv().unwrap().value.text().contains("killed by user"));
    assert!(!read_to_close(&mut plain).is_empty());
    secure.wait_for("tls_handshakes_unfinished", |figure| figure == "0");
    assert_eq!(secure.figure("tls_handshakes_failed"), "2");
}
