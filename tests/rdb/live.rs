//! `lokikv import --from` with the peers as sources: all types and encodings, while clients write, with ends in
//! between.

use std::fs;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::args;
use crate::families::fill_more;
use crate::fill::{drop_streams, fill};
use crate::format::started_with;
use crate::look::{assert_same, dataset};
use crate::place::Place;
use crate::support::server::signal;
use crate::support::{Args, Conn, Server, Value, env_number};

/// A program, and the version of files that it loads.
pub type Peer = (fn(&[&str]) -> Server, &'static str);

/// All of them.
pub const PEERS: [Peer; 3] = [
    (Server::redis, "10"),
    (Server::redis8, "12"),
    (Server::valkey, "valkey"),
];

fn url(server: &Server) -> String {
    format!("redis://127.0.0.1:{}", server.port())
}

fn run(conn: &mut Conn, commands: &[Args]) {
    for (command, reply) in commands.iter().zip(conn.pipeline(commands).expect("run")) {
        assert!(!reply.is_error(), "{}: {reply}", crate::support::text::join(command));
    }
}

fn begin(place: &Place, arguments: &[&str]) -> Child {
    let mut command = Command::new(env!("CARGO_BIN_EXE_lokikv"));
    command.arg("import").args(arguments).current_dir(place.home.path());
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command.spawn().expect("start lokikv")
}

/// Waits until somebody reads values of a source, by a connection to that.
fn await_reader(conn: &mut Conn) {
    let since = Instant::now();
    while !conn.call(&["INFO", "commandstats"]).text().contains("cmdstat_dump:") {
        assert!(since.elapsed() < Duration::from_secs(60), "nobody reads values");
        thread::sleep(Duration::from_millis(20));
    }
}

fn ended(child: Child) -> (i32, String) {
    let done = child.wait_with_output().expect("wait");
    let said = [done.stdout, done.stderr].concat();
    (
        done.status.code().unwrap_or(-1),
        String::from_utf8_lossy(&said).into_owned(),
    )
}

#[test]
fn every_peer_is_copied_as_it_is() {
    for (start, version) in PEERS {
        let source = start(&[]);
        let mut conn = source.connect();
        fill(&mut conn);
        if version != "10" {
            fill_more(&mut conn);
        }
        // What groups and consumers of streams are told apart by is compared by --verify.
        run(
            &mut conn,
            &[
                args![
                    "FUNCTION",
                    "LOAD",
                    "#!lua name=lib\nredis.register_function('lib_f', function() return 7 end)"
                ],
                args!["SELECT", "9"],
                args!["SET", "ninth", "x", "EX", "10000"],
                args!["SELECT", "0"],
            ],
        );
        let place = Place::empty();
        let from = url(&source);
        let said = place.run_well(&["import", "--from", &from, "--data-dir", "data", "--verify"]);
        assert!(said.contains(": all are alike"), "{version}: {said}");
        let target = Server::lokikv(&[]);
        let said = place.run_well(&["import", "--from", &from, "--to", &url(&target), "--verify"]);
        assert!(said.contains(": all are alike"), "{version}: {said}");
        assert_eq!(target.connect().call(&["FCALL", "lib_f", "0"]).int(), Some(7));

        drop_streams(&mut conn);
        let expected = dataset(&mut conn);
        place.run_well(&["import", "--from", &from, "--data-dir", "data", "--replace", "--verify"]);
        let back = started_with(start(&[]), &place.export(version));
        let mut back = back.connect();
        assert_same(&expected, &dataset(&mut back));
        let digest = args!["DEBUG", "DIGEST"];
        assert_eq!(conn.call(&digest), back.call(&digest), "{version}");
        assert_eq!(back.call(&["FCALL", "lib_f", "0"]).int(), Some(7));
    }
}

/// Keys that nobody changes, of several types.
fn fill_cold(conn: &mut Conn, count: usize) {
    let mut commands = Vec::new();
    for n in 0..count {
        let key = format!("cold:{n}");
        commands.push(match n % 5 {
            0 => args![
                "SET",
                key,
                format!("value {n}"),
                "PXAT",
                (4_102_444_800_000 + n as u64).to_string()
            ],
            1 => args!["HSET", key, "f", n.to_string(), "g", "x".repeat(n % 90)],
            2 => args!["RPUSH", key, "a", n.to_string(), "b"],
            3 => args!["ZADD", key, n.to_string(), "a", "0.5", "b"],
            _ => args!["SADD", key, n.to_string(), "m"],
        });
    }
    run(conn, &commands);
}

/// Changes keys until it is told to end, and adds some and removes others.
fn write(port: u16, end: &AtomicBool) {
    let mut conn = Conn::connect(port).expect("connect");
    let mut n = 0_u64;
    while !end.load(Ordering::Relaxed) {
        let mut commands = Vec::new();
        for _ in 0..50 {
            n += 1;
            let key = n % 500;
            commands.push(args!["SET", format!("hot:{key}"), n.to_string()]);
            commands.push(args!["LPUSH", format!("list:{key}"), n.to_string()]);
            commands.push(args!["SET", format!("new:{n}"), "x", "EX", "1"]);
        }
        if conn.pipeline(&commands).is_err() {
            return;
        }
        thread::sleep(Duration::from_millis(1));
    }
}

/// What they are, by what commands tell.
fn cold(conn: &mut Conn, count: usize) -> Vec<Value> {
    let mut commands = Vec::new();
    for n in 0..count {
        let key = format!("cold:{n}");
        commands.push(args!["PEXPIRETIME", key]);
        commands.push(match n % 5 {
            0 => args!["GET", key],
            1 => args!["HMGET", key, "f", "g"],
            2 => args!["LRANGE", key, "0", "-1"],
            3 => args!["ZRANGE", key, "0", "-1", "WITHSCORES"],
            _ => args!["SORT", key, "ALPHA"],
        });
    }
    conn.pipeline(&commands).expect("look")
}

#[test]
fn no_key_is_wrong_that_did_not_change_meanwhile() {
    let count = env_number("LOKIKV_LIVE_KEYS", 6_000) as usize;
    for (start, version) in PEERS {
        let source = start(&[]);
        let mut conn = source.connect();
        fill_cold(&mut conn, count);
        let end = Arc::new(AtomicBool::new(false));
        let (port, told) = (source.port(), Arc::clone(&end));
        let writer = thread::spawn(move || write(port, &told));
        let place = Place::empty();
        // So few a second that it is not over when it is told to end.
        let rate = (count / 20).to_string();
        let arguments = ["--from", &url(&source), "--data-dir", "data", "--rate", &rate];
        let child = begin(&place, &arguments);
        await_reader(&mut conn);
        // What has been read is put in its place.
        thread::sleep(Duration::from_secs(3));
        signal(child.id(), libc::SIGTERM);
        let (code, said) = ended(child);
        assert!(
            code == 1 && said.contains("the same command goes on from here"),
            "{version}: {said}"
        );
        // It goes on, and looks at everything.
        let (_, said) = ended(begin(&place, &[&arguments[..4], &["--verify"]].concat()));
        end.store(true, Ordering::Relaxed);
        writer.join().expect("the writer");
        for line in said.lines().filter(|line| line.contains("lokikv: note: ")) {
            assert!(!line.contains("\"cold:"), "{version}: {said}");
        }
        assert!(said.contains("compared "), "{version}: {said}");
        if version != "10" {
            // Where it can be told when a key was used, those that clients use are no faults.
            assert!(!said.contains(" are different"), "{version}: {said}");
        }
        let mut there = Server::lokikv_over(&place.path("data"), &[]);
        there.restart();
        let (expected, found) = (cold(&mut conn, count), cold(&mut there.connect(), count));
        let differ = expected.iter().zip(&found).filter(|(one, other)| one != other);
        assert_eq!(differ.take(5).collect::<Vec<_>>(), []);
    }
}

#[test]
fn a_source_that_is_started_anew_is_read_from_the_start() {
    for peer in PEERS {
        assert!((0..5).any(|_| start_a_source_anew(peer)), "its port is taken each time");
    }
}

/// Has a source start anew under a copy; false if it has come back at another port, since its own was taken meanwhile.
fn start_a_source_anew((start, version): Peer) -> bool {
    let mut source = start(&["--save", "", "--appendonly", "no"]);
    let mut conn = source.connect();
    fill_cold(&mut conn, 4_000);
    assert_eq!(conn.call(&["SAVE"]), Value::ok());
    let saved = fs::read(source.data_dir().join("dump.rdb")).expect("what was saved");
    let place = Place::empty();
    let from = url(&source);
    let mut child = begin(
        &place,
        &["--from", &from, "--data-dir", "data", "--rate", "1000", "--verify"],
    );
    await_reader(&mut conn);
    source = started_with(source, &saved);
    if from != url(&source) {
        child.kill().expect("kill");
        ended(child);
        return false;
    }
    let (code, said) = ended(child);
    assert!(
        code == 0 && said.contains("compared 4000 keys: all are alike"),
        "{version}: {said}"
    );
    true
}
