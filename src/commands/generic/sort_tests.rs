//! What SORT answers, beside the comparison with Redis.

use crate::commands::testing::Harness;

#[test]
fn by_weights_of_other_keys() {
    let mut server = Harness::new();
    server.say("RPUSH l 3 1 2");
    server.say("MSET w1 30 w2 20 w3 10 n1 one n3 three");
    server.say("HSET h2 f two");
    assert_eq!(server.say("SORT l"), "*3 $1 1 $1 2 $1 3");
    assert_eq!(server.say("SORT l BY w*"), "*3 $1 3 $1 2 $1 1");
    assert_eq!(
        server.say("SORT l BY w* GET n* GET # LIMIT 0 2"),
        "*4 $5 three $1 3 $-1 $1 2"
    );
    assert_eq!(server.say("SORT_RO l GET h*->f DESC"), "*3 $-1 $3 two $-1");
    assert_eq!(server.say("SORT l ALPHA DESC LIMIT 1 1"), "*1 $1 2");
    assert_eq!(server.say("SORT l BY nosort DESC STORE t"), ":3");
    assert_eq!(server.say("LRANGE t 0 -1"), "*3 $1 2 $1 1 $1 3");
    assert_eq!(server.say("SORT none STORE t"), ":0");
    assert_eq!(server.say("EXISTS t"), ":0");
    assert_eq!(
        server.say("SORT l BY n*"),
        "-ERR One or more scores can't be converted into double"
    );
    assert!(server.say("SORT w1").starts_with("-WRONGTYPE"));
    assert_eq!(server.say("SORT_RO l STORE t"), "-ERR syntax error");
}

#[test]
fn sorted_sets_keep_their_order_where_nothing_is_sorted() {
    let mut server = Harness::new();
    server.say("ZADD z 3 a 2 b 1 c 4 d");
    assert_eq!(server.say("SORT z BY nosort LIMIT 1 2"), "*2 $1 b $1 a");
    assert_eq!(server.say("SORT z BY nosort DESC LIMIT 1 2"), "*2 $1 a $1 b");
    assert_eq!(server.say("SORT z BY nosort DESC LIMIT 9 2"), "*0");
    assert_eq!(server.say("SADD s 10 9 x"), ":3");
    assert_eq!(server.say("SORT s BY nosort STORE l"), ":3");
    assert_eq!(server.say("LRANGE l 0 -1"), "*3 $2 10 $1 9 $1 x");
}
