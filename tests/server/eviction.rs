//! Keys that go when memory is short: which ones, what others learn of it, what the log has of it, and what is refused
//! where none may go.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::support::{Conn, Server, Value};
use crate::{await_that, call, figure, in_memory, set};

const POLICIES: [&str; 9] = [
    "allkeys-lru",
    "allkeys-lfu",
    "allkeys-lrm",
    "allkeys-random",
    "volatile-lru",
    "volatile-lfu",
    "volatile-lrm",
    "volatile-random",
    "volatile-ttl",
];
const LIMIT: u64 = 2 << 20;

/// What may be in use at most while keys are evicted.
fn most(limit: u64) -> u64 {
    limit + limit / 100 + (1 << 20)
}

/// Watches that the limit is kept. What clients hold, and what goes until it is freed, may come on top for a moment.
fn keeps_to(conn: &mut Conn, limit: u64, what: &str) {
    let used = figure(conn, "used_memory");
    assert!(used < limit + 3 * (most(limit) - limit), "{what}: {used}");
    await_that(&format!("{what}: the limit is kept"), || {
        figure(conn, "used_memory") < most(limit)
    });
}

/// Sets keys of 100 bytes, in pipelines.
fn fill(conn: &mut Conn, prefix: &str, count: usize) {
    let value = "v".repeat(100);
    for first in (0..count).step_by(500) {
        let commands: Vec<Vec<Vec<u8>>> = (first..count.min(first + 500))
            .map(|number| {
                let key = format!("{prefix}:{number}");
                ["SET", &key, &value, "EX", "10000"]
                    .map(|word| word.as_bytes().to_vec())
                    .to_vec()
            })
            .collect();
        let replies = conn.pipeline(&commands).unwrap();
        assert!(
            replies.iter().all(|reply| *reply == Value::ok()),
            "{:?}",
            replies.iter().find(|reply| reply.is_error())
        );
    }
}

/// Reads the keys that [`fill`] has set.
fn read_all(conn: &mut Conn, prefix: &str, count: usize) {
    let names: Vec<String> = (0..count).map(|number| format!("{prefix}:{number}")).collect();
    let words: Vec<&str> = ["MGET"].into_iter().chain(names.iter().map(String::as_str)).collect();
    assert_eq!(conn.call(&words).items().len(), count);
}

/// All keys with their values, of all databases that are asked for.
fn all(conn: &mut Conn, databases: &[&str]) -> BTreeMap<(String, String), String> {
    let mut all = BTreeMap::new();
    for database in databases {
        assert_eq!(conn.call(&["SELECT", database]), Value::ok());
        for key in call(conn, "KEYS *").items() {
            let key = key.text();
            let value = if key == "members" {
                format!("{:?}", conn.call(&["SMEMBERS", &key]).sorted())
            } else {
                conn.call(&["GET", &key]).text()
            };
            all.insert(((*database).to_owned(), key), value);
        }
    }
    all
}

/// How many keys have been evicted, and how many there are in these databases, at one moment.
fn evicted_and_kept(conn: &mut Conn, databases: &[&str]) -> (u64, u64) {
    let mut found = (0_u64, 0_u64);
    await_that("nothing goes meanwhile", || {
        let evicted = figure(conn, "evicted_keys");
        let sizes = databases.iter().map(|database| {
            assert_eq!(conn.call(&["SELECT", database]), Value::ok());
            call(conn, "DBSIZE").int().unwrap() as u64
        });
        found = (evicted, sizes.sum());
        figure(conn, "evicted_keys") == evicted
    });
    found
}

#[test]
fn each_policy_keeps_to_the_limit() {
    let server = in_memory();
    let mut conn = server.connect();
    set(&mut conn, "maxmemory", &LIMIT.to_string());
    for policy in POLICIES {
        assert_eq!(call(&mut conn, "FLUSHALL"), Value::ok());
        set(&mut conn, "maxmemory-policy", policy);
        let before = figure(&mut conn, "evicted_keys");
        for part in 0..4 {
            fill(&mut conn, &format!("part{part}"), 6_000);
            keeps_to(&mut conn, LIMIT, policy);
        }
        let (evicted, kept) = evicted_and_kept(&mut conn, &["0"]);
        let evicted = evicted - before;
        assert_eq!(evicted + kept, 24_000, "{policy}");
        assert!(evicted > 8_000 && kept > 5_000, "{policy}: {kept} kept");
    }
    assert!(figure(&mut conn, "current_eviction_exceeded_time") < 10_000);
}

#[test]
fn what_is_left_is_the_same_after_a_restart() {
    for settings in [
        &["checkpoint.interval_s=0", "wal.fsync=no"][..],
        &[
            "checkpoint.interval_s=0",
            "checkpoint.wal_bytes_max=1mb",
            "wal.fsync=no",
        ],
    ] {
        let mut server = Server::lokikv(settings);
        let mut conn = server.connect();
        set(&mut conn, "maxmemory", &LIMIT.to_string());
        set(&mut conn, "maxmemory-policy", "allkeys-lru");
        assert_eq!(call(&mut conn, "COLLECTION CREATE ranked KIND bcust"), Value::ok());
        for (at, database) in ["0", "3", "ranked"].iter().cycle().take(9).enumerate() {
            assert_eq!(conn.call(&["SELECT", database]), Value::ok());
            fill(&mut conn, &format!("round{at}"), 2_500);
            let members: Vec<String> = (0..2000).map(|member| format!("member{at}:{member}")).collect();
            let words: Vec<&str> = ["SADD", "members"]
                .into_iter()
                .chain(members.iter().map(String::as_str))
                .collect();
            assert!(!conn.call(&words).is_error());
        }
        assert!(figure(&mut conn, "evicted_keys") > 5_000);
        // Nothing goes while it is looked at.
        set(&mut conn, "maxmemory", "0");
        let before = all(&mut conn, &["0", "3", "ranked"]);
        server.kill9();
        server.restart();
        let after = all(&mut server.connect(), &["0", "3", "ranked"]);
        assert_eq!(before.len(), after.len());
        assert!(before == after);
    }
}

#[test]
fn those_that_were_not_used_go_first() {
    let server = in_memory();
    let mut conn = server.connect();
    set(&mut conn, "maxmemory-policy", "allkeys-lru");
    fill(&mut conn, "cold", 5_000);
    fill(&mut conn, "hot", 5_000);
    std::thread::sleep(Duration::from_millis(50));
    read_all(&mut conn, "hot", 5_000);
    let used = figure(&mut conn, "used_memory");
    set(&mut conn, "maxmemory", &(used * 6 / 10).to_string());
    await_that("the limit is kept", || {
        figure(&mut conn, "used_memory") <= used * 6 / 10
    });
    let mut count = |pattern: &str| {
        let keys = call(&mut conn, &format!("KEYS {pattern}"));
        keys.items().len()
    };
    let (cold, hot) = (count("cold:*"), count("hot:*"));
    assert!(hot > 4_500 && cold < 2_000, "{hot} hot ones are left, {cold} cold ones");
}

#[test]
fn those_that_are_used_often_stay() {
    let server = in_memory();
    let mut conn = server.connect();
    set(&mut conn, "maxmemory-policy", "allkeys-lfu");
    set(&mut conn, "lfu-log-factor", "0");
    fill(&mut conn, "often", 500);
    for _ in 0..20 {
        read_all(&mut conn, "often", 500);
    }
    assert_eq!(call(&mut conn, "OBJECT FREQ often:7"), Value::Int(25));
    set(&mut conn, "maxmemory", &LIMIT.to_string());
    fill(&mut conn, "scan", 25_000);
    assert!(figure(&mut conn, "evicted_keys") > 8_000);
    let left = call(&mut conn, "KEYS often:*").items().len();
    assert!(left > 490, "{left} of 500 are left");
}

#[test]
fn changes_alone_count_where_they_are_to() {
    let server = in_memory();
    let mut conn = server.connect();
    set(&mut conn, "maxmemory-policy", "allkeys-lrm");
    fill(&mut conn, "read", 3_000);
    fill(&mut conn, "written", 3_000);
    std::thread::sleep(Duration::from_millis(50));
    read_all(&mut conn, "read", 3_000);
    let used = figure(&mut conn, "used_memory");
    set(&mut conn, "maxmemory", &(used * 6 / 10).to_string());
    await_that("the limit is kept", || {
        figure(&mut conn, "used_memory") <= used * 6 / 10
    });
    let left = call(&mut conn, "KEYS written:*").items().len();
    // By lot it would be 1,800.
    assert!(left > 2_400, "{left} of those that were changed last are left");
}

#[test]
fn only_those_that_die_go_and_what_dies_first_goes_first() {
    let server = in_memory();
    let mut conn = server.connect();
    set(&mut conn, "maxmemory-policy", "volatile-ttl");
    for number in 0..2_000 {
        conn.call(&["SET", &format!("kept:{number}"), "v"]);
        let ttl = if number % 2 == 0 { "1000" } else { "2000" };
        conn.call(&["SET", &format!("ttl{ttl}:{number}"), &"v".repeat(1000), "EX", ttl]);
    }
    let used = figure(&mut conn, "used_memory");
    set(&mut conn, "maxmemory", &(used * 6 / 10).to_string());
    await_that("the limit is kept", || {
        figure(&mut conn, "used_memory") <= used * 6 / 10
    });
    let mut count = |pattern: &str| call(&mut conn, &format!("KEYS {pattern}")).items().len();
    assert_eq!(count("kept:*"), 2_000);
    let (soon, late) = (count("ttl1000:*"), count("ttl2000:*"));
    assert!(soon < 300 && late > 950, "{soon} and {late} are left");
    // When there is nothing else, it is refused.
    set(&mut conn, "maxmemory", "10kb");
    await_that("all that die are gone", || {
        call(&mut conn, "KEYS ttl*").items().is_empty()
    });
    let refused = call(&mut conn, "SET x y");
    assert_eq!(
        refused.text(),
        "OOM command not allowed when used memory > 'maxmemory'."
    );
    assert_eq!(call(&mut conn, "GET kept:1").text(), "v");
    assert_eq!(call(&mut conn, "KEYS kept:*").items().len(), 2_000);
    let current_ms = figure(&mut conn, "current_eviction_exceeded_time");
    assert!(figure(&mut conn, "total_eviction_exceeded_time") >= current_ms);
}

#[test]
fn a_cache_and_a_database_live_in_one_server() {
    let mut server = Server::lokikv(&["checkpoint.interval_s=0", "wal.fsync=no"]);
    let mut conn = server.connect();
    assert_eq!(call(&mut conn, "COLLECTION CREATE ledger"), Value::ok());
    assert_eq!(call(&mut conn, "SELECT ledger"), Value::ok());
    fill(&mut conn, "entry", 3_000);
    set(&mut conn, "maxmemory-policy", "allkeys-lru");
    // What was looked at under the server's policy is not evicted under its own.
    set(&mut conn, "maxmemory", "100kb");
    await_that("some went", || figure(&mut conn, "evicted_keys") > 0);
    assert_eq!(
        call(&mut conn, "COLLECTION CONFIG ledger SET policy noeviction"),
        Value::ok()
    );
    set(&mut conn, "maxmemory", &LIMIT.to_string());
    call(&mut conn, "FLUSHDB");
    fill(&mut conn, "entry", 3_000);
    let before = all(&mut conn, &["ledger"]);
    assert_eq!(before.len(), 3_000);
    assert_eq!(call(&mut conn, "SELECT 0"), Value::ok());
    fill(&mut conn, "cached", 25_000);
    assert!(figure(&mut conn, "evicted_keys") > 8_000);
    assert!(before == all(&mut conn, &["ledger"]));
    server.kill9();
    server.restart();
    let mut conn = server.connect();
    assert!(before == all(&mut conn, &["ledger"]));
    assert_eq!(
        call(&mut conn, "COLLECTION CONFIG ledger GET policy").pairs(),
        [(Value::bulk("policy"), Value::bulk("noeviction"))]
    );
    assert_eq!(call(&mut conn, "CHECKPOINT"), Value::ok());
    server.kill9();
    server.restart();
    let mut conn = server.connect();
    assert!(before == all(&mut conn, &["ledger"]));
    assert_eq!(
        call(&mut conn, "COLLECTION CONFIG ledger GET policy").pairs(),
        [(Value::bulk("policy"), Value::bulk("noeviction"))]
    );
}

#[test]
fn a_collection_has_a_limit_and_a_policy_of_its_own() {
    let server = in_memory();
    let mut conn = server.connect();
    fill(&mut conn, "kept", 2_000);
    assert_eq!(call(&mut conn, "COLLECTION CREATE cache"), Value::ok());
    let config = "COLLECTION CONFIG cache SET policy allkeys-lfu max-bytes 1mb";
    assert_eq!(call(&mut conn, config), Value::ok());
    assert_eq!(call(&mut conn, "SELECT cache"), Value::ok());
    fill(&mut conn, "cached", 15_000);
    await_that("the limit is kept", || {
        call(&mut conn, "COLLECTION INFO cache").field("bytes").unwrap().int() <= Some(1 << 20)
    });
    // One that goes may not be counted yet.
    await_that("those that went and those that are left are all", || {
        let told = call(&mut conn, "COLLECTION INFO cache");
        let of = |name: &str| told.field(name).unwrap().int().unwrap();
        of("evicted") + of("keys") == 15_000 && of("evicted") as u64 == figure(&mut conn, "evicted_keys")
    });
    // How often its keys are used is counted there, and not elsewhere.
    call(&mut conn, "SET fresh v");
    assert_eq!(call(&mut conn, "OBJECT FREQ fresh"), Value::Int(5));
    assert_eq!(call(&mut conn, "SELECT 0"), Value::ok());
    assert!(call(&mut conn, "OBJECT FREQ kept:1").is_error());
    assert_eq!(call(&mut conn, "DBSIZE"), Value::Int(2_000));
    // Without a policy it refuses, as one that has none always did.
    assert_eq!(
        call(&mut conn, "COLLECTION CONFIG cache SET policy server max-bytes 10kb"),
        Value::ok()
    );
    assert_eq!(call(&mut conn, "SELECT cache"), Value::ok());
    let refused = call(&mut conn, "SET more v").text();
    assert!(
        refused.starts_with("OOM collection 'cache' is over its max-bytes: "),
        "{refused}"
    );
}

#[test]
fn transactions_and_scripts_find_room_or_are_refused_as_a_whole() {
    let server = in_memory();
    let mut conn = server.connect();
    fill(&mut conn, "k", 3_000);
    let queue = |conn: &mut Conn| {
        assert_eq!(call(conn, "MULTI"), Value::ok());
        assert_eq!(call(conn, "SET a 1").text(), "QUEUED");
        assert_eq!(call(conn, "SET b 2").text(), "QUEUED");
    };
    let mut other = server.connect();
    queue(&mut conn);
    set(&mut other, "maxmemory", "10kb");
    let refused = call(&mut conn, "EXEC").text();
    assert_eq!(
        refused,
        "EXECABORT Transaction discarded because of: OOM command not allowed when used memory > 'maxmemory'."
    );
    assert!(
        call(&mut conn, "EVAL return{redis.call('set','a','1')} 0")
            .text()
            .starts_with("OOM command not allowed when used memory > 'maxmemory'.")
    );
    assert_eq!(call(&mut conn, "EXISTS a b"), Value::Int(0));
    // One that frees memory is not refused.
    assert_eq!(
        call(&mut conn, "EVAL return{redis.call('del','k:1')} 0").items(),
        [Value::Int(1)]
    );
    set(&mut other, "maxmemory", "0");
    queue(&mut conn);
    set(&mut other, "maxmemory-policy", "allkeys-lru");
    set(&mut other, "maxmemory", "300kb");
    assert_eq!(call(&mut conn, "EXEC").items(), [Value::ok(), Value::ok()]);
    assert_eq!(
        call(&mut conn, "EVAL return{redis.call('set','c','1')} 0").items(),
        [Value::ok()]
    );
    await_that("the rest goes", || figure(&mut conn, "used_memory") <= 300 << 10);
    assert!(figure(&mut conn, "evicted_keys") > 500);
}

#[test]
fn others_are_told_of_what_goes() {
    let server = in_memory();
    let (mut conn, mut watching, mut caching, mut listening) =
        (server.connect(), server.connect(), server.connect3(), server.connect());
    set(&mut conn, "notify-keyspace-events", "Ee");
    set(&mut conn, "maxmemory-policy", "allkeys-random");
    call(&mut conn, "SET lonely v");
    call(&mut watching, "WATCH lonely");
    call(&mut caching, "CLIENT TRACKING ON");
    call(&mut caching, "GET lonely");
    call(&mut listening, "SUBSCRIBE __keyevent@0__:evicted");
    set(&mut conn, "maxmemory", "1");
    let told = listening.recv().unwrap().value;
    assert_eq!(told.items()[2], Value::bulk("lonely"));
    let Value::Push(notice) = caching.recv().unwrap().value else {
        panic!("no notice");
    };
    assert_eq!(notice[1].items(), [Value::bulk("lonely")]);
    assert_eq!(figure(&mut conn, "evicted_keys"), 1);
    set(&mut conn, "maxmemory", "0");
    call(&mut watching, "MULTI");
    call(&mut watching, "PING");
    assert!(call(&mut watching, "EXEC").is_null());
    assert_eq!(call(&mut conn, "EXISTS lonely"), Value::Int(0));
}

#[test]
fn large_values_make_room_for_each_other() {
    let server = in_memory();
    let mut conn = server.connect();
    let limit: u64 = 64 << 20;
    set(&mut conn, "maxmemory", &limit.to_string());
    set(&mut conn, "maxmemory-policy", "allkeys-lru");
    let value = vec![b'v'; 4 << 20];
    let mut highest = 0;
    for number in 0..60 {
        assert_eq!(
            conn.call(&[b"SET", format!("large:{number}").as_bytes(), &value]),
            Value::ok()
        );
        let members: Vec<String> = (0..1000).map(|member| format!("{number}:{member}")).collect();
        let words: Vec<&str> = ["SADD", "members"]
            .into_iter()
            .chain(members.iter().map(String::as_str))
            .collect();
        assert!(!conn.call(&words).is_error());
        highest = highest.max(figure(&mut conn, "used_memory"));
    }
    // A value that arrives is there before it is known what for.
    assert!(highest < most(limit) + value.len() as u64, "{highest}");
    let kept = call(&mut conn, "DBSIZE").int().unwrap();
    // Fewer than 16 where the machine is busy: those that have been let go of count until they are freed.
    assert!((4..=17).contains(&kept), "{kept} are kept");
    assert_eq!(call(&mut conn, "STRLEN large:59"), Value::Int(4 << 20));
}

#[test]
fn many_clients_at_once_keep_to_the_limit() {
    let server = Server::lokikv(&["wal.enabled=false", "checkpoint.interval_s=0", "server.workers=3"]);
    let mut conn = server.connect();
    set(&mut conn, "maxmemory", &LIMIT.to_string());
    set(&mut conn, "maxmemory-policy", "allkeys-lru");
    std::thread::scope(|scope| {
        for writer in 0..4 {
            let mut own = server.connect();
            scope.spawn(move || {
                for round in 0..4 {
                    own.call(&["SELECT", &(writer % 2).to_string()]);
                    fill(&mut own, &format!("w{writer}r{round}"), 2_500);
                }
            });
        }
        for _ in 0..20 {
            keeps_to(&mut conn, LIMIT, "many clients");
            std::thread::sleep(Duration::from_millis(20));
        }
    });
    let (evicted, kept) = evicted_and_kept(&mut conn, &["0", "1"]);
    assert_eq!(evicted + kept, 40_000);
}

#[test]
fn restored_keys_are_as_old_and_as_used_as_is_said() {
    let server = in_memory();
    let mut conn = server.connect();
    call(&mut conn, "SET k v");
    let payload = conn.call(&["DUMP", "k"]);
    let payload = payload.bytes().unwrap().to_vec();
    let restore = |conn: &mut Conn, key: &str, option: &str, value: &str| {
        let words = [
            b"RESTORE",
            key.as_bytes(),
            b"0",
            &payload,
            option.as_bytes(),
            value.as_bytes(),
        ];
        assert_eq!(conn.call(&words), Value::ok());
    };
    set(&mut conn, "maxmemory-policy", "volatile-lru");
    restore(&mut conn, "old", "IDLETIME", "1000");
    assert!((1000..1030).contains(&call(&mut conn, "OBJECT IDLETIME old").int().unwrap()));
    restore(&mut conn, "frequent", "FREQ", "200");
    assert!(call(&mut conn, "OBJECT IDLETIME frequent").int().unwrap() < 30);
    set(&mut conn, "maxmemory-policy", "volatile-lfu");
    restore(&mut conn, "often", "FREQ", "200");
    assert!((199..=200).contains(&call(&mut conn, "OBJECT FREQ often").int().unwrap()));
    restore(&mut conn, "other", "IDLETIME", "1000");
    assert_eq!(call(&mut conn, "OBJECT FREQ other"), Value::Int(5));
}
