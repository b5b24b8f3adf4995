//! Append-only files, of one part or several, with rewrites in between.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::args;
use crate::families::fill_more;
use crate::fill::fill;
use crate::format::{look, started_with};
use crate::look::{Dataset, assert_same};
use crate::place::{Place, names};
use crate::support::{Args, Conn, Server, Value};

type Start = fn(&[&str]) -> Server;

/// What a program writes, and in which version it loads what is exported.
struct Peer {
    start: Start,
    version: &'static str,
    has_timed_fields: bool,
}

const PEERS: [Peer; 3] = [
    Peer {
        start: Server::redis,
        version: "10",
        has_timed_fields: false,
    },
    Peer {
        start: Server::redis8,
        version: "12",
        has_timed_fields: true,
    },
    Peer {
        start: Server::valkey,
        version: "valkey",
        has_timed_fields: true,
    },
];

fn run(conn: &mut Conn, commands: &[Args]) {
    for (command, reply) in commands.iter().zip(conn.pipeline(commands).expect("run")) {
        assert!(!reply.is_error(), "{}: {reply}", crate::support::text::join(command));
    }
}

/// Commands that are logged otherwise than they are sent, or touch several databases; `n` makes them differ.
fn work(conn: &mut Conn, n: usize) {
    let key = |name: &str| format!("{name}:{n}");
    run(
        conn,
        &[
            args!["MULTI"],
            args!["INCRBYFLOAT", key("float"), "0.1"],
            args!["SET", key("short"), "x", "EX", "100000"],
            args!["SELECT", "3"],
            args!["RPUSH", key("list"), "a", "b", "c"],
            args!["SELECT", "0"],
            args!["EXEC"],
            args!["SADD", key("set"), "a", "b", "c", "d", "e", "f"],
            args!["SPOP", key("set"), "2"],
            args!["SET", key("extended"), "1", "PX", "1"],
            args!["GETSET", key("text"), "one"],
            args!["EXPIRE", key("text"), "5000"],
            args!["PERSIST", key("text")],
            args!["COPY", key("text"), key("copied"), "DB", "7"],
            args!["SET", key("moved"), "m"],
            args!["MOVE", key("moved"), "8"],
            args!["ZADD", key("zset"), "1", "a", "2", "b"],
            args!["ZINCRBY", key("zset"), "0.3", "a"],
            args!["ZPOPMIN", key("zset")],
            args!["XADD", key("stream"), "5-1", "f", "v"],
            args!["XADD", key("stream"), "MAXLEN", "1", "5-2", "f", "w"],
            args!["XGROUP", "CREATE", key("stream"), "g", "0"],
            args![
                "XREADGROUP",
                "GROUP",
                "g",
                "c",
                "COUNT",
                "1",
                "STREAMS",
                key("stream"),
                ">"
            ],
            args!["SETRANGE", key("range"), "3", "x"],
            args!["PFADD", key("hll"), "a", "b"],
            args![
                "EVAL",
                "return redis.call('SET', KEYS[1], ARGV[1])",
                "1",
                key("script"),
                "by a script"
            ],
            args!["SELECT", "8"],
            args!["SET", key("flushed"), "x"],
            args!["FLUSHDB"],
            args!["SELECT", "0"],
            args!["SWAPDB", "3", "7"],
            args!["SELECT", "0"],
        ],
    );
}

fn rewrite(conn: &mut Conn) {
    assert!(!conn.call(&["BGREWRITEAOF"]).is_error());
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        let info = conn.call(&["INFO", "persistence"]).text();
        if info.contains("aof_rewrite_in_progress:0") && info.contains("aof_rewrite_scheduled:0") {
            assert!(info.contains("aof_last_bgrewrite_status:ok"));
            return;
        }
        assert!(Instant::now() < deadline);
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Everything, but for what depends on when the log is read, and on how a string was made.
fn look_past(conn: &mut Conn) -> (Dataset, Value) {
    let (mut data, digest) = look(conn);
    let seen = format!("{:?}, Int(", Value::bulk("seen-time"));
    for shown in data.values_mut() {
        let mut parts = shown.split(&seen);
        let mut kept = parts.next().unwrap_or_default().to_owned();
        for part in parts {
            kept.push_str(part.split_once(')').map_or("", |(_, behind)| behind));
        }
        *shown = kept.replace(" raw ", " embstr ");
    }
    (data, digest)
}

/// What the server has of its own files.
fn reloaded(server: &mut Server) -> (Dataset, Value) {
    server.kill9();
    server.restart();
    let found = look_past(&mut server.connect());
    server.kill9();
    found
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a folder");
    for name in names(from) {
        fs::copy(from.join(&name), to.join(&name)).expect("copy");
    }
}

/// The incremental file of a folder.
fn incremental(dir: &Path) -> String {
    let names = names(dir);
    let mut found = names.into_iter().filter(|name| name.ends_with(".incr.aof"));
    let last = found.next_back().expect("an incremental file");
    assert_eq!(found.next(), None);
    last
}

#[test]
fn folders_with_rewrites_in_between_come_in_whole() {
    for (which, peer) in PEERS.iter().enumerate() {
        for more in [
            &[][..],
            &["--aof-use-rdb-preamble", "no"],
            &["--aof-timestamp-enabled", "yes"],
        ] {
            let mut settings = vec!["--appendonly", "yes", "--appendfsync", "always"];
            settings.extend(more);
            let mut server = (peer.start)(&settings);
            let mut conn = server.connect();
            work(&mut conn, 0);
            fill(&mut conn);
            rewrite(&mut conn);
            work(&mut conn, 1);
            if peer.has_timed_fields {
                fill_more(&mut conn);
            }
            rewrite(&mut conn);
            work(&mut conn, 2);
            let (expected, digest) = reloaded(&mut server);
            let place = Place::empty();
            copy(&server.data_dir().join("appendonlydir"), &place.path("log"));
            let said = place.import("log");
            assert!(said.contains(" commands were run"), "{said}");
            let again = started_with((peer.start)(&[]), &place.export(peer.version));
            let (found, found_digest) = look_past(&mut again.connect());
            assert_same(&expected, &found);
            assert_eq!(digest, found_digest, "{which} {more:?}");
        }
    }
}

#[test]
fn one_file_with_a_beginning_and_one_without_come_in() {
    let mut server = Server::redis(&["--appendonly", "yes", "--appendfsync", "always"]);
    let mut conn = server.connect();
    fill(&mut conn);
    rewrite(&mut conn);
    work(&mut conn, 1);
    let (expected, digest) = reloaded(&mut server);
    let dir = server.data_dir().join("appendonlydir");
    let read = |name: &str| fs::read(dir.join(name)).expect("a part");
    let base = names(&dir)
        .into_iter()
        .find(|name| name.ends_with(".base.rdb"))
        .expect("a base");
    let commands = read(&incremental(&dir));
    // So servers before Redis 7 wrote it.
    let place = Place::new(&[read(&base), commands.clone()].concat());
    place.import("dump.rdb");
    let again = started_with(Server::redis(&[]), &place.export("10"));
    let (found, found_digest) = look_past(&mut again.connect());
    assert_same(&expected, &found);
    assert_eq!(digest, found_digest);
    let place = Place::new(&commands);
    let said = place.import("dump.rdb");
    assert!(said.contains(" commands were run"), "{said}");
    // The folder of the whole server will do, too.
    let place = Place::empty();
    copy(&dir, &place.path("server/appendonlydir"));
    place.import("server");
}

fn encoded(commands: &[Args]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for command in commands {
        bytes.extend(format!("*{}\r\n", command.len()).into_bytes());
        for arg in command {
            bytes.extend(format!("${}\r\n", arg.len()).into_bytes());
            bytes.extend(arg);
            bytes.extend(b"\r\n");
        }
    }
    bytes
}

/// What a server says that has this data.
fn asked(place: &Place, commands: &[&[&str]]) -> Vec<Value> {
    let server = Server::lokikv_over(&place.path("data"), &[]);
    let mut server = server;
    server.restart();
    let mut conn = server.connect();
    commands.iter().map(|command| conn.call(command)).collect()
}

#[test]
fn what_has_expired_meanwhile_lives_on_where_a_later_command_says_so() {
    let place = Place::new(&encoded(&[
        args!["SELECT", "0"],
        args!["SET", "extended", "5", "PXAT", "1700000000000"],
        args!["INCR", "extended"],
        args!["PERSIST", "extended"],
        args!["SET", "dead", "5", "PXAT", "1700000000000"],
        args!["SETEX", "relative", "1000", "x"],
        args!["HSET", "hash", "a", "1"],
        args!["HPEXPIREAT", "hash", "1700000000000", "FIELDS", "1", "a"],
        args!["HPERSIST", "hash", "FIELDS", "1", "a"],
    ]));
    place.import("dump.rdb");
    let replies = asked(
        &place,
        &[
            &["GET", "extended"],
            &["PTTL", "extended"],
            &["GET", "dead"],
            &["TTL", "relative"],
            &["HGET", "hash", "a"],
            &["OBJECT", "IDLETIME", "extended"],
        ],
    );
    assert_eq!(replies[..3], [Value::bulk("6"), Value::Int(-1), Value::Null]);
    assert!(
        replies[3].int().is_some_and(|ttl| (900..=1000).contains(&ttl)),
        "{}",
        replies[3]
    );
    assert_eq!(replies[4], Value::bulk("1"));
    assert!(replies[5].int().is_some_and(|idle| idle < 600), "{}", replies[5]);
}

#[test]
fn a_torn_end_is_left_out_with_a_word() {
    let whole = encoded(&[args!["SET", "a", "1"], args!["SET", "b", "2"]]);
    let first = whole.len() / 2;
    for cut in first + 1..whole.len() {
        if cut % 5 != 0 {
            continue;
        }
        let place = Place::new(&whole[..cut]);
        let said = place.import("dump.rdb");
        let note = format!("which is left out: {} bytes from byte {first} on", cut - first);
        assert!(said.contains(&note) && said.contains("imported 1 keys"), "{said}");
    }
    let transaction = encoded(&[args!["SET", "a", "1"], args!["MULTI"], args!["SET", "a", "2"]]);
    let place = Place::new(&transaction);
    let said = place.import("dump.rdb");
    assert!(said.contains(&format!("from byte {first} on")), "{said}");
    assert_eq!(asked(&place, &[&["GET", "a"]]), [Value::bulk("1")]);
    // In the last file only.
    let place = Place::empty();
    fs::create_dir(place.path("log")).expect("a folder");
    fs::write(place.path("log/1.aof"), &transaction).expect("write");
    fs::write(place.path("log/2.aof"), &whole).expect("write");
    let manifest = "file 1.aof seq 1 type i\nfile 2.aof seq 2 type i\n";
    fs::write(place.path("log/x.manifest"), manifest).expect("write");
    place.fails(&["import", "log", "--data-dir", "data"], "though other files follow");
}

#[test]
fn a_command_that_cannot_be_run_is_named_and_leaves_the_data_as_it_was() {
    let set = args!["SET", "a", "1"];
    let at = encoded(std::slice::from_ref(&set)).len();
    for (bad, why) in [
        (args!["JSON.SET", "doc", "$", "1"], "unknown command 'JSON.SET'"),
        (args!["INCRBY", "a", "x"], "ERR value is not an integer"),
        (args!["LPUSH", "a", "x"], "WRONGTYPE"),
        (
            args!["SELECT", "99"],
            "it has keys in database 99, but server.databases is 16",
        ),
        (args!["BLPOP", "nothing", "0"], "it does not end"),
    ] {
        let place = Place::new(&encoded(&[set.clone(), bad.clone()]));
        let name = String::from_utf8_lossy(&bad[0]).into_owned();
        let import = ["import", "dump.rdb", "--data-dir", "data"];
        place.fails(&import, &format!("byte {at}: the command \"{name}\" cannot be run: "));
        place.fails(&import, why);
        let in_transaction = encoded(&[set.clone(), args!["MULTI"], bad.clone(), args!["EXEC"]]);
        if name == "INCRBY" || name == "LPUSH" {
            fs::write(place.path("dump.rdb"), in_transaction).expect("write");
            place.fails(&import, "the command \"EXEC\" cannot be run: ");
        }
        fs::write(place.path("dump.rdb"), encoded(std::slice::from_ref(&set))).expect("write");
        place.run_well(&import);
        place.fails(&import, "collection \"default\" has 1 keys already");
        let merge = [&import[..], &["--merge"]].concat();
        place.fails(&merge, "commands cannot be run on data that is there");
        place.run_well(&[&import[..], &["--replace"]].concat());
    }
    let place = Place::new(&[encoded(std::slice::from_ref(&set)), b"garbage".to_vec()].concat());
    let import = ["import", "dump.rdb", "--data-dir", "data"];
    place.fails(&import, &format!("byte {at}: no command begins there"));
    fs::write(place.path("dump.rdb"), b"*2\r\n$3\r\nGET\r\nx\r\n").expect("write");
    place.fails(&import, "byte 0: no command begins there: ");
}

#[test]
fn commands_go_to_one_collection_and_flush_only_what_they_made() {
    let log = encoded(&[
        args!["SET", "gone", "1"],
        args!["FLUSHALL"],
        args!["SET", "a", "1"],
        args![
            "FUNCTION",
            "LOAD",
            "#!lua name=l\nredis.register_function('f', function() return 7 end)"
        ],
    ]);
    let place = Place::new(&encoded(&[args!["SELECT", "2"], args!["SET", "kept", "x"]]));
    place.import("dump.rdb");
    fs::write(place.path("dump.rdb"), &log).expect("write");
    let into = ["import", "dump.rdb", "--data-dir", "data", "--into-collection", "c"];
    place.run_well(&into);
    let replies = asked(
        &place,
        &[
            &["SELECT", "c"],
            &["KEYS", "*"],
            &["FCALL", "f", "0"],
            &["SELECT", "2"],
            &["KEYS", "*"],
        ],
    );
    let one = |key: &str| Value::Array(vec![Value::bulk(key)]);
    assert_eq!(replies[1..3], [one("a"), Value::Int(7)]);
    assert_eq!(replies[4], one("kept"));
    let two = encoded(&[args!["SET", "a", "1"], args!["SELECT", "1"], args!["SET", "a", "1"]]);
    fs::write(place.path("dump.rdb"), two).expect("write");
    place.fails(
        &[&into[..5], &["d"]].concat(),
        "commands on several databases cannot be run on one collection",
    );
}
