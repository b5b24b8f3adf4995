//! MULTI and EXEC with whatever command there is, and against CLIENT PAUSE.

use std::time::Duration;

use lokikv::commands::spec::{Command, Handler, flag};
use lokikv::commands::table::table;

use crate::in_memory;
use crate::support::{Conn, Server, Value};

/// How long an answer may take of a server that is not stuck.
const ANSWER_TIME_MAX: Duration = Duration::from_secs(20);

fn with_debug() -> Server {
    Server::lokikv(&["server.enable_debug_command=yes", "checkpoint.interval_s=0"])
}

fn patient(server: &Server) -> Conn {
    let conn = server.connect();
    conn.stream()
        .set_read_timeout(Some(ANSWER_TIME_MAX))
        .expect("a timeout");
    conn
}

/// Arguments behind the name with which the command does something, where filling up with numbers would not.
const ARGUMENTS: &[(&str, &[&str])] = &[
    ("client|kill", &["ID", "1"]),
    ("client|no-evict", &["on"]),
    ("client|no-touch", &["on"]),
    ("client|reply", &["on"]),
    ("client|tracking", &["off"]),
    ("collection|config", &["default", "SET", "fsync", "server"]),
    ("collection|convert", &["default", "KIND", "bdef"]),
    ("collection|copy", &["default", "copied"]),
    ("collection|info", &["default"]),
    ("collection|persist", &["default"]),
    ("collection|use", &["default"]),
    ("command|getkeys", &["GET", "k"]),
    ("command|getkeysandflags", &["GET", "k"]),
    ("config|set", &["maxclients", "1000"]),
    ("copy", &["k", "k2", "DB", "1"]),
    ("persist", &["default"]),
    ("wait", &["1", "0"]),
];

fn request(command: &Command) -> Vec<String> {
    let full_name = command.full_name();
    let mut request: Vec<String> = full_name.split('|').map(str::to_owned).collect();
    match ARGUMENTS.iter().find(|(name, _)| *name == full_name) {
        Some((_, arguments)) => request.extend(arguments.iter().map(ToString::to_string)),
        None => request.resize(
            request.len().max(command.spec.arity.unsigned_abs() as usize),
            "1".to_owned(),
        ),
    }
    request
}

/// Runs `request` in a transaction; what EXEC answered.
fn in_multi(server: &Server, request: &[String]) -> Value {
    let mut conn = patient(server);
    conn.call(&["MULTI"]);
    let queued = conn
        .try_call(request)
        .unwrap_or_else(|error| panic!("{request:?}: {error}"));
    let answer = conn.try_call(&["EXEC"]);
    let answer = answer.unwrap_or_else(|error| panic!("EXEC of {request:?}, which answered {queued:?}: {error}"));
    assert_eq!(
        queued.text() != "QUEUED",
        answer.text().starts_with("EXECABORT"),
        "{request:?}: {queued:?}, {answer:?}"
    );
    assert_eq!(patient(server).call(&["PING"]).text(), "PONG", "after {request:?}");
    answer
}

#[test]
fn every_command_in_a_transaction_leaves_the_server_answering() {
    let mut server = with_debug();
    let runs =
        |command: &&Command| !matches!(command.spec.handler, Handler::Container) && !command.has(flag::NOT_QUEUED);
    for command in table().all().iter().filter(runs) {
        let request = request(command);
        let answer = in_multi(&server, &request);
        let is_refused = command.has(flag::NO_MULTI);
        assert_eq!(answer.is_error(), is_refused, "{request:?}: {answer:?}");
        if !is_refused {
            assert_eq!(answer.items().len(), 1, "{request:?}: {answer:?}");
        }
    }
    assert!(server.is_running());
}

#[test]
fn debug_in_a_transaction_answers_or_is_refused() {
    let server = with_debug();
    for (words, is_refused) in [
        ("DEBUG RELOAD", true),
        ("DEBUG reload NOSAVE", true),
        ("DEBUG SLEEP 0.01", false),
        ("DEBUG SET-ACTIVE-EXPIRE 1", false),
        ("DEBUG OBJECT k", false),
        ("DEBUG HELP", false),
        ("DEBUG STRINGMATCH-LEN 10 x*", false),
    ] {
        let request: Vec<String> = words.split(' ').map(str::to_owned).collect();
        server.connect().call(&["SET", "k", "v"]);
        let answer = in_multi(&server, &request);
        assert_eq!(answer.is_error(), is_refused, "{words}: {answer:?}");
        assert!(is_refused || !answer.items()[0].is_error(), "{words}: {answer:?}");
    }
    let mut conn = patient(&server);
    conn.call(&["MULTI"]);
    let refused = conn.call(&["DEBUG", "RELOAD"]);
    assert_eq!(refused.text(), "ERR Command not allowed inside a transaction");
    conn.call(&["DISCARD"]);
    assert_eq!(conn.call(&["DEBUG", "RELOAD"]).text(), "OK");
}

#[test]
fn what_redis_allows_is_allowed() {
    let server = in_memory();
    let mut conn = patient(&server);
    conn.call(&["MULTI"]);
    for request in [
        &["SET", "k", "v"][..],
        &["SELECT", "1"],
        &["SET", "k", "w"],
        &["SWAPDB", "0", "1"],
        &["GET", "k"],
        &["CONFIG", "SET", "maxclients", "999"],
        &["CLIENT", "SETNAME", "me"],
        &["WAIT", "1", "0"],
        &["PERSIST", "k"],
        &["COPY", "k", "k", "DB", "2"],
        &["MOVE", "k", "3"],
        &["SORT", "l", "BY", "w*"],
        &["FLUSHALL"],
    ] {
        assert_eq!(conn.call(request).text(), "QUEUED", "{request:?}");
    }
    let shown = |value: &Value| value.int().map_or_else(|| value.text(), |number| number.to_string());
    let answers: Vec<String> = conn.call(&["EXEC"]).items().iter().map(shown).collect();
    let wanted = ["OK", "OK", "OK", "OK", "v", "OK", "OK", "0", "0", "1", "1", "", "OK"];
    assert_eq!(answers, wanted);
}

#[test]
fn a_pause_of_writes_holds_a_transaction_that_writes() {
    let server = in_memory();
    let (mut conn, mut other) = (patient(&server), patient(&server));
    conn.call(&["MULTI"]);
    conn.call(&["SET", "k", "1"]);
    other.call(&["CLIENT", "PAUSE", "60000", "WRITE"]);
    conn.send(&["EXEC"]).expect("send");
    // A transaction that only reads goes on.
    other.call(&["MULTI"]);
    other.call(&["GET", "k"]);
    assert_eq!(other.call(&["EXEC"]).items(), [Value::Null], "before the pause is over");
    let wait = |conn: &Conn, time| conn.stream().set_read_timeout(Some(time)).expect("a timeout");
    wait(&conn, Duration::from_millis(300));
    assert!(conn.recv().is_err(), "it is held");
    wait(&conn, ANSWER_TIME_MAX);
    assert_eq!(other.call(&["CLIENT", "UNPAUSE"]), Value::ok());
    assert_eq!(conn.recv().expect("a reply").value.items(), [Value::ok()]);
}

/// A key that is there for the first command is there for the last one, however long those between take.
#[test]
fn a_transaction_has_one_time() {
    let server = in_memory();
    let mut conn = server.connect();
    conn.call(&["SETRANGE", "bits", "100000000", "x"]);
    for line in [&["SET", "key", "v", "PX", "300"][..], &["MULTI"], &["EXISTS", "key"]] {
        conn.send(line).expect("send");
    }
    (0..60).for_each(|_| conn.send(&["BITCOUNT", "bits"]).expect("send"));
    conn.send(&["EXISTS", "key"]).expect("send");
    conn.send(&["EXEC"]).expect("send");
    (0..64).for_each(|_| drop(conn.recv().expect("a reply")));
    let ran = conn.recv().expect("what ran").value.items();
    assert_eq!(ran.first(), ran.last(), "it died in between");
}
