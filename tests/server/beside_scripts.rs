//! What came in the same turn of a worker as a script that becomes busy: it is looked after in the middle of that turn, and
//! again behind it.

use std::time::{Duration, Instant};

use crate::support::conn::encode;
use crate::support::{Conn, Server, Value};

const ENDLESS: &[&str] = &["EVAL", "while true do end", "0"];

fn with_one_worker() -> Server {
    Server::lokikv(&[
        "wal.enabled=false",
        "checkpoint.interval_s=0",
        "server.workers=1",
        "scripts.busy_reply_threshold_ms=50",
    ])
}

/// Keeps the worker busy for some time: what is sent meanwhile comes to one turn, if it is sent in time.
fn keep_busy(conn: &mut Conn) {
    conn.call(&["SETRANGE", "bits", "40000000", "x"]);
    let mut batch = Vec::new();
    (0..50).for_each(|_| encode(&["BITCOUNT", "bits"], &mut batch));
    conn.send_raw(&batch).expect("send");
}

fn kill_the_script(conn: &mut Conn) {
    let begun = Instant::now();
    while conn.call(&["SCRIPT", "KILL"]) != Value::ok() {
        assert!(begun.elapsed() < Duration::from_secs(20), "no script is ended");
    }
}

/// Its client leaves before it is known that it waits: it is forgotten behind the script, not in its middle.
#[test]
fn a_blocked_client_that_leaves() {
    let server = with_one_worker();
    let (mut busy, mut beside) = (server.connect(), server.connect());
    for round in 0..5 {
        let (mut waits, mut runs) = (server.connect(), server.connect());
        keep_busy(&mut busy);
        waits.send(&["BLPOP", "nothing", "0"]).expect("send");
        drop(waits);
        runs.send(ENDLESS).expect("send");
        kill_the_script(&mut beside);
        assert!(runs.recv().expect("an error").value.text().contains("killed by user"));
        (0..50).for_each(|_| drop(busy.recv().expect("a count")));
        let begun = Instant::now();
        while beside.call(&["INFO", "clients"]).text().contains("blocked_clients:1") {
            assert!(
                begun.elapsed() < Duration::from_secs(20),
                "round {round}: it still waits"
            );
        }
    }
}

/// The same where CLIENT UNBLOCK ends its waiting, and where its time does.
#[test]
fn a_blocked_client_whose_answer_is_there() {
    let server = with_one_worker();
    let (mut busy, mut beside) = (server.connect(), server.connect());
    for time in ["0.001", "0.1"] {
        let (mut waits, mut runs) = (server.connect(), server.connect());
        keep_busy(&mut busy);
        waits.send(&["BLPOP", "nothing", time]).expect("send");
        runs.send(ENDLESS).expect("send");
        std::thread::sleep(Duration::from_millis(500));
        kill_the_script(&mut beside);
        let answer = waits.recv().expect("an answer").value;
        // The requests of one turn may come in either order.
        let is_well = answer == Value::NullArray || answer.text().starts_with("BUSY ");
        assert!(is_well, "{answer:?}");
        assert!(runs.recv().expect("an error").value.text().contains("killed by user"));
        (0..50).for_each(|_| drop(busy.recv().expect("a count")));
    }
}

/// What was found out of requests before their turn is of no use once some of them have been answered in its middle.
#[test]
fn a_transaction_that_is_answered_in_part() {
    let server = with_one_worker();
    let (mut busy, mut beside) = (server.connect(), server.connect());
    for round in 0..5 {
        let (mut runs, mut queues) = (server.connect(), server.connect());
        keep_busy(&mut busy);
        runs.send(ENDLESS).expect("send");
        let mut batch = Vec::new();
        for line in [&["MULTI"][..], &["SET", "key", "1"], &["EXEC"], &["SET", "other", "2"]] {
            encode(line, &mut batch);
        }
        queues.send_raw(&batch).expect("send");
        std::thread::sleep(Duration::from_millis(300));
        kill_the_script(&mut beside);
        let replies: Vec<Value> = (0..4).map(|_| queues.recv().expect("a reply").value).collect();
        let is_over = match &replies[2] {
            Value::Array(ran) => *ran == [Value::ok()],
            other => other.text().starts_with("EXECABORT "),
        };
        // A batch that comes while the script is known to be busy is refused whole.
        let is_set = replies[3] == Value::ok();
        let is_well = replies[0] == Value::ok() && is_over && (is_set || replies[3].text().starts_with("BUSY "));
        assert!(is_well, "round {round}: {replies:?}");
        let other = queues.call(&["GETDEL", "other"]);
        assert_eq!(other == Value::bulk("2"), is_set, "round {round}: {other:?}");
        assert!(runs.recv().expect("an error").value.text().contains("killed by user"));
        (0..50).for_each(|_| drop(busy.recv().expect("a count")));
    }
}
