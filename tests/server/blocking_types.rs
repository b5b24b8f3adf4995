//! What becomes of a blocked command when its keys change, what order the blocked are served in, and what they see of
//! transactions. Each outcome is that of redis-server 8.2.

use crate::blocking::await_blocked;
use crate::support::{Server, Value};
use crate::{call, in_memory};

/// Blocked commands, in order; what another client does then; what comes of each of the blocked.
type Case = (
    &'static [&'static str],
    &'static [&'static str],
    &'static [&'static str],
);

const WAITS: &str = "waits";
const WRONG_TYPE: &str = "(error) WRONGTYPE Operation against a key holding the wrong kind of value";
const NO_GROUP: &str = "(error) NOGROUP No such key 's' or consumer group 'g' in XREADGROUP with GROUP option";

fn shown(value: &Value) -> String {
    match value {
        Value::Array(items) => format!("[{}]", items.iter().map(shown).collect::<Vec<_>>().join(" ")),
        Value::Bulk(_) => value.text(),
        other => other.to_string(),
    }
}

fn outcomes(server: &Server, (blocked, acts, expected): Case) {
    let mut other = server.connect();
    call(&mut other, "FLUSHALL");
    call(&mut other, "XGROUP CREATE s g $ MKSTREAM");
    let mut conns = Vec::new();
    for (at, line) in blocked.iter().enumerate() {
        let mut conn = server.connect();
        let id = call(&mut conn, "CLIENT ID").int().expect("a number");
        conn.send(&line.split(' ').collect::<Vec<_>>()).expect("send");
        await_blocked(server, at + 1);
        conns.push((conn, id));
    }
    for act in acts {
        let reply = match act.strip_prefix("UNBLOCK ") {
            Some(at) => call(
                &mut other,
                &format!("CLIENT UNBLOCK {}", conns[at.parse::<usize>().expect("a number")].1),
            ),
            None => call(&mut other, act),
        };
        assert!(!reply.is_error(), "{act}: {reply}");
    }
    for ((conn, _), expected) in conns
        .iter_mut()
        .zip(expected)
        .filter(|(_, expected)| **expected != WAITS)
    {
        let reply = conn.recv().expect("a reply").value;
        assert_eq!(shown(&reply), *expected, "{blocked:?}, {acts:?}");
    }
    let waiting = expected.iter().filter(|expected| **expected == WAITS).count();
    await_blocked(server, waiting);
    drop(conns);
    await_blocked(server, 0);
}

fn run(cases: &[Case]) {
    let server = in_memory();
    cases.iter().for_each(|case| outcomes(&server, *case));
}

#[test]
fn another_type_at_the_key_is_nothing_to_who_waits() {
    run(&[
        (&["BLPOP k 0"], &["SET k x", "DEL k", "RPUSH k a"], &["[k a]"]),
        (&["BRPOP k 0"], &["SADD k x", "SREM k x", "RPUSH k a b"], &["[k b]"]),
        (&["BLMOVE k t LEFT LEFT 0"], &["SET k x", "DEL k", "RPUSH k a"], &["a"]),
        (&["BRPOPLPUSH k t 0"], &["SET k x", "DEL k", "RPUSH k a"], &["a"]),
        (&["BLMPOP 0 1 k LEFT"], &["SET k x", "DEL k", "RPUSH k a"], &["[k [a]]"]),
        (
            &["BZPOPMIN k 0", "BZPOPMAX k 0", "BZMPOP 0 1 k MIN"],
            &["SET k x", "DEL k", "ZADD k 1 a 2 b 3 c"],
            &["[k a 1]", "[k c 3]", "[k [[b 2]]]"],
        ),
        (
            &["XREAD BLOCK 0 STREAMS k $"],
            &["SET k x", "DEL k", "XADD k 1-1 f v"],
            &["[[k [[1-1 [f v]]]]]"],
        ),
        (
            &["BLPOP k 0"],
            &["SET o x", "RENAME o k", "RPUSH p 1", "RENAME p k"],
            &["[k 1]"],
        ),
        (&["BZPOPMIN k 0", "BLPOP k 0"], &["RPUSH k a"], &[WAITS, "[k a]"]),
        (
            &["BZPOPMIN k 0", "BLPOP k 0", "XREAD BLOCK 0 STREAMS k $"],
            &["RPUSH k 1", "ZADD k 1 a", "XADD k 1-1 f v"],
            &["[k a 1]", "[k 1]", "[[k [[1-1 [f v]]]]]"],
        ),
        (
            &["BLPOP k 0"],
            &["MULTI", "RPUSH k 1", "DEL k", "SET k x", "EXEC"],
            &[WAITS],
        ),
    ]);
}

/// Once one of the keys has what is waited for, the command runs again from its first key on.
#[test]
fn another_type_before_the_key_that_serves_is_told() {
    run(&[
        (&["BLPOP k1 k2 0"], &["SET k1 x", "RPUSH k2 a"], &[WRONG_TYPE]),
        (&["BLPOP k1 k2 0"], &["SET k2 x", "RPUSH k1 a"], &["[k1 a]"]),
        (&["BLMPOP 0 2 k1 k2 LEFT"], &["SET k1 x", "RPUSH k2 a"], &[WRONG_TYPE]),
        (&["BZPOPMIN k1 k2 0"], &["SET k1 x", "ZADD k2 1 a"], &[WRONG_TYPE]),
        (
            &["BLMOVE k t LEFT LEFT 0", "BLPOP k 0"],
            &["SET t x", "RPUSH k a"],
            &[WRONG_TYPE, "[k a]"],
        ),
        (
            &["XREAD BLOCK 0 STREAMS k1 k2 $ $"],
            &["SET k1 x", "XADD k2 1-1 f v"],
            &[WRONG_TYPE],
        ),
    ]);
}

#[test]
fn who_reads_for_a_group_is_told_of_its_end() {
    const READ: &[&str] = &["XREADGROUP GROUP g c BLOCK 0 STREAMS s >"];
    run(&[
        (READ, &["SET s x"], &[WRONG_TYPE]),
        (READ, &["RPUSH o x", "RENAME o s"], &[WRONG_TYPE]),
        (READ, &["RPUSH o x", "COPY o s REPLACE"], &[WRONG_TYPE]),
        (READ, &["DEL s"], &[NO_GROUP]),
        (READ, &["RENAME s t"], &[NO_GROUP]),
        (READ, &["FLUSHALL"], &[NO_GROUP]),
        (READ, &["SWAPDB 0 1"], &[NO_GROUP]),
        (READ, &["XGROUP DESTROY s g"], &[NO_GROUP]),
        (READ, &["MULTI", "DEL s", "SET s x", "EXEC"], &[WRONG_TYPE]),
    ]);
}

#[test]
fn whatever_brings_the_key_serves() {
    run(&[
        (&["BLPOP k 0"], &["RPUSH o 1 2", "RENAME o k"], &["[k 1]"]),
        (&["BLPOP k 0"], &["RPUSH o 1 2", "COPY o k"], &["[k 1]"]),
        (&["BLPOP k 0"], &["RPUSH o 3 1 2", "SORT o STORE k"], &["[k 1]"]),
        (&["BLPOP k 0"], &["RPUSH o 1", "LMOVE o k LEFT LEFT"], &["[k 1]"]),
        (&["BZPOPMIN k 0"], &["ZADD o 1 a", "ZUNIONSTORE k 1 o"], &["[k a 1]"]),
        (&["BZPOPMIN k 0"], &["GEOADD k 13 38 a"], &["[k a 3479065152021743]"]),
        (&["BLPOP k 0"], &["SELECT 1", "RPUSH k 1", "MOVE k 0"], &["[k 1]"]),
        (&["BLPOP k 0"], &["SELECT 1", "RPUSH k 1 2", "SWAPDB 0 1"], &["[k 1]"]),
        (
            &["BZPOPMIN k 0"],
            &["SELECT 1", "ZADD k 1 a", "SWAPDB 1 0"],
            &["[k a 1]"],
        ),
        (
            &["XREAD BLOCK 0 STREAMS k $"],
            &["SELECT 1", "XADD k 1-1 f v", "SWAPDB 1 0"],
            &["[[k [[1-1 [f v]]]]]"],
        ),
        (
            &["BLPOP k 0", "XREAD BLOCK 0 STREAMS t $"],
            &["FLUSHALL", "RPUSH k 1", "FLUSHDB", "XADD t 1-1 f v"],
            &["[k 1]", "[[t [[1-1 [f v]]]]]"],
        ),
        (&["BLPOP k k 0"], &["RPUSH k 1 2"], &["[k 1]"]),
    ]);
}

#[test]
fn a_transaction_is_seen_as_a_whole() {
    run(&[
        (&["BLPOP k 0"], &["MULTI", "RPUSH k 1", "DEL k", "EXEC"], &[WAITS]),
        (
            &["BLPOP k 0"],
            &["MULTI", "RPUSH k 1 2", "LPUSH k 0", "EXEC"],
            &["[k 0]"],
        ),
        (
            &["BLPOP k 0"],
            &["MULTI", "RPUSH k 1", "BLPOP k 0", "EXEC", "RPUSH k 2"],
            &["[k 2]"],
        ),
        (
            &["BLPOP b a 0", "BLPOP a b 0"],
            &["MULTI", "RPUSH a a1", "RPUSH b b1", "EXEC"],
            &["[b b1]", "[a a1]"],
        ),
    ]);
}

#[test]
fn who_came_first_is_served_first() {
    run(&[
        (
            &["BLPOP k 0", "BRPOP k 0", "BLPOP k 0"],
            &["RPUSH k 1 2"],
            &["[k 1]", "[k 2]", WAITS],
        ),
        (
            &[
                "BLMOVE k t LEFT RIGHT 0",
                "BLPOP k 0",
                "BLMPOP 0 1 k LEFT COUNT 9",
                "BLPOP k 0",
            ],
            &["RPUSH k 1 2 3 4"],
            &["1", "[k 2]", "[k [3 4]]", WAITS],
        ),
        (
            &["BZPOPMIN k 0", "BZPOPMAX k 0", "BZPOPMIN k 0"],
            &["ZADD k 1 a 2 b"],
            &["[k a 1]", "[k b 2]", WAITS],
        ),
        (
            &[
                "XREADGROUP GROUP g one COUNT 1 BLOCK 0 STREAMS s >",
                "XREADGROUP GROUP g two COUNT 1 BLOCK 0 STREAMS s >",
                "XREADGROUP GROUP g three BLOCK 0 STREAMS s >",
                "XREAD BLOCK 0 STREAMS s $",
            ],
            &["XADD s 1-1 f v", "XADD s 1-2 f v"],
            &[
                "[[s [[1-1 [f v]]]]]",
                "[[s [[1-2 [f v]]]]]",
                WAITS,
                "[[s [[1-1 [f v]]]]]",
            ],
        ),
        (
            &["BLMOVE a b LEFT LEFT 0", "BLMOVE b c LEFT LEFT 0", "BLPOP c 0"],
            &["RPUSH a 1"],
            &["1", "1", "[c 1]"],
        ),
        (
            &["BLMOVE a b LEFT LEFT 0", "BLPOP a 0"],
            &["RPUSH a 1 2"],
            &["1", "[a 2]"],
        ),
        (
            &["BLPOP k 0", "BLPOP k 0"],
            &["UNBLOCK 0", "RPUSH k 1"],
            &["(nil array)", "[k 1]"],
        ),
    ]);
}
