//! `EXEC ROLLBACK`: all or nothing, and of what was taken back nobody learns anything.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};

use crate::audience::{Audience, queue, say, told, words};
use crate::in_memory;
use crate::support::conn::encode;
use crate::support::{Conn, Rng, Server, Value, seed};

const WRONGTYPE: &str = "WRONGTYPE Operation against a key holding the wrong kind of value";

/// Runs a transaction that is rolled back if it fails.
fn exec(conn: &mut Conn, lines: &[&str]) -> Value {
    queue(conn, lines);
    conn.call(&["EXEC", "ROLLBACK"])
}

#[test]
fn the_command_that_failed_is_named_and_nothing_is_left() {
    let server = in_memory();
    let mut conn = server.connect();
    say(&mut conn, "SET s text");
    for (lines, error) in [
        (
            &["SET a 1", "LPUSH s x", "SET b 2"][..],
            format!("command 2 of 3 failed: {WRONGTYPE}"),
        ),
        (
            &["INCR a", "INCR s"],
            "command 2 of 2 failed: ERR value is not an integer or out of range".to_owned(),
        ),
        // Alone.
        (
            &[
                "SET a 1",
                "SELECT 1",
                "SET a 2",
                "DBSIZE",
                "COPY a a DB 2",
                "INCR s",
                "LPUSH a x",
            ],
            format!("command 7 of 7 failed: {WRONGTYPE}"),
        ),
        (
            &["RENAME s a", "PERSIST a", "RENAME s b"],
            "command 3 of 3 failed: ERR no such key".to_owned(),
        ),
    ] {
        let answer = exec(&mut conn, lines);
        assert_eq!(
            answer.text(),
            format!("EXECABORT Transaction rolled back: {error}"),
            "{lines:?}"
        );
        assert_eq!(say(&mut conn, "KEYS *").items(), [Value::bulk("s")], "{lines:?}");
        assert_eq!(say(&mut conn, "GET s").text(), "text");
        for database in ["1", "2"] {
            let mut other = server.connect();
            other.call(&["SELECT", database]);
            assert_eq!(say(&mut other, "DBSIZE"), Value::Int(0), "{lines:?}");
        }
    }
    let before = say(&mut conn, "INFO lokikv").figure("changes");
    exec(&mut conn, &["SET a 1", "DEL s", "LPUSH a x"]);
    assert_eq!(say(&mut conn, "INFO lokikv").figure("changes"), before);
}

#[test]
fn without_an_error_it_is_exec() {
    let server = in_memory();
    let mut conn = server.connect();
    let answer = exec(&mut conn, &["SET a 1", "INCR a", "LPUSH l x y", "PUBLISH c m"]);
    assert_eq!(
        answer.items(),
        [Value::ok(), Value::Int(2), Value::Int(2), Value::Int(0)]
    );
    let answer = exec(&mut conn, &["SELECT 1", "SET a 1", "CLIENT SETNAME me"]);
    let refused = "EXECABORT Transaction discarded because of: command 3 of 3 cannot be rolled back: 'client|setname'";
    assert_eq!(answer.text(), refused);
    let answer = exec(&mut conn, &["SELECT 1", "SET a 7", "PING"]);
    assert_eq!(answer.items().len(), 3);
    assert_eq!(say(&mut conn, "GET a").text(), "7", "SELECT stays");
    for line in ["CONFIG SET maxclients 100", "SUBSCRIBE c", "CLIENT SETNAME me"] {
        let answer = exec(&mut conn, &[line]).text();
        assert!(
            answer.contains("command 1 of 1 cannot be rolled back"),
            "{line}: {answer}"
        );
    }
    queue(&mut conn, &["SET a 8"]);
    let answer = say(&mut conn, "EXEC now").text();
    let arity = "EXECABORT Transaction discarded because of: wrong number of arguments for 'exec' command";
    assert_eq!(answer, arity);
    assert_eq!(say(&mut conn, "EXEC ROLLBACK").text(), "ERR EXEC without MULTI");
    assert_eq!(say(&mut conn, "GET a").text(), "7");
    // What a plain EXEC did it goes on to do.
    queue(&mut conn, &["SET a 9", "LPUSH a x"]);
    assert_eq!(say(&mut conn, "EXEC").items().len(), 2);
    assert_eq!(say(&mut conn, "GET a").text(), "9");
}

#[test]
fn a_watched_key_that_changed_is_told_as_before() {
    let server = in_memory();
    let (mut conn, mut other) = (server.connect(), server.connect());
    say(&mut conn, "WATCH k");
    say(&mut other, "SET k v");
    assert!(exec(&mut conn, &["SET k w"]).is_null());
    assert_eq!(say(&mut conn, "GET k").text(), "v");
}

const FAILS: &[&[&str]] = &[
    &[
        "SET k v",
        "SET new v",
        "RPUSH list a",
        "GET k",
        "PUBLISH c m",
        "GET none",
        "DEL k",
        "LPUSH new x",
    ],
    &[
        "SET k v",
        "SELECT 0",
        "RPUSH list a",
        "PUBLISH c m",
        "COPY k new",
        "DBSIZE",
        "RPUSH new x",
    ],
    &[
        "SET k v",
        "RPUSH list a",
        "FLUSHALL",
        "RPUSH list b",
        "SWAPDB 0 1",
        "SET new 1",
        "COLLECTION CREATE more",
        "LPUSH new x",
    ],
];

#[test]
fn nobody_learns_of_what_was_taken_back() {
    let server = in_memory();
    let mut conn = server.connect();
    let mut audience = Audience::of(&server);
    for lines in FAILS {
        let answer = exec(&mut conn, lines).text();
        assert!(answer.starts_with("EXECABORT Transaction rolled back"), "{answer}");
        let [events, stale, broadcast, shown] = audience.told();
        assert_eq!((events, stale, broadcast), (vec![], vec![], vec![]), "{lines:?}");
        assert_eq!(shown, [r#""MULTI""#, r#""EXEC" "ROLLBACK""#]);
        assert_eq!(say(&mut conn, "LLEN list"), Value::Int(0));
        audience.told();
    }
    // It is still blocked, and nothing was changed for who watches.
    say(&mut conn, "RPUSH list b");
    let popped = audience.blocked.recv().expect("a reply").value;
    assert_eq!(popped.items(), [Value::bulk("list"), Value::bulk("b")]);
    assert_eq!(say(&mut conn, "GET k").text(), "old");
    say(&mut audience.watcher, "UNWATCH");
    let mut audience = Audience::of(&server);
    exec(&mut conn, FAILS[0]);
    assert!(!audience.has_watched_change());
}

/// What all are told of a transaction that stays.
fn told_of(lines: &[&str], exec: &[&str]) -> ([Vec<String>; 4], bool) {
    let server = in_memory();
    let mut conn = server.connect();
    let mut audience = Audience::of(&server);
    queue(&mut conn, lines);
    let answer = conn.call(exec);
    assert_eq!(answer.items()[3], Value::Int(1), "one has subscribed");
    let popped = audience.blocked.recv().expect("a reply").value;
    assert_eq!(popped.items(), [Value::bulk("list"), Value::bulk("a")]);
    let mut told = audience.told();
    told.last_mut().and_then(Vec::pop);
    (told, audience.has_watched_change())
}

#[test]
fn all_learn_of_what_stays_as_of_a_plain_exec() {
    let lines = [
        "SET k v",
        "SET new v",
        "RPUSH list a",
        "PUBLISH c m",
        "DEL none",
        "ECHO x",
    ];
    // ECHO is no command on keys: the transaction runs alone.
    for lines in [&lines[..5], &lines] {
        let (told, has_changed) = told_of(lines, &["EXEC", "ROLLBACK"]);
        assert!(has_changed);
        assert_eq!((told.clone(), true), told_of(lines, &["EXEC"]));
        let [events, mut stale, broadcast, shown] = told;
        assert!(events.contains(&"pmessage * __keyevent@0__:rpush list".to_owned()));
        assert!(events.contains(&"pmessage * c m".to_owned()));
        stale.sort();
        assert_eq!(stale, ["invalidate k", "invalidate list", "invalidate new"]);
        assert!(!broadcast.is_empty());
        assert_eq!(shown.len(), 1 + lines.len(), "{shown:?}");
    }
}

#[test]
fn a_flush_that_stays_is_told_as_by_a_plain_exec() {
    for lines in [
        &["FLUSHDB", "SET new v", "RPUSH list a", "PUBLISH c m", "SET k v"][..],
        &["DEL k", "SWAPDB 0 1", "RPUSH list a", "PUBLISH c m"],
    ] {
        let (told, has_changed) = told_of(lines, &["EXEC", "ROLLBACK"]);
        assert!(has_changed);
        assert_eq!((told, true), told_of(lines, &["EXEC"]), "{lines:?}");
    }
}

#[test]
fn the_log_shows_a_record_without_changes() {
    let mut server = Server::lokikv(&["checkpoint.interval_s=0"]);
    let mut conn = server.connect();
    say(&mut conn, "SET k v");
    let from = conn.wal_info("last-lsn");
    assert!(exec(&mut conn, &["SET k w", "SET long 1", "LPUSH k x"]).is_error());
    exec(&mut conn, &["SET k x", "SET b y"]);
    assert_eq!(conn.wal_info("last-lsn"), from + 2);
    let read = say(&mut conn, &format!("WAL READ {} COUNT 10", from + 1));
    let shown = format!("{read:?}");
    assert!(
        shown.contains(&(from + 1).to_string()) && !shown.contains("long"),
        "{shown}"
    );
    for _ in 0..2 {
        server.kill9();
        server.restart();
        conn = server.connect();
        assert_eq!(
            say(&mut conn, "MGET k b long").items(),
            [Value::bulk("x"), Value::bulk("y"), Value::Null]
        );
        assert_eq!(say(&mut conn, "CHECKPOINT").text(), "OK");
    }
}

const ACCOUNTS: usize = 20;
const CLIENTS: usize = 4;
const ROUNDS: usize = 400;

/// Moves an amount from one account to another, notes it in a list and a stream, and then fails, or not.
fn transfer(conn: &mut Conn, random: &mut Rng, number: usize) -> bool {
    let [from, to] = [0, 1].map(|_| random.below(ACCOUNTS));
    let amount = 1 + random.below(9);
    let fails = random.one_in(2);
    let mut lines = vec![
        "MULTI".to_owned(),
        format!("INCRBY account:{from} -{amount}"),
        format!("HINCRBY sums all {amount}"),
        format!("ZADD last {number} {from}"),
        format!("RPUSH jobs {number}"),
        "PUBLISH news moved".to_owned(),
        format!("SETRANGE long {} x", random.below(300_000)),
    ];
    match random.below(4) {
        0 => lines.push("PING".to_owned()),
        1 => lines.push("DEL gone".to_owned()),
        _ => {}
    }
    if fails {
        lines.push("INCR sums".to_owned());
    }
    lines.push(format!("INCRBY account:{to} {amount}"));
    lines.push("EXEC ROLLBACK".to_owned());
    let commands: Vec<_> = lines.iter().map(|line| words(line)).collect();
    let replies = conn.pipeline(&commands).expect("replies");
    let answer = replies.last().expect("that of EXEC");
    assert_eq!(answer.is_error(), fails, "{answer:?}");
    !fails
}

/// Reads all accounts at once: nothing is ever missing.
fn audit(conn: &mut Conn) {
    let mut request = Vec::new();
    let keys = (0..ACCOUNTS).map(|n| format!("account:{n}"));
    let words: Vec<String> = ["MGET".to_owned()].into_iter().chain(keys).collect();
    encode(&words, &mut request);
    conn.send_raw(&request).expect("send");
    let values = conn.recv().expect("a reply").value.items();
    let sum: i64 = values.iter().map(|value| value.text().parse().unwrap_or(0)).sum();
    assert_eq!(sum, 0, "{values:?}");
}

#[test]
fn many_at_once_lose_nothing_and_tell_nothing_twice() {
    let mut server = Server::lokikv(&["server.workers=3", "checkpoint.interval_s=0"]);
    let done = AtomicBool::new(false);
    let (stayed, popped) = (AtomicU64::new(0), AtomicU64::new(0));
    let first = seed();
    let mut listener = server.connect();
    say(&mut listener, "SUBSCRIBE news");
    std::thread::scope(|scope| {
        let movers: Vec<_> = (0..CLIENTS)
            .map(|client| {
                let (server, stayed) = (&server, &stayed);
                scope.spawn(move || {
                    let (mut conn, mut random) = (server.connect(), Rng::new(first + client as u64));
                    for number in 0..ROUNDS {
                        stayed.fetch_add(u64::from(transfer(&mut conn, &mut random, number)), SeqCst);
                    }
                })
            })
            .collect();
        for _ in 0..2 {
            let (server, done, popped) = (&server, &done, &popped);
            scope.spawn(move || {
                let mut conn = server.connect();
                while !done.load(SeqCst) {
                    let answer = say(&mut conn, "BLPOP jobs 0.05");
                    popped.fetch_add(u64::from(!answer.is_null()), SeqCst);
                }
            });
        }
        scope.spawn(|| {
            let mut conn = server.connect();
            while !done.load(SeqCst) {
                audit(&mut conn);
                say(&mut conn, "CHECKPOINT");
            }
        });
        let results: Vec<_> = movers.into_iter().map(|mover| mover.join()).collect();
        done.store(true, SeqCst);
        assert!(results.iter().all(Result::is_ok));
    });
    let mut conn = server.connect();
    let left = say(&mut conn, "LLEN jobs").int().expect("a number") as u64;
    assert_eq!(popped.load(SeqCst) + left, stayed.load(SeqCst));
    let heard = told(&mut listener).len() as u64;
    assert_eq!(heard, stayed.load(SeqCst), "messages");
    let sums = say(&mut conn, "HGETALL sums");
    server.kill9();
    server.restart();
    let mut conn = server.connect();
    audit(&mut conn);
    assert_eq!(say(&mut conn, "HGETALL sums"), sums);
}
