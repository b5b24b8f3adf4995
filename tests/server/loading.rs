//! While data is loading, clients can connect, are told so, and can ask how far it is.
//!
//! A lease on a file of the data directory stops the load where it opens that file, for as long as a test wants.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use socket2::Socket;

use crate::held::hold;
use crate::support::server::signal;
use crate::support::text::split;
use crate::support::{Conn, Lease, Server, Value};

const LOADING: &str = "LOADING Redis is loading the dataset in memory";

fn call(conn: &mut Conn, line: &str) -> Value {
    conn.call(&split(line).expect("a command"))
}

fn info(conn: &mut Conn) -> Value {
    call(conn, "INFO persistence")
}

/// Files of the data directory whose names begin and end like that, in order.
fn files(server: &Server, folder: &str, (begin, end): (&str, &str)) -> Vec<PathBuf> {
    let dir = server.data_dir().join(folder);
    let entries = std::fs::read_dir(dir).expect("list");
    let paths = entries.map(|entry| entry.expect("an entry").path());
    let is_one = |path: &PathBuf| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        name.starts_with(begin) && name.ends_with(end)
    };
    let mut found: Vec<_> = paths.filter(is_one).collect();
    found.sort();
    found
}

/// Where the load of the pages begins.
fn page_file(server: &Server) -> PathBuf {
    files(server, "checkpoint", ("pages-", ".lkp"))
        .pop()
        .expect("a page file")
}

fn newest_segment(server: &Server) -> PathBuf {
    files(server, "wal", ("wal-", ".log")).pop().expect("a segment")
}

/// A server that has been killed, with a checkpoint, and changes behind it in the log; and its port, kept for it.
fn killed(settings: &[&str]) -> (Server, Socket) {
    let mut server = Server::lokikv(settings);
    let mut conn = server.connect();
    if let Some(password) = settings.iter().find_map(|set| set.strip_prefix("server.requirepass=")) {
        conn.call(&["AUTH", password]);
    }
    for n in 0..1000 {
        conn.call(&["SET", &format!("key:{n}"), &"v".repeat(100)]);
    }
    call(&mut conn, "COLLECTION CREATE named");
    assert_eq!(call(&mut conn, "CHECKPOINT"), Value::ok());
    for n in 0..1000 {
        conn.call(&["SET", &format!("late:{n}"), "v"]);
    }
    call(&mut conn, "SELECT 3");
    call(&mut conn, "SET late 1");
    server.kill9();
    let port = hold(server.port());
    (server, port)
}

fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < Duration::from_secs(30), "never: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn commands_are_answered_as_redis_does_while_it_loads() {
    let (mut server, _port) = killed(&["server.enable_debug_command=yes"]);
    let lease = Lease::on(&page_file(&server));
    server.launch();
    let mut conn = server.connect_early();
    for refused in [
        "PING",
        "GET key:1",
        "SET key:1 x",
        "DBSIZE",
        "FLUSHALL",
        "KEYS *",
        "BLPOP list 0",
        "CHECKPOINT",
        "COLLECTION LIST",
        "SELECT named",
        "SELECT 99",
        "DEBUG RELOAD",
        "DEBUG OBJECT key:1",
        "LOLWUT",
        "MEMORY STATS",
        "BGSAVE",
    ] {
        assert_eq!(call(&mut conn, refused).text(), LOADING, "{refused}");
    }
    for (command, reply) in [
        ("ECHO x", "x"),
        ("SELECT 3", "OK"),
        ("CLIENT SETNAME early", "OK"),
        ("CLIENT GETNAME", "early"),
        ("CONFIG SET slowlog-max-len 100", "OK"),
        ("UNWATCH", "OK"),
        ("RESET", "RESET"),
        ("GET", "ERR wrong number of arguments for 'get' command"),
        ("QUX", "ERR unknown command 'QUX', with args beginning with: "),
        ("EXEC", "ERR EXEC without MULTI"),
    ] {
        assert_eq!(call(&mut conn, command).text(), reply, "{command}");
    }
    assert_eq!(call(&mut conn, "HELLO 2").field("proto"), Some(Value::Int(2)));
    for command in [
        "INFO",
        "COMMAND COUNT",
        "CONFIG GET port",
        "SLOWLOG LEN",
        "LASTSAVE",
        "ROLE",
        "TIME",
    ] {
        let reply = call(&mut conn, command);
        assert!(!reply.is_error(), "{command}: {reply:?}");
    }
    drop(lease);
    server.wait_until_ready().expect("ready");
    assert_eq!(call(&mut conn, "DBSIZE"), Value::Int(2000));
    assert_eq!(call(&mut conn, "SELECT named"), Value::ok());
}

#[test]
fn a_transaction_with_a_command_that_needs_data_is_lost() {
    let (mut server, _port) = killed(&[]);
    let lease = Lease::on(&page_file(&server));
    server.launch();
    let mut conn = server.connect_early();
    for (command, reply) in [
        ("MULTI", "OK"),
        ("ECHO a", "QUEUED"),
        ("GET key:1", LOADING),
        ("EXEC", "EXECABORT Transaction discarded because of previous errors."),
        ("MULTI", "OK"),
        ("CLIENT SETNAME me", "QUEUED"),
    ] {
        assert_eq!(call(&mut conn, command).text(), reply, "{command}");
    }
    assert_eq!(call(&mut conn, "EXEC").items(), [Value::ok()]);
    // What was watched before it could be read has changed.
    let mut watching = server.connect();
    assert_eq!(call(&mut watching, "WATCH key:1"), Value::ok());
    assert_eq!(call(&mut conn, "MULTI"), Value::ok());
    drop(lease);
    server.wait_until_ready().expect("ready");
    // The clients of before go on.
    assert_eq!(call(&mut conn, "GET late:9").text(), "QUEUED");
    assert_eq!(call(&mut conn, "SET new 1").text(), "QUEUED");
    assert_eq!(call(&mut conn, "EXEC").items(), [Value::bulk("v"), Value::ok()]);
    call(&mut watching, "MULTI");
    call(&mut watching, "SET key:1 x");
    assert!(call(&mut watching, "EXEC").is_null());
    call(&mut watching, "WATCH key:1");
    call(&mut conn, "SET key:1 y");
    call(&mut watching, "MULTI");
    assert!(call(&mut watching, "EXEC").is_null());
    // What was written is there after another start.
    server.kill9();
    server.restart();
    let mut conn = server.connect();
    assert_eq!(
        call(&mut conn, "MGET new key:1").items(),
        [Value::bulk("1"), Value::bulk("y")]
    );
}

#[test]
fn info_tells_how_far_it_is() {
    let (mut server, _port) = killed(&[]);
    let (pages, segment) = (page_file(&server), newest_segment(&server));
    let at_pages = Lease::on(&pages);
    server.launch();
    let mut conn = server.connect_early();
    until("the load knows its size", || {
        info(&mut conn).figure("loading_total_bytes") > 0
    });
    let before = info(&mut conn);
    assert_eq!((before.figure("loading"), before.figure("async_loading")), (1, 0));
    assert_eq!(before.figure("loading_loaded_bytes"), 0, "{before:?}");
    assert!(before.text().contains("loading_loaded_perc:0.00\r\n"), "{before:?}");
    assert!(before.figure("loading_start_time") > 1_700_000_000);
    assert!(before.figure("loading_eta_seconds") > 0);
    assert_eq!(before.figure("loading_rdb_used_mem"), 0);
    assert_eq!(before.figure("aof_enabled"), 1);
    let at_log = Lease::on(&segment);
    drop(at_pages);
    let log = std::fs::metadata(&segment).expect("the segment").len();
    until("pages are loaded", || {
        let told = info(&mut conn);
        told.figure("loading_total_bytes") - told.figure("loading_loaded_bytes") == log
    });
    let between = info(&mut conn);
    let (done, total) = (
        between.figure("loading_loaded_bytes"),
        between.figure("loading_total_bytes"),
    );
    assert!(done < total && total - done == log, "{done} of {total}, log {log}");
    assert_eq!(call(&mut conn, "PING").text(), LOADING);
    drop(at_log);
    server.wait_until_ready().expect("ready");
    let after = info(&mut conn);
    assert_eq!(after.figure("loading"), 0);
    assert!(!after.text().contains("loading_total_bytes"), "{after:?}");
    assert_eq!(call(&mut conn, "DBSIZE"), Value::Int(2000));
    assert_eq!(call(&mut conn, "CONFIG GET appendfsync").items()[1].text(), "everysec");
}

/// What is changed while it loads holds for the log that is opened then.
#[test]
fn the_policy_can_be_changed_while_it_loads() {
    let (mut server, _port) = killed(&["wal.fsync=no"]);
    let lease = Lease::on(&page_file(&server));
    server.launch();
    let mut conn = server.connect_early();
    assert_eq!(call(&mut conn, "CONFIG SET appendfsync always"), Value::ok());
    drop(lease);
    server.wait_until_ready().expect("ready");
    call(&mut conn, "SET k v");
    assert_eq!(conn.wal_info("stable-lsn"), conn.wal_info("last-lsn"));
    assert!(call(&mut conn, "INFO lokikv").text().contains("wal_fsync:always"));
}

#[test]
fn a_password_is_asked_for_while_it_loads() {
    let (mut server, _port) = killed(&["server.requirepass=secret"]);
    let lease = Lease::on(&page_file(&server));
    server.launch();
    let mut conn = server.connect_early();
    assert!(call(&mut conn, "GET k").text().starts_with("NOAUTH"));
    assert_eq!(call(&mut conn, "AUTH secret"), Value::ok());
    assert_eq!(call(&mut conn, "GET k").text(), LOADING);
    drop(lease);
    server.wait_until_ready().expect("ready");
    assert_eq!(call(&mut conn, "DBSIZE"), Value::Int(2000));
}

/// What `lokikv ping` ends with, and what it says.
pub fn ping(server: &Server) -> (Option<i32>, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_lokikv"));
    command.args(["ping", "--port", &server.port().to_string(), "--timeout-ms", "20000"]);
    let output = command.output().expect("run lokikv ping");
    (
        output.status.code(),
        String::from_utf8_lossy(&output.stdout).into_owned(),
    )
}

#[test]
fn lokikv_ping_tells_alive_from_ready() {
    let (mut server, _port) = killed(&[]);
    let lease = Lease::on(&page_file(&server));
    server.launch();
    drop(server.connect_early());
    let (code, said) = ping(&server);
    assert!(code == Some(5) && said.contains(LOADING), "{code:?}: {said}");
    drop(lease);
    server.wait_until_ready().expect("ready");
    let (code, said) = ping(&server);
    assert!(code == Some(0) && said.contains("PONG"), "{code:?}: {said}");
}

/// What each file of the data directory holds, its lock and its socket apart.
fn content(dir: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(dir).expect("list") {
        let path = entry.expect("an entry").path();
        match path.is_dir() {
            true => found.extend(content(&path)),
            // It names the process.
            false if path.ends_with("LOCK") || !path.is_file() => {}
            false => found.push((path.clone(), std::fs::read(&path).expect("read"))),
        }
    }
    found.sort();
    found
}

/// Ends it while it loads; it must end at once, and leave everything as it was.
fn end_while_it_loads(end: impl Fn(&mut Server, &mut Conn)) {
    let (mut server, _port) = killed(&["checkpoint.on_shutdown=true"]);
    let before = content(&server.data_dir());
    let lease = Lease::on(&page_file(&server));
    server.launch();
    let mut conn = server.connect_early();
    assert_eq!(call(&mut conn, "PING").text(), LOADING);
    let asked = Instant::now();
    end(&mut server, &mut conn);
    let status = server.wait();
    assert!(asked.elapsed() < Duration::from_secs(30), "took {:?}", asked.elapsed());
    assert_eq!(status.code(), Some(0), "{}", server.stderr());
    drop(lease);
    let after = content(&server.data_dir());
    assert!(before == after, "files have changed");
    server.restart();
    assert_eq!(call(&mut server.connect(), "DBSIZE"), Value::Int(2000));
}

#[test]
fn sigterm_while_it_loads() {
    end_while_it_loads(|server, _| signal(server.pid(), libc::SIGTERM));
}

#[test]
fn sigint_while_it_loads() {
    end_while_it_loads(|server, _| signal(server.pid(), libc::SIGINT));
}

#[test]
fn shutdown_while_it_loads() {
    for command in ["SHUTDOWN", "SHUTDOWN SAVE", "SHUTDOWN NOSAVE"] {
        end_while_it_loads(|_, conn| {
            conn.send(&split(command).expect("a command")).expect("send");
            assert!(conn.read_to_close().expect("the end").is_empty());
        });
    }
}

#[test]
fn a_load_that_fails_ends_the_server_and_its_clients() {
    let (mut server, _port) = killed(&[]);
    let segment = newest_segment(&server);
    let mut bytes = std::fs::read(&segment).expect("read");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&segment, bytes).expect("write");
    let lease = Lease::on(&page_file(&server));
    server.launch();
    let mut conn = server.connect_early();
    assert_eq!(call(&mut conn, "GET key:1").text(), LOADING);
    drop(lease);
    let status = server.wait();
    assert_eq!(status.code(), Some(1));
    let said = server.stderr();
    assert_eq!(said.trim_end().lines().count(), 1, "{said}");
    assert!(
        said.starts_with("lokikv: ") && said.contains("Nothing was changed"),
        "{said}"
    );
    assert!(conn.read_to_close().is_ok(), "the client is closed");
}
