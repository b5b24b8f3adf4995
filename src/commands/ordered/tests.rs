//! Ranges as clients see them, on both kinds.

use crate::commands::testing::{Harness, START_MS};
use crate::engine::index::Kind;

const ORDERED: [Kind; 2] = [Kind::Bdef, Kind::Bcust];

fn check(server: &mut Harness, dialogue: &[(&str, &str)]) {
    for (line, reply) in dialogue {
        assert_eq!(server.say(line), *reply, "{line}");
    }
}

/// A collection with the keys a, b, b1, b2, c, of which b2 is a value of another kind of text.
fn filled(kind: Kind) -> Harness {
    let mut server = Harness::of(kind);
    check(&mut server, &[("MSET b 2 a 1 c 3 b1 21", "+OK"), ("SET b2 22", "+OK")]);
    server
}

#[test]
fn ranges() {
    for kind in ORDERED {
        check(
            &mut filled(kind),
            &[
                ("KRANGE - +", "*5 $1 a $1 b $2 b1 $2 b2 $1 c"),
                ("KRANGE - + REV", "*5 $1 c $2 b2 $2 b1 $1 b $1 a"),
                ("KRANGE b c", "*4 $1 b $2 b1 $2 b2 $1 c"),
                ("KRANGE [b (c", "*3 $1 b $2 b1 $2 b2"),
                ("KRANGE (b (c REV", "*2 $2 b2 $2 b1"),
                ("KRANGE aa b0", "*1 $1 b"),
                ("KRANGE c b", "*0"),
                ("KRANGE + -", "*0"),
                ("KRANGE - + PREFIX b", "*3 $1 b $2 b1 $2 b2"),
                ("KRANGE (b + prefix b rev", "*2 $2 b2 $2 b1"),
                ("KRANGE - + PREFIX x", "*0"),
                ("KRANGE - + LIMIT 1 2", "*2 $1 b $2 b1"),
                ("KRANGE - + REV LIMIT 1 2", "*2 $2 b2 $2 b1"),
                ("KRANGE b + LIMIT 3 -1", "*1 $1 c"),
                ("KRANGE b + REV LIMIT 3 7", "*1 $1 b"),
                ("KRANGE - + LIMIT 5 1", "*0"),
                ("KRANGE - + REV LIMIT 5 1", "*0"),
                ("KRANGE - + LIMIT -1 1", "*0"),
                ("KRANGE - + LIMIT 0 0", "*0"),
                ("KRANGE b1 c WITHVALUES", "*6 $2 b1 $2 21 $2 b2 $2 22 $1 c $1 3"),
                ("KRANGE a a WITHTYPES withvalues", "*3 $1 a $1 1 $6 string"),
                ("KCOUNT - +", ":5"),
                ("KCOUNT (a c", ":4"),
                ("KCOUNT - + PREFIX b", ":3"),
                ("KCOUNT c a", ":0"),
            ],
        );
    }
}

#[test]
fn walks_with_a_cursor() {
    for kind in ORDERED {
        let mut server = filled(kind);
        check(
            &mut server,
            &[
                ("KRANGE - + CURSOR 0 COUNT 2", "*2 $2 (b *2 $1 a $1 b"),
                ("KRANGE - + CURSOR (b COUNT 2", "*2 $3 (b2 *2 $2 b1 $2 b2"),
                ("DEL b2", ":1"),
                ("KRANGE - + CURSOR (b2 COUNT 2", "*2 $1 0 *1 $1 c"),
                ("KRANGE - b CURSOR 0 COUNT 2", "*2 $1 0 *2 $1 a $1 b"),
                ("KRANGE - + REV CURSOR 0 COUNT 1", "*2 $2 (c *1 $1 c"),
                ("KRANGE - + REV CURSOR (c COUNT 9", "*2 $1 0 *3 $2 b1 $1 b $1 a"),
                ("KRANGE - + CURSOR 0 WITHVALUES COUNT 1", "*2 $2 (a *2 $1 a $1 1"),
                ("KRANGE - + CURSOR 1", "-ERR invalid cursor"),
                ("KRANGE - + CURSOR 0 LIMIT 0 1", "-ERR syntax error"),
                ("KRANGE - + COUNT 3", "-ERR syntax error"),
                ("KRANGE - + CURSOR 0 COUNT 0", "-ERR syntax error"),
            ],
        );
        for number in 0..1_000 {
            server.run(&[b"SET", format!("w:{number:04}").as_bytes(), b"v"]);
        }
        let (mut cursor, mut seen) = ("0".to_owned(), 0);
        loop {
            let reply = server.say(&format!("KRANGE - + PREFIX w: CURSOR {cursor} COUNT 70"));
            let words: Vec<_> = reply.split(' ').collect();
            cursor = words[2].to_owned();
            for key in words[4..].iter().skip(1).step_by(2) {
                assert_eq!(*key, format!("w:{seen:04}"));
                seen += 1;
            }
            if cursor == "0" {
                break;
            }
        }
        assert_eq!(seen, 1_000);
    }
}

#[test]
fn ranks_and_neighbours() {
    for kind in ORDERED {
        check(
            &mut filled(kind),
            &[
                ("KRANK a", ":0"),
                ("KRANK b2", ":3"),
                ("KRANK x", "$-1"),
                ("KNTH 0", "$1 a"),
                ("KNTH -1", "$1 c"),
                ("KNTH -5 WITHVALUE", "*2 $1 a $1 1"),
                ("KNTH -6", "$-1"),
                ("KNTH 5 WITHTYPE", "*-1"),
                ("KNTH -9223372036854775808", "$-1"),
                ("KNTH 9223372036854775807", "$-1"),
                ("KFIRST", "$1 a"),
                ("KFIRST PREFIX b", "$1 b"),
                ("KLAST PREFIX b WITHVALUE WITHTYPE", "*3 $2 b2 $2 22 $6 string"),
                ("KLAST PREFIX x", "$-1"),
                ("KNEXT a", "$1 b"),
                ("KNEXT b11", "$2 b2"),
                ("KNEXT c", "$-1"),
                ("KNEXT a PREFIX b1 WITHVALUE", "*2 $2 b1 $2 21"),
                ("KPREV a", "$-1"),
                ("KPREV zzz", "$1 c"),
                ("KPREV b1", "$1 b"),
            ],
        );
    }
}

#[test]
fn resp3_has_an_array_for_each() {
    let mut server = Harness::of_resp3(Kind::Bcust);
    check(
        &mut server,
        &[
            ("MSET a 1 b 2", "+OK"),
            ("KRANGE - +", "*2 $1 a $1 b"),
            ("KRANGE - + WITHVALUES", "*2 *2 $1 a $1 1 *2 $1 b $1 2"),
            ("KNTH 7", "_"),
            ("KNTH 7 WITHVALUE", "_"),
            ("KRANK x", "_"),
            ("KNTH 1 WITHTYPE", "*2 $1 b $6 string"),
        ],
    );
}

#[test]
fn the_dead_are_neither_seen_nor_counted() {
    for kind in ORDERED {
        let mut server = Harness::of(kind);
        // Three in four die, over many pages; nobody sweeps.
        for number in 0..2_000_u64 {
            let key = format!("k:{number:04}");
            let at_ms = START_MS + 1 + number % 7;
            server.run(&[b"SET", key.as_bytes(), b"v"]);
            if !number.is_multiple_of(4) {
                server.run(&[b"PEXPIREAT", key.as_bytes(), at_ms.to_string().as_bytes()]);
            }
        }
        server.advance_ms(100);
        check(
            &mut server,
            &[
                ("KCOUNT - +", ":500"),
                ("KRANK k:0004", ":1"),
                ("KRANK k:0005", "$-1"),
                ("KRANK k:1996", ":499"),
                ("KNTH 1", "$6 k:0004"),
                ("KNTH 250", "$6 k:1000"),
                ("KNTH -1", "$6 k:1996"),
                ("KNTH 500", "$-1"),
                ("KRANGE k:0001 k:0009", "*2 $6 k:0004 $6 k:0008"),
                ("KRANGE - + LIMIT 100 1", "*1 $6 k:0400"),
                ("KRANGE - + REV LIMIT 1 1", "*1 $6 k:1992"),
                ("KNEXT k:1996", "$-1"),
                ("KLAST", "$6 k:1996"),
                ("KDELRANGE - k:0009", ":3"),
                ("KCOUNT - +", ":497"),
            ],
        );
    }
}

#[test]
fn ranges_are_deleted() {
    for kind in ORDERED {
        let mut server = filled(kind);
        check(
            &mut server,
            &[
                ("KDELRANGE b (c LIMIT 2", ":2"),
                ("KRANGE - +", "*3 $1 a $2 b2 $1 c"),
                ("KDELRANGE - + PREFIX b", ":1"),
                ("KDELRANGE - + LIMIT 0", ":0"),
                ("KDELRANGE c a", ":0"),
                ("DBSIZE", ":2"),
                ("KDELRANGE - + LIMIT -1", ":2"),
                ("DBSIZE", ":0"),
                ("KDELRANGE - +", ":0"),
            ],
        );
        // More than a batch.
        for number in 0..5_000 {
            server.run(&[b"SET", number.to_string().as_bytes(), b"v"]);
        }
        check(
            &mut server,
            &[
                ("KDELRANGE - + LIMIT 1500", ":1500"),
                ("KDELRANGE (9 +", ":110"),
                ("DBSIZE", ":3390"),
                ("KDELRANGE - +", ":3390"),
                ("DBSIZE", ":0"),
            ],
        );
    }
}

#[test]
fn an_empty_collection_answers() {
    for kind in ORDERED {
        check(
            &mut Harness::of(kind),
            &[
                ("KRANGE - +", "*0"),
                ("KRANGE - + CURSOR 0", "*2 $1 0 *0"),
                ("KCOUNT - +", ":0"),
                ("KRANK a", "$-1"),
                ("KNTH 0", "$-1"),
                ("KFIRST", "$-1"),
                ("KDELRANGE - +", ":0"),
            ],
        );
    }
}

#[test]
fn what_is_wrong_is_said() {
    let mut hashed = Harness::new();
    for (command, rest) in [
        ("KRANGE", " - +"),
        ("KCOUNT", " - +"),
        ("KDELRANGE", " - +"),
        ("KRANK", " a"),
        ("KNTH", " 0"),
        ("KFIRST", ""),
        ("KLAST", ""),
        ("KNEXT", " a"),
        ("KPREV", " a"),
    ] {
        let expected = format!("-ERR {command} needs an ordered collection (bdef or bcust), 'default' is an hmap");
        assert_eq!(hashed.say(&format!("{command}{rest}")), expected);
    }
    check(
        &mut Harness::of(Kind::Bcust),
        &[
            ("KRANGE - + WITHVALUE", "-ERR syntax error"),
            ("KRANGE - + LIMIT 1", "-ERR syntax error"),
            ("KRANGE - + LIMIT a 1", "-ERR value is not an integer or out of range"),
            ("KRANGE -", "-ERR wrong number of arguments for 'krange' command"),
            ("KRANGE - + PREFIX", "-ERR syntax error"),
            ("KCOUNT - + REV", "-ERR syntax error"),
            ("KNTH x", "-ERR value is not an integer or out of range"),
            ("KNTH 0 WITHVALUES", "-ERR syntax error"),
            ("KFIRST a", "-ERR syntax error"),
            ("KDELRANGE - + REV", "-ERR syntax error"),
            ("KDELRANGE - + LIMIT x", "-ERR value is not an integer or out of range"),
        ],
    );
}
