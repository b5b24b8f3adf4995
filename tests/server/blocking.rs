//! Commands that wait: CLIENT UNBLOCK, clients that leave, and a server that ends meanwhile.

use crate::support::{Conn, Server, Value};
use crate::{await_that, in_memory};

/// Waits until the server counts `count` blocked clients.
pub fn await_blocked(server: &Server, count: usize) {
    let wanted = format!("blocked_clients:{count}\r\n");
    await_that(&wanted, || {
        server.connect().call(&["INFO", "clients"]).text().contains(&wanted)
    });
}

/// A client that waits for a replica without end, and its number.
fn blocked(server: &Server) -> (Conn, String) {
    let mut conn = server.connect();
    let id = conn.call(&["CLIENT", "ID"]).int().expect("a number").to_string();
    conn.send(&["WAIT", "1", "0"]).expect("send");
    await_blocked(server, 1);
    (conn, id)
}

#[test]
fn unblocked_by_another_client() {
    let server = in_memory();
    let mut other = server.connect();
    let (mut conn, id) = blocked(&server);
    let listed = other.call(&["CLIENT", "LIST", "ID", id.as_str()]).text();
    assert!(
        listed.contains(" flags=b ") && listed.contains(" cmd=wait "),
        "{listed}"
    );
    assert_eq!(other.call(&["CLIENT", "UNBLOCK", id.as_str()]), Value::Int(1));
    assert_eq!(conn.recv().expect("a reply").value, Value::Int(0));
    assert_eq!(other.call(&["CLIENT", "UNBLOCK", id.as_str()]), Value::Int(0));

    conn.send(&["WAIT", "1", "0"]).expect("send");
    await_blocked(&server, 1);
    assert_eq!(other.call(&["CLIENT", "UNBLOCK", id.as_str(), "ERROR"]), Value::Int(1));
    let error = conn.recv().expect("a reply").value;
    assert_eq!(error.text(), "UNBLOCKED client unblocked via CLIENT UNBLOCK");
    assert_eq!(conn.call(&["PING"]).text(), "PONG");
}

#[test]
fn a_blocked_client_that_leaves_is_let_go() {
    let server = in_memory();
    let (conn, _) = blocked(&server);
    drop(conn);
    await_blocked(&server, 0);
    // Also when it has sent more, which nobody has read.
    let (mut conn, _) = blocked(&server);
    conn.send(&["PING"]).expect("send");
    drop(conn);
    await_blocked(&server, 0);
}

#[test]
fn a_blocked_client_can_be_killed() {
    let server = in_memory();
    let (mut conn, id) = blocked(&server);
    let killed = server.connect().call(&["CLIENT", "KILL", "ID", id.as_str()]);
    assert_eq!(killed, Value::Int(1));
    assert_eq!(conn.read_to_close().expect("closed"), b"");
    await_blocked(&server, 0);
}

/// How many calls of a command are in the log of slow ones.
fn slow_calls(conn: &mut Conn, command: &str) -> usize {
    let log = conn.call(&["SLOWLOG", "GET", "-1"]).items();
    let names = log.iter().map(|entry| entry.items()[3].items()[0].text());
    names.filter(|name| name == command).count()
}

#[test]
fn waiting_work_is_slow_but_blocking_is_not() {
    let server = Server::lokikv(&["wal.enabled=false", "server.enable_debug_command=yes"]);
    let mut conn = server.connect();
    conn.call(&["CONFIG", "SET", "slowlog-log-slower-than", "20000"]);
    conn.call(&["WAIT", "1", "40"]);
    conn.call(&["DEBUG", "SLEEP", "0.04"]);
    // On a busy machine others may be slow, too.
    assert_eq!(slow_calls(&mut conn, "WAIT"), 0);
    assert_eq!(slow_calls(&mut conn, "DEBUG"), 1);
}
