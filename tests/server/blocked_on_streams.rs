//! Clients that wait for streams: served, timed out, gone, told that what they wait for is no more.

use std::time::{Duration, Instant};

use crate::blocking::await_blocked;
use crate::in_memory;
use crate::support::{Conn, Server, Value};

fn words(line: &str) -> Vec<&str> {
    line.split(' ').collect()
}

fn call(conn: &mut Conn, line: &str) -> Value {
    conn.call(&words(line))
}

/// A client that waits by this command, as the `count`th.
fn waiting(server: &Server, line: &str, count: usize) -> Conn {
    let mut conn = server.connect();
    conn.send(&words(line)).expect("send");
    await_blocked(server, count);
    conn
}

fn received(conn: &mut Conn) -> Value {
    conn.recv().expect("a reply").value
}

/// What reading a stream answers with one entry of one field.
fn entry(key: &str, id: &str, field: &str, value: &str) -> Value {
    let list = |items: Vec<Value>| Value::Array(items);
    let fields = list(vec![Value::bulk(field), Value::bulk(value)]);
    let entries = list(vec![list(vec![Value::bulk(id), fields])]);
    list(vec![list(vec![Value::bulk(key), entries])])
}

fn with_group() -> (Server, Conn) {
    let server = in_memory();
    let mut conn = server.connect();
    assert_eq!(call(&mut conn, "XGROUP CREATE s g $ MKSTREAM"), Value::ok());
    (server, conn)
}

#[test]
fn the_last_entry_is_waited_for() {
    let server = in_memory();
    let mut writer = server.connect();
    let mut reader = waiting(&server, "XREAD BLOCK 0 STREAMS other s + +", 1);
    for line in ["MULTI", "XADD s 1-1 f first", "XADD s 2-1 f last", "EXEC"] {
        call(&mut writer, line);
    }
    assert_eq!(received(&mut reader), entry("s", "2-1", "f", "last"));
}

#[test]
fn every_reader_gets_the_entry() {
    let server = in_memory();
    let mut writer = server.connect();
    call(&mut writer, "XADD s 1-1 f old");
    let mut readers = [
        waiting(&server, "XREAD BLOCK 0 STREAMS s $", 1),
        waiting(&server, "XREAD BLOCK 0 STREAMS other s $ 1-1", 2),
        waiting(&server, "XREAD BLOCK 0 STREAMS s 5-0", 3),
    ];
    call(&mut writer, "XADD s 2-1 f new");
    assert_eq!(received(&mut readers[0]), entry("s", "2-1", "f", "new"));
    assert_eq!(received(&mut readers[1]), entry("s", "2-1", "f", "new"));
    // What is wanted lies beyond: it goes on waiting.
    await_blocked(&server, 1);
    call(&mut writer, "XADD s 5-1 f late");
    assert_eq!(received(&mut readers[2]), entry("s", "5-1", "f", "late"));
}

#[test]
fn of_a_group_one_consumer_gets_the_entry_the_first_first() {
    let (server, mut writer) = with_group();
    let mut first = waiting(&server, "XREADGROUP GROUP g one BLOCK 0 STREAMS s >", 1);
    let mut second = waiting(&server, "XREADGROUP GROUP g two BLOCK 0 NOACK STREAMS s >", 2);
    call(&mut writer, "XADD s 1-1 f a");
    assert_eq!(received(&mut first), entry("s", "1-1", "f", "a"));
    await_blocked(&server, 1);
    call(&mut writer, "XADD s 1-2 f b");
    assert_eq!(received(&mut second), entry("s", "1-2", "f", "b"));
    // Of these two, NOACK left nothing to be acknowledged.
    let pending = call(&mut writer, "XPENDING s g - + 10").items();
    assert_eq!(pending.len(), 1);
    assert_eq!(pending[0].items()[..2], [Value::bulk("1-1"), Value::bulk("one")]);
}

#[test]
fn time_runs_out() {
    let (server, mut conn) = with_group();
    for line in [
        "XREAD BLOCK 60 STREAMS s $",
        "XREADGROUP GROUP g one BLOCK 60 STREAMS s >",
    ] {
        let started = Instant::now();
        assert_eq!(call(&mut conn, line), Value::NullArray, "{line}");
        assert!(started.elapsed() >= Duration::from_millis(60), "{line}");
        assert_eq!(server.connect3().call(&words(line)), Value::Null, "{line}");
    }
    await_blocked(&server, 0);
    // Whoever has waited in vain is not served any more.
    call(&mut conn, "XADD s 1-1 f a");
    assert_eq!(call(&mut conn, "PING").text(), "PONG");
    assert_eq!(call(&mut conn, "XPENDING s g - + 10"), Value::Array(Vec::new()));
}

#[test]
fn who_has_gone_is_given_nothing() {
    let (server, mut writer) = with_group();
    let gone = waiting(&server, "XREADGROUP GROUP g gone BLOCK 0 STREAMS s >", 1);
    let mut stays = waiting(&server, "XREADGROUP GROUP g stays BLOCK 0 STREAMS s >", 2);
    drop(gone);
    await_blocked(&server, 1);
    call(&mut writer, "XADD s 1-1 f a");
    assert_eq!(received(&mut stays), entry("s", "1-1", "f", "a"));
    let pending = call(&mut writer, "XPENDING s g - + 10").items();
    assert_eq!(pending.len(), 1);
    assert_eq!(pending[0].items()[1], Value::bulk("stays"));
}

#[test]
fn a_group_that_goes_is_told() {
    let ends = [
        "DEL s",
        "UNLINK s",
        "XGROUP DESTROY s g",
        "RENAME s t",
        "FLUSHDB",
        "FLUSHALL",
        "PEXPIRE s 1",
        "SWAPDB 0 1",
    ];
    for end in ends {
        let (server, mut other) = with_group();
        let mut conn = waiting(&server, "XREADGROUP GROUP g one BLOCK 0 STREAMS s >", 1);
        call(&mut other, end);
        if end.starts_with("PEXPIRE") {
            std::thread::sleep(Duration::from_millis(5));
            call(&mut other, "EXISTS s");
        }
        let text = received(&mut conn).text();
        assert!(text.starts_with("NOGROUP "), "{end}: {text}");
        assert_eq!(call(&mut conn, "PING").text(), "PONG");
    }
}

#[test]
fn a_reader_without_a_group_outlives_the_stream() {
    let server = in_memory();
    let mut other = server.connect();
    call(&mut other, "XADD s 7-1 f old");
    let mut conn = waiting(&server, "XREAD BLOCK 0 STREAMS s 0-5", 0);
    assert_eq!(received(&mut conn), entry("s", "7-1", "f", "old"));
    let mut conn = waiting(&server, "XREAD BLOCK 0 STREAMS s 7-1", 1);
    for end in ["DEL s", "XADD s 3-1 f small", "FLUSHALL", "XADD s 4-1 f small"] {
        call(&mut other, end);
        await_blocked(&server, 1);
    }
    call(&mut other, "XADD s 8-1 f new");
    assert_eq!(received(&mut conn), entry("s", "8-1", "f", "new"));
}

#[test]
fn what_a_transaction_takes_back_serves_nobody() {
    let server = in_memory();
    let mut other = server.connect();
    let mut conn = waiting(&server, "XREAD BLOCK 0 STREAMS s $", 1);
    for line in ["MULTI", "XADD s 1-1 f a", "DEL s", "EXEC"] {
        call(&mut other, line);
    }
    await_blocked(&server, 1);
    for line in ["MULTI", "XADD s 1-1 f a", "XADD s 1-2 f b", "XDEL s 1-1", "EXEC"] {
        call(&mut other, line);
    }
    assert_eq!(received(&mut conn), entry("s", "1-2", "f", "b"));
}

#[test]
fn told_to_stop_waiting() {
    let (server, mut other) = with_group();
    let mut conn = server.connect();
    let id = call(&mut conn, "CLIENT ID").int().expect("a number");
    for line in [
        "XREAD BLOCK 0 STREAMS s $",
        "XREADGROUP GROUP g one BLOCK 0 STREAMS s >",
    ] {
        conn.send(&words(line)).expect("send");
        await_blocked(&server, 1);
        assert_eq!(call(&mut other, &format!("CLIENT UNBLOCK {id}")), Value::Int(1));
        assert_eq!(received(&mut conn), Value::NullArray);
        conn.send(&words(line)).expect("send");
        await_blocked(&server, 1);
        assert_eq!(call(&mut other, &format!("CLIENT UNBLOCK {id} ERROR")), Value::Int(1));
        let text = received(&mut conn).text();
        assert_eq!(text, "UNBLOCKED client unblocked via CLIENT UNBLOCK");
    }
}

#[test]
fn a_collection_that_becomes_another_keeps_who_waits() {
    let (server, mut other) = with_group();
    for kind in ["bcust", "bdef", "hmap"] {
        let mut reader = waiting(&server, "XREAD BLOCK 0 STREAMS s $", 1);
        let mut consumer = waiting(&server, "XREADGROUP GROUP g one BLOCK 0 STREAMS s >", 2);
        let mut popper = waiting(&server, "BLPOP l 0", 3);
        let convert = format!("COLLECTION CONVERT default KIND {kind}");
        assert_eq!(call(&mut other, &convert), Value::ok());
        let id = call(&mut other, "XADD s * f a").text();
        call(&mut other, "RPUSH l e");
        assert_eq!(received(&mut reader), entry("s", &id, "f", "a"), "{kind}");
        assert_eq!(received(&mut consumer), entry("s", &id, "f", "a"), "{kind}");
        let popped = Value::Array(vec![Value::bulk("l"), Value::bulk("e")]);
        assert_eq!(received(&mut popper), popped, "{kind}");
    }
}

#[test]
fn what_is_pending_is_given_once_it_has_been_so_for_long_enough() {
    let (server, mut conn) = with_group();
    call(&mut conn, "XADD s 1-1 f v");
    let begun = Instant::now();
    call(&mut conn, "XREADGROUP GROUP g first STREAMS s >");
    let mut patient = waiting(&server, "XREADGROUP GROUP g patient BLOCK 0 CLAIM 3000 STREAMS s >", 1);
    let mut hasty = server.connect();
    hasty
        .send(&words("XREADGROUP GROUP g hasty BLOCK 50 CLAIM 3000 STREAMS s >"))
        .expect("send");
    assert!(received(&mut hasty).is_null());
    let given = received(&mut patient);
    let waited = begun.elapsed();
    // The server counts whole milliseconds of its turns.
    assert!(waited >= Duration::from_millis(2_990), "{waited:?}");
    assert!(waited < Duration::from_secs(20), "{waited:?}");
    let entry = &given.items()[0].items()[1].items()[0];
    assert_eq!(entry.items()[0], Value::bulk("1-1"));
    assert_eq!(entry.items()[3], Value::Int(1));
    // It is pending for the other now, for whom it has to wait as long again.
    let mut third = waiting(&server, "XREADGROUP GROUP g third BLOCK 0 CLAIM 60000 STREAMS s >", 1);
    call(&mut conn, "XADD s 2-1 f v");
    let given = received(&mut third);
    let entry = &given.items()[0].items()[1].items()[0];
    assert_eq!(
        (&entry.items()[0], &entry.items()[3]),
        (&Value::bulk("2-1"), &Value::Int(0))
    );
}
