//! Commands that are newer than the peers on the machine: their events, who waits, what is there after a kill.

use crate::blocking::await_blocked;
use crate::caching::{told, tracking};
use crate::support::{Conn, Server, Value};
use crate::{call, in_memory};

/// The names of the events of a command.
fn events_of(listener: &mut Conn, conn: &mut Conn, line: &str) -> Vec<String> {
    let reply = call(conn, line);
    assert!(!reply.is_error(), "{line}: {reply:?}");
    listener.send(&["PING", "end"]).expect("send");
    let mut names = Vec::new();
    loop {
        let items = listener.recv().expect("an event or the end").value.items();
        if items[0].text() == "pong" {
            return names;
        }
        let channel = items[2].text();
        names.push(channel.rsplit(':').next().expect("a name").to_owned());
    }
}

#[test]
fn events_of_newer_commands() {
    let server = in_memory();
    let mut conn = server.connect();
    call(&mut conn, "CONFIG SET notify-keyspace-events EA");
    let mut listener = server.connect();
    call(&mut listener, "PSUBSCRIBE __keyevent@*");
    for (line, names) in [
        ("SET k v IFNE x EX 100", &["set", "expire"][..]),
        ("SET k v IFEQ x", &[]),
        ("SET k w IFEQ v", &["set"]),
        ("DELEX k IFEQ v", &[]),
        ("DELEX k IFEQ w", &["del"]),
        ("DELEX k", &[]),
        ("MSETEX 2 a 1 b 2", &["set", "set"]),
        ("MSETEX 2 a 1 b 2 PX 100000", &["set", "expire", "set", "expire"]),
        ("MSETEX 2 a 1 new 2 XX", &[]),
        ("DELIFEQ b 2", &["del"]),
        ("INCREX n BYINT 5", &["incrby"]),
        ("INCREX n BYFLOAT 0.5", &["incrbyfloat"]),
        ("SET n 10 EX 100", &["set", "expire"]),
        ("INCREX n PERSIST", &["incrby", "persist"]),
        ("INCREX n PERSIST", &["incrby"]),
        ("INCREX n EX 100", &["incrby", "expire"]),
        ("INCREX n EX 200 ENX", &["incrby"]),
        ("INCREX n UBOUND 1 EX 200", &[]),
        ("INCREX n EXAT 1", &["del"]),
        ("INCREX n EXAT 1", &[]),
        ("RPUSH s 1 2 3", &["rpush"]),
        ("LMOVEM s d LEFT RIGHT COUNT 2 BULK", &["rpush", "lpop"]),
        ("LMOVEM s d RIGHT LEFT EXACTLY 1 OBO", &["lpush", "rpop", "del"]),
        ("LMOVEM d d LEFT LEFT COUNT 9 OBO", &["lpush", "lpop"]),
        ("LMOVEM d d LEFT LEFT EXACTLY 9 OBO", &[]),
    ] {
        assert_eq!(events_of(&mut listener, &mut conn, line), names, "{line}");
    }
}

#[test]
fn whoever_watches_and_whoever_caches_learns_of_it() {
    let server = in_memory();
    let (mut watcher, mut other) = (server.connect(), server.connect());
    let mut cacher = tracking(&server, &[]);
    for (before, line, is_change) in [
        ("SET k v", "SET k w IFEQ v", true),
        ("SET k v", "SET k w IFEQ x", false),
        ("SET k v", "DELEX k IFNE v", false),
        ("SET k v", "DELEX k IFNE w", true),
        ("SET k v", "DELIFEQ k v", true),
        ("SET k v", "MSETEX 2 k w l w NX", false),
        ("SET k v", "MSETEX 2 k w l w XX EX 9", false),
        ("SET k v", "MSETEX 1 k w XX EX 9", true),
        ("SET k 1", "INCREX k UBOUND 1", false),
        ("SET k 1", "INCREX k", true),
    ] {
        call(&mut other, before);
        told(&mut cacher);
        call(&mut cacher, "GET k");
        call(&mut watcher, "WATCH k");
        call(&mut other, line);
        call(&mut watcher, "MULTI");
        call(&mut watcher, "PING");
        assert_eq!(call(&mut watcher, "EXEC").is_null(), is_change, "{line}");
        assert_eq!(told(&mut cacher).len(), usize::from(is_change), "{line}");
    }
}

#[test]
fn whoever_waits_for_several_elements_gets_them_together() {
    let server = in_memory();
    let (mut first, mut second, mut other) = (server.connect(), server.connect(), server.connect());
    first
        .send(&["BLMOVEM", "s", "d", "LEFT", "RIGHT", "0", "EXACTLY", "3", "BULK"])
        .expect("send");
    await_blocked(&server, 1);
    call(&mut other, "RPUSH s 1 2");
    await_blocked(&server, 1);
    assert_eq!(call(&mut other, "EXISTS d"), Value::Int(0));
    // What is too little for it is there for others.
    assert_eq!(call(&mut second, "BLPOP s 0").items()[1].text(), "1");
    call(&mut other, "SET s text");
    call(&mut other, "DEL s");
    call(&mut other, "RPUSH s 5");
    call(&mut other, "LINSERT s BEFORE 5 4");
    await_blocked(&server, 1);
    second
        .send(&["BLMOVEM", "t", "d", "LEFT", "RIGHT", "0", "COUNT", "5", "OBO"])
        .expect("send");
    await_blocked(&server, 2);
    call(&mut other, "RPUSH feed 6");
    call(&mut other, "LMOVEM feed s LEFT RIGHT");
    let moved = first.recv().expect("a reply").value.items();
    assert_eq!(moved.iter().map(Value::text).collect::<Vec<_>>(), ["4", "5", "6"]);
    call(&mut other, "RPUSH t 7 8");
    let moved = second.recv().expect("a reply").value.items();
    assert_eq!(moved.iter().map(Value::text).collect::<Vec<_>>(), ["7", "8"]);
    let all = call(&mut other, "LRANGE d 0 -1").items();
    assert_eq!(
        all.iter().map(Value::text).collect::<Vec<_>>(),
        ["4", "5", "6", "7", "8"]
    );
    assert_eq!(call(&mut other, "EXISTS s t feed"), Value::Int(0));
    assert_eq!(
        call(&mut first, "BLMOVEM s d LEFT RIGHT 0.01 EXACTLY 3 BULK"),
        Value::NullArray
    );
}

#[test]
fn what_they_did_is_there_after_a_kill() {
    let mut server = Server::lokikv(&[
        "wal.fsync=no",
        "checkpoint.interval_s=0",
        "server.enable_debug_command=yes",
    ]);
    let mut conn = server.connect();
    for line in [
        "SET k hello",
        "SET k world IFEQ hello PX 1000000",
        "MSETEX 2 a 1 b 2 EX 1000",
        "MSETEX 2 a 3 gone 4 NX",
        "INCREX n BYFLOAT 1.5 EX 1000",
        "INCREX n BYFLOAT 100 UBOUND 10.25 SATURATE",
        "SET dead x",
        "DELEX dead IFNE y",
        "RPUSH s 1 2 3 4 5",
        "LMOVEM s d LEFT LEFT COUNT 2 OBO",
        "LMOVEM s s RIGHT RIGHT COUNT 9 OBO",
        "HSETEX h NX EX 1000 FIELDS 2 f 1 g 2",
        "BITOP DIFF1 bits k a",
        "ZADD z 5 x 6 y",
        "ZUNIONSTORE zz 2 z z WEIGHTS 2 3 AGGREGATE COUNT",
        "GEOADD g 13.361389 38.115556 p 15.087269 37.502669 c",
        "GEOSEARCHSTORE gg g BYPOLYGON 4 12 38 16 38 16 37 12 37",
    ] {
        let reply = call(&mut conn, line);
        assert!(!reply.is_error(), "{line}: {reply:?}");
    }
    let digest = call(&mut conn, "DEBUG DIGEST").text();
    let look = |conn: &mut Conn| -> Vec<Value> {
        [
            "GET k",
            "PEXPIRETIME k",
            "MGET a b gone dead",
            "PEXPIRETIME a",
            "GET n",
            "PEXPIRETIME n",
            "LRANGE s 0 -1",
            "LRANGE d 0 -1",
            "HGETALL h",
            "HPEXPIRETIME h FIELDS 2 f g",
            "GET bits",
            "ZRANGE zz 0 -1 WITHSCORES",
            "ZRANGE gg 0 -1 WITHSCORES",
        ]
        .iter()
        .map(|line| call(conn, line))
        .collect()
    };
    let before = look(&mut conn);
    server.kill9();
    server.restart();
    let mut conn = server.connect();
    assert_eq!(look(&mut conn), before);
    assert_eq!(call(&mut conn, "DEBUG DIGEST").text(), digest);
}
