//! What sorted set commands answer, beside the comparison with Redis.

use crate::commands::testing::Harness;

#[test]
fn members_come_and_go_in_order() {
    let mut server = Harness::new();
    assert_eq!(server.say("ZADD z 3 c 1 a 2 b 2 b"), ":3");
    assert_eq!(server.say("ZADD z CH 5 b 6 b"), ":2");
    assert_eq!(
        server.say("ZRANGE z 0 -1 WITHSCORES"),
        "*6 $1 a $1 1 $1 c $1 3 $1 b $1 6"
    );
    assert_eq!(server.say("ZADD z INCR 1 b"), "$1 7");
    assert_eq!(server.say("ZADD z NX INCR 1 b"), "$-1");
    assert_eq!(server.say("ZREVRANK z a WITHSCORE"), "*2 :2 $1 1");
    assert_eq!(server.say("ZRANK z nobody WITHSCORE"), "*-1");
    assert_eq!(server.say("ZPOPMAX z"), "*2 $1 b $1 7");
    assert_eq!(
        server.say("BZMPOP 0 1 z MIN COUNT 9"),
        "*2 $1 z *2 *2 $1 a $1 1 *2 $1 c $1 3"
    );
    assert_eq!(server.say("EXISTS z"), ":0");
}

#[test]
fn a_big_sorted_set_answers_like_a_small_one() {
    let mut server = Harness::resp3();
    let pairs: Vec<String> = (0..5000).map(|n| format!("{} m{n:04}", n / 2)).collect();
    assert_eq!(server.say(&format!("ZADD z {}", pairs.join(" "))), ":5000");
    assert_eq!(server.say("OBJECT ENCODING z"), "$8 skiplist");
    assert_eq!(server.say("ZCOUNT z (10 20"), ":20");
    assert_eq!(
        server.say("ZRANGE z 20 10 BYSCORE REV LIMIT 1 2"),
        "*2 $5 m0040 $5 m0039"
    );
    assert_eq!(server.say("ZRANGE z 1 1 REV WITHSCORES"), "*1 *2 $5 m4998 ,2499");
    assert_eq!(server.say("ZREMRANGEBYSCORE z 100 +inf"), ":4800");
    assert_eq!(server.say("ZREMRANGEBYRANK z 1 -2"), ":198");
    assert_eq!(server.say("ZRANGE z 0 -1"), "*2 $5 m0000 $5 m0199");
    assert_eq!(server.say("SADD s m0199 7"), ":2");
    assert_eq!(server.say("ZUNIONSTORE z 2 z s WEIGHTS 2 10"), ":3");
    assert_eq!(
        server.say("ZRANGE z 0 -1 WITHSCORES"),
        "*3 *2 $5 m0000 ,0 *2 $1 7 ,10 *2 $5 m0199 ,208"
    );
    assert_eq!(server.say("ZRANGESTORE z z 0 0"), ":1");
    assert_eq!(server.say("ZDIFFSTORE z 2 z z"), ":0");
    assert_eq!(server.say("EXISTS z"), ":0");
}

#[test]
fn members_are_counted_by_weights() {
    let mut server = Harness::new();
    server.say("ZADD a 7 x 8 y");
    server.say("ZADD b -1 x 2 z");
    server.say("SADD s x");
    for (line, reply) in [
        (
            "ZUNION 3 a b s AGGREGATE COUNT WITHSCORES",
            "*6 $1 y $1 1 $1 z $1 1 $1 x $1 3",
        ),
        (
            "ZUNION 2 a b WEIGHTS 2 0.5 AGGREGATE count WITHSCORES",
            "*6 $1 z $3 0.5 $1 y $1 2 $1 x $3 2.5",
        ),
        (
            "ZINTER 3 a b s WEIGHTS 1 10 100 AGGREGATE COUNT WITHSCORES",
            "*2 $1 x $3 111",
        ),
        ("ZUNION 1 a AGGREGATE COUNT WITHSCORES", "*4 $1 x $1 1 $1 y $1 1"),
        ("ZINTERSTORE d 2 a b WEIGHTS inf -inf AGGREGATE COUNT", ":1"),
        ("ZSCORE d x", "$1 0"),
        ("ZUNIONSTORE d 2 a b AGGREGATE COUNT", ":3"),
        ("ZSCORE d x", "$1 2"),
        ("ZUNION 1 a AGGREGATE COUNTS", "-ERR syntax error"),
    ] {
        assert_eq!(server.say(line), reply, "{line}");
    }
}

#[test]
fn a_walk_without_scores() {
    let mut server = Harness::new();
    server.say("ZADD z 1 a 2 b");
    assert_eq!(server.say("ZSCAN z 0 NOSCORES"), "*2 $1 0 *2 $1 a $1 b");
    assert_eq!(server.say("ZSCAN z 0 noscores MATCH b"), "*2 $1 0 *1 $1 b");
    assert_eq!(
        server.say("ZSCAN z 0 NOVALUES"),
        "-ERR NOVALUES option can only be used in HSCAN"
    );
}
