//! `DUMP` and `RESTORE`, from redis-server to LokiKV and back, for every type and encoding.

use crate::args;
use crate::fill::fill;
use crate::look::{assert_same, dataset};
use crate::support::{Conn, Server, Value};

/// Moves all keys of the databases that tests use from one server to another, value by value.
fn move_all(from: &mut Conn, to: &mut Conn) {
    for db in ["0", "5"] {
        for conn in [&mut *from, &mut *to] {
            assert_eq!(conn.call(&["SELECT", db]), Value::ok());
        }
        for key in from.call(&["KEYS", "*"]).items() {
            let key = key.bytes().expect("a key").to_vec();
            let payload = from.call(&args!["DUMP", key]);
            let expires_at_ms = from.call(&args!["PEXPIRETIME", key]).int().expect("a time").max(0);
            let payload = payload
                .bytes()
                .unwrap_or_else(|| panic!("{}: {payload}", key.escape_ascii()));
            let restored = to.call(&args!["RESTORE", key, expires_at_ms.to_string(), payload, "ABSTTL"]);
            assert_eq!(restored, Value::ok(), "{}", key.escape_ascii());
        }
    }
    for conn in [from, to] {
        assert_eq!(conn.call(&["SELECT", "0"]), Value::ok());
    }
}

#[test]
fn values_go_to_lokikv_and_come_back_as_they_were() {
    for settings in [
        &[][..],
        &["--rdbcompression", "no"],
        &["--list-max-listpack-size", "7", "--stream-node-max-entries", "3"],
    ] {
        let redis = Server::redis(settings);
        let mut conn = redis.connect();
        if settings.is_empty() {
            assert_eq!(conn.call(&["DEBUG", "QUICKLIST-PACKED-THRESHOLD", "300b"]), Value::ok());
        }
        fill(&mut conn);
        crate::fill::drop_streams(&mut conn);
        let lokikv = Server::lokikv(&["server.enable_debug_command=yes"]);
        let mut middle = lokikv.connect();
        move_all(&mut conn, &mut middle);
        for reload in [&["DEBUG", "RELOAD", "NOSAVE"][..], &["DEBUG", "RELOAD"]] {
            assert_eq!(middle.call(reload), Value::ok());
        }
        let last = Server::redis(settings);
        let mut end = last.connect();
        move_all(&mut middle, &mut end);
        assert_same(&dataset(&mut conn), &dataset(&mut end));
        let digest = args!["DEBUG", "DIGEST"];
        assert_eq!(conn.call(&digest), end.call(&digest));
    }
}
