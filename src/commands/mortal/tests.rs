//! What the commands answer on members of sets and sorted sets; of fields, `commands/hash/tests.rs`.

use crate::commands::testing::Harness;

/// For both types: how members come in, and the first letters of the commands.
const TYPES: [(&str, &str); 2] = [("SADD k a b c", "S"), ("ZADD k 1 a 2 b 3 c", "Z")];

fn say(server: &mut Harness, letter: &str, line: &str, reply: &str) {
    let line = line.replace('@', letter);
    assert_eq!(server.say(&line), reply, "{line}");
}

#[test]
fn members_die_and_take_the_key_with_them() {
    for (made, letter) in TYPES {
        let mut server = Harness::new();
        server.say(made);
        for (line, reply) in [
            ("@EXPIRE k 10 MEMBERS 3 a b nosuch", "*3 :1 :1 :-2"),
            ("@TTL k MEMBERS 3 a c nosuch", "*3 :10 :-1 :-2"),
            ("@PTTL k MEMBERS 1 a", "*1 :10000"),
            ("@EXPIRETIME k MEMBERS 2 a c", "*2 :1700000010 :-1"),
            ("@PEXPIRETIME k MEMBERS 1 a", "*1 :1700000010000"),
            ("@PERSIST k MEMBERS 3 b c nosuch", "*3 :1 :-1 :-2"),
            ("@CARD k", ":3"),
        ] {
            say(&mut server, letter, line, reply);
        }
        server.advance_ms(9_999);
        say(&mut server, letter, "@CARD k", ":3");
        server.advance_ms(1);
        for (line, reply) in [
            ("@CARD k", ":2"),
            ("@TTL k MEMBERS 2 a b", "*2 :-2 :-1"),
            ("@PEXPIRE k 5 MEMBERS 2 b c", "*2 :1 :1"),
            ("TYPE k", if letter == "S" { "+set" } else { "+zset" }),
        ] {
            say(&mut server, letter, line, reply);
        }
        server.advance_ms(5);
        for (line, reply) in [
            ("TYPE k", "+none"),
            ("EXISTS k", ":0"),
            ("@TTL k MEMBERS 1 b", "*1 :-2"),
            ("@EXPIRE k 5 MEMBERS 1 b", "*1 :-2"),
            ("@PERSIST k MEMBERS 1 b", "*1 :-2"),
        ] {
            say(&mut server, letter, line, reply);
        }
        server.say(made);
        say(&mut server, letter, "@PEXPIREAT k 1 MEMBERS 2 a b", "*2 :2 :2");
        say(&mut server, letter, "@EXPIRE k 0 MEMBERS 1 c", "*1 :2");
        assert_eq!(server.say("EXISTS k"), ":0");
    }
}

#[test]
fn conditions_and_mistakes() {
    for (made, letter) in TYPES {
        let mut server = Harness::new();
        server.say(made);
        server.say("SET text v");
        let name = format!("{}expire", letter.to_lowercase());
        let invalid = format!("-ERR invalid expire time in '{name}' command");
        let unfit = format!("-ERR wrong number of arguments for '{name}' command");
        for (line, reply) in [
            ("@EXPIRE k 10 XX MEMBERS 1 a", "*1 :0"),
            ("@EXPIRE k 10 nx members 1 a", "*1 :1"),
            ("@EXPIRE k 20 NX MEMBERS 2 a b", "*2 :0 :1"),
            ("@EXPIRE k 5 GT MEMBERS 2 a c", "*2 :0 :0"),
            ("@EXPIRE k 5 LT MEMBERS 2 a c", "*2 :1 :1"),
            ("@TTL k MEMBERS 3 a b c", "*3 :5 :20 :5"),
            (
                "@EXPIRE k x MEMBERS 1 a",
                "-ERR value is not an integer or out of range",
            ),
            ("@EXPIRE k -1 MEMBERS 1 a", "-ERR invalid expire time, must be >= 0"),
            ("@EXPIRE k 9999999999999 MEMBERS 1 a", &invalid),
            ("@EXPIRE k 9223372036854775807 MEMBERS 1 a", &invalid),
            ("@EXPIRE k 1 MEMBERS 1", &unfit),
            (
                "@EXPIRE k 1 FIELDS 1 a",
                "-ERR Mandatory argument MEMBERS is missing or not at the right position",
            ),
            (
                "@EXPIRE k 1 NX GT MEMBERS 1 a",
                "-ERR Mandatory argument MEMBERS is missing or not at the right position",
            ),
            (
                "@EXPIRE k 1 MEMBERS 0 a",
                "-ERR Parameter `numMembers` should be greater than 0",
            ),
            (
                "@TTL k MEMBERS 2 a",
                "-ERR The `nummembers` parameter must match the number of arguments",
            ),
            (
                "@TTL text MEMBERS 1 a",
                "-WRONGTYPE Operation against a key holding the wrong kind of value",
            ),
            (
                "@EXPIRE text 1 MEMBERS 1 a",
                "-WRONGTYPE Operation against a key holding the wrong kind of value",
            ),
            (
                "@PERSIST text MEMBERS 1 a",
                "-WRONGTYPE Operation against a key holding the wrong kind of value",
            ),
            (
                "HTTL k FIELDS 1 a",
                "-WRONGTYPE Operation against a key holding the wrong kind of value",
            ),
        ] {
            say(&mut server, letter, line, reply);
        }
    }
}

/// Nothing that reads shows a member whose time is over: what is told is what there would be without it.
#[test]
fn nothing_shows_dead_members() {
    for dead in ["x", "x y z"] {
        let count = dead.split(' ').count();
        let (mut server, mut other) = (Harness::new(), Harness::new());
        for server in [&mut server, &mut other] {
            server.say("SADD s 1 2 3 w");
            server.say("SADD t 2 3 4 x");
            server.say("ZADD z 1 a 2 b 3 c");
            server.say("GEOADD geo 13.361389 38.115556 Palermo 15.087269 37.502669 Catania");
        }
        let scored: String = dead.split(' ').map(|name| format!(" 2 {name}")).collect();
        server.say(&format!("SADDEX s PX 100 MEMBERS {count} {dead}"));
        server.say(&format!("ZADD z{scored}"));
        server.say(&format!("ZPEXPIRE z 100 MEMBERS {count} {dead}"));
        server.say("GEOADD geo 14 38 x");
        server.say("ZPEXPIRE geo 100 MEMBERS 1 x");
        server.say("SADDEX gone PX 100 MEMBERS 2 1 2");
        server.say("ZADD gone2 1 a");
        server.say("ZPEXPIRE gone2 100 MEMBERS 1 a");
        server.advance_ms(100);
        for line in [
            "SCARD s",
            "SISMEMBER s x",
            "SMISMEMBER s 1 x",
            "SMEMBERS s",
            "SSCAN s 0",
            "SINTER s t",
            "SINTERCARD 2 s t",
            "SUNION gone s",
            "SUNIONCARD 2 s t",
            "SDIFF t s",
            "SORT s",
            "SORT z BY nosort",
            "SRANDMEMBER gone",
            "SRANDMEMBER gone 3",
            "SPOP gone",
            "ZCARD z",
            "ZSCORE z x",
            "ZMSCORE z a x",
            "ZRANK z c",
            "ZREVRANK z a",
            "ZRANGE z 0 -1 WITHSCORES",
            "ZRANGE z 1 1",
            "ZREVRANGE z 0 0",
            "ZRANGEBYSCORE z 2 3",
            "ZRANGEBYLEX z - +",
            "ZCOUNT z 1 2",
            "ZLEXCOUNT z [a [z",
            "ZSCAN z 0",
            "ZINTER 2 z s",
            "ZUNION 2 z t",
            "ZDIFF 2 z s",
            "ZINTERCARD 2 z z",
            "ZRANDMEMBER gone2 5",
            "ZPOPMIN gone2",
            "ZPOPMAX gone2",
            "ZMPOP 1 gone2 MIN",
            "GEOPOS geo x Palermo",
            "GEODIST geo x Palermo",
            "GEOHASH geo x",
            "GEOSEARCH geo FROMLONLAT 14 38 BYRADIUS 200 km ASC",
            "GEOSEARCH geo FROMMEMBER x BYRADIUS 200 km ASC",
            "TYPE gone",
            "OBJECT ENCODING s",
            "OBJECT ENCODING z",
            "OBJECT ENCODING gone",
            "MEMORY USAGE gone",
            "STRLEN gone",
            "EXISTS gone gone2",
            "COPY gone new",
            "RENAME gone new",
            "DUMP gone",
            "DUMP z",
            "TTL gone",
            "SREM s x",
            "SMOVE s t x",
            "ZREM z x",
            "ZADD z XX 7 x",
            "ZREMRANGEBYRANK z 2 2",
            "ZADD z NX 9 x",
            "SADD s x",
            "SMEMBERS s",
            "ZRANGE z 0 -1 WITHSCORES",
        ] {
            assert_eq!(server.say(line), other.say(line), "{line}");
        }
    }
}

#[test]
fn what_is_added_anew_dies_or_not() {
    let mut server = Harness::new();
    server.say("SADD s a b");
    server.say("SEXPIRE s 10 MEMBERS 2 a b");
    for (line, reply) in [
        // It is a member already: nothing is done to it.
        ("SADD s a", ":0"),
        ("STTL s MEMBERS 1 a", "*1 :10"),
        ("SADD t a", ":1"),
        ("SMOVE s t b", ":1"),
        ("STTL t MEMBERS 2 a b", "*2 :-1 :-1"),
        ("SUNIONSTORE u s t", ":2"),
        ("STTL u MEMBERS 2 a b", "*2 :-1 :-1"),
        ("COPY s copy", ":1"),
        ("STTL copy MEMBERS 1 a", "*1 :10"),
        ("RENAME copy moved", "+OK"),
        ("STTL moved MEMBERS 1 a", "*1 :10"),
        ("ZADD z 1 a 2 b 3 c 4 d", ":4"),
        ("ZEXPIRE z 10 MEMBERS 4 a b c d", "*4 :1 :1 :1 :1"),
        // Set again, even to the same: lives for ever. Counted on: goes on to die.
        ("ZADD z 1 a 5 b", ":0"),
        ("ZADD z NX 5 c", ":0"),
        ("ZINCRBY z 1 c", "$1 4"),
        ("ZADD z INCR 1 d", "$1 5"),
        ("ZTTL z MEMBERS 4 a b c d", "*4 :-1 :-1 :10 :10"),
        ("ZUNIONSTORE zu 1 z", ":4"),
        ("ZTTL zu MEMBERS 1 c", "*1 :-1"),
        ("ZRANGESTORE zr z 0 -1", ":4"),
        ("ZTTL zr MEMBERS 1 c", "*1 :-1"),
        ("ZREM z c", ":1"),
        ("ZADD z 1 c", ":1"),
        ("ZTTL z MEMBERS 1 c", "*1 :-1"),
    ] {
        assert_eq!(server.say(line), reply, "{line}");
    }
}

#[test]
fn adding_with_an_expiry_all_or_none() {
    let mut server = Harness::new();
    let unfit = "-ERR wrong number of arguments for 'saddex' command";
    for (line, reply) in [
        ("SADDEX s MXX MEMBERS 1 a", ":0"),
        ("EXISTS s", ":0"),
        ("SADDEX s MNX EX 10 MEMBERS 2 a b", ":1"),
        ("STTL s MEMBERS 2 a b", "*2 :10 :10"),
        ("SADDEX s MNX MEMBERS 2 b c", ":0"),
        ("SADDEX s MXX MEMBERS 2 b c", ":0"),
        ("SISMEMBER s c", ":0"),
        ("SADDEX s MXX KEEPTTL MEMBERS 1 a", ":1"),
        ("SADDEX s KEEPTTL MEMBERS 2 b c", ":1"),
        ("STTL s MEMBERS 3 a b c", "*3 :10 :10 :-1"),
        ("SADDEX s PX 5000 MEMBERS 2 c d", ":1"),
        ("SADDEX s MEMBERS 2 a a", ":1"),
        ("STTL s MEMBERS 4 a b c d", "*4 :-1 :10 :5 :5"),
        ("SADDEX s PXAT 1700000007000 MEMBERS 1 a", ":1"),
        ("SPTTL s MEMBERS 1 a", "*1 :7000"),
        ("SADDEX s EXAT 1 MEMBERS 3 a b new", ":1"),
        ("SMEMBERS s", "*2 $1 c $1 d"),
        ("SADDEX none EXAT 1 MEMBERS 1 a", ":1"),
        ("EXISTS none", ":0"),
        (
            "SADDEX s MNX MXX MEMBERS 1 a",
            "-ERR Only one of MXX or MNX arguments can be specified",
        ),
        (
            "SADDEX s EX 1 KEEPTTL MEMBERS 1 a",
            "-ERR Only one of EX, PX, EXAT, PXAT or KEEPTTL arguments can be specified",
        ),
        ("SADDEX s PERSIST MEMBERS 1 a", "-ERR unknown argument: PERSIST"),
        ("SADDEX s MEMBERS 0 a", "-ERR invalid number of members"),
        ("SADDEX s MEMBERS x a", "-ERR invalid number of members"),
        ("SADDEX s MEMBERS 2 a", unfit),
        ("SADDEX s MEMBERS 1 a b", unfit),
        ("SADDEX s MEMBERS 1", unfit),
        ("SADDEX s MNX KEEPTTL a", "-ERR unknown argument: a"),
        (
            "SADDEX s EX 0x MEMBERS 1 a",
            "-ERR value is not an integer or out of range",
        ),
        ("SADDEX s EX -1 MEMBERS 1 a", "-ERR invalid expire time, must be >= 0"),
        (
            "SADDEX s EX 9999999999999999 MEMBERS 1 a",
            "-ERR invalid expire time in 'saddex' command",
        ),
    ] {
        assert_eq!(server.say(line), reply, "{line}");
    }
    server.say("SET text v");
    assert_eq!(
        server.say("SADDEX text MEMBERS 1 a"),
        "-WRONGTYPE Operation against a key holding the wrong kind of value"
    );
}

/// The format has no form for them; what was never to die, and what is dead, is dumped as ever.
#[test]
fn members_that_expire_are_never_dumped_as_ones_that_do_not() {
    let mut server = Harness::new();
    server.say("SADD s a b");
    server.say("ZADD z 1 a 2 b");
    for (key, letter) in [("s", "S"), ("z", "Z")] {
        let plain = server.say(&format!("DUMP {key}"));
        server.say(&format!("{letter}ADD {key} 7 c").replace("SADD s 7 c", "SADD s c"));
        server.say(&format!("{letter}PEXPIRE {key} 100 MEMBERS 1 c"));
        let refused = server.say(&format!("DUMP {key}"));
        assert!(refused.starts_with("-ERR it has members that expire"), "{refused}");
        server.advance_ms(100);
        assert_eq!(server.say(&format!("DUMP {key}")), plain);
    }
}
