//! What hash commands answer, beside the comparison with Redis: expiring fields.

use crate::commands::testing::Harness;

#[test]
fn fields_die_and_take_the_hash_with_them() {
    let mut server = Harness::new();
    assert_eq!(server.say("HSET h a 1 b 2 c 3"), ":3");
    assert_eq!(server.say("HEXPIRE h 10 FIELDS 3 a b nosuch"), "*3 :1 :1 :-2");
    assert_eq!(server.say("HTTL h FIELDS 3 a c nosuch"), "*3 :10 :-1 :-2");
    assert_eq!(server.say("HPTTL h FIELDS 1 a"), "*1 :10000");
    assert_eq!(server.say("HPERSIST h FIELDS 2 b c"), "*2 :1 :-1");
    server.advance_ms(10_000);
    assert_eq!(server.say("HGET h a"), "$-1");
    assert_eq!(server.say("HMGET h a b"), "*2 $-1 $1 2");
    assert_eq!(server.say("HEXISTS h a"), ":0");
    assert_eq!(server.say("HGETALL h"), "*4 $1 b $1 2 $1 c $1 3");
    assert_eq!(server.say("HPEXPIRE h 5 FIELDS 2 b c"), "*2 :1 :1");
    assert_eq!(server.say("HLEN h"), ":2");
    server.advance_ms(5);
    assert_eq!(server.say("HSETNX h b new"), ":1");
    assert_eq!(server.say("HGETALL h"), "*2 $1 b $3 new");
    assert_eq!(server.say("HPEXPIREAT h 1 FIELDS 1 b"), "*1 :2");
    assert_eq!(server.say("EXISTS h"), ":0");
}

#[test]
fn conditions_and_mistakes() {
    let mut server = Harness::new();
    server.say("HSET h a 1 b 2");
    assert_eq!(server.say("HEXPIRE h 10 XX FIELDS 1 a"), "*1 :0");
    assert_eq!(server.say("HEXPIRE h 10 NX FIELDS 1 a"), "*1 :1");
    assert_eq!(server.say("HEXPIRE h 5 GT FIELDS 2 a b"), "*2 :0 :0");
    assert_eq!(server.say("HEXPIRE h 5 LT FIELDS 2 a b"), "*2 :1 :1");
    assert_eq!(server.say("HEXPIRE nosuch 5 FIELDS 1 a"), "*1 :-2");
    assert_eq!(server.say("HINCRBY h a 1"), ":2");
    assert_eq!(server.say("HTTL h FIELDS 1 a"), "*1 :5");
    assert_eq!(server.say("HSET h a 1"), ":0");
    assert_eq!(server.say("HTTL h FIELDS 1 a"), "*1 :-1");
    for (command, error) in [
        ("HEXPIRE h x FIELDS 1 a", "-ERR value is not an integer or out of range"),
        ("HEXPIRE h -1 FIELDS 1 a", "-ERR invalid expire time, must be >= 0"),
        (
            "HEXPIRE h 9999999999999 FIELDS 1 a",
            "-ERR invalid expire time in 'hexpire' command",
        ),
        (
            "HEXPIRE h 1 FIELD 1 a",
            "-ERR Mandatory argument FIELDS is missing or not at the right position",
        ),
        (
            "HEXPIRE h 1 FIELDS 0 a",
            "-ERR Parameter `numFields` should be greater than 0",
        ),
        (
            "HTTL h FIELDS 2 a",
            "-ERR The `numfields` parameter must match the number of arguments",
        ),
    ] {
        assert_eq!(server.say(command), error, "{command}");
    }
}

#[test]
fn reading_and_setting_with_more() {
    let mut server = Harness::new();
    assert_eq!(server.say("HSETEX h EX 10 FIELDS 2 a 1 b 2"), ":1");
    assert_eq!(server.say("HTTL h FIELDS 2 a b"), "*2 :10 :10");
    assert_eq!(server.say("HSETEX h FNX FIELDS 1 a 5"), ":0");
    assert_eq!(server.say("HSETEX h FXX KEEPTTL FIELDS 1 a 5"), ":1");
    assert_eq!(server.say("HGETEX h FIELDS 2 a c"), "*2 $1 5 $-1");
    assert_eq!(server.say("HTTL h FIELDS 1 a"), "*1 :10");
    assert_eq!(server.say("HGETEX h PERSIST FIELDS 1 a"), "*1 $1 5");
    assert_eq!(server.say("HTTL h FIELDS 1 a"), "*1 :-1");
    assert_eq!(server.say("HGETEX h EXAT 1 FIELDS 1 a"), "*1 $1 5");
    assert_eq!(server.say("HGETDEL h FIELDS 2 a b"), "*2 $-1 $1 2");
    assert_eq!(server.say("EXISTS h"), ":0");
}

#[test]
fn setting_asks_for_the_hash_and_for_fields() {
    let mut server = Harness::new();
    let unfit = "-ERR wrong number of arguments for 'hsetex' command";
    for (line, reply) in [
        ("HSETEX h XX FIELDS 1 a 1", ":0"),
        ("EXISTS h", ":0"),
        ("HSETEX h NX FNX FIELDS 1 a 1", ":1"),
        ("HSETEX h NX FIELDS 1 a 2", ":0"),
        ("HSETEX h XX XX FNX EX 10 FIELDS 1 b 2", ":1"),
        ("HTTL h FIELDS 1 b", "*1 :10"),
        ("HSETEX h FXX XX FIELDS 1 c 3", ":0"),
        ("HSETEX h NX XX FIELDS 1 c 3", "-ERR syntax error"),
        (
            "HSETEX h FNX FNX FIELDS 1 c 3",
            "-ERR Only one of FXX or FNX arguments can be specified",
        ),
        (
            "HSETEX h EX 1 KEEPTTL FIELDS 1 c 3",
            "-ERR Only one of EX, PX, EXAT, PXAT or KEEPTTL arguments can be specified",
        ),
        ("HSETEX h PERSIST FIELDS 1 c 3", "-ERR unknown argument: PERSIST"),
        ("HSETEX h FIELDS 0 c 3", "-ERR invalid number of fields"),
        ("HSETEX h FIELDS 2147483647 c 3", unfit),
        ("HSETEX h FIELDS 1 c 3 EX 5", unfit),
        ("HSETEX h FNX KEEPTTL FIELDS 1", unfit),
        ("HSETEX h FNX KEEPTTL XX NX", "-ERR syntax error"),
        ("HSETEX h FNX KEEPTTL XX XX", unfit),
        ("HSETEX h FNX XX XX EX", unfit),
        ("HGETDEL h FIELDS 2 a a", "*2 $1 1 $-1"),
        ("HGETEX h PXAT 1 FIELDS 2 b b", "*2 $1 2 $-1"),
        (
            "HGETEX h FIELDS 0 a",
            "-ERR Number of fields must be a positive integer",
        ),
    ] {
        assert_eq!(server.say(line), reply, "{line}");
    }
}
