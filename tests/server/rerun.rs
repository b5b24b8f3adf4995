//! A request that was blocked and is served before its turn is over: what comes behind it runs once.

use std::sync::atomic::{AtomicBool, Ordering};

use crate::args;
use crate::support::{Server, Value};

/// Served by a client of another worker, while the turn's records are written, which takes long for the large value.
#[test]
fn what_comes_behind_a_blocked_request_runs_once() {
    const ROUNDS: i64 = 400;
    let server = Server::lokikv(&["server.workers=2", "wal.fsync=no", "checkpoint.interval_s=0"]);
    let mut waiting = server.connect();
    let is_over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut serving = server.connect();
            while !is_over.load(Ordering::Relaxed) {
                serving.call(&["RPUSH", "list", "v"]);
            }
        });
        let large = vec![b'x'; 1 << 20];
        let mut failure = None;
        for round in 1..=ROUNDS {
            let batch = [
                args!["SET", "large", large.clone()],
                args!["DEL", "list"],
                args!["BLPOP", "list", "0"],
                args!["INCR", "rounds"],
                args!["ECHO", round.to_string()],
            ];
            let replies = waiting.pipeline(&batch).expect("five replies");
            let end = (&replies[3], &replies[4]);
            if end != (&Value::Int(round), &Value::bulk(round.to_string())) {
                failure = Some(format!("round {round}: {replies:?}"));
                break;
            }
        }
        is_over.store(true, Ordering::Relaxed);
        assert_eq!(failure, None);
    });
    assert_eq!(waiting.call(&["GET", "rounds"]), Value::bulk(ROUNDS.to_string()));
}
