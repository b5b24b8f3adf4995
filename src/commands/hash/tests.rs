//! What hash commands answer, beside the comparison with Redis: expiring fields, which Redis 7.0 does not have.

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
