//! Pipelines that mix requests for one key with whatever needs more than that key.

use crate::blocking::await_blocked;
use crate::in_memory;
use crate::support::{Args, Value};

fn words(line: &str) -> Args {
    line.split(' ').map(|word| word.as_bytes().to_vec()).collect()
}

#[test]
fn a_pipeline_that_holds_a_watched_key_can_be_refused_its_exec() {
    let server = in_memory();
    let mut conn = server.connect();
    let replies = conn
        .pipeline(&["WATCH k", "SET k 1", "GET k", "EXEC now", "GET k"].map(words))
        .expect("replies");
    assert_eq!((&replies[2], &replies[4]), (&Value::bulk("1"), &Value::bulk("1")));
    assert!(replies[3].text().starts_with("EXECABORT"), "{}", replies[3]);
}

#[test]
fn a_pipeline_on_one_key_lets_go_of_it_for_whatever_else_it_asks() {
    let server = in_memory();
    let mut waiting = server.connect();
    waiting.send(&["BLPOP", "queue", "0"]).expect("send");
    await_blocked(&server, 1);
    let script = [
        "SET k 1",
        "INCR k",
        "RENAME k k2",
        "INCR k2",
        "MSET k 5 k2 6",
        "INCR k",
        "KEYS k*",
        "INCR k",
        "DBSIZE",
        "MULTI",
        "INCR k",
        "INCR k2",
        "EXEC",
        "INCR k",
        "SELECT 1",
        "INCR k",
        "FLUSHDB",
        "SELECT 0",
        "RPUSH queue a b",
        "LLEN queue",
        "BLPOP queue 1",
        "COPY k k3",
        "INCR k",
        "FLUSHALL",
        "INCR k",
    ];
    let mut conn = server.connect();
    let replies = conn.pipeline(&script.map(words)).expect("replies");
    let at = |line: usize| replies[line].int();
    assert_eq!((at(1), at(3), at(5), at(7)), (Some(2), Some(3), Some(6), Some(7)));
    assert_eq!(replies[12].items(), [Value::Int(8), Value::Int(7)]);
    assert_eq!((at(13), at(15), at(19)), (Some(9), Some(1), Some(1)));
    assert_eq!(replies[20].items()[1], Value::bulk("b"));
    assert_eq!((at(22), at(24)), (Some(10), Some(1)));
    let served = waiting.recv().expect("an element").value;
    assert_eq!(served.items()[1], Value::bulk("a"));
}
