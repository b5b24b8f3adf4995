//! CLIENT UNBLOCK and what it says, while others serve.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use crate::in_memory;
use crate::support::Value;

#[test]
fn who_is_being_served_is_not_unblocked() {
    const ROUNDS: usize = 3_000;
    let server = in_memory();
    let mut waiting = server.connect();
    let id = waiting.call(&["CLIENT", "ID"]).int().expect("a number").to_string();
    let (is_over, unblocked) = (AtomicBool::new(false), AtomicU64::new(0));
    let (mut served, mut ended) = (0, 0);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut conn = server.connect();
            while !is_over.load(Ordering::Relaxed) {
                conn.call(&["RPUSH", "list", "v"]);
            }
        });
        scope.spawn(|| {
            let mut conn = server.connect();
            while !is_over.load(Ordering::Relaxed) {
                let count = conn.call(&["CLIENT", "UNBLOCK", &id, "ERROR"]).int().expect("a number");
                unblocked.fetch_add(count as u64, Ordering::Relaxed);
            }
        });
        for _ in 0..ROUNDS {
            match waiting.call(&["BLPOP", "list", "0"]) {
                Value::Error(_) => ended += 1,
                _ => served += 1,
            }
            // It has to wait now and then.
            if served % 2 == 0 {
                waiting.call(&["DEL", "list"]);
            }
        }
        is_over.store(true, Ordering::Relaxed);
    });
    assert_eq!(unblocked.load(Ordering::Relaxed), ended, "{served} were served");
}
