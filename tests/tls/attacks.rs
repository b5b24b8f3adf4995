//! Clients that break the protocol, each with what is to come of it. Whatever it is, the others are served on.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::Duration;

use rustls::client::Resumption;
use rustls::unbuffered::{ConnectionState, UnbufferedStatus};
use rustls::version::{TLS12, TLS13};

use crate::args;
use crate::client::{Secure, Stream, Wishes, is_end, push, read_to_close};
use crate::handshakes::hello;
use crate::support::conn::encode;
use crate::support::{Conn, Value};

/// What ends a client that breaks the protocol, by what it has sent as a whole.
enum Ending {
    /// An alert with this description.
    Alert(u8),
    /// An alert, whichever.
    SomeAlert,
    /// Not a byte.
    Silence,
    /// This, in plain text.
    Text(&'static str),
}

const UNEXPECTED_MESSAGE: u8 = 10;
const HANDSHAKE_FAILURE: u8 = 40;
const DECODE_ERROR: u8 = 50;

const SPEAKS_TLS: &str = "-ERR this port speaks TLS: connect with TLS (redis-cli --tls), or to a port without \
                          (server.port)\r\n";

fn record(kind: u8, payload: &[u8]) -> Vec<u8> {
    let mut record = vec![kind, 3, 1];
    record.extend((payload.len() as u16).to_be_bytes());
    record.extend(payload);
    record
}

/// A hello of an old client: this version, and these ciphers.
fn old_hello(version: u8, ciphers: &[u16]) -> Vec<u8> {
    let mut body = vec![3, version];
    body.extend([7; 32]);
    body.push(0);
    body.extend((2 * ciphers.len() as u16).to_be_bytes());
    body.extend(ciphers.iter().flat_map(|cipher| cipher.to_be_bytes()));
    body.extend([1, 0]);
    let mut message = vec![1, 0];
    message.extend((body.len() as u16).to_be_bytes());
    message.extend(body);
    record(22, &message)
}

fn first_words() -> Vec<(&'static str, Vec<u8>, Ending)> {
    let endless = record(22, &[1, 0xff, 0xff, 0xff, 3, 3]);
    let mut crumbs = record(22, &[1, 0, 0xff, 0xf0]);
    (0..60_000).for_each(|_| crumbs.extend(record(22, &[0])));
    let sslv2 = b"\x80\x2e\x01\x00\x02\x00\x15\x00\x00\x00\x10\x01\x00\x80\x03\x00\x80\x07\x00\xc0".to_vec();
    vec![
        (
            "a request in plain text",
            b"*1\r\n$4\r\nPING\r\n".to_vec(),
            Ending::Text(SPEAKS_TLS),
        ),
        ("an inline request", b"PING\r\n".to_vec(), Ending::Text(SPEAKS_TLS)),
        (
            "HTTP",
            b"GET / HTTP/1.1\r\nHost: x\r\n\r\n".to_vec(),
            Ending::Text(SPEAKS_TLS),
        ),
        ("an empty line", b"\r\n".to_vec(), Ending::Text(SPEAKS_TLS)),
        ("SSLv2", sslv2, Ending::SomeAlert),
        ("NULs", vec![0; 4096], Ending::SomeAlert),
        ("bytes of ones", vec![0xff; 4096], Ending::SomeAlert),
        (
            "a record that announces 65,535 bytes",
            b"\x16\x03\x01\xff\xff\x01".to_vec(),
            Ending::SomeAlert,
        ),
        ("a record of 18,433 bytes", record(22, &[1; 18_433]), Ending::SomeAlert),
        ("a message that announces 16 MiB", endless, Ending::SomeAlert),
        ("a message of 60,000 records of a byte", crumbs, Ending::SomeAlert),
        (
            "a handshake record without a message",
            record(22, b""),
            Ending::SomeAlert,
        ),
        (
            "a message that is no hello",
            record(22, &[2, 0, 0, 4, 1, 2, 3, 4]),
            Ending::SomeAlert,
        ),
        (
            "a hello of garbage",
            record(22, &[1, 0, 0, 4, 1, 2, 3, 4]),
            Ending::Alert(DECODE_ERROR),
        ),
        ("data first", record(23, b"PING\r\n"), Ending::Alert(UNEXPECTED_MESSAGE)),
        ("the change of ciphers first", record(20, &[1]), Ending::SomeAlert),
        ("a record of an unknown kind", record(24, b"x"), Ending::SomeAlert),
        ("an alert first", record(21, &[2, 40]), Ending::Silence),
        ("SSL 3.0", old_hello(0, &[0x0035]), Ending::Alert(HANDSHAKE_FAILURE)),
        (
            "TLS 1.0",
            old_hello(1, &[0x0035, 0xc013]),
            Ending::Alert(HANDSHAKE_FAILURE),
        ),
        (
            "TLS 1.1",
            old_hello(2, &[0x0035, 0xc013]),
            Ending::Alert(HANDSHAKE_FAILURE),
        ),
        (
            "ciphers without forward secrecy",
            old_hello(3, &[0x0035, 0x002f]),
            Ending::Alert(HANDSHAKE_FAILURE),
        ),
        ("no cipher", old_hello(3, &[]), Ending::SomeAlert),
    ]
}

#[test]
fn first_words_that_are_none() {
    let secure = Secure::for_all(&["tls.handshake_timeout_s=15"]);
    for (what, bytes, ending) in first_words() {
        let mut socket = secure.socket();
        push(&mut socket, &bytes);
        let heard = read_to_close(&mut socket);
        let is_alert = |heard: &[u8]| heard.len() == 7 && heard[0] == 21 && heard[5] == 2;
        match ending {
            Ending::Silence => assert_eq!(heard, b"", "{what}"),
            Ending::Text(text) => assert_eq!(String::from_utf8_lossy(&heard), text, "{what}"),
            // A reset may come before what was said.
            Ending::SomeAlert => assert!(heard.is_empty() || is_alert(&heard), "{what}: {heard:?}"),
            Ending::Alert(description) => {
                assert!(is_alert(&heard) && heard[6] == description, "{what}: {heard:?}");
            }
        }
        secure.serves();
    }
    secure.wait_for("tls_handshakes_unfinished", |figure| figure == "0");
    assert!(secure.figure("tls_handshakes_failed").parse::<u64>().unwrap() >= 20);
    secure.wait_for_log("closing: plain text on the TLS port");
}

#[test]
fn tls_on_the_plain_port() {
    let secure = Secure::for_all(&[]);
    let (_, bytes) = hello(&secure);
    for part in [bytes.as_slice(), &bytes[..1]] {
        let mut socket = TcpStream::connect(("127.0.0.1", secure.server.port())).unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        push(&mut socket, part);
        assert_eq!(read_to_close(&mut socket), b"");
    }
    secure.wait_for_log("closing: TLS on a port without TLS");
    secure.serves();
}

#[test]
fn half_handshakes_that_end() {
    let secure = Secure::for_all(&[]);
    let (_, bytes) = hello(&secure);
    for round in 0..300 {
        let mut socket = secure.socket();
        push(&mut socket, &bytes[..bytes.len() * (round % 11) / 10]);
        match round % 3 {
            0 => socket.shutdown(Shutdown::Write).unwrap(),
            1 => {
                // With the server's answer unread: a reset.
                std::thread::sleep(Duration::from_millis(1));
            }
            _ => {
                let _ = socket.shutdown(Shutdown::Both);
            }
        }
    }
    secure.wait_for("tls_handshakes_unfinished", |figure| figure == "0");
    secure.serves();
}

#[test]
fn two_hellos() {
    let secure = Secure::for_all(&[]);
    let (_, bytes) = hello(&secure);
    let mut socket = secure.socket();
    push(&mut socket, &bytes);
    push(&mut socket, &bytes);
    // Where the second is to stand, all is encrypted: it is no record of this connection.
    read_to_close(&mut socket);
    secure.wait_for("tls_handshakes_failed", |figure| figure == "1");
    secure.serves();
}

#[test]
fn plain_text_behind_the_handshake() {
    let secure = Secure::for_all(&[]);
    for version in [&TLS12, &TLS13] {
        let mut conn = greeted(&secure, version);
        conn.stream_mut().sock.write_all(b"SET injected yes\r\n").unwrap();
        assert!(is_end(&conn.recv().unwrap_err()));
    }
    assert!(secure.server.connect().call(&["GET", "injected"]).is_null());
}

fn greeted(secure: &Secure, version: &'static rustls::SupportedProtocolVersion) -> Conn<Stream> {
    let wishes = Wishes {
        versions: vec![version],
        ..Wishes::default()
    };
    secure.try_connect(None, &wishes).unwrap()
}

/// What the client would send of this, encrypted.
fn encrypted(conn: &mut Conn<Stream>, request: &[&str]) -> Vec<u8> {
    let (mut plain, mut bytes) = (Vec::new(), Vec::new());
    encode(request, &mut plain);
    let client = &mut conn.stream_mut().conn;
    client.writer().write_all(&plain).unwrap();
    while client.wants_write() {
        client.write_tls(&mut bytes).unwrap();
    }
    bytes
}

#[test]
fn records_that_were_tampered_with_or_come_again() {
    let secure = Secure::for_all(&[]);
    for version in [&TLS12, &TLS13] {
        // A bit of the text is another one.
        let mut conn = greeted(&secure, version);
        let mut bytes = encrypted(&mut conn, &["SET", "tampered", "yes"]);
        bytes[20] ^= 1;
        conn.stream_mut().sock.write_all(&bytes).unwrap();
        assert!(is_end(&conn.recv().unwrap_err()));
        // The same record twice.
        let mut conn = greeted(&secure, version);
        let bytes = encrypted(&mut conn, &["INCR", "again"]);
        conn.stream_mut().sock.write_all(&bytes).unwrap();
        assert!(conn.recv().unwrap().value.int().is_some());
        push(&mut conn.stream_mut().sock, &bytes);
        assert!(is_end(&conn.recv().unwrap_err()));
        // Two records in the wrong order.
        let mut conn = greeted(&secure, version);
        let first = encrypted(&mut conn, &["SET", "turned", "yes"]);
        let second = encrypted(&mut conn, &["SET", "turned", "yes"]);
        push(&mut conn.stream_mut().sock, &second);
        push(&mut conn.stream_mut().sock, &first);
        assert!(is_end(&conn.recv().unwrap_err()));
        // An encrypted record that is longer than any may be.
        let mut conn = greeted(&secure, version);
        push(&mut conn.stream_mut().sock, &[23, 3, 3, 0xff, 0xff]);
        push(&mut conn.stream_mut().sock, &[0; 65_535]);
        assert!(is_end(&conn.recv().unwrap_err()));
    }
    let mut plain = secure.server.connect();
    assert!(plain.call(&["GET", "tampered"]).is_null());
    assert!(plain.call(&["GET", "turned"]).is_null());
    assert_eq!(plain.call(&["GET", "again"]), Value::bulk("2"));
}

#[test]
fn a_request_that_is_cut_off_does_not_run() {
    let secure = Secure::for_all(&[]);
    for version in [&TLS12, &TLS13] {
        // Whole records, half a request; and half a record.
        for is_half_record in [false, true] {
            let mut conn = greeted(&secure, version);
            let bytes = if is_half_record {
                let whole = encrypted(&mut conn, &["SET", "cut", "yes"]);
                whole[..whole.len() - 1].to_vec()
            } else {
                let client = &mut conn.stream_mut().conn;
                client
                    .writer()
                    .write_all(b"*3\r\n$3\r\nSET\r\n$3\r\ncut\r\n$3\r\nye")
                    .unwrap();
                let mut bytes = Vec::new();
                client.write_tls(&mut bytes).unwrap();
                bytes
            };
            conn.stream_mut().sock.write_all(&bytes).unwrap();
            conn.stream_mut().sock.shutdown(Shutdown::Write).unwrap();
            read_to_close(&mut conn.stream_mut().sock);
        }
    }
    assert!(secure.server.connect().call(&["EXISTS", "cut"]).int() == Some(0));
    secure.wait_for("tls_connected_clients", |figure| figure == "0");
}

#[test]
fn requests_before_a_close_that_is_announced_are_answered() {
    let secure = Secure::for_all(&[]);
    let mut conn = secure.connect();
    let client = conn.stream_mut();
    client.conn.writer().write_all(b"INCR last\r\nINCR last\r\n").unwrap();
    client.conn.send_close_notify();
    client.flush().unwrap();
    assert_eq!(conn.recv().unwrap().value, Value::Int(1));
    assert_eq!(conn.recv().unwrap().value, Value::Int(2));
    assert!(is_end(&conn.recv().unwrap_err()));
}

#[test]
fn new_keys_without_end() {
    let secure = Secure::for_all(&[]);
    let mut conn = greeted(&secure, &TLS13);
    // Now and then is fine.
    for _ in 0..10 {
        conn.stream_mut().conn.refresh_traffic_keys().unwrap();
        assert_eq!(conn.call(&["PING"]).text(), "PONG");
    }
    // Nothing but new keys, and nobody who reads the answers.
    let mut bytes = Vec::new();
    for _ in 0..20_000 {
        let client = &mut conn.stream_mut().conn;
        client.refresh_traffic_keys().unwrap();
        while client.wants_write() {
            client.write_tls(&mut bytes).unwrap();
        }
    }
    push(&mut conn.stream_mut().sock, &bytes);
    let held = secure.server.connect().call(&["CLIENT", "LIST"]).text();
    for line in held.lines() {
        let bytes = line
            .split(' ')
            .find_map(|field| field.strip_prefix("tot-mem="))
            .unwrap();
        assert!(bytes.parse::<u64>().unwrap() < 1 << 20, "{line}");
    }
    secure.serves();
}

#[test]
fn early_data_is_not_run() {
    let secure = Secure::for_all(&[]);
    let wishes = Wishes {
        versions: vec![&TLS13],
        resumption: Resumption::in_memory_sessions(10),
        early_data: true,
    };
    let config = secure.config(None, &wishes);
    for _ in 0..3 {
        let mut stream = secure.stream(std::sync::Arc::clone(&config));
        // It is not offered, since whoever records it could send it again.
        assert!(stream.conn.early_data().is_none());
        stream.write_all(b"PING\r\n").unwrap();
        let mut reply = [0; 7];
        stream.read_exact(&mut reply).unwrap();
        assert_eq!(&reply, b"+PONG\r\n");
    }
}

/// A hello within what was agreed on, encrypted as data and labelled as a message of a handshake.
#[test]
fn a_record_of_another_kind_than_was_encrypted() {
    let secure = Secure::for_all(&[]);
    let name = rustls::pki_types::ServerName::try_from("localhost").unwrap();
    let wishes = Wishes {
        versions: vec![&TLS12],
        ..Wishes::default()
    };
    let config = secure.config(None, &wishes);
    let mut client = rustls::client::UnbufferedClientConnection::new(config, name).unwrap();
    let mut socket = secure.socket();
    let mut outgoing = vec![0; 65_536];
    let (mut incoming, mut filled) = (vec![0; 65_536], 0);
    let mut ready = false;
    while !ready {
        let UnbufferedStatus { discard, state, .. } = client.process_tls_records(&mut incoming[..filled]);
        let mut wants_more = false;
        match state.unwrap() {
            ConnectionState::EncodeTlsData(mut data) => {
                let count = data.encode(&mut outgoing).unwrap();
                socket.write_all(&outgoing[..count]).unwrap();
            }
            ConnectionState::TransmitTlsData(data) => data.done(),
            ConnectionState::BlockedHandshake => wants_more = true,
            ConnectionState::WriteTraffic(mut traffic) => {
                // What is encrypted knows its kind.
                let count = traffic.encrypt(&old_hello(3, &[0xc02f])[5..], &mut outgoing).unwrap();
                outgoing[0] = 22;
                push(&mut socket, &outgoing[..count]);
                ready = true;
            }
            other => panic!("{other:?}"),
        }
        incoming.copy_within(discard..filled, 0);
        filled -= discard;
        if wants_more {
            filled += socket.read(&mut incoming[filled..]).unwrap();
        }
    }
    read_to_close(&mut socket);
    secure.serves();
}

#[test]
fn a_flood_of_clients_that_are_closed_again() {
    let secure = Secure::for_all(&["server.maxclients=50"]);
    let mut inside = secure.connect();
    for round in 0..200 {
        let mut sockets: Vec<TcpStream> = (0..10).map(|_| secure.socket()).collect();
        if round % 2 == 0 {
            sockets.iter_mut().for_each(|socket| push(socket, b"\x16\x03"));
        }
        drop(sockets);
    }
    assert_eq!(inside.call(&args!["PING"]).text(), "PONG");
    // Whoever comes behind them may be turned away; all of them have been accepted then.
    drop(secure.try_connect(None, &Wishes::default()));
    secure.wait_for("tls_handshakes_unfinished", |figure| figure == "0");
    secure.wait_for("tls_connected_clients", |figure| figure == "1");
    secure.serves();
}
