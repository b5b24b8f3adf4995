//! Ordered collections end to end: made, filled, asked, persisted, restarted, loaded into other kinds; transactions.

use crate::support::{Conn, Server, Value};

fn words(line: &str) -> Vec<&str> {
    line.split(' ').collect()
}

fn text(value: &Value) -> String {
    value.int().map_or_else(|| value.text(), |number| number.to_string())
}

/// What a command given as words answers, as one line: the texts of an array, or the text itself.
fn say(conn: &mut Conn, line: &str) -> String {
    let value = conn.call(&words(line));
    let items: Vec<String> = value.items().iter().map(text).collect();
    if items.is_empty() {
        text(&value)
    } else {
        items.join(" ")
    }
}

fn check(conn: &mut Conn, transcript: &[(&str, &str)]) {
    for (line, expected) in transcript {
        assert_eq!(say(conn, line), *expected, "{line}");
    }
}

#[test]
fn a_collection_goes_from_kind_to_kind_through_its_files() {
    let mut server = Server::lokikv(&["wal.fsync=always"]);
    let mut conn = server.connect();
    check(
        &mut conn,
        &[
            ("/c_bcust orders", "OK"),
            ("/selectcol orders", "OK"),
            ("SET 1003 later", "OK"),
            ("SET 1001 42", "OK"),
            ("SET 1002 word", "OK"),
            ("SET 2001 other", "OK"),
            ("KRANGE - + PREFIX 1", "1001 1002 1003"),
            ("KRANGE [1001 (2001 REV LIMIT 0 2 WITHVALUES", "1003 later 1002 word"),
            ("KRANK 2001", "3"),
            ("KEYS *", "1001 1002 1003 2001"),
            ("PERSIST orders", "1"),
            ("DEL 1001", "1"),
        ],
    );
    drop(conn);
    assert!(server.terminate().success());
    server.restart();
    let mut conn = server.connect();
    check(
        &mut conn,
        &[
            ("SELECT orders", "OK"),
            ("KRANGE - +", "1002 1003 2001"),
            ("LOAD_HMAP orders AS hashed", "OK"),
            ("LOAD_BDEF orders AS sorted", "OK"),
            ("SELECT hashed", "OK"),
            ("GET 1001", "42"),
            ("DBSIZE", "4"),
            (
                "KRANGE - +",
                "ERR KRANGE needs an ordered collection (bdef or bcust), 'hashed' is an hmap",
            ),
            ("SELECT sorted", "OK"),
            ("KRANGE - + WITHVALUES", "1001 42 1002 word 1003 later 2001 other"),
            ("KDELRANGE - + PREFIX 1 LIMIT 2", "2"),
        ],
    );
    drop(conn);
    // Everything is in the log and, after a checkpoint, in pages.
    for _ in 0..2 {
        server.kill9();
        server.restart();
        let mut conn = server.connect();
        check(
            &mut conn,
            &[
                ("SELECT sorted", "OK"),
                ("KRANGE - +", "1003 2001"),
                ("SELECT hashed", "OK"),
                ("DBSIZE", "4"),
                ("SELECT orders", "OK"),
                ("KNTH -1", "2001"),
                ("CHECKPOINT", "OK"),
            ],
        );
    }
}

#[test]
fn range_commands_work_in_transactions() {
    let server = Server::lokikv(&["wal.enabled=false", "checkpoint.interval_s=0"]);
    let mut conn = server.connect();
    check(
        &mut conn,
        &[
            ("COLLECTION CREATE c KIND bdef", "OK"),
            ("SELECT c", "OK"),
            ("MSET a 1 b 2 c 3", "OK"),
            ("WATCH b", "OK"),
            ("MULTI", "OK"),
            ("KCOUNT - +", "QUEUED"),
            ("KDELRANGE b c", "QUEUED"),
            ("SET d 4", "QUEUED"),
            ("KRANK d", "QUEUED"),
            ("EXEC", "3 2 OK 1"),
            ("KLAST", "d"),
            ("WATCH d", "OK"),
        ],
    );
    // A range that is deleted takes watched keys with it.
    let mut other = server.connect();
    check(&mut other, &[("SELECT c", "OK"), ("KDELRANGE - +", "2")]);
    check(&mut conn, &[("MULTI", "OK"), ("PING", "QUEUED")]);
    assert!(conn.call(&["EXEC"]).is_null());
}

#[test]
fn kinds_that_are_not_are_named() {
    let server = Server::lokikv(&["wal.enabled=false", "checkpoint.interval_s=0"]);
    check(
        &mut server.connect(),
        &[
            (
                "COLLECTION CREATE c KIND tree",
                "ERR unknown collection kind 'tree', known are hmap, bdef, bcust",
            ),
            ("/c_bcol b", "OK"),
            ("COLLECTION CREATE t KIND BCUST", "OK"),
        ],
    );
}
