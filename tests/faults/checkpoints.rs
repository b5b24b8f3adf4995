//! `kill -9` at every named point of checkpoints, compaction, retention, trimming, pins and `PERSIST`: afterwards the
//! server starts, all that was acknowledged is there, and every checkpoint listed reads back.

use lokikv::storage::fault_point::CHECKPOINTS;

use crate::support::{Conn, Server, Value};
use crate::{PASSINGS, verify_checkpoints};

fn fill(conn: &mut Conn, round: usize) {
    for key in 0..300 {
        let reply = conn.call(&["SET", &format!("key:{key}"), &format!("round {round}")]);
        assert_eq!(reply, Value::ok());
    }
}

/// Work that passes every point; ends early when the server dies. Returns whether it died.
fn work(conn: &mut Conn, acknowledged: &mut usize) -> bool {
    for round in 1..5 {
        for key in 0..300 {
            match conn.try_call(&["SET", &format!("key:{key}"), &format!("round {round}")]) {
                Ok(reply) => assert_eq!(reply, Value::ok()),
                Err(_) => return true,
            }
        }
        *acknowledged = round;
        let acts: [&[&str]; 5] = [
            &["CHECKPOINT"],
            &["CHECKPOINT", "PIN", "LATEST"],
            &["CHECKPOINT", "UNPIN", "LATEST"],
            &["COLLECTION", "PERSIST", "default"],
            &["CHECKPOINT", "LIST"],
        ];
        for act in acts {
            match conn.try_call(act) {
                Ok(reply) => assert!(!reply.is_error(), "{act:?}: {reply}"),
                Err(_) => return true,
            }
        }
    }
    false
}

fn check(server: &mut Server, what: &str, acknowledged: usize) {
    let mut conn = server.connect();
    for key in 0..300 {
        let value = conn.call(&["GET", &format!("key:{key}")]).text();
        let round: usize = value.strip_prefix("round ").expect(what).parse().expect(what);
        // The round that was cut short may be there in part.
        assert!(
            round == acknowledged || round == acknowledged + 1,
            "{what}: {value}, {acknowledged} was acknowledged"
        );
    }
    verify_checkpoints(&mut conn, what);
    let reply = conn.call(&["LOAD_HMAP", "default", "AS", "loaded"]);
    assert!(
        !reply.is_error() || reply.text().contains("nothing is persisted"),
        "{what}: {reply}"
    );
    for act in [&["CHECKPOINT"][..], &["COLLECTION", "PERSIST", "default"]] {
        let reply = conn.call(act);
        assert!(!reply.is_error(), "{what}: {act:?}: {reply}");
    }
}

#[test]
fn a_kill_at_any_point_loses_nothing() {
    for name in CHECKPOINTS {
        let mut struck = 0;
        for nth in 1..=PASSINGS {
            let what = format!("{name}:{nth}");
            let mut server = Server::lokikv(&[
                "wal.fsync=always",
                "wal.segment_bytes=65536",
                "checkpoint.keep_count=1",
                "checkpoint.interval_s=0",
            ]);
            let mut acknowledged = 0;
            fill(&mut server.connect(), 0);
            server.kill9();
            server.set_env("LOKIKV_FAULT", Some(&what));
            server.restart();
            let died = work(&mut server.connect(), &mut acknowledged);
            server.kill9();
            server.set_env("LOKIKV_FAULT", None);
            server.restart();
            check(&mut server, &what, acknowledged);
            struck += u64::from(died);
            if !died {
                break;
            }
        }
        assert!(struck > 0, "{name} was never passed");
        println!("{name}: struck {struck} times");
    }
}
