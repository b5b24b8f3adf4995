//! No command, and no transaction, makes a record that is longer than the log's format can express. The bound is
//! lowered to some thousand bytes here.

use std::path::Path;
use std::sync::Arc;

use super::testing::Harness;
use crate::engine::effect::decode_all;
use crate::storage::fault::FaultDisk;
use crate::wal::{Lsn, Reader, Wal, WalOptions};

const BOUND: u64 = 16_000;
const TOO_LARGE: &str = "-ERR the change is larger than what the log keeps as one";

fn server(disk: &FaultDisk) -> (Harness, Wal) {
    let options = WalOptions {
        record_bytes_max: BOUND,
        ..WalOptions::new("log")
    };
    let wal = Wal::open(Arc::new(disk.clone()), options, Lsn::FIRST).unwrap();
    (Harness::over(wal.clone()), wal)
}

/// What a command left behind: an error and nothing else, or everything.
fn judge(server: &mut Harness, line: &str, before: &str, key: &str) -> bool {
    let is_refused = server.say(line).starts_with(TOO_LARGE);
    if is_refused {
        assert_eq!(server.say(&format!("DUMP {key}")), before, "{line}");
    }
    is_refused
}

/// Fills `big` and `other` with containers of this type, in changes that fit.
fn grow(server: &mut Harness, add: &str) {
    for key in ["big", "other"] {
        for n in 0..40 {
            let element = format!("{n:04}{}", "x".repeat(496));
            let line = add
                .replace("KEY", key)
                .replace("ELEMENT", &element)
                .replace("NUMBER", &n.to_string());
            assert!(!server.say(&line).starts_with('-'), "{line}");
        }
    }
}

#[test]
fn what_is_made_of_what_is_there_is_refused_before_it_changes_anything() {
    let disk = FaultDisk::new(1);
    let (mut server, wal) = server(&disk);
    for (add, lines) in [
        ("RPUSH KEY ELEMENT", &["SORT big ALPHA STORE to"][..]),
        (
            "SADD KEY ELEMENT",
            &[
                "SUNIONSTORE to big other",
                "SINTERSTORE to big other",
                "SORT big ALPHA STORE to",
            ],
        ),
        (
            "ZADD KEY NUMBER ELEMENT",
            &[
                "ZUNIONSTORE to 2 big other",
                "ZRANGESTORE to big 0 -1",
                "ZINTERSTORE to 2 big other",
            ],
        ),
        (
            "SETRANGE KEY 20000 ELEMENT",
            &["BITOP NOT to big", "BITOP OR to big other"],
        ),
    ] {
        server.say("SET to before");
        let before = server.say("DUMP to");
        grow(&mut server, add);
        for line in lines {
            assert!(judge(&mut server, line, &before, "to"), "{line} was not refused");
            assert_eq!(server.say("SET small 1"), "+OK", "{line}: the log goes on");
        }
        // These write no more than where the value is from.
        assert_eq!(server.say("COPY big copied"), ":1", "{add}");
        assert_eq!(server.say("RENAME copied moved"), "+OK", "{add}");
        assert_eq!(server.say("EXISTS big moved"), ":2");
        server.say("DEL big other moved");
    }
    check(&disk, server, &wal);
}

#[test]
fn what_comes_with_the_request_is_refused_before_it_changes_anything() {
    let disk = FaultDisk::new(1);
    let (mut server, wal) = server(&disk);
    let long = "v".repeat(BOUND as usize / 3);
    let longest = "v".repeat(BOUND as usize);
    server.say("SET a before");
    let before = server.say("DUMP a");
    for line in [
        format!("MSET a {long} b {long} c {long} d {long}"),
        format!("SET a {longest}"),
        format!("APPEND a {longest}"),
        format!("SETRANGE a 3 {longest}"),
        format!("MSETNX x {long} y {long} z {long}"),
    ] {
        assert!(judge(&mut server, &line, &before, "a"), "{}", &line[..20]);
        assert_eq!(server.say("EXISTS b c d x y z"), ":0");
    }
    for line in [
        format!("RPUSH l {long} {long} {long} {long}"),
        format!("HSET h f {long} g {long} h {long}"),
        format!("SADD s {longest}"),
        format!("XADD x * f {longest}"),
    ] {
        assert!(server.say(&line).starts_with(TOO_LARGE), "{}", &line[..20]);
    }
    assert_eq!(server.say("EXISTS l h s x"), ":0");
    check(&disk, server, &wal);
}

#[test]
fn a_transaction_is_bounded_as_a_whole_and_loses_no_element() {
    let disk = FaultDisk::new(1);
    let (mut server, wal) = server(&disk);
    let long = "v".repeat(BOUND as usize / 8);
    server.say(&format!("RPUSH from {long} {long} {long}"));
    let mut refused = 0;
    server.as_transaction(|server| {
        for n in 0..9 {
            let reply = server.say(&format!("SET k{n} {long}"));
            refused += usize::from(reply.starts_with(TOO_LARGE));
            // Popped and pushed in two changes: both or none.
            server.say("LMOVE from to LEFT RIGHT");
        }
    });
    assert!(refused > 0, "eighteen eighths");
    let count = |server: &mut Harness, key: &str| server.say(&format!("LLEN {key}"))[1..].parse::<usize>().unwrap();
    assert_eq!(count(&mut server, "from") + count(&mut server, "to"), 3);
    assert_eq!(server.say("SET after 1"), "+OK");
    check(&disk, server, &wal);
}

/// The log has not failed, and all of it can be read: as many effects as were applied.
fn check(disk: &FaultDisk, server: Harness, wal: &Wal) {
    drop(server);
    assert!(!wal.is_failed());
    let last = wal.last_lsn();
    wal.close().unwrap();
    let mut reader = Reader::open(Arc::new(disk.clone()), Path::new("log"), Lsn::FIRST).unwrap();
    let mut read = Lsn::ZERO;
    while let Some(record) = reader.next().unwrap() {
        assert!(record.payload.len() as u64 <= BOUND);
        assert!(decode_all(record.payload).all(|effect| effect.is_ok()));
        read = record.lsn;
    }
    assert_eq!(read, last);
}

/// What is taken is small to say, and what is put elsewhere may be too large: both or neither.
#[test]
fn many_elements_are_moved_or_stay() {
    let disk = FaultDisk::new(1);
    let (mut server, wal) = server(&disk);
    for n in 0..40 {
        server.say(&format!("RPUSH from {n:04}{}", "x".repeat(496)));
    }
    for line in [
        "LMOVEM from to LEFT RIGHT COUNT 40 BULK",
        "LMOVEM from to RIGHT RIGHT COUNT 39 OBO",
        "BLMOVEM from to LEFT RIGHT 0 COUNT 40 BULK",
    ] {
        assert!(server.say(line).starts_with(TOO_LARGE), "{line}");
        assert_eq!(server.say("LLEN from"), ":40", "{line}");
        assert_eq!(server.say("EXISTS to"), ":0", "{line}");
    }
    let moved = server.say("LMOVEM from to LEFT RIGHT COUNT 20 BULK");
    assert!(moved.starts_with('*'), "{moved}");
    assert_eq!(
        (server.say("LLEN from"), server.say("LLEN to")),
        (":20".into(), ":20".into())
    );
    check(&disk, server, &wal);
}
