//! Files and payloads of Redis 8.2 and Valkey 9.1, which differ in version, magic and types.

use std::fs;

use crate::args;
use crate::fill::fill;
use crate::format::{look, started_with};
use crate::look::{assert_same, dataset};
use crate::place::Place;
use crate::support::{Conn, Server, Value};

const FAR_MS: &str = "4000000000123";

/// What servers since Redis 7.4 and Valkey 9 have beside what [`fill`] does: fields that expire, in small hashes and
/// large ones, and libraries.
pub fn fill_more(conn: &mut Conn) {
    let mut commands = vec![
        args!["HSET", "timed:small", "a", "1", "b", "two", "", "empty"],
        args!["HPEXPIREAT", "timed:small", FAR_MS, "FIELDS", "2", "a", ""],
        args!["HSET", "timed:wide", "a", "w".repeat(200), "b", "2"],
        args!["HPEXPIREAT", "timed:wide", FAR_MS, "FIELDS", "1", "b"],
        args!["HPEXPIREAT", "timed:wide", "4000000999999", "FIELDS", "1", "a"],
        args!["SELECT", "9"],
        args!["SET", "in nine", "9"],
        args!["SELECT", "0"],
        args!["FUNCTION", "LOAD", library("one")],
        args!["FUNCTION", "LOAD", library("two")],
    ];
    let mut many = args!["HSET", "timed:many"];
    for n in 0..700 {
        many.extend(args![format!("f{n}"), format!("value {n}")]);
    }
    commands.push(many);
    for n in (0..700).step_by(3) {
        let at_ms = (4_000_000_000_000_u64 + n).to_string();
        commands.push(args!["HPEXPIREAT", "timed:many", at_ms, "FIELDS", "1", format!("f{n}")]);
    }
    for (command, reply) in commands.iter().zip(conn.pipeline(&commands).expect("fill")) {
        assert!(!reply.is_error(), "{}: {reply}", crate::support::text::join(command));
    }
}

fn library(name: &str) -> String {
    format!("#!lua name={name}\nredis.register_function('{name}_f', function() return '{name}' end)")
}

/// The codes of all libraries.
fn libraries(conn: &mut Conn) -> Vec<String> {
    let listed = conn.call(&["FUNCTION", "LIST", "WITHCODE"]);
    let mut codes: Vec<String> = listed
        .items()
        .iter()
        .map(|library| library.items().last().expect("its code").text())
        .collect();
    codes.sort();
    codes
}

fn saved(server: &Server) -> Vec<u8> {
    assert_eq!(server.connect().call(&["SAVE"]), Value::ok());
    fs::read(server.data_dir().join("dump.rdb")).expect("what was saved")
}

type Start = fn(&[&str]) -> Server;

#[test]
fn files_of_both_families_come_in_and_go_out() {
    for (start, version) in [(Server::redis8 as Start, "12"), (Server::valkey, "valkey")] {
        for settings in [
            &[][..],
            &["--rdbcompression", "no", "--rdbchecksum", "no"],
            &[
                "--hash-max-listpack-entries",
                "0",
                "--zset-max-listpack-entries",
                "0",
                "--set-max-listpack-entries",
                "0",
                "--set-max-intset-entries",
                "0",
            ],
            &["--list-max-listpack-size", "7", "--stream-node-max-entries", "3"],
        ] {
            let peer = start(settings);
            let mut conn = peer.connect();
            fill(&mut conn);
            fill_more(&mut conn);
            let file = saved(&peer);
            let place = Place::new(&file);
            let said = place.import("dump.rdb");
            let (expected, digest) = look(&mut conn);
            assert!(
                said.starts_with(&format!("imported {} keys and 2 libraries", expected.len())),
                "{said}"
            );
            let again = started_with(start(settings), &place.export(version));
            let mut again = again.connect();
            let (found, found_digest) = look(&mut again);
            assert_same(&expected, &found);
            assert_eq!(digest, found_digest);
            assert_eq!(libraries(&mut conn), libraries(&mut again));
        }
    }
}

#[test]
fn every_version_that_is_written_is_loaded_by_all_that_can() {
    let redis = Server::redis(&[]);
    let mut conn = redis.connect();
    fill(&mut conn);
    let saved = saved(&redis);
    let digest = |start: Start, file: &[u8]| {
        let loaded = started_with(start(&[]), file);
        loaded.connect().call(&["DEBUG", "DIGEST"])
    };
    let place = Place::new(&saved);
    place.import("dump.rdb");
    for (version, starts) in [
        ("9", &[Server::redis as Start, Server::redis8, Server::valkey][..]),
        ("10", &[Server::redis, Server::redis8, Server::valkey]),
        ("11", &[Server::redis8, Server::valkey]),
        ("12", &[Server::redis8]),
        ("valkey", &[Server::valkey]),
    ] {
        let file = place.export(version);
        for (which, start) in starts.iter().enumerate() {
            assert_eq!(digest(*start, &saved), digest(*start, &file), "{version} {which}");
        }
        // And by LokiKV.
        let other = Place::new(&file);
        other.import("dump.rdb");
        let back = other.export("10");
        assert_eq!(digest(Server::redis, &saved), digest(Server::redis, &back), "{version}");
    }
}

#[test]
fn what_a_version_does_not_hold_is_an_error() {
    let redis = Server::redis8(&[]);
    let mut conn = redis.connect();
    fill_more(&mut conn);
    for key in conn.call(&["KEYS", "timed:*"]).items() {
        let key = key.bytes().unwrap_or_default();
        if key != b"timed:small" {
            assert_eq!(conn.call(&args!["DEL", key]).int(), Some(1));
        }
    }
    let place = Place::new(&saved(&redis));
    place.import("dump.rdb");
    let export = |version: &'static str, more: &[&'static str]| {
        let mut command = vec![
            "export",
            "--data-dir",
            "data",
            "--force",
            "--rdb-version",
            version,
            "out.rdb",
        ];
        command.extend(more);
        command
    };
    place.fails(
        &export("11", &[]),
        "key \"timed:small\": it is a hash with fields that expire, which RDB version 11 does not hold",
    );
    place.fails(
        &export("9", &[]),
        "there are libraries of functions, which RDB version 9 does not hold",
    );
    place.fails(&export("9", &["--skip-functions"]), "with fields that expire");
    assert_eq!(place.run(&export("14", &[])).0, 2);
    let said = place.run_well(&export("valkey", &[]));
    assert!(said.contains("Valkey's RDB version 80"), "{said}");
    let said = place.run_well(&export("12", &["--skip-functions"]));
    assert!(said.starts_with("exported 2 keys to out.rdb: "), "{said}");
}

/// Moves all keys of the databases that tests use from one server to another, value by value, those but `skipped`.
fn move_all(from: &mut Conn, to: &mut Conn, skipped: &str) {
    for db in ["0", "5", "9"] {
        for conn in [&mut *from, &mut *to] {
            assert_eq!(conn.call(&["SELECT", db]), Value::ok());
        }
        for key in from.call(&["KEYS", "*"]).items() {
            let key = key.bytes().expect("a key").to_vec();
            if !skipped.is_empty() && key.starts_with(skipped.as_bytes()) {
                continue;
            }
            let payload = from.call(&args!["DUMP", key]);
            let expires_at_ms = from.call(&args!["PEXPIRETIME", key]).int().expect("a time").max(0);
            let payload = payload.bytes().unwrap_or_else(|| panic!("{}", key.escape_ascii()));
            let restored = to.call(&args!["RESTORE", key, expires_at_ms.to_string(), payload, "ABSTTL"]);
            assert_eq!(restored, Value::ok(), "{}", key.escape_ascii());
        }
    }
    for conn in [from, to] {
        assert_eq!(conn.call(&["SELECT", "0"]), Value::ok());
    }
}

#[test]
fn payloads_of_both_families_are_restored() {
    // Valkey restores none of Redis 7.4's hashes with fields that expire, and DUMP cannot know where it goes.
    for (start, skipped) in [(Server::redis8 as Start, ""), (Server::valkey, "timed:")] {
        let peer = start(&[]);
        let mut conn = peer.connect();
        fill(&mut conn);
        fill_more(&mut conn);
        let lokikv = Server::lokikv(&[]);
        let mut middle = lokikv.connect();
        move_all(&mut conn, &mut middle, "");
        let times = args!["HPEXPIRETIME", "timed:wide", "FIELDS", "2", "a", "b"];
        assert_eq!(conn.call(&times), middle.call(&times));
        let last = start(&[]);
        let mut end = last.connect();
        move_all(&mut middle, &mut end, skipped);
        let mut expected = dataset(&mut conn);
        expected.retain(|(_, key), _| skipped.is_empty() || !key.starts_with(skipped.as_bytes()));
        assert_same(&expected, &dataset(&mut end));
    }
}
