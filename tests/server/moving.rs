//! `lokikv import --from`: a running server is copied, by this program from itself, and from servers that behave badly.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::probes::closed_port;
use crate::support::server::signal;
use crate::support::{Args, Conn, Server, Value};
use crate::{args, await_that};

fn import(home: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_lokikv"));
    command.arg("import").args(arguments).current_dir(home);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn ended(child: Child) -> (i32, String) {
    let done = child.wait_with_output().expect("wait");
    let said = [done.stdout, done.stderr].concat();
    (
        done.status.code().unwrap_or(-1),
        String::from_utf8_lossy(&said).into_owned(),
    )
}

fn run(home: &Path, arguments: &[&str]) -> (i32, String) {
    ended(import(home, arguments).spawn().expect("start lokikv"))
}

fn runs_well(home: &Path, arguments: &[&str]) -> String {
    let (code, said) = run(home, arguments);
    assert_eq!(code, 0, "{arguments:?}: {said}");
    said
}

fn fails(home: &Path, arguments: &[&str], why: &str) -> String {
    let (code, said) = run(home, arguments);
    assert!(code == 1 && said.contains(why), "{arguments:?}: {code} {said}");
    said
}

fn home() -> TempDir {
    tempfile::tempdir().expect("a temporary directory")
}

fn url(server: &Server) -> String {
    format!("redis://127.0.0.1:{}", server.port())
}

fn all_well(conn: &mut Conn, commands: &[Args]) {
    for (command, reply) in commands.iter().zip(conn.pipeline(commands).expect("run")) {
        assert!(!reply.is_error(), "{}: {reply}", crate::support::text::join(command));
    }
}

/// Keys of all types in two databases, a library, and `count` strings.
fn fill(conn: &mut Conn, count: usize) {
    let mut commands = vec![
        args![
            "FUNCTION",
            "LOAD",
            "#!lua name=lib\nredis.register_function('f', function() return 'called' end)"
        ],
        args!["RPUSH", "list", "a", "1", "c"],
        args!["SADD", "set", "1", "2", "three"],
        args!["ZADD", "zset", "1.5", "a", "-inf", "b"],
        args!["HSET", "hash", "f", "1", "g", "2"],
        args!["HPEXPIREAT", "hash", "4102444800000", "FIELDS", "1", "g"],
        args!["XADD", "stream", "5-1", "f", "v"],
        args!["XGROUP", "CREATE", "stream", "group", "0"],
        args!["XREADGROUP", "GROUP", "group", "c", "STREAMS", "stream", ">"],
        args!["VADD", "vectors", "VALUES", "2", "1", "2", "a", "SETATTR", "{\"n\":1}"],
        args!["VADD", "vectors", "VALUES", "2", "2", "1", "b"],
        args!["SET", "timed", "x", "PXAT", "4102444800000"],
        args!["SET", "large", "x".repeat(3_000_000)],
        args!["SELECT", "7"],
        args!["SET", "seventh", "x"],
        args!["SELECT", "0"],
    ];
    commands.extend((0..count).map(|n| args!["SET", format!("k:{n}"), format!("value {n}")]));
    all_well(conn, &commands);
}

/// What tells whether all of that is there.
fn look(conn: &mut Conn, count: usize) -> Vec<Value> {
    let mut commands = vec![
        args!["DBSIZE"],
        args!["FCALL", "f", "0"],
        args!["LRANGE", "list", "0", "-1"],
        args!["SORT", "set", "ALPHA"],
        args!["ZRANGE", "zset", "0", "-1", "WITHSCORES"],
        args!["HMGET", "hash", "f", "g"],
        args!["HPEXPIRETIME", "hash", "FIELDS", "2", "f", "g"],
        args!["XRANGE", "stream", "-", "+"],
        args!["XPENDING", "stream", "group"],
        args!["VEMB", "vectors", "a"],
        args!["VGETATTR", "vectors", "a"],
        args!["PEXPIRETIME", "timed"],
        args!["STRLEN", "large"],
    ];
    commands.extend((0..count).map(|n| args!["GET", format!("k:{n}")]));
    commands.extend([args!["SELECT", "7"], args!["GET", "seventh"], args!["SELECT", "0"]]);
    conn.pipeline(&commands).expect("look")
}

#[test]
fn a_server_is_copied_into_a_folder_and_into_a_server() {
    const COUNT: usize = 3000;
    let source = Server::lokikv(&[]);
    fill(&mut source.connect(), COUNT);
    let expected = look(&mut source.connect(), COUNT);
    let (home, from) = (home(), url(&source));
    let keys = COUNT + 9;
    let said = runs_well(home.path(), &["--from", &from, "--verify", "--data-dir", "data"]);
    assert!(
        said.contains(&format!("copied {keys} keys from {from} to data")),
        "{said}"
    );
    assert!(said.contains(&format!("compared {keys} keys: all are alike")), "{said}");
    assert!(!home.path().join("data/lokikv-import.json").exists());
    let mut there = Server::lokikv_over(&home.path().join("data"), &[]);
    there.restart();
    assert_eq!(look(&mut there.connect(), COUNT), expected);
    there.kill9();

    let target = Server::lokikv(&[]);
    let to = url(&target);
    let both = ["--from", from.as_str(), "--to", &to];
    let said = runs_well(home.path(), &[&both[..], &["--verify"]].concat());
    assert!(said.contains(&format!("compared {keys} keys: all are alike")), "{said}");
    assert_eq!(look(&mut target.connect(), COUNT), expected);
    assert!(!home.path().join("lokikv-import.json").exists());

    fails(
        home.path(),
        &both,
        "keys already; --merge adds to them, --replace empties it first",
    );
    let mut conn = target.connect();
    all_well(
        &mut conn,
        &[
            args!["SET", "own", "x"],
            args!["DEL", "k:5"],
            args!["SET", "k:6", "other"],
            args!["PERSIST", "timed"],
        ],
    );
    let said = fails(
        home.path(),
        &[&both[..], &["--verify-only"]].concat(),
        "1 are missing; 2 are different; 1 are there only",
    );
    for named in [
        "\"k:5\": it is missing",
        "\"k:6\": it is different",
        "\"timed\": it is different",
        "\"own\": the target alone",
    ] {
        assert!(said.contains(named), "{said}");
    }
    // What is there besides is no fault of a merge.
    let said = runs_well(home.path(), &[&both[..], &["--merge", "--verify"]].concat());
    assert!(said.contains("all are alike"), "{said}");
    assert_eq!(conn.call(&["GET", "own"]), Value::bulk("x"));
    runs_well(home.path(), &[&both[..], &["--replace", "--verify"]].concat());
    assert_eq!(look(&mut conn, COUNT), expected);
}

#[test]
fn a_server_is_not_copied_onto_itself_nor_into_another_product() {
    let (server, home) = (Server::lokikv(&[]), home());
    let mut conn = server.connect();
    all_well(&mut conn, &[args!["SET", "k", "v"]]);
    let from = url(&server);
    // By another of its names, too.
    for to in [from.clone(), format!("redis://localhost:{}", server.port())] {
        for more in [
            &["--replace"][..],
            &["--merge"],
            &[],
            &["--into-collection", "there", "--replace"],
        ] {
            let arguments = [&["--from", &from, "--to", &to], more].concat();
            let said = fails(home.path(), &arguments, "are the same server");
            assert!(!said.contains("copied 1"), "{said}");
        }
    }
    assert_eq!(conn.call(&["GET", "k"]), Value::bulk("v"));
    let (fake, to) = Fake::start(payloads());
    fails(
        home.path(),
        &["--from", &from, "--to", &to, "--replace"],
        "it is not LokiKV",
    );
    let asked = fake.asked.lock().expect("no panic").clone();
    assert_eq!(asked.iter().collect::<Vec<_>>(), ["CLIENT", "INFO"]);
    assert!(!home.path().join("lokikv-import.json").exists());
}

#[test]
fn whole_batches_and_empty_databases_are_compared() {
    let (source, target, home) = (Server::lokikv(&[]), Server::lokikv(&[]), home());
    let commands: Vec<Args> = (0..256).map(|n| args!["SET", format!("k:{n}"), "v"]).collect();
    all_well(&mut source.connect(), &commands);
    let (from, to) = (url(&source), url(&target));
    let into_folder = ["--from", from.as_str(), "--data-dir", "data", "--verify"];
    let said = runs_well(home.path(), &into_folder);
    assert!(said.contains("compared 256 keys: all are alike"), "{said}");
    // A database that only the source has keys in.
    let both = ["--from", from.as_str(), "--to", &to, "--verify-only"];
    let said = fails(home.path(), &both, "256 are missing");
    assert!(!said.contains("refused"), "{said}");
    // A database that only the target has keys in.
    all_well(&mut source.connect(), &[args!["FLUSHALL"]]);
    all_well(&mut target.connect(), &[args!["SELECT", "3"], args!["SET", "own", "x"]]);
    let third = format!("{from}/3");
    fails(
        home.path(),
        &["--from", &third, "--to", &to, "--verify-only"],
        "1 are there only",
    );
}

#[test]
fn libraries_of_functions_are_compared() {
    let (source, target, home) = (Server::lokikv(&[]), Server::lokikv(&[]), home());
    fill(&mut source.connect(), 0);
    let (from, to) = (url(&source), url(&target));
    let into_folder = ["--from", from.as_str(), "--data-dir", "data"];
    let into_server = ["--from", from.as_str(), "--to", &to];
    runs_well(home.path(), &[&into_folder[..], &["--verify"]].concat());
    runs_well(home.path(), &[&into_server[..], &["--verify"]].concat());
    let mut conn = target.connect();
    let (other, own) = (
        "#!lua name=lib\nredis.register_function('f', function() return 'other' end)",
        "#!lua name=own\nredis.register_function('g', function() return 'own' end)",
    );
    // What only the target has stays, and is no fault.
    all_well(&mut conn, &[args!["FUNCTION", "LOAD", own]]);
    runs_well(home.path(), &[&into_server[..], &["--verify-only"]].concat());
    for (change, named) in [
        (
            args!["FUNCTION", "LOAD", "REPLACE", other],
            "library \"lib\": it is different",
        ),
        (args!["FUNCTION", "FLUSH"], "library \"lib\": it is missing"),
    ] {
        all_well(&mut conn, &[change]);
        let said = fails(home.path(), &[&into_server[..], &["--verify-only"]].concat(), named);
        assert!(
            said.contains("; 1 libraries of functions are missing or different"),
            "{said}"
        );
    }
    let skip = ["--verify-only", "--skip-functions"];
    runs_well(home.path(), &[&into_server[..], &skip[..]].concat());
    all_well(&mut source.connect(), &[args!["FUNCTION", "LOAD", "REPLACE", other]]);
    fails(
        home.path(),
        &[&into_folder[..], &["--verify-only"]].concat(),
        "library \"lib\": it is different",
    );
}

#[test]
fn one_database_goes_into_a_collection() {
    let (source, target, home) = (Server::lokikv(&[]), Server::lokikv(&[]), home());
    fill(&mut source.connect(), 10);
    let (from, to) = (url(&source), url(&target));
    let into = ["--into-collection", "there", "--kind", "bcust", "--verify"];
    fails(
        home.path(),
        &[&["--from", &from, "--data-dir", "data"], &into[..]].concat(),
        "keys of several databases",
    );
    let from = format!("{from}/7");
    let said = runs_well(
        home.path(),
        &[&["--from", &from, "--data-dir", "data"], &into[..]].concat(),
    );
    assert!(said.contains("compared 1 keys: all are alike"), "{said}");
    runs_well(home.path(), &[&["--from", &from, "--to", &to], &into[..]].concat());
    let mut conn = target.connect();
    assert_eq!(conn.call(&["COLLECTION", "USE", "there"]), Value::ok());
    assert_eq!(conn.call(&["GET", "seventh"]), Value::bulk("x"));
}

#[test]
fn who_may_not_is_told_why() {
    let source = Server::lokikv(&[]);
    let (home, port) = (home(), source.port());
    all_well(
        &mut source.connect(),
        &[
            args!["SET", "a", "1"],
            args!["ACL", "SETUSER", "reader", "on", ">secret", "~*", "+@all"],
            args!["ACL", "SETUSER", "blind", "on", ">secret", "~*", "+@all", "-dump"],
            args!["ACL", "SETUSER", "simple", "on", ">secret", "~*", "+@all", "-function"],
        ],
    );
    let import = |login: &str| format!("redis://{login}@127.0.0.1:{port}");
    let place = ["--data-dir", "data"];
    for (login, why) in [
        (
            "reader:wrong",
            "connecting is refused: WRONGPASS invalid username-password pair or user is disabled.",
        ),
        (":wrong", "connecting is refused: "),
        ("blind:secret", "DUMP is refused: NOPERM "),
        (
            "simple:secret",
            "FUNCTION DUMP (--skip-functions leaves it out) is refused: NOPERM ",
        ),
    ] {
        let said = fails(home.path(), &[&["--from", &import(login)], &place[..]].concat(), why);
        assert!(!said.contains("secret"), "{said}");
    }
    runs_well(
        home.path(),
        &[&["--from", &import("reader:secret")], &place[..]].concat(),
    );
    let from = import("simple:secret");
    runs_well(
        home.path(),
        &[&["--from", &from, "--merge", "--skip-functions"], &place[..]].concat(),
    );
    // Where nobody listens, nobody is waited for.
    let begun = Instant::now();
    let (_socket, port) = closed_port();
    fails(
        home.path(),
        &["--from", &format!("redis://127.0.0.1:{port}"), "--data-dir", "data"],
        "connecting: ",
    );
    assert!(begun.elapsed() < Duration::from_secs(20));
}

/// Waits until the state file at `path` says that something is there.
fn wait_for_part(path: &Path) {
    await_that("a part is there", || {
        let text = std::fs::read(path).unwrap_or_default();
        let state: serde_json::Value = serde_json::from_slice(&text).unwrap_or_default();
        let cursor = state["position"]["cursor"].as_str().unwrap_or_default();
        !cursor.is_empty() && cursor != "0"
    });
}

/// How many keys a server has been asked for.
fn asked_for(source: &Server) -> u64 {
    let stats = source.connect().call(&["INFO", "commandstats"]).text();
    let calls = stats.split("cmdstat_dump:calls=").nth(1);
    let calls = calls.and_then(|rest| rest.split(',').next());
    calls.map_or(0, |calls| calls.parse().expect("a number"))
}

/// Waits until a server has been asked for so many keys.
fn wait_for_keys(source: &Server, count: u64) {
    await_that("keys are read", || asked_for(source) >= count);
}

/// So many keys that a copy at this rate, of keys a second, takes long.
const SLOW: (usize, &str) = (20_000, "2000");
/// When so many of them have been read some have arrived, and most have not.
const SOME: u64 = 6000;

#[test]
fn a_copy_that_was_interrupted_goes_on() {
    let source = Server::lokikv(&[]);
    fill(&mut source.connect(), SLOW.0);
    let expected = look(&mut source.connect(), SLOW.0);
    let (home, from) = (home(), url(&source));
    let begin = |more: &[&str]| {
        let arguments = [&["--from", &from, "--rate", SLOW.1], more].concat();
        import(home.path(), &arguments).spawn().expect("start lokikv")
    };
    // Into a folder: it keeps what it has when it is asked to end.
    let child = begin(&["--data-dir", "data"]);
    wait_for_keys(&source, SOME);
    signal(child.id(), libc::SIGINT);
    let (code, said) = ended(child);
    assert!(
        code == 1 && said.contains("interrupted; the same command goes on from here"),
        "{code} {said}"
    );
    let state = home.path().join("data/lokikv-import.json");
    assert!(state.exists());
    let other = format!("{from}/0");
    fails(
        home.path(),
        &["--from", &other, "--data-dir", "data"],
        "it tells how far another copy is",
    );
    let said = runs_well(home.path(), &["--from", &from, "--data-dir", "data", "--verify"]);
    let copied = number_behind(&said, "copied ");
    assert!(copied < SLOW.0 && said.contains("all are alike"), "{said}");
    assert!(!state.exists());
    let mut there = Server::lokikv_over(&home.path().join("data"), &[]);
    there.restart();
    assert_eq!(look(&mut there.connect(), SLOW.0), expected);

    // Into a server: even if it was killed.
    let target = Server::lokikv(&[]);
    let to = url(&target);
    let mut child = begin(&["--to", &to]);
    wait_for_part(&home.path().join("lokikv-import.json"));
    child.kill().expect("kill");
    ended(child);
    let said = runs_well(home.path(), &["--from", &from, "--to", &to, "--verify"]);
    assert!(
        number_behind(&said, "copied ") < SLOW.0 && said.contains("all are alike"),
        "{said}"
    );
    assert_eq!(look(&mut target.connect(), SLOW.0), expected);
}

fn number_behind(text: &str, before: &str) -> usize {
    let rest = text
        .split(before)
        .nth(1)
        .unwrap_or_else(|| panic!("no {before:?} in {text}"));
    let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
    digits.parse().expect("a number")
}

#[test]
fn a_source_that_dies_is_waited_for_then_given_up() {
    assert!((0..5).any(|_| lose_a_source()), "its port is taken each time");
}

/// Has a source die under a copy; false if it has come back at another port, since its own was taken meanwhile.
fn lose_a_source() -> bool {
    let mut source = Server::lokikv(&["wal.fsync=always"]);
    fill(&mut source.connect(), SLOW.0);
    let (home, from) = (home(), url(&source));
    let begin = |source: &Server, rate: &str, retry_s: &str| {
        let place = ["--from", &from, "--data-dir", "data", "--verify"];
        let way = ["--rate", rate, "--retry-s", retry_s];
        let child = import(home.path(), &[&place[..], &way].concat())
            .spawn()
            .expect("start lokikv");
        wait_for_keys(source, SOME);
        child
    };
    let child = begin(&source, SLOW.1, "1");
    source.kill9();
    let (code, said) = ended(child);
    assert!(
        code == 1 && said.contains("; the same command goes on from here"),
        "{code} {said}"
    );
    assert!(home.path().join("data/lokikv-import.json").exists());
    source.restart();
    if from != url(&source) {
        return false;
    }
    // Another process has other cursors: its databases are read from the start. It dies once more, and comes back.
    let mut child = begin(&source, "8000", "60");
    source.kill9();
    source.restart();
    if from != url(&source) {
        child.kill().expect("kill");
        ended(child);
        return false;
    }
    let (code, said) = ended(child);
    assert!(code == 0 && said.contains("all are alike"), "{code} {said}");
    true
}

#[test]
fn a_source_that_hangs_is_given_up_and_a_wait_for_it_can_be_ended() {
    let source = Server::lokikv(&[]);
    fill(&mut source.connect(), SLOW.0);
    let (home, from) = (home(), url(&source));
    for (retry_s, is_interrupted, why) in [
        ("3", false, "no answer within 2 s; the same command goes on from here"),
        ("60", true, "interrupted; the same command goes on from here"),
    ] {
        let arguments = [
            "--from",
            &from,
            "--data-dir",
            "data",
            "--rate",
            // Neither may end before the source stands still.
            "500",
            "--retry-s",
            retry_s,
        ];
        let before = asked_for(&source);
        let child = import(home.path(), &arguments).spawn().expect("start lokikv");
        wait_for_keys(&source, before + SOME / 4);
        signal(source.pid(), libc::SIGSTOP);
        let begun = Instant::now();
        if is_interrupted {
            std::thread::sleep(Duration::from_millis(500));
            signal(child.id(), libc::SIGINT);
        }
        let (code, said) = ended(child);
        signal(source.pid(), libc::SIGCONT);
        assert!(code == 1 && said.contains(why), "{code} {said}");
        assert!(begun.elapsed() < Duration::from_secs(30), "{:?}", begun.elapsed());
    }
}

#[test]
fn a_key_that_the_source_does_not_give_is_named_and_the_rest_goes_on() {
    let (source, target, home) = (Server::lokikv(&[]), Server::lokikv(&[]), home());
    all_well(
        &mut source.connect(),
        &[
            args!["SET", "k", "v"],
            args!["SADD", "timed", "a"],
            args!["SEXPIRE", "timed", "1000", "MEMBERS", "1", "a"],
        ],
    );
    let (from, to) = (url(&source), url(&target));
    for place in [["--data-dir", "data"], ["--to", &to]] {
        let said = fails(
            home.path(),
            &[&["--from", &from, "--verify"], &place[..]].concat(),
            "copied 1 keys from ",
        );
        for part in [
            "; 1 cannot be read and are left out",
            "database 0: key \"timed\": DUMP is refused: ERR it has members that expire",
            "compared 2 keys; 1 cannot be read",
        ] {
            assert!(said.contains(part), "{part}: {said}");
        }
    }
    assert_eq!(target.connect().call(&["GET", "k"]), Value::bulk("v"));
}

/// So much is sent where no end is in sight.
const FLOOD_BYTES_MAX: usize = 256 << 20;

/// The command that is answered otherwise, with what first, and what again and again.
type Instead = (&'static str, Vec<u8>, &'static [u8]);

/// A server that has some keys and answers by a script.
struct Fake {
    listener: TcpListener,
    keys: Vec<(&'static str, Option<Vec<u8>>)>,
    /// How many connections it has served.
    connections: AtomicUsize,
    /// Whether it says that it is loading.
    is_loading: AtomicBool,
    /// How many DUMPs it answers before it closes a connection, once.
    dies_after: AtomicUsize,
    asked: Mutex<BTreeSet<String>>,
    /// What it says instead to one command: once, then the last part for as long as the other side listens.
    instead: Mutex<Option<Instead>>,
}

impl Fake {
    fn start(keys: Vec<(&'static str, Option<Vec<u8>>)>) -> (Arc<Self>, String) {
        let listener = TcpListener::bind("127.0.0.1:0").expect("bind");
        let url = format!("redis://{}", listener.local_addr().expect("an address"));
        let fake = Arc::new(Self {
            listener,
            keys,
            connections: AtomicUsize::new(0),
            is_loading: AtomicBool::new(false),
            dies_after: AtomicUsize::new(usize::MAX),
            asked: Mutex::default(),
            instead: Mutex::default(),
        });
        let serving = Arc::clone(&fake);
        std::thread::spawn(move || {
            while let Ok((stream, _)) = serving.listener.accept() {
                let serving = Arc::clone(&serving);
                serving.connections.fetch_add(1, Ordering::Relaxed);
                std::thread::spawn(move || serving.serve(stream));
            }
        });
        (fake, url)
    }

    fn serve(&self, stream: TcpStream) {
        let mut reader = BufReader::new(stream.try_clone().expect("clone"));
        let mut writer = stream;
        while let Some(words) = request(&mut reader) {
            if self.floods(&words, &mut writer) {
                return;
            }
            let Some(reply) = self.reply(&words) else { return };
            if writer.write_all(&reply).is_err() {
                return;
            }
        }
    }

    /// Whether it has said what it says instead.
    fn floods(&self, words: &[String], writer: &mut TcpStream) -> bool {
        let instead = self.instead.lock().expect("no panic").clone();
        let Some((_, first, more)) = instead.filter(|(command, ..)| words.first().is_some_and(|word| word == command))
        else {
            return false;
        };
        let mut is_sent = writer.write_all(&first).is_ok();
        let more = more.repeat(4096);
        for _ in 0..FLOOD_BYTES_MAX / more.len().max(1) {
            is_sent = is_sent && writer.write_all(&more).is_ok();
        }
        true
    }

    fn reply(&self, words: &[String]) -> Option<Vec<u8>> {
        let bulk = |bytes: &[u8]| [format!("${}\r\n", bytes.len()).as_bytes(), bytes, b"\r\n"].concat();
        let payload = |key: &str| {
            self.keys
                .iter()
                .find(|(name, _)| *name == key)
                .and_then(|(_, payload)| payload.clone())
        };
        let word = |at: usize| words.get(at).map_or("", String::as_str);
        self.asked.lock().expect("no panic").insert(word(0).to_owned());
        Some(match (word(0), word(1)) {
            ("CLIENT", _) => b"-ERR unknown subcommand\r\n".to_vec(),
            ("INFO", "server") => bulk(b"# Server\r\nrun_id:abc\r\n"),
            ("INFO", "memory") => bulk(b"maxmemory_policy:noeviction\r\n"),
            (_, _) if self.is_loading.load(Ordering::Relaxed) => {
                b"-LOADING Redis is loading the dataset in memory\r\n".to_vec()
            }
            ("INFO", _) => bulk(format!("# Keyspace\r\ndb0:keys={},expires=0\r\n", self.keys.len()).as_bytes()),
            ("TIME", _) => {
                let now_s = (crate::support::now_ms() / 1000).to_string();
                [b"*2\r\n".to_vec(), bulk(now_s.as_bytes()), bulk(b"0")].concat()
            }
            ("SELECT", _) => b"+OK\r\n".to_vec(),
            ("SCAN", _) => {
                let mut reply = [
                    b"*2\r\n".to_vec(),
                    bulk(b"0"),
                    format!("*{}\r\n", self.keys.len()).into_bytes(),
                ]
                .concat();
                for (key, _) in &self.keys {
                    reply.extend(bulk(key.as_bytes()));
                }
                reply
            }
            ("DUMP", key) => {
                if self.dies_after.fetch_sub(1, Ordering::Relaxed) == 0 {
                    self.dies_after.store(usize::MAX, Ordering::Relaxed);
                    return None;
                }
                payload(key).map_or(b"$-1\r\n".to_vec(), |payload| bulk(&payload))
            }
            ("PEXPIRETIME", key) => payload(key).map_or(b":-2\r\n".to_vec(), |_| b":-1\r\n".to_vec()),
            ("EXISTS", _) => b":1\r\n".to_vec(),
            _ => b"-ERR unknown command\r\n".to_vec(),
        })
    }
}

fn request(reader: &mut BufReader<TcpStream>) -> Option<Vec<String>> {
    let mut length = || -> Option<usize> {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        line.trim_end().get(1..)?.parse().ok()
    };
    let count = length()?;
    let mut words = Vec::new();
    for _ in 0..count {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let length: usize = line.trim_end().get(1..)?.parse().ok()?;
        let mut bytes = vec![0; length + 2];
        reader.read_exact(&mut bytes).ok()?;
        bytes.truncate(length);
        words.push(String::from_utf8_lossy(&bytes).into_owned());
    }
    Some(words)
}

/// Payloads that are right, of a newer version, damaged, and of a type that is none.
fn payloads() -> Vec<(&'static str, Option<Vec<u8>>)> {
    let server = Server::lokikv(&[]);
    let mut conn = server.connect();
    all_well(&mut conn, &[args!["SET", "a", "text"]]);
    let good = conn.call(&["DUMP", "a"]).bytes().expect("a payload").to_vec();
    let mut newer = good.clone();
    let at = newer.len() - 10;
    newer[at] = 99;
    let mut torn = good.clone();
    torn[2] ^= 1;
    vec![
        ("good", Some(good)),
        ("newer", Some(newer)),
        ("torn", Some(torn)),
        ("gone", None),
    ]
}

#[test]
fn what_cannot_be_read_is_named_and_the_rest_goes_on() {
    let (_fake, from) = Fake::start(payloads());
    let (home, target) = (home(), Server::lokikv(&[]));
    let to = url(&target);
    for place in [["--data-dir", "data"], ["--to", &to]] {
        let said = fails(
            home.path(),
            &[&["--from", &from, "--skip-functions"], &place[..]].concat(),
            "copied 1 keys from ",
        );
        for part in [
            "; 1 were gone before they were read; 2 cannot be read and are left out",
            "database 0: key \"newer\": type 0, version 99, 16 bytes: this version of payloads is not known",
            "database 0: key \"torn\": type 0, version ",
        ] {
            assert!(said.contains(part), "{part}: {said}");
        }
    }
    assert_eq!(target.connect().call(&["GET", "good"]), Value::bulk("text"));
}

#[test]
fn a_source_that_says_too_much_is_not_listened_to() {
    let (fake, from) = Fake::start(payloads());
    let home = home();
    let huge = "is longer than 67108864 bytes";
    for (command, first, more, why) in [
        (
            "CLIENT",
            &b""[..],
            &b"*1\r\n"[..],
            "connecting: a reply is nested deeper than 32",
        ),
        ("INFO", b"$500000000000\r\n", b"bytes and more of them", huge),
        (
            "INFO",
            b"+",
            b"text without end",
            "a line of a reply is longer than 65536 bytes",
        ),
        (
            "TIME",
            b"*2147483647\r\n",
            b":1\r\n",
            "INFO: a reply has more than 1048576 elements",
        ),
        (
            "SCAN",
            b"*2\r\n$1\r\n0\r\n*1048577\r\n",
            b"$1\r\na\r\n",
            "SCAN: a reply has more than",
        ),
        ("SCAN", b"*2\r\n$1\r\n0\r\n*1000\r\n", b"$60000000\r\n", huge),
        (
            "DUMP",
            b"$536880000\r\n",
            b"bytes",
            "DUMP: a reply is longer than 536871936 bytes",
        ),
        ("PEXPIRETIME", b"-ERR", b" and so on", "a line of a reply is longer"),
    ] {
        *fake.instead.lock().expect("no panic") = Some((command, first.to_vec(), more));
        let begun = Instant::now();
        let arguments = ["--from", &from, "--data-dir", "data", "--skip-functions"];
        let (code, said) = run(home.path(), &arguments);
        assert!(code == 1 && said.contains(why), "{command}: {code} {said}");
        assert!(
            begun.elapsed() < Duration::from_secs(20),
            "{command}: {:?}",
            begun.elapsed()
        );
    }
    // A cursor that is none may be a fault of the moment.
    let cursor = b"*2\r\n$3\r\nxyz\r\n*0\r\n";
    *fake.instead.lock().expect("no panic") = Some(("SCAN", cursor.to_vec(), b":1\r\n"));
    let arguments = ["--from", &from, "--data-dir", "data", "--skip-functions"];
    fails(home.path(), &[&arguments[..], &["--retry-s", "0"]].concat(), "SCAN");
    *fake.instead.lock().expect("no panic") = None;
    fails(home.path(), &arguments, "copied 1 keys");
}

#[test]
fn a_source_that_is_loading_is_waited_for_and_one_that_breaks_off_is_asked_again() {
    let good = payloads().swap_remove(0).1;
    let (fake, from) = Fake::start(vec![("a", good.clone()), ("b", good.clone()), ("c", good)]);
    let home = home();
    let arguments = [
        "--from",
        from.as_str(),
        "--data-dir",
        "data",
        "--connections",
        "1",
        "--skip-functions",
        "--verify",
    ];
    fake.is_loading.store(true, Ordering::Relaxed);
    let said = fails(
        home.path(),
        &[&arguments[..], &["--retry-s", "0"]].concat(),
        "INFO: LOADING Redis is loading",
    );
    assert!(!said.contains("goes on"), "{said}");
    let before = fake.connections.load(Ordering::Relaxed);
    let child = import(home.path(), &arguments).spawn().expect("start lokikv");
    await_that("it comes again, having been told that it is loading", || {
        fake.connections.load(Ordering::Relaxed) > before + 1
    });
    fake.dies_after.store(1, Ordering::Relaxed);
    fake.is_loading.store(false, Ordering::Relaxed);
    let (code, said) = ended(child);
    assert!(
        code == 0 && said.contains("compared 3 keys: all are alike"),
        "{code} {said}"
    );
    assert!(fake.connections.load(Ordering::Relaxed) > 3);
    assert!(fake.asked.lock().expect("no panic").contains("DUMP"));
}

/// A file of one key, written by `export`.
fn exported(home: &Path) {
    let server = Server::lokikv(&[]);
    server.connect().call(&["SET", "k", "v"]);
    let from = url(&server);
    runs_well(home, &["--from", &from, "--data-dir", "source"]);
    drop(server);
    let (code, said) = export(home, "dump.rdb");
    assert_eq!(code, 0, "{said}");
}

fn export(home: &Path, file: &str) -> (i32, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_lokikv"));
    command.args(["export", file, "--data-dir", "source", "--force"]);
    command.current_dir(home).stdout(Stdio::piped()).stderr(Stdio::piped());
    ended(command.spawn().expect("start lokikv"))
}

#[test]
fn names_of_collections_are_judged_and_numbers_are_databases() {
    let home = home();
    exported(home.path());
    for name in ["", "a b", "../../x", "007x y"] {
        let arguments = ["dump.rdb", "--data-dir", "refused", "--into-collection", name];
        fails(home.path(), &arguments, "invalid collection name");
    }
    let arguments = ["dump.rdb", "--data-dir", "refused", "--into-collection", "99"];
    fails(home.path(), &arguments, "99");
    for (name, select) in [("5", "5"), ("0", "0"), ("default", "0"), ("named", "named")] {
        let data_dir = format!("data-{name}");
        runs_well(
            home.path(),
            &["dump.rdb", "--data-dir", &data_dir, "--into-collection", name],
        );
        let dir = home.path().join(&data_dir);
        let server = Server::lokikv(&[&format!("storage.data_dir={}", dir.display())]);
        let mut conn = server.connect();
        assert_eq!(conn.call(&["SELECT", select]), Value::ok());
        assert_eq!(conn.call(&["GET", "k"]), Value::bulk("v"), "{name}");
    }
}

#[test]
fn only_files_are_read_and_replaced() {
    let home = home();
    exported(home.path());
    let at = |name: &str| home.path().join(name);
    std::os::unix::fs::symlink("target.rdb", at("link.rdb")).unwrap();
    std::fs::write(at("target.rdb"), "old").unwrap();
    let (code, said) = export(home.path(), "link.rdb");
    assert_eq!(code, 0, "{said}");
    assert!(at("link.rdb").is_symlink());
    // The files tell when they were written: so they may differ.
    let (written, dumped) = (at("target.rdb"), at("dump.rdb"));
    let read = |path: &Path| std::fs::read(path).unwrap();
    assert_eq!(read(&written).len(), read(&dumped).len());
    assert!(read(&written).starts_with(b"REDIS"));
    let done = Command::new("mkfifo").arg(at("pipe")).status().expect("mkfifo");
    assert!(done.success());
    let (code, said) = export(home.path(), "pipe");
    assert!(code == 1 && said.contains("not a regular file"), "{code} {said}");
    fails(home.path(), &["pipe", "--data-dir", "other"], "not a regular file");
}
