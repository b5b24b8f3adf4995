//! Strings as clients see them.

use crate::commands::testing::{Harness, START_MS};

/// Runs each line and compares its reply.
fn check(server: &mut Harness, dialogue: &[(&str, &str)]) {
    for (line, reply) in dialogue {
        assert_eq!(server.say(line), *reply, "{line}");
    }
}

#[test]
fn set_options() {
    check(
        &mut Harness::new(),
        &[
            ("SET k v NX", "+OK"),
            ("SET k w NX", "$-1"),
            ("SET k w NX GET", "$1 v"),
            ("SET missing w XX", "$-1"),
            ("SET missing w xx get", "$-1"),
            ("GET missing", "$-1"),
            ("SET fresh w GET NX", "$-1"),
            ("GET fresh", "$1 w"),
            ("SET k w XX GET", "$1 v"),
            ("GET k", "$1 w"),
            ("SET k v NX XX", "-ERR syntax error"),
            ("SET k v EX 10 PX 10", "-ERR syntax error"),
            ("SET k v EX 10 KEEPTTL", "-ERR syntax error"),
            ("SET k v KEEPTTL KEEPTTL", "+OK"),
            ("SET k v EX 10 EX 20", "+OK"),
            ("SET k v PERSIST", "-ERR syntax error"),
            ("SET k v EX", "-ERR syntax error"),
            ("SET k v EX ten", "-ERR value is not an integer or out of range"),
            ("SET k v EX 0", "-ERR invalid expire time in 'set' command"),
            (
                "SET k v PX 9223372036854775807",
                "-ERR invalid expire time in 'set' command",
            ),
            ("SETEX k 0 v", "-ERR invalid expire time in 'setex' command"),
            ("PSETEX k -1 v", "-ERR invalid expire time in 'psetex' command"),
            ("SET k", "-ERR wrong number of arguments for 'set' command"),
            ("SETNX k x", ":0"),
            ("SETNX other x", ":1"),
        ],
    );
}

#[test]
fn expiry_is_kept_by_changes_and_dropped_by_new_values() {
    let keeping = [
        "SET k 2 KEEPTTL",
        "INCR k",
        "INCRBYFLOAT k 1",
        "APPEND k 1",
        "SETRANGE k 0 1",
        "SETBIT k 1 0",
        "BITFIELD k SET u8 0 49",
    ];
    let dropping = ["SET k 2", "GETSET k 2", "MSET k 2", "BITOP NOT k k", "GETEX k PERSIST"];
    let lines = keeping
        .map(|line| (line, true))
        .into_iter()
        .chain(dropping.map(|line| (line, false)));
    for (line, keeps) in lines {
        let mut server = Harness::new();
        server.say("SET k 1 PX 1000");
        server.say(line);
        server.advance_ms(999);
        assert_ne!(server.say("GET k"), "$-1", "{line}");
        server.advance_ms(1);
        assert_eq!(server.say("GET k") == "$-1", keeps, "{line}");
    }
}

#[test]
fn getex_and_getdel() {
    let mut server = Harness::new();
    check(
        &mut server,
        &[
            ("GETEX none EX ten", "$-1"),
            ("SET k v", "+OK"),
            ("GETEX k EX ten", "-ERR value is not an integer or out of range"),
            ("GETEX k EX 0", "-ERR invalid expire time in 'getex' command"),
            ("GETEX k PERSIST EX 1", "-ERR syntax error"),
            ("GETEX k NX", "-ERR syntax error"),
            ("GETEX k", "$1 v"),
            ("GETEX k EX 1", "$1 v"),
        ],
    );
    server.advance_ms(999);
    assert_eq!(server.say("GETEX k PX 2"), "$1 v");
    server.advance_ms(2);
    assert_eq!(server.say("GETEX k"), "$-1");
    server.say("SET k v");
    assert_eq!(server.say("GETEX k EXAT 1"), "$1 v");
    assert_eq!(server.say("GET k"), "$-1");
    server.say("SET k v");
    assert_eq!(server.say(&format!("GETEX k PXAT {}", START_MS + 5000)), "$1 v");
    assert_eq!(server.say("GETDEL k"), "$1 v");
    assert_eq!(server.say("GETDEL k"), "$-1");
    assert_eq!(server.say("SET k v EXAT 1"), "+OK");
    assert_eq!(server.say("STRLEN k"), ":0");
}

#[test]
fn counters() {
    check(
        &mut Harness::new(),
        &[
            ("INCR n", ":1"),
            ("DECRBY n 3", ":-2"),
            ("DECR n", ":-3"),
            ("INCRBY n 9223372036854775807", ":9223372036854775804"),
            ("INCRBY n 4", "-ERR increment or decrement would overflow"),
            ("DECRBY n -9223372036854775808", "-ERR decrement would overflow"),
            ("INCRBY n 1.5", "-ERR value is not an integer or out of range"),
            ("SET n 01", "+OK"),
            ("INCR n", "-ERR value is not an integer or out of range"),
            ("INCRBYFLOAT n 0.1", "$3 1.1"),
            ("INCRBYFLOAT n -1.1", "$1 0"),
            ("INCRBYFLOAT n 5.0e3", "$4 5000"),
            ("INCRBYFLOAT n x", "-ERR value is not a valid float"),
            ("INCRBYFLOAT n inf", "-ERR increment would produce NaN or Infinity"),
            ("SET n x", "+OK"),
            ("INCRBYFLOAT n 1", "-ERR value is not a valid float"),
        ],
    );
}

#[test]
fn ranges() {
    check(
        &mut Harness::new(),
        &[
            ("SETRANGE k 2 ab", ":4"),
            ("GET k", "$4 \0\0ab"),
            ("SETRANGE k 1 xyzw", ":5"),
            ("GETRANGE k 1 -1", "$4 xyzw"),
            ("GETRANGE k -100 1", "$2 \0x"),
            ("GETRANGE k -1 -2", "$0 "),
            ("SUBSTR k 3 99", "$2 zw"),
            ("GETRANGE k 5 9", "$0 "),
            ("GETRANGE none 0 -1", "$0 "),
            ("GETRANGE none a -1", "-ERR value is not an integer or out of range"),
            ("SETRANGE k -1 a", "-ERR offset is out of range"),
            (
                "SETRANGE k 536870912 a",
                "-ERR string exceeds maximum allowed size (proto-max-bulk-len)",
            ),
            ("APPEND k !", ":6"),
            ("APPEND fresh ab", ":2"),
            ("APPEND fresh cd", ":4"),
            ("STRLEN fresh", ":4"),
            ("STRLEN none", ":0"),
        ],
    );
}

#[test]
fn empty_parts_create_and_change_nothing() {
    let mut server = Harness::new();
    assert_eq!(server.run(&[b"SETRANGE", b"k", b"600000000", b""]), b":0\r\n");
    assert_eq!(server.say("GET k"), "$-1");
    assert_eq!(server.run(&[b"APPEND", b"k", b""]), b":0\r\n");
    assert_eq!(server.say("GET k"), "$0 ");
    server.say("SET k abc");
    assert_eq!(server.run(&[b"SETRANGE", b"k", b"9", b""]), b":3\r\n");
    assert_eq!(server.run(&[b"APPEND", b"k", b""]), b":3\r\n");
    assert_eq!(server.say("GET k"), "$3 abc");
}

#[test]
fn strings_stay_below_the_limit_that_is_set() {
    let mut server = Harness::new();
    server.engine().set_string_bytes_max(8);
    let refusal = "-ERR string exceeds maximum allowed size (proto-max-bulk-len)";
    check(
        &mut server,
        &[
            ("APPEND k 12345678", ":8"),
            ("APPEND k 9", refusal),
            ("SETRANGE k 7 x", ":8"),
            ("SETRANGE k 7 xy", refusal),
            ("SETRANGE k 9223372036854775807 xy", refusal),
        ],
    );
}

#[test]
fn values_of_all_sizes_grow_and_come_back() {
    let mut server = Harness::new();
    let mut model = Vec::new();
    for round in 0..200u8 {
        let part = vec![round; usize::from(round)];
        model.extend_from_slice(&part);
        server.run(&[b"APPEND", b"k", &part]);
        let at = model.len() / 2;
        if at < model.len() {
            model[at] = 255;
            server.run(&[b"SETRANGE", b"k", at.to_string().as_bytes(), &[255]]);
        }
        let mut reply = format!("${}\r\n", model.len()).into_bytes();
        reply.extend_from_slice(&model);
        reply.extend_from_slice(b"\r\n");
        assert_eq!(server.run(&[b"GET", b"k"]), reply);
    }
}

#[test]
fn many_keys() {
    check(
        &mut Harness::new(),
        &[
            ("MSET a 1 b 2 a 3", "+OK"),
            ("MGET a none b a", "*4 $1 3 $-1 $1 2 $1 3"),
            ("MSET a 1 b", "-ERR wrong number of arguments for 'mset' command"),
            ("MSETNX c 1 b 2", ":0"),
            ("GET c", "$-1"),
            ("MSETNX c 1 d 2", ":1"),
            ("MGET c d", "*2 $1 1 $1 2"),
            ("MSETNX e 1 f", "-ERR wrong number of arguments for 'msetnx' command"),
        ],
    );
    assert_eq!(Harness::resp3().say("MGET a"), "*1 _");
}

#[test]
fn lcs() {
    let mut server = Harness::resp3();
    check(
        &mut server,
        &[
            ("MSET a ohmytext b mynewtext", "+OK"),
            ("LCS a b", "$6 mytext"),
            ("LCS a b LEN", ":6"),
            (
                "LCS a b IDX MINMATCHLEN 4 WITHMATCHLEN",
                "%2 $7 matches *1 *3 *2 :4 :7 *2 :5 :8 :4 $3 len :6",
            ),
            (
                "LCS a b IDX",
                "%2 $7 matches *2 *2 *2 :4 :7 *2 :5 :8 *2 *2 :2 :3 *2 :0 :1 $3 len :6",
            ),
            ("LCS a none IDX", "%2 $7 matches *0 $3 len :0"),
            (
                "LCS a b IDX LEN",
                "-ERR If you want both the length and indexes, please just use IDX.",
            ),
            ("LCS a b MINMATCHLEN", "-ERR syntax error"),
        ],
    );
}

#[test]
fn reads_count_hits_and_writes_do_not() {
    let mut server = Harness::new();
    for line in [
        "SET k 1",
        "INCR k",
        "APPEND k 1",
        "SETNX k 1",
        "SET k 1 NX",
        "MSETNX k 1 l 2",
    ] {
        server.say(line);
    }
    assert_eq!(server.hits_and_misses(), (0, 0));
    for line in [
        "GET k",
        "GET none",
        "MGET k none",
        "STRLEN k",
        "GETSET k 2",
        "SET k 1 GET",
    ] {
        server.say(line);
    }
    assert_eq!(server.hits_and_misses(), (5, 2));
}
