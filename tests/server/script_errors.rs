//! Scripts that raise an error: what they have done stays, as in Redis, or is taken back where that is asked for.

use crate::audience::{Audience, queue, say};
use crate::in_memory;
use crate::support::{Conn, Server, Value};

/// Writes to all that the tests look at.
const WRITES: &str = "redis.call('set', KEYS[1], 'new') redis.call('rpush', KEYS[2], 'x') redis.call('del', KEYS[3]) ";
/// The same, and to keys that nobody has declared, in another database, too.
const STRAYS: &str = "redis.call('set', 'k', 'new') redis.call('rpush', 'list', 'x') redis.call('del', 'gone') \
                      redis.call('select', 1) redis.call('set', 'k', 'in1') redis.call('flushall') \
                      redis.call('select', 0) redis.call('set', 'k', 'new') ";
const RAISES: &str = "error('no more')";

fn eval(conn: &mut Conn, script: &str) -> Value {
    conn.call(&["EVAL", script, "3", "k", "list", "gone"])
}

fn flagged(body: &str) -> String {
    format!("#!lua flags=rollback\n{body}")
}

/// Puts there what the scripts change.
fn set_up(conn: &mut Conn) {
    for line in ["FLUSHALL", "SET k old", "SET gone here"] {
        assert_eq!(say(conn, line), Value::ok());
    }
}

/// Whether all is as `set_up` has left it.
fn is_untouched(conn: &mut Conn) -> bool {
    let left = say(conn, "MGET k gone").items();
    let keys = say(conn, "DBSIZE");
    say(conn, "SELECT 1");
    let others = say(conn, "DBSIZE");
    say(conn, "SELECT 0");
    left == ["old", "here"].map(Value::bulk) && (keys, others) == (Value::Int(2), Value::Int(0))
}

/// How many calls of EVAL have failed, and how many errors that begin with ERR there were.
fn failures(conn: &mut Conn) -> (u64, u64) {
    let text = conn.call(&["INFO", "everything"]).text();
    let line = |name: &str| {
        text.lines()
            .find_map(|line| line.strip_prefix(name))
            .unwrap_or_default()
    };
    let figure = |line: &str, name: &str| {
        let parts = line.split([',', ':']);
        let value = parts
            .filter_map(|part| part.strip_prefix(name)?.strip_prefix('='))
            .next();
        value.map_or(0, |value| value.parse().expect("a number"))
    };
    (
        figure(line("cmdstat_eval:"), "failed_calls"),
        figure(line("errorstat_ERR:"), "count"),
    )
}

#[test]
fn the_flag_takes_back_what_a_script_did_that_raises() {
    let server = in_memory();
    let mut conn = server.connect();
    for body in [WRITES, STRAYS] {
        set_up(&mut conn);
        let before = failures(&mut conn);
        let answer = eval(&mut conn, &flagged(&format!("{body} {RAISES}"))).text();
        assert!(answer.starts_with("ERR user_script:2: no more script: "), "{answer}");
        assert!(is_untouched(&mut conn), "{body}");
        let after = failures(&mut conn);
        assert_eq!((after.0, after.1), (before.0 + 1, before.1 + 1), "{body}");
        // What a command has raised is the script's error as well, and is counted once.
        let answer = eval(&mut conn, &flagged(&format!("{body} redis.call('lpush', 'k', 1)"))).text();
        assert!(answer.starts_with("WRONGTYPE "), "{answer}");
        assert!(is_untouched(&mut conn), "{body}");
        assert_eq!(failures(&mut conn), (after.0 + 1, after.1), "{body}");
        // Without the flag it stays.
        assert!(eval(&mut conn, &format!("{body} {RAISES}")).is_error());
        assert_eq!(say(&mut conn, "GET k").text(), "new");
        set_up(&mut conn);
        assert!(eval(&mut conn, &format!("#!lua flags=allow-oom\n{body} {RAISES}")).is_error());
        assert_eq!(say(&mut conn, "GET k").text(), "new");
    }
}

#[test]
fn what_is_no_raised_error_stays() {
    let server = in_memory();
    let mut conn = server.connect();
    for (end, is_error) in [
        ("return redis.error_reply('no more')", true),
        ("return redis.pcall('lpush', 'k', 1)", true),
        ("return {err = 'no more'}", true),
        ("pcall(error, 'caught') return 1", false),
        ("redis.pcall('lpush', 'k', 1) return 1", false),
    ] {
        set_up(&mut conn);
        let answer = eval(&mut conn, &flagged(&format!("{WRITES} {end}")));
        assert_eq!(answer.is_error(), is_error, "{end}: {answer:?}");
        assert_eq!(say(&mut conn, "GET k").text(), "new", "{end}");
    }
}

#[test]
fn the_setting_does_it_for_all_scripts() {
    let server = in_memory();
    let mut conn = server.connect();
    let raises = [format!("{WRITES} {RAISES}"), format!("#!lua\n{STRAYS} {RAISES}")];
    assert_eq!(
        conn.call(&["CONFIG", "GET", "scripts.on_error"]).items()[1].text(),
        "keep"
    );
    for (policy, is_kept) in [("rollback", false), ("keep", true)] {
        assert_eq!(conn.call(&["CONFIG", "SET", "scripts.on_error", policy]), Value::ok());
        for script in &raises {
            set_up(&mut conn);
            assert!(eval(&mut conn, script).is_error());
            assert_eq!(is_untouched(&mut conn), !is_kept, "{policy}: {script}");
        }
    }
    assert!(conn.call(&["CONFIG", "SET", "scripts.on_error", "undo"]).is_error());
}

/// Whatever is asked for; but a script may catch it, and go on.
#[test]
fn a_script_that_finds_no_memory_is_taken_back() {
    let server = in_memory();
    let mut conn = server.connect();
    for body in [WRITES, STRAYS] {
        set_up(&mut conn);
        let answer = eval(&mut conn, &format!("{body} return string.rep('x', 2e9)")).text();
        assert!(
            answer.starts_with("ERR Error running script ") && answer.ends_with(", not enough memory"),
            "{answer}"
        );
        assert!(is_untouched(&mut conn), "{body}");
        let caught = format!("{body} return tostring(pcall(string.rep, 'x', 2e9))");
        assert_eq!(eval(&mut conn, &caught), Value::bulk("false"));
        assert_eq!(say(&mut conn, "GET k").text(), "new");
    }
}

#[test]
fn in_a_transaction_it_is_the_script_alone_that_is_taken_back() {
    let server = in_memory();
    let mut conn = server.connect();
    for body in [WRITES, STRAYS] {
        set_up(&mut conn);
        let script = flagged(&format!("{body} {RAISES}"));
        assert_eq!(say(&mut conn, "MULTI"), Value::ok());
        say(&mut conn, "RPUSH list first");
        eval(&mut conn, &script);
        say(&mut conn, "RPUSH list last");
        let answer = say(&mut conn, "EXEC").items();
        assert!(answer[1].is_error());
        assert_eq!([&answer[0], &answer[2]], [&Value::Int(1), &Value::Int(2)], "{body}");
        assert_eq!(
            say(&mut conn, "LRANGE list 0 -1").items(),
            ["first", "last"].map(Value::bulk)
        );
        assert_eq!(say(&mut conn, "MGET k gone").items(), ["old", "here"].map(Value::bulk));
    }
}

#[test]
fn a_script_that_answers_an_error_rolls_its_transaction_back() {
    let server = in_memory();
    let mut conn = server.connect();
    for body in [WRITES, STRAYS] {
        for (script, error) in [
            (format!("{body} {RAISES}"), "ERR user_script:1: no more script: "),
            (
                flagged(&format!("{body} {RAISES}")),
                "ERR user_script:2: no more script: ",
            ),
            (format!("{body} return redis.error_reply('OWN words')"), "OWN words"),
            (
                format!("{body} return redis.call('incr', 'k')"),
                "ERR value is not an integer",
            ),
            (
                format!("{body} return string.rep('x', 2e9)"),
                "ERR Error running script ",
            ),
        ] {
            set_up(&mut conn);
            let before = failures(&mut conn).0;
            assert_eq!(say(&mut conn, "MULTI"), Value::ok());
            say(&mut conn, "RPUSH list first");
            eval(&mut conn, &script);
            say(&mut conn, "RPUSH list last");
            let answer = say(&mut conn, "EXEC ROLLBACK").text();
            let expected = format!("EXECABORT Transaction rolled back: command 2 of 3 failed: {error}");
            assert!(answer.starts_with(&expected), "{answer}");
            assert!(is_untouched(&mut conn), "{script}");
            assert_eq!(failures(&mut conn).0, before + 1, "{script}");
        }
    }
}

#[test]
fn a_script_that_succeeds_goes_back_with_its_transaction() {
    let server = in_memory();
    let mut conn = server.connect();
    for body in [WRITES, STRAYS] {
        for script in [format!("{body} return 7"), flagged(&format!("{body} return 7"))] {
            set_up(&mut conn);
            say(&mut conn, "MULTI");
            eval(&mut conn, &script);
            say(&mut conn, "INCR k");
            assert!(say(&mut conn, "EXEC ROLLBACK").is_error());
            assert!(is_untouched(&mut conn), "{script}");
            say(&mut conn, "MULTI");
            eval(&mut conn, &script);
            assert_eq!(say(&mut conn, "EXEC ROLLBACK").items(), [Value::Int(7)]);
            assert_eq!(say(&mut conn, "GET k").text(), "new");
        }
    }
    queue(&mut conn, &["SCRIPT LOAD 'return 1'"]);
    let answer = say(&mut conn, "EXEC ROLLBACK").text();
    assert!(
        answer.ends_with("command 1 of 1 cannot be rolled back: 'script|load'"),
        "{answer}"
    );
}

#[test]
fn time_stands_still_in_a_transaction_that_may_be_rolled_back() {
    let server = in_memory();
    let mut conn = server.connect();
    let mut lines = vec!["TIME"];
    lines.extend(std::iter::repeat_n("INCR n", 2_000));
    lines.push("TIME");
    for exec in ["EXEC", "EXEC ROLLBACK"] {
        queue(&mut conn, &lines);
        let answer = say(&mut conn, exec).items();
        assert_eq!(answer.first(), answer.last(), "{exec}");
    }
}

#[test]
fn nobody_learns_of_a_script_that_was_taken_back() {
    let server = in_memory();
    let mut conn = server.connect();
    let mut audience = Audience::of(&server);
    let declared = "redis.call('set', KEYS[1], 'v') redis.call('rpush', KEYS[2], 'a') redis.call('get', KEYS[1]) \
                    redis.call('publish', 'c', 'm') redis.call('del', KEYS[1]) ";
    for body in [
        declared,
        &format!("{declared} redis.call('rpush', 'new', 1) redis.call('dbsize')"),
    ] {
        for in_transaction in [false, true] {
            let script = flagged(&format!("{body} {RAISES}"));
            let mut request = vec!["EVAL", &script, "2", "k", "list"];
            if in_transaction {
                say(&mut conn, "MULTI");
                conn.call(&request);
                let answer = say(&mut conn, "EXEC").items();
                assert!(answer[0].is_error());
            } else {
                assert!(conn.call(&request).is_error());
            }
            request.clear();
            let [events, stale, broadcast, _] = audience.told();
            assert_eq!((events, stale, broadcast), (vec![], vec![], vec![]), "{body}");
            assert_eq!(say(&mut conn, "LLEN list"), Value::Int(0));
            audience.told();
        }
    }
    say(&mut conn, "RPUSH list b");
    let popped = audience.blocked.recv().expect("a reply").value;
    assert_eq!(popped.items(), [Value::bulk("list"), Value::bulk("b")]);
    let mut audience = Audience::of(&server);
    assert!(
        conn.call(&["EVAL", &flagged(&format!("{declared} {RAISES}")), "2", "k", "list"])
            .is_error()
    );
    assert!(!audience.has_watched_change());
}

#[test]
fn the_log_has_nothing_of_it() {
    let mut server = Server::lokikv(&["checkpoint.interval_s=0"]);
    let mut conn = server.connect();
    set_up(&mut conn);
    for script in [
        flagged(&format!("{WRITES} {RAISES}")),
        flagged(&format!("{STRAYS} {RAISES}")),
    ] {
        assert!(eval(&mut conn, &script).is_error());
        let from = conn.wal_info("last-lsn");
        let read = format!("{:?}", say(&mut conn, &format!("WAL READ {from} COUNT 10")));
        assert!(!read.contains("list"), "{read}");
    }
    for _ in 0..2 {
        server.kill9();
        server.restart();
        conn = server.connect();
        assert!(is_untouched(&mut conn));
        assert_eq!(say(&mut conn, "CHECKPOINT").text(), "OK");
    }
}

/// It is kept until then, and that has a limit.
#[test]
fn what_a_script_publishes_may_not_be_too_much() {
    let server = in_memory();
    let (mut conn, mut subscriber) = (server.connect(), server.connect());
    subscriber.call(&["SUBSCRIBE", "c"]);
    let payload = "x".repeat(1 << 20);
    let publishes = flagged("for _ = 1, 1000 do redis.call('publish', 'c', ARGV[1]) end");
    let refused = conn.call(&["EVAL", &publishes, "0", &payload]);
    assert!(
        refused.text().starts_with("ERR More than 64mb of messages"),
        "{refused}"
    );
    for _ in 0..3 {
        assert_eq!(say(&mut conn, "MULTI"), Value::ok());
        let calls = "for _ = 1, 30 do redis.call('publish', 'c', ARGV[1]) end";
        (0..3).for_each(|_| drop(conn.call(&["EVAL", calls, "0", &payload])));
        let refused = say(&mut conn, "EXEC ROLLBACK");
        assert!(refused.text().contains("More than 64mb of messages"), "{refused}");
    }
    assert_eq!(say(&mut conn, "PUBLISH c small"), Value::Int(1));
    let message = subscriber.recv().expect("a message").value;
    assert_eq!(message.items()[2], Value::bulk("small"));
}
