//! Long strings that change in parts: what was written is there after a kill, from the log alone or from a checkpoint.

use crate::args;
use crate::support::rng::Rng;
use crate::support::{Args, Conn, Server, Value, seed};

const SETTINGS: &[&str] = &[
    "wal.fsync=no",
    "checkpoint.interval_s=0",
    "checkpoint.on_shutdown=false",
];
const MB: usize = 1 << 20;

fn change(model: &mut Vec<u8>, rng: &mut Rng) -> Args {
    match rng.below(3) {
        0 => {
            let tail = rng.bytes(1000);
            model.extend_from_slice(&tail);
            args!["APPEND", "k", tail]
        }
        1 => {
            let bit = rng.below(model.len() * 8);
            model[bit / 8] |= 0x80 >> (bit % 8);
            args!["SETBIT", "k", bit.to_string(), "1"]
        }
        _ => {
            let (at, part) = (rng.below(model.len()), rng.bytes(70_000));
            model.resize(model.len().max(at + part.len()), 0);
            model[at..at + part.len()].copy_from_slice(&part);
            args!["SETRANGE", "k", at.to_string(), part]
        }
    }
}

fn change_much(conn: &mut Conn, model: &mut Vec<u8>, rng: &mut Rng) {
    let changes: Vec<Args> = (0..100).map(|_| change(model, rng)).collect();
    let replies = conn.pipeline(&changes).expect("replies");
    assert!(replies.iter().all(|reply| !reply.is_error()));
    check(conn, "k", model);
}

fn check(conn: &mut Conn, key: &str, model: &[u8]) {
    assert_eq!(conn.call(&["STRLEN", key]), Value::Int(model.len() as i64));
    assert!(conn.call(&["GET", key]).bytes() == Some(model), "{key} differs");
    let ones: u32 = model.iter().map(|byte| byte.count_ones()).sum();
    assert_eq!(conn.call(&["BITCOUNT", key]), Value::Int(ones.into()));
    let middle = conn.call(&["GETRANGE", key, "100000", "300000"]);
    assert!(middle.bytes() == Some(&model[100_000..=300_000]));
}

#[test]
fn long_strings_that_change_in_parts_come_back() {
    let mut rng = Rng::new(seed());
    let mut server = Server::lokikv(SETTINGS);
    let mut conn = server.connect();
    let mut model = rng.bytes(3 * MB);
    conn.call(&args!["SET", "k", model.clone()]);
    conn.call(&["SETRANGE", "far", "200000000", "x"]);
    change_much(&mut conn, &mut model, &mut rng);
    conn.call(&["COPY", "k", "copy"]);
    let copy = model.clone();
    change_much(&mut conn, &mut model, &mut rng);
    for checkpoint in [false, true, false] {
        if checkpoint {
            assert_eq!(conn.call(&["SAVE"]), Value::ok());
            change_much(&mut conn, &mut model, &mut rng);
        }
        server.kill9();
        server.restart();
        conn = server.connect();
        check(&mut conn, "k", &model);
        check(&mut conn, "copy", &copy);
        assert_eq!(conn.call(&["STRLEN", "far"]), Value::Int(200_000_001));
        assert_eq!(conn.call(&["BITPOS", "far", "1"]), Value::Int(1_600_000_001));
        change_much(&mut conn, &mut model, &mut rng);
    }
}
