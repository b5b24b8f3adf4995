//! Members of sets and sorted sets that die: told of, logged, in checkpoints, read from the log, refused in exports.

use std::process::Command;
use std::time::{Duration, Instant};

use crate::args;
use crate::in_memory;
use crate::support::{Args, Conn, Server, Value};

const SETTINGS: &[&str] = &[
    "wal.fsync=no",
    "checkpoint.interval_s=0",
    "checkpoint.on_shutdown=false",
];
/// As many as are in several parts.
const MEMBERS: usize = 12_000;
const FAR_MS: &str = "4000000000000";

/// Sets and sorted sets, small and large, some of whose members die in the far future, and some soon.
fn fill(conn: &mut Conn) {
    let mut commands: Vec<Args> = vec![
        args!["SADD", "s", "1", "2", "x"],
        args!["SPEXPIREAT", "s", FAR_MS, "MEMBERS", "2", "1", "x"],
        args!["ZADD", "z", "1", "a", "2.5", "b", "3", "c"],
        args!["ZPEXPIREAT", "z", FAR_MS, "MEMBERS", "1", "b"],
        args!["SADDEX", "soon", "PX", "300", "MEMBERS", "2", "a", "b"],
        args!["SADD", "soon", "c"],
        args!["SADDEX", "gone", "PX", "300", "MEMBERS", "1", "a"],
    ];
    for chunk in (0..MEMBERS).collect::<Vec<_>>().chunks(1000) {
        let (mut set, mut zset) = (args!["SADD", "big:s"], args!["ZADD", "big:z"]);
        let count = (chunk.len() / 2).to_string();
        let mut timed = [
            args!["SPEXPIREAT", "big:s", FAR_MS, "MEMBERS", count],
            args!["ZPEXPIREAT", "big:z", FAR_MS, "MEMBERS", count],
        ];
        for n in chunk {
            let member = format!("member {n}").into_bytes();
            set.push(member.clone());
            zset.extend([n.to_string().into_bytes(), member.clone()]);
            if n % 2 == 1 {
                timed.iter_mut().for_each(|args| args.push(member.clone()));
            }
        }
        commands.extend([set, zset]);
        commands.extend(timed);
    }
    let left = (MEMBERS / 2..MEMBERS).map(|n| format!("member {n}").into_bytes());
    commands.push(
        [
            args!["ZPERSIST", "big:z", "MEMBERS", (MEMBERS / 2).to_string()],
            left.collect(),
        ]
        .concat(),
    );
    for reply in conn.pipeline(&commands).expect("replies") {
        assert!(!reply.is_error(), "{reply:?}");
    }
}

/// All members with when they die.
fn content(conn: &mut Conn) -> Vec<Value> {
    let mut all = Vec::new();
    for (key, read, time) in [
        ("s", "SMEMBERS", "SPEXPIRETIME"),
        ("soon", "SMEMBERS", "SPEXPIRETIME"),
        ("gone", "SMEMBERS", "SPEXPIRETIME"),
        ("big:s", "SMEMBERS", "SPEXPIRETIME"),
        ("z", "ZRANGE", "ZPEXPIRETIME"),
        ("big:z", "ZRANGE", "ZPEXPIRETIME"),
    ] {
        let range: &[&str] = if read == "ZRANGE" { &["0", "-1"] } else { &[] };
        let members = conn.call(&[&[read, key], range].concat());
        let members = if read == "ZRANGE" { members } else { members.sorted() };
        let mut names: Args = members.items().iter().map(|name| name.text().into_bytes()).collect();
        let mut asked = args![time, key, "MEMBERS", names.len().to_string()];
        asked.append(&mut names);
        all.push(members.clone());
        if !members.items().is_empty() {
            all.push(conn.call(&asked));
        }
    }
    all
}

fn waited(mut is_true: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !is_true() {
        assert!(begun.elapsed() < Duration::from_secs(20), "it does not come");
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn they_are_logged_and_in_checkpoints() {
    let mut server = Server::lokikv(SETTINGS);
    let mut conn = server.connect();
    fill(&mut conn);
    waited(|| conn.call(&["EXISTS", "gone"]).int() == Some(0));
    let there = content(&mut conn);
    assert_eq!(conn.call(&["SMEMBERS", "soon"]), Value::Array(vec![Value::bulk("c")]));
    let digest = conn.call(&["DEBUG", "DIGEST"]);
    // Who reads the log is told of them, and that some have died.
    let records = conn.call(&["WAL", "READ", "1", "COUNT", "100000"]).to_string();
    for told in ["zset", "expire-at", "expire-at-ms", "remove", "delete"] {
        let begin: String = records.chars().take(2000).collect();
        assert!(records.contains(told), "{told}: {begin}");
    }
    // From the log alone.
    server.kill9();
    server.restart();
    let mut conn = server.connect();
    assert_eq!(
        (content(&mut conn), conn.call(&["DEBUG", "DIGEST"])),
        (there.clone(), digest.clone())
    );
    // From a checkpoint, and the log behind it.
    assert!(!conn.call(&["CHECKPOINT", "NOW"]).is_error());
    for command in [
        args!["SPERSIST", "big:s", "MEMBERS", "2", "member 1", "member 3"],
        args!["ZADD", "big:z", "7", "member 5", "8", "member 7"],
        args!["ZINCRBY", "big:z", "0.5", "member 9"],
        args!["SREM", "big:s", "member 11"],
        args!["COPY", "big:z", "copied"],
        args!["RENAME", "z", "z2"],
        args!["RENAME", "z2", "z"],
    ] {
        assert!(!conn.call(&command).is_error());
    }
    let (there, digest) = (content(&mut conn), conn.call(&["DEBUG", "DIGEST"]));
    for from_checkpoint in [false, true] {
        if from_checkpoint {
            assert!(!conn.call(&["CHECKPOINT", "NOW"]).is_error());
        }
        server.kill9();
        server.restart();
        conn = server.connect();
        assert_eq!(
            (content(&mut conn), conn.call(&["DEBUG", "DIGEST"])),
            (there.clone(), digest.clone())
        );
    }
    let time = conn.call(&[
        "ZPEXPIRETIME",
        "copied",
        "MEMBERS",
        "3",
        "member 9",
        "member 5",
        "member 1",
    ]);
    assert_eq!(time.items().iter().filter_map(Value::int).max(), FAR_MS.parse().ok());
    // An export refuses what it has no form for, by the key's name.
    assert!(server.terminate().success());
    let (dir, out) = (server.data_dir(), server.data_dir().join("out.rdb"));
    for version in [None, Some("12"), Some("valkey")] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_lokikv"));
        command.arg("export").arg("--data-dir").arg(&dir).arg(&out);
        if let Some(version) = version {
            command.args(["--rdb-version", version]);
        }
        let output = command.output().expect("run lokikv export");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(
            !output.status.success() && said.contains("it has members that expire"),
            "{said}"
        );
        assert!(!out.exists());
    }
}

#[test]
fn what_happens_to_them_is_told() {
    let server = in_memory();
    let mut conn = server.connect();
    conn.call(&["CONFIG", "SET", "notify-keyspace-events", "Eszg"]);
    let mut listener = server.connect();
    listener.call(&["PSUBSCRIBE", "__keyevent@*"]);
    let mut next = || {
        let items = listener.recv().expect("an event").value.items();
        items[2].text().trim_start_matches("__keyevent@0__:").to_owned() + " " + &items[3].text()
    };
    for (letter, made, key) in [
        ("S", args!["SADD", "s", "a", "b", "c"], "s"),
        ("Z", args!["ZADD", "z", "1", "a", "2", "b", "3", "c"], "z"),
    ] {
        let small = letter.to_lowercase();
        let of = |name: &str| format!("{letter}{name}");
        conn.call(&made);
        assert_eq!(next(), format!("{small}add {key}"));
        conn.call(&[&of("EXPIRE"), key, "100", "MEMBERS", "2", "a", "nosuch"]);
        assert_eq!(next(), format!("{small}expire {key}"));
        conn.call(&[&of("EXPIRE"), key, "100", "NX", "MEMBERS", "1", "a"]);
        conn.call(&[&of("PERSIST"), key, "MEMBERS", "2", "a", "b"]);
        assert_eq!(next(), format!("{small}persist {key}"));
        conn.call(&[&of("EXPIREAT"), key, "1", "MEMBERS", "1", "a"]);
        assert_eq!(next(), format!("{small}rem {key}"));
        // By a look or by the sweep, once.
        conn.call(&[&of("PEXPIRE"), key, "20", "MEMBERS", "1", "b"]);
        assert_eq!(next(), format!("{small}expire {key}"));
        assert_eq!(next(), format!("{small}expired {key}"));
        conn.call(&[&of("PEXPIRE"), key, "20", "MEMBERS", "1", "c"]);
        assert_eq!(next(), format!("{small}expire {key}"));
        assert_eq!(next(), format!("{small}expired {key}"));
        assert_eq!(next(), format!("del {key}"));
    }
    conn.call(&args!["SADDEX", "s", "PX", "20", "MEMBERS", "1", "a"]);
    assert_eq!(
        [next(), next(), next(), next()],
        ["sadd s", "sexpire s", "sexpired s", "del s"]
    );
}

/// Whoever has looked at a key is told when a member of it has died.
#[test]
fn watchers_and_caches_hear_of_deaths() {
    let server = in_memory();
    let (mut conn, mut other) = (server.connect3(), server.connect());
    other.call(&["ZADD", "z", "1", "a", "2", "b"]);
    conn.call(&["CLIENT", "TRACKING", "ON"]);
    let expire = args!["ZPEXPIRE", "z", "1000", "MEMBERS", "1", "a"];
    let replies = conn.pipeline(&[expire, args!["ZCARD", "z"]]).expect("replies");
    assert_eq!(replies[1].int(), Some(2));
    let told = conn.recv().expect("a notice").value;
    assert!(told.to_string().contains("invalidate"), "{told}");
    assert_eq!(
        conn.call(&["ZRANGE", "z", "0", "-1"]),
        Value::Array(vec![Value::bulk("b")])
    );
    let watches = [
        args!["SADDEX", "s", "PX", "1000", "MEMBERS", "1", "a"],
        args!["SADD", "s", "b"],
        args!["WATCH", "s"],
    ];
    other.pipeline(&watches).expect("replies");
    waited(|| conn.call(&["SCARD", "s"]).int() == Some(1));
    other.call(&["MULTI"]);
    other.call(&["SADD", "s", "c"]);
    assert!(other.call(&["EXEC"]).is_null());
}

/// WATCH sees what dies before EXEC, whether the sweep has come by or not; what was dead before is no change.
#[test]
fn a_death_between_watch_and_exec_is_a_change() {
    let server = Server::lokikv(&["server.enable_debug_command=yes", "checkpoint.interval_s=0"]);
    let mut conn = server.connect();
    let made: [(&[&str], &str, &str); 3] = [
        (&["HSET", "h", "a", "1", "b", "2"], "HPEXPIRE", "FIELDS"),
        (&["SADD", "s", "a", "b"], "SPEXPIRE", "MEMBERS"),
        (&["ZADD", "z", "1", "a", "2", "b"], "ZPEXPIRE", "MEMBERS"),
    ];
    for sweeps in ["0", "1"] {
        conn.call(&["DEBUG", "SET-ACTIVE-EXPIRE", sweeps]);
        for (request, expire, names) in made {
            let key = request[1];
            conn.call(&["DEL", key]);
            conn.call(request);
            let watches = [args![expire, key, "1000", names, "1", "a"], args!["WATCH", key]];
            conn.pipeline(&watches).expect("replies");
            std::thread::sleep(Duration::from_millis(1300));
            conn.call(&["MULTI"]);
            conn.call(&["PING"]);
            assert!(conn.call(&["EXEC"]).is_null(), "{key}: one of it died, sweep {sweeps}");
            // Now it is dead, or gone.
            conn.call(&["WATCH", key]);
            std::thread::sleep(Duration::from_millis(150));
            conn.call(&["MULTI"]);
            conn.call(&["PING"]);
            assert!(
                !conn.call(&["EXEC"]).is_null(),
                "{key}: nothing has died, sweep {sweeps}"
            );
        }
    }
}

/// What is added with an expiry that is past was there for no time, which is a change all the same.
#[test]
fn what_is_there_for_no_time_breaks_a_watch() {
    let server = in_memory();
    let (mut conn, mut other) = (server.connect(), server.connect());
    for request in [
        &["HSETEX", "k", "PXAT", "1", "FIELDS", "1", "f", "v"][..],
        &["SADDEX", "k", "PXAT", "1", "MEMBERS", "1", "m"],
    ] {
        conn.call(&["WATCH", "k"]);
        assert_eq!(other.call(request).int(), Some(1), "{request:?}");
        conn.call(&["MULTI"]);
        conn.call(&["PING"]);
        assert!(conn.call(&["EXEC"]).is_null(), "{request:?}");
    }
}
