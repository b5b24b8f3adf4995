//! COMMANDLOG, and the filters of CLIENT LIST and KILL that Redis does not have: as in Valkey 9.1.

use crate::support::{Conn, Server, Value};
use crate::{call, in_memory};

/// Value and arguments of a log's entries, newest first.
fn entries(conn: &mut Conn, kind: &str) -> Vec<(i64, String)> {
    let entries = conn.call(&["COMMANDLOG", "GET", "-1", kind]).items();
    let entry = |entry: &Value| {
        let fields = entry.clone().items();
        assert_eq!(fields.len(), 6, "{entry}");
        let args: Vec<String> = fields[3].clone().items().iter().map(Value::text).collect();
        (fields[2].int().expect("a number"), args.join(" "))
    };
    entries.iter().map(entry).collect()
}

fn sizes(server: &Server, threshold: &str) -> Conn {
    let mut conn = server.connect();
    let line =
        format!("CONFIG SET commandlog-request-larger-than {threshold} commandlog-reply-larger-than {threshold}");
    assert_eq!(call(&mut conn, &line), Value::ok());
    for kind in ["large-request", "large-reply"] {
        assert_eq!(conn.call(&["COMMANDLOG", "RESET", kind]), Value::ok());
    }
    conn
}

#[test]
fn requests_and_replies_are_measured_as_they_are_sent() {
    let server = in_memory();
    let mut conn = sizes(&server, "0");
    call(&mut conn, "SET abc 12345678901234567890");
    call(&mut conn, "GET abc");
    call(&mut conn, "PING");
    let seen = entries(&mut conn, "large-request");
    // What stands before them is the end of the preparation.
    assert_eq!(
        seen[..3],
        [
            (14, "PING".to_owned()),
            (22, "GET abc".to_owned()),
            (49, "SET abc 12345678901234567890".to_owned())
        ]
    );
    let seen = entries(&mut conn, "large-reply");
    assert_eq!(seen[1], (7, "PING".to_owned()), "behind COMMANDLOG GET");
    assert_eq!(seen[2], (27, "GET abc".to_owned()));
    assert_eq!(seen[3], (5, "SET abc 12345678901234567890".to_owned()));
}

#[test]
fn only_what_is_large_is_kept_in_pipelines_and_transactions() {
    let server = in_memory();
    for threshold in [100, 10_000, 300_000] {
        let mut conn = sizes(&server, &threshold.to_string());
        let (little, wide) = ("x".repeat(threshold / 4), "y".repeat(threshold + 7));
        conn.call(&["SET", "little", &little]);
        conn.call(&["SET", "wide", &wide]);
        for _ in 0..3 {
            let gets: Vec<Vec<Vec<u8>>> = ["little", "wide", "little"]
                .map(|key| vec![b"GET".to_vec(), key.as_bytes().to_vec()])
                .to_vec();
            conn.pipeline(&gets).expect("replies");
            let mut transaction = vec![vec![b"MULTI".to_vec()]];
            transaction.extend(gets);
            transaction.push(vec![b"EXEC".to_vec()]);
            conn.pipeline(&transaction).expect("replies");
        }
        let requests = entries(&mut conn, "large-request");
        assert_eq!(requests.len(), 1, "{threshold}: {requests:?}");
        assert!(requests[0].0 > threshold as i64 && requests[0].1.starts_with("SET wide yyyy"));
        let replies = entries(&mut conn, "large-reply");
        let of_get: Vec<_> = replies.iter().filter(|(_, args)| args == "GET wide").collect();
        assert_eq!(of_get.len(), 6, "{threshold}: {replies:?}");
        assert!(
            of_get.iter().all(|(bytes, _)| *bytes > threshold as i64),
            "{threshold}: {of_get:?}"
        );
        assert!(replies.iter().all(|(_, args)| args != "GET little"));
    }
}

#[test]
fn the_slow_log_is_one_of_them() {
    let server = in_memory();
    let mut conn = server.connect();
    assert_eq!(
        call(&mut conn, "CONFIG SET commandlog-execution-slower-than 0"),
        Value::ok()
    );
    assert_eq!(
        call(&mut conn, "CONFIG SET commandlog-slow-execution-max-len 3"),
        Value::ok()
    );
    let shown = |conn: &mut Conn, name: &str| conn.call(&["CONFIG", "GET", name]).items()[1].text();
    assert_eq!(shown(&mut conn, "slowlog-log-slower-than"), "0");
    assert_eq!(shown(&mut conn, "slowlog-max-len"), "3");
    (0..5).for_each(|_| drop(call(&mut conn, "PING")));
    assert_eq!(call(&mut conn, "SLOWLOG LEN"), Value::Int(3));
    assert_eq!(call(&mut conn, "COMMANDLOG LEN slow"), Value::Int(3));
    assert_eq!(call(&mut conn, "COMMANDLOG GET 1 SLOW").items().len(), 1);
    assert_eq!(call(&mut conn, "CONFIG SET slowlog-log-slower-than -1"), Value::ok());
    assert_eq!(call(&mut conn, "COMMANDLOG RESET slow"), Value::ok());
    assert_eq!(call(&mut conn, "SLOWLOG LEN"), Value::Int(0));
}

#[test]
fn wrong_arguments_of_the_logs() {
    let server = in_memory();
    let mut conn = server.connect();
    let no_kind = "ERR type should be one of the following: slow, large-request, large-reply";
    let no_count = "ERR count should be greater than or equal to -1";
    for (line, error) in [
        ("COMMANDLOG", "ERR wrong number of arguments for 'commandlog' command"),
        (
            "COMMANDLOG GET",
            "ERR wrong number of arguments for 'commandlog|get' command",
        ),
        (
            "COMMANDLOG GET 10",
            "ERR wrong number of arguments for 'commandlog|get' command",
        ),
        ("COMMANDLOG GET 10 foo", no_kind),
        ("COMMANDLOG GET x slow", no_count),
        ("COMMANDLOG GET -2 slow", no_count),
        ("COMMANDLOG LEN x", no_kind),
        ("COMMANDLOG RESET x", no_kind),
        (
            "COMMANDLOG RESET",
            "ERR wrong number of arguments for 'commandlog|reset' command",
        ),
    ] {
        assert_eq!(call(&mut conn, line).text(), error, "{line}");
    }
    let help = call(&mut conn, "COMMANDLOG HELP").items();
    assert!(help.iter().any(|line| line.text().starts_with("GET count")));
}

#[test]
fn no_log_shows_a_password() {
    let server = in_memory();
    let mut conn = sizes(&server, "0");
    for line in ["AUTH hush", "CONFIG SET requirepass hush", "HELLO 2 AUTH default hush"] {
        call(&mut conn, line);
    }
    for kind in ["large-request", "large-reply"] {
        let seen = entries(&mut conn, kind);
        assert!(
            seen.len() >= 3 && seen.iter().all(|(_, args)| !args.contains("hush")),
            "{seen:?}"
        );
    }
}

/// The names of the clients that a list shows, sorted: several workers give them their numbers.
fn names(conn: &mut Conn, filters: &str) -> Vec<String> {
    let mut names = names_in_order(conn, filters);
    names.sort();
    names
}

fn names_in_order(conn: &mut Conn, filters: &str) -> Vec<String> {
    let text = call(conn, format!("CLIENT LIST {filters}").trim_end()).text();
    let of_line = |line: &str| {
        let name = line.split(' ').find_map(|field| field.strip_prefix("name="));
        name.unwrap_or_else(|| panic!("{filters}: {line}")).to_owned()
    };
    text.lines().map(of_line).collect()
}

/// Three clients: `one`, `two` (another library, another database), `three` (a subscriber).
fn three(server: &Server) -> [Conn; 3] {
    let mut conns = [server.connect(), server.connect(), server.connect()];
    for (conn, name) in conns.iter_mut().zip(["one", "two", "three"]) {
        conn.call(&["CLIENT", "SETNAME", name]);
    }
    call(&mut conns[0], "COLLECTION CREATE orders");
    for line in [
        "CLIENT SETINFO LIB-NAME lib",
        "CLIENT SETINFO LIB-VER 2",
        "SELECT orders",
        "CLIENT CAPA redirect other",
    ] {
        assert_eq!(call(&mut conns[1], line), Value::ok(), "{line}");
    }
    call(&mut conns[2], "SUBSCRIBE c");
    conns
}

#[test]
fn filters_of_the_list() {
    let server = in_memory();
    let mut conns = three(&server);
    let ids: Vec<String> = (0..2)
        .map(|at| call(&mut conns[at], "CLIENT ID").int().unwrap().to_string())
        .collect();
    let conn = &mut conns[0];
    let all = ["one", "three", "two"];
    for (filters, wanted) in [
        ("", &all[..]),
        ("NAME two", &["two"]),
        ("NOT-NAME two", &["one", "three"]),
        ("LIB-NAME lib LIB-VER 2", &["two"]),
        ("LIB-NAME lib LIB-VER 3", &[]),
        ("NOT-LIB-NAME lib", &["one", "three"]),
        ("NOT-LIB-VER 2", &["one", "three"]),
        ("TYPE pubsub", &["three"]),
        ("NOT-TYPE pubsub", &["one", "two"]),
        ("TYPE primary", &[]),
        ("TYPE pubsub TYPE normal", &["one", "two"]),
        ("FLAGS P", &["three"]),
        ("NOT-FLAGS P", &["one", "two"]),
        ("FLAGS PN", &[]),
        ("DB 0", &["one", "three"]),
        ("DB orders", &["two"]),
        ("NOT-DB orders", &["one", "three"]),
        ("CAPA r", &["two"]),
        ("NOT-CAPA r", &["one", "three"]),
        ("IP 127.0.0.1", &all),
        ("NOT-IP 127.0.0.1", &[]),
        ("IP ::1", &[]),
        ("USER default", &all),
        ("NOT-USER default", &[]),
        ("SKIPME yes", &["three", "two"]),
        ("SKIPME no", &all),
        ("MAXAGE 1000", &[]),
        ("IDLE 1000", &[]),
        ("ADDR 1.2.3.4:5", &[]),
        ("NOT-LADDR 1.2.3.4:5 NAME one", &["one"]),
    ] {
        assert_eq!(names(conn, filters), wanted, "{filters}");
    }
    for (filters, wanted) in [
        (format!("ID {} {}", ids[1], ids[0]), &["two", "one"][..]),
        (format!("ID {} ID {} NAME one", ids[1], ids[0]), &["one"]),
        (format!("NOT-ID {} {}", ids[0], ids[1]), &["three"]),
        (format!("ID {} NOT-ID {}", ids[0], ids[0]), &[]),
        (format!("ID {} TYPE normal SKIPME yes", ids[1]), &["two"]),
    ] {
        assert_eq!(names_in_order(conn, &filters), wanted, "{filters}");
    }
    for (filters, error) in [
        ("FLAGS ?", "ERR Unknown flags found in the provided filter: ?"),
        ("NOT-FLAGS ?", "ERR Unknown flags found in the NOT-FLAGS filter: ?"),
        ("CAPA x", "ERR Unknown capa found in the provided filter: x"),
        ("DB 99", "ERR DB number should be between 0 and 15"),
        ("NOT-DB -1", "ERR NOT-DB number should be between 0 and 15"),
        ("DB nosuch", "ERR DB is not an integer or out of range"),
        ("MAXAGE 0", "ERR maxage should be greater than 0"),
        ("IDLE x", "ERR idle is not an integer or out of range"),
        ("USER nobody", "ERR No such user 'nobody'"),
        ("NOT-ID 0", "ERR client-id should be greater than 0"),
        ("NOT-SKIPME yes", "ERR syntax error"),
        ("NOT-MAXAGE 5", "ERR syntax error"),
        ("NAME", "ERR syntax error"),
    ] {
        assert_eq!(call(conn, &format!("CLIENT LIST {filters}")).text(), error, "{filters}");
    }
}

#[test]
fn filters_kill() {
    for (filters, killed) in [
        ("NAME two", &["two"][..]),
        ("NOT-NAME two SKIPME yes", &["three"]),
        ("LIB-NAME lib", &["two"]),
        ("DB orders", &["two"]),
        ("FLAGS P", &["three"]),
        ("NOT-TYPE pubsub", &["two"]),
        ("CAPA r IP 127.0.0.1", &["two"]),
        ("IDLE 1000", &[]),
    ] {
        let server = in_memory();
        let mut conns = three(&server);
        let count = call(&mut conns[0], &format!("CLIENT KILL {filters}"));
        assert_eq!(count, Value::Int(killed.len() as i64), "{filters}");
        let left = names(&mut conns[0], "NOT-FLAGS A");
        let wanted: Vec<&str> = ["one", "three", "two"]
            .into_iter()
            .filter(|name| !killed.contains(name))
            .collect();
        assert_eq!(left, wanted, "{filters}");
    }
    let server = in_memory();
    let mut conns = three(&server);
    let ids: Vec<String> = (1..2)
        .map(|at| call(&mut conns[at], "CLIENT ID").int().unwrap().to_string())
        .collect();
    assert_eq!(
        call(&mut conns[0], &format!("CLIENT KILL ID 999 {} SKIPME no", ids[0])),
        Value::Int(1)
    );
}

#[test]
fn what_clients_say_they_can() {
    let server = in_memory();
    let mut conn = server.connect();
    for (line, reply) in [
        ("CLIENT CAPA", "ERR wrong number of arguments for 'client|capa' command"),
        ("CLIENT CAPA nosuch", "OK"),
        ("CLIENT IMPORT-SOURCE on", "ERR Server is not in import mode"),
        ("CLIENT IMPORT-SOURCE x", "ERR Server is not in import mode"),
        ("CLIENT IMPORT-SOURCE off", "OK"),
        (
            "CLIENT MAINT_NOTIFICATIONS ON",
            "ERR unknown subcommand 'MAINT_NOTIFICATIONS'. Try CLIENT HELP.",
        ),
    ] {
        assert_eq!(call(&mut conn, line).text(), reply, "{line}");
    }
    let help = call(&mut conn, "CLIENT HELP").items();
    for word in ["CAPA", "IMPORT-SOURCE", "KILL", "LIST"] {
        assert!(help.iter().any(|line| line.text().starts_with(word)), "{word}");
    }
}

#[test]
fn waitaof_without_a_log_and_commands_of_replication() {
    let server = in_memory();
    let mut conn = server.connect();
    let no_log = "ERR WAITAOF cannot be used when numlocal is set but appendonly is disabled.";
    assert_eq!(call(&mut conn, "WAITAOF 1 0 0").text(), no_log);
    let nothing = Value::Array(vec![Value::Int(0), Value::Int(0)]);
    assert_eq!(call(&mut conn, "WAITAOF 0 0 0"), nothing);
    assert_eq!(call(&mut conn, "WAITAOF 0 1 20"), nothing);
    for line in [
        "PSYNC ? -1",
        "SYNC",
        "REPLCONF listening-port 1",
        "REPLICAOF 127.0.0.1 6379",
        "SLAVEOF a 1",
    ] {
        let text = call(&mut conn, line).text();
        assert!(text.starts_with("ERR this server has no replication"), "{line}: {text}");
    }
    assert_eq!(call(&mut conn, "REPLICAOF NO ONE"), Value::ok());
}

#[test]
fn waitaof_reports_what_is_synced() {
    for fsync in ["always", "everysec", "no"] {
        let mut server = Server::lokikv(&[&format!("wal.fsync={fsync}"), "checkpoint.interval_s=0"]);
        let mut conn = server.connect();
        let synced = Value::Array(vec![Value::Int(1), Value::Int(0)]);
        for n in 0..20 {
            conn.call(&["SET", &format!("k{n}"), "v"]);
            assert_eq!(call(&mut conn, "WAITAOF 1 0 0"), synced, "{fsync}");
            assert!(conn.wal_info("stable-lsn") >= conn.wal_info("last-lsn"), "{fsync}");
        }
        // Who is served what another pushes has written it, too.
        let mut waiting = server.connect();
        waiting.send(&["BLPOP", "l", "0"]).expect("send");
        waiting.send(&["WAITAOF", "1", "0", "0"]).expect("send");
        while call(&mut conn, "CLIENT LIST FLAGS b").text().is_empty() {}
        call(&mut conn, "RPUSH l x");
        waiting.recv().expect("a reply");
        assert_eq!(waiting.recv().expect("a reply").value, synced);
        server.kill9();
    }
}
