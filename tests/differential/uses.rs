//! When and how often keys count as used, beside Redis 8.2: what `OBJECT FREQ` and `IDLETIME` tell after each command
//! that looks at a key or changes it, and how the parameters of eviction are set.

use std::time::{Duration, Instant};

use crate::support::{Conn, Server};

/// With a factor of 0 each use is a step of the counter.
const LINES: &str = "
CONFIG GET maxmemory-samples
CONFIG GET maxmemory-eviction-tenacity
CONFIG GET lfu-log-factor
CONFIG GET lfu-decay-time
CONFIG SET maxmemory-samples 0
CONFIG SET maxmemory-samples 65
CONFIG SET maxmemory-samples x
CONFIG SET maxmemory-eviction-tenacity -1
CONFIG SET maxmemory-eviction-tenacity 101
CONFIG SET lfu-log-factor -1
CONFIG SET lfu-log-factor 2147483648
CONFIG SET lfu-decay-time -1
CONFIG SET lfu-decay-time 2147483648
SET k v
OBJECT FREQ k
OBJECT FREQ nosuch
OBJECT IDLETIME nosuch
CONFIG SET maxmemory-policy ALLKEYS-LFU
CONFIG GET maxmemory-policy
CONFIG SET lfu-log-factor 0
CONFIG SET lfu-decay-time 0
SET l 1
OBJECT FREQ l
OBJECT IDLETIME l
OBJECT IDLETIME nosuch
OBJECT FREQ nosuch
GET l
OBJECT FREQ l
SET l 2
OBJECT FREQ l
SET l 3 XX
OBJECT FREQ l
SET l 3 KEEPTTL
OBJECT FREQ l
SET l 4 GET
OBJECT FREQ l
SETNX l 5
OBJECT FREQ l
GETSET l 4
OBJECT FREQ l
APPEND l 5
OBJECT FREQ l
SETRANGE l 0 6
OBJECT FREQ l
GETRANGE l 0 1
OBJECT FREQ l
SET n 1
INCR n
OBJECT FREQ n
INCRBYFLOAT n 2
OBJECT FREQ n
MSET n 7
OBJECT FREQ n
MGET n n
OBJECT FREQ n
EXPIRE n 1000
OBJECT FREQ n
PERSIST n
OBJECT FREQ n
TTL n
TYPE n
EXISTS n
OBJECT ENCODING n
OBJECT FREQ n
TOUCH n
OBJECT FREQ n
STRLEN n
OBJECT FREQ n
GETEX n EX 100
OBJECT FREQ n
DUMP nosuch
COPY n c
OBJECT FREQ n
OBJECT FREQ c
RENAME c d
OBJECT FREQ d
SETBIT d 7 1
OBJECT FREQ d
GETBIT d 7
OBJECT FREQ d
LPUSH list a
OBJECT FREQ list
LPUSH list b
OBJECT FREQ list
LRANGE list 0 -1
OBJECT FREQ list
LPOP list
OBJECT FREQ list
LLEN list
OBJECT FREQ list
HSET hash f v
HSET hash f w
OBJECT FREQ hash
HGETALL hash
OBJECT FREQ hash
HINCRBY hash n 1
OBJECT FREQ hash
ZADD zset 1 a 2 b
ZINCRBY zset 1 a
OBJECT FREQ zset
ZRANGE zset 0 -1
OBJECT FREQ zset
SADD set1 a b
SADD set2 b
SISMEMBER set1 a
OBJECT FREQ set1
SUNIONSTORE set3 set1 set2
OBJECT FREQ set1
OBJECT FREQ set3
SUNIONSTORE set3 set1 set2
OBJECT FREQ set1
XADD stream 1-1 f v
XLEN stream
OBJECT FREQ stream
MULTI
GET l
GET l
EXEC
OBJECT FREQ l
EVAL return{redis.call('get',KEYS[1])} 1 l
OBJECT FREQ l
CLIENT NO-TOUCH ON
GET l
OBJECT FREQ l
SET l 8
OBJECT FREQ l
APPEND l 8
OBJECT FREQ l
HSET hash f x
OBJECT FREQ hash
TOUCH l
OBJECT FREQ l
SET fresh 1
OBJECT FREQ fresh
CLIENT NO-TOUCH OFF
RESTORE r 0 x FREQ 256
RESTORE r 0 x FREQ -1
RESTORE r 0 x IDLETIME -1
RESTORE r 0 x IDLETIME 1 FREQ 1
CONFIG SET maxmemory-policy volatile-ttl
SET idle 1
OBJECT FREQ idle
CONFIG SET maxmemory-policy noeviction
CONFIG SET maxmemory 1
SET a 1
GET l
DEL l
EVAL return{redis.call('set','a','1')} 0
EVAL_RO return{redis.call('get','a')} 0
MULTI
SET a 1
EXEC
MULTI
GET l
DEL nosuch
EXEC
HEXPIRE hash 100 FIELDS 1 f
CONFIG SET maxmemory-policy volatile-lru
SET a 1
FLUSHALL
SET a 1
CONFIG SET maxmemory 0
SET a 1
";

/// Each line with its reply.
fn replies(conn: &mut Conn) -> Vec<String> {
    let lines = LINES.lines().filter(|line| !line.is_empty());
    let ask = |line: &str| {
        let words: Vec<&str> = line.split(' ').collect();
        format!("{line}: {:?}", conn.call(&words))
    };
    lines.map(ask).collect()
}

#[test]
fn uses_count_as_they_do_in_redis_8() {
    let (redis, loki) = (Server::redis8(&[]), crate::pair::start_lokikv());
    let (expected, found) = (replies(&mut redis.connect()), replies(&mut loki.connect()));
    let differing: Vec<_> = expected
        .iter()
        .zip(&found)
        .filter(|(one, other)| one != other)
        .collect();
    assert!(differing.is_empty(), "{differing:#?}");
}

#[test]
fn idle_times_are_those_of_redis_8() {
    let (redis, loki) = (Server::redis8(&[]), crate::pair::start_lokikv());
    for server in [&redis, &loki] {
        let mut conn = server.connect();
        let mut call = |line: &str| conn.call(&line.split(' ').collect::<Vec<_>>());
        call("CONFIG SET maxmemory-policy allkeys-lru");
        let made = Instant::now();
        call("MSET read a written b quiet c touched d");
        std::thread::sleep(Duration::from_millis(3_100));
        let used = Instant::now();
        call("GET read");
        call("SET written x");
        call("CLIENT NO-TOUCH ON");
        call("GET quiet");
        call("SET quiet x");
        call("TOUCH touched");
        let idle = |key: &str| conn.call(&["OBJECT", "IDLETIME", key]).int().unwrap();
        let [read, written, quiet, touched] = ["read", "written", "quiet", "touched"].map(idle);
        // The servers count whole seconds of a clock that begins one at any time.
        let at_most = |since: Instant| since.elapsed().as_secs() as i64 + 1;
        let used_max = at_most(used);
        assert!(
            read <= used_max && written <= used_max && touched <= used_max,
            "{read} {written} {touched}"
        );
        assert!((3..=at_most(made)).contains(&quiet), "{quiet}");
    }
}
