//! CLIENT REPLY, and how connections end: what is not wanted takes nothing, and what is wanted arrives. Expected bytes
//! are what Redis 8.2 sends.

use std::io::Read;
use std::time::{Duration, Instant};

use crate::support::Conn;
use crate::support::conn::encode;
use crate::{await_that, in_memory};

fn requests(lines: &[&str]) -> Vec<u8> {
    let mut encoded = Vec::new();
    for line in lines {
        encode(&line.split(' ').collect::<Vec<_>>(), &mut encoded);
    }
    encoded
}

/// What the server sends for these requests, one per line of `;`, before it closes or a last ECHO ends it.
fn all_replies(conn: &mut Conn, lines: &str) -> String {
    let lines: Vec<&str> = lines.split("; ").collect();
    conn.send_raw(&requests(&lines)).expect("send");
    let (mut all, mut room) = (Vec::new(), [0; 4096]);
    while !all.ends_with(b"$3\r\nend\r\n") {
        match conn.stream().read(&mut room).expect("replies") {
            0 => {
                all.extend_from_slice(b"closed");
                break;
            }
            count => all.extend_from_slice(&room[..count]),
        }
    }
    let all = String::from_utf8(all).expect("text");
    all.trim_end_matches("$3\r\nend\r\n")
        .replace("\r\n", " ")
        .trim()
        .to_owned()
}

#[test]
fn replies_are_left_out_where_redis_leaves_them_out() {
    let server = in_memory();
    for (lines, expected) in [
        ("PING; CLIENT REPLY SKIP; RESET; PING", "+PONG +PONG"),
        ("CLIENT REPLY SKIP; RESET; RESET; PING", "+RESET +PONG"),
        ("PING; CLIENT REPLY OFF; RESET; PING", "+PONG +RESET +PONG"),
        ("CLIENT REPLY OFF; RESET; CLIENT REPLY SKIP; PING; PING", "+RESET +PONG"),
        (
            "CLIENT REPLY OFF; PING; CLIENT REPLY SKIP; PING; CLIENT REPLY ON",
            "+OK",
        ),
        ("CLIENT REPLY SKIP; CLIENT REPLY SKIP; PING; PING", "+PONG"),
        ("CLIENT REPLY SKIP; CLIENT REPLY ON; PING", "+OK +PONG"),
        ("CLIENT REPLY SKIP; FOO; PING", "+PONG"),
        ("CLIENT REPLY SKIP; BLPOP none 0.01; PING", "+PONG"),
        ("CLIENT REPLY OFF; BLPOP none 0.01; PING; CLIENT REPLY ON", "+OK"),
        ("CLIENT REPLY SKIP; MULTI; PING; EXEC", "+QUEUED *1 +PONG"),
        (
            "MULTI; PING; CLIENT REPLY SKIP; EXEC; PING; PING",
            "+OK +QUEUED +QUEUED *2 +PONG +PONG",
        ),
        (
            "MULTI; CLIENT REPLY OFF; PING; EXEC; PING; CLIENT REPLY ON",
            "+OK +QUEUED +QUEUED *2 +OK",
        ),
        (
            "CLIENT REPLY OFF; MULTI; PING; CLIENT REPLY ON; PING; EXEC",
            "+OK +PONG",
        ),
    ] {
        let mut conn = server.connect();
        assert_eq!(
            all_replies(&mut conn, &format!("{lines}; ECHO end")),
            expected,
            "{lines}"
        );
    }
}

#[test]
fn a_client_that_kills_itself_gets_its_replies_up_to_there() {
    let server = in_memory();
    const SELF: &str = "CLIENT KILL TYPE normal SKIPME no";
    for (lines, expected) in [
        ("SELF; PING", ":1 closed"),
        (
            "MULTI; PING; SELF; SET ran 1; EXEC; PING",
            "+OK +QUEUED +QUEUED +QUEUED *3 +PONG :1 closed",
        ),
        ("MULTI; HELLO 2; CLIENT REPLY ON; SELF; EXEC", "closed"),
        ("MULTI; QUIT; PING; EXEC", "+OK +OK closed"),
        ("CLIENT REPLY OFF; QUIT; PING", "closed"),
        ("CLIENT REPLY SKIP; SELF; PING", "closed"),
    ] {
        let mut conn = server.connect();
        let replies = all_replies(&mut conn, &lines.replace("SELF", SELF));
        assert!(replies.ends_with(expected), "{lines}: {replies}");
    }
    assert_eq!(
        server.connect().call(&["GET", "ran"]).text(),
        "1",
        "the transaction ran to its end"
    );
}

#[test]
fn replies_that_nobody_wants_count_for_no_limit() {
    let server = in_memory();
    let mut conn = server.connect();
    conn.call(&["CONFIG", "SET", "client-output-buffer-limit", "normal 1mb 0 0"]);
    conn.call(&["SETRANGE", "linked", "3000000", "x"]);
    conn.call(&["RPUSH", "list", &"v".repeat(10_000)]);
    (0..200).for_each(|_| drop(conn.call(&["RPUSH", "list", &"v".repeat(10_000)])));
    for lines in [
        "CLIENT REPLY OFF; GET linked; LRANGE list 0 -1; CLIENT REPLY ON; ECHO end",
        "CLIENT REPLY SKIP; GET linked; CLIENT REPLY SKIP; LRANGE list 0 -1; ECHO end",
        "CLIENT REPLY OFF; MULTI; GET linked; LRANGE list 0 -1; EXEC; CLIENT REPLY ON; ECHO end",
    ] {
        let replies = all_replies(&mut server.connect(), lines);
        assert!(!replies.contains("closed"), "{lines}: {replies}");
    }
}

/// Asks for 64 MB and QUITs.
fn ask_and_quit(conn: &mut Conn) {
    let mut batch = requests(&["GET big"; 32]);
    batch.extend(requests(&["QUIT"]));
    conn.send_raw(&batch).expect("send");
}

#[test]
fn who_reads_steadily_gets_the_last_replies_however_long_that_takes() {
    let server = in_memory();
    server.connect().call(&["SETRANGE", "big", "1999999", "x"]);
    let (mut steady, mut silent) = (server.connect(), server.connect());
    ask_and_quit(&mut silent);
    ask_and_quit(&mut steady);
    let (started, mut got, mut room) = (Instant::now(), 0, vec![0; 400_000]);
    loop {
        let count = steady.stream().read(&mut room).expect("replies");
        if count == 0 {
            break;
        }
        got += count;
        std::thread::sleep(Duration::from_millis(50));
    }
    assert_eq!(got, 32 * (2_000_000 + 12) + 5, "cut off after {:?}", started.elapsed());
    assert!(
        started.elapsed() > Duration::from_secs(6),
        "{:?}: too fast to tell",
        started.elapsed()
    );
    let mut conn = server.connect();
    await_that("the one that takes nothing is let go of", || {
        conn.call(&["CLIENT", "LIST"]).text().lines().count() == 1
    });
}
