//! The door of administrators: served whatever others do.

use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use crate::support::conn::encode;
use crate::support::server::free_port;
use crate::support::{Conn, Server, Value};

const IN_MEMORY: [&str; 2] = ["wal.enabled=false", "checkpoint.interval_s=0"];

fn server(settings: &[&str]) -> Server {
    let mut all = IN_MEMORY.to_vec();
    all.extend_from_slice(settings);
    Server::lokikv(&all)
}

fn admin(server: &Server) -> Conn<UnixStream> {
    let stream = UnixStream::connect(server.data_dir().join("admin.sock")).expect("the socket of administrators");
    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    Conn::over(stream)
}

#[test]
fn only_the_servers_user_may_open_it() {
    let mut server = server(&[]);
    let path = server.data_dir().join("admin.sock");
    let mode = std::fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert_eq!(admin(&server).call(&["PING"]).text(), "PONG");
    // One that is left behind is no obstacle; at a clean end it goes.
    server.kill9();
    assert!(path.exists());
    server.restart();
    assert_eq!(admin(&server).call(&["PING"]).text(), "PONG");
    assert!(server.terminate().success());
    assert!(!path.exists());
}

#[test]
fn a_password_holds_here_as_well() {
    let server = server(&["server.requirepass=secret"]);
    let mut admin = admin(&server);
    assert_eq!(admin.call(&["PING"]).text(), "NOAUTH Authentication required.");
    assert_eq!(admin.call(&["AUTH", "secret"]), Value::ok());
    assert_eq!(admin.call(&["PING"]).text(), "PONG");
}

#[test]
fn served_when_all_others_are_refused() {
    let server = server(&["server.maxclients=5"]);
    let mut clients: Vec<Conn> = (0..5).map(|_| server.connect()).collect();
    clients
        .iter_mut()
        .for_each(|conn| assert_eq!(conn.call(&["PING"]).text(), "PONG"));
    assert_eq!(
        server.connect().recv().unwrap().value.text(),
        "ERR max number of clients reached"
    );
    let mut admins: Vec<Conn<UnixStream>> = (0..16).map(|_| admin(&server)).collect();
    admins
        .iter_mut()
        .for_each(|conn| assert_eq!(conn.call(&["PING"]).text(), "PONG"));
    assert_eq!(
        admin(&server).recv().unwrap().value.text(),
        "ERR max number of clients reached"
    );
    let list = admins[0].call(&["CLIENT", "LIST"]).text();
    assert_eq!(list.lines().count(), 21);
    assert_eq!(list.lines().filter(|line| line.contains("admin.sock:0")).count(), 16);
    assert_eq!(admins[0].call(&["CLIENT", "KILL", "ID", list_id(&list)]), Value::Int(1));
    assert_eq!(admins[0].call(&["CONFIG", "SET", "maxclients", "7"]), Value::ok());
    assert_eq!(server.connect().call(&["PING"]).text(), "PONG");
}

/// The first client of a list.
fn list_id(list: &str) -> &str {
    let field = list.split(' ').next().unwrap();
    field.strip_prefix("id=").unwrap()
}

/// Answers come within this, although every worker is at work.
const SOON: Duration = Duration::from_secs(10);

#[test]
fn busy_workers_do_not_hold_it_up() {
    let server = server(&["server.workers=2"]);
    let mut busy: Vec<Conn> = (0..8).map(|_| server.connect()).collect();
    assert_eq!(
        busy[0].call(&["SETRANGE", "bits", "40000000", "x"]),
        Value::Int(40_000_001)
    );
    let mut batch = Vec::new();
    (0..2000).for_each(|_| encode(&["BITCOUNT", "bits"], &mut batch));
    busy.iter_mut().for_each(|conn| conn.send_raw(&batch).unwrap());
    std::thread::sleep(Duration::from_millis(100));
    let mut admin = admin(&server);
    for request in [
        &["INFO"][..],
        &["CLIENT", "LIST"],
        &["CONFIG", "GET", "maxclients"],
        &["CONFIG", "SET", "timeout", "0"],
        &["SLOWLOG", "GET"],
        &["PING"],
    ] {
        let begun = Instant::now();
        let reply = admin.call(request);
        assert!(!reply.is_error(), "{request:?}: {reply:?}");
        assert!(begun.elapsed() < SOON, "{request:?} took {:?}", begun.elapsed());
    }
}

#[test]
fn a_script_that_does_not_end_is_ended_from_here() {
    let server = server(&["server.workers=1", "scripts.busy_reply_threshold_ms=100"]);
    let mut busy = server.connect();
    busy.send(&["EVAL", "while true do end", "0"]).unwrap();
    let mut admin = admin(&server);
    let sent = Instant::now();
    while !admin.call(&["GET", "key"]).text().starts_with("BUSY ") {
        assert!(sent.elapsed() < Duration::from_secs(30), "it is never busy");
        std::thread::sleep(Duration::from_millis(10));
    }
    let begun = Instant::now();
    assert_eq!(admin.call(&["SCRIPT", "KILL"]), Value::ok());
    assert!(begun.elapsed() < SOON, "{:?}", begun.elapsed());
    assert!(busy.recv().unwrap().value.text().contains("killed by user"));
}

#[test]
fn it_ends_the_server() {
    let mut server = server(&["server.maxclients=1"]);
    let _only = server.connect();
    admin(&server).send(&["SHUTDOWN", "NOSAVE"]).unwrap();
    assert!(server.wait().success());
}

/// A server whose door is a port, and that port: another process may take it before the server does.
fn server_by_port() -> (Server, u16) {
    for _ in 0..5 {
        let port = free_port();
        let bind = format!("server.admin_bind=127.0.0.1:{port}");
        let mut server = Server::lokikv_stopped(&[IN_MEMORY[0], IN_MEMORY[1], &bind, "server.maxclients=1"]);
        match server.try_start() {
            Ok(()) => return (server, port),
            Err(why) => assert!(why.to_lowercase().contains("in use"), "{why}"),
        }
    }
    panic!("no free port");
}

#[test]
fn elsewhere_or_nowhere() {
    let (by_port, port) = server_by_port();
    let _only = by_port.connect();
    assert_eq!(Conn::connect(port).unwrap().call(&["PING"]).text(), "PONG");
    assert!(!by_port.data_dir().join("admin.sock").exists());
    let without = server(&["server.admin_bind="]);
    assert!(!without.data_dir().join("admin.sock").exists());
    assert_eq!(without.connect().call(&["PING"]).text(), "PONG");
}
