//! The `redis` crate as a stock client: blocking and asynchronous, RESP2 and RESP3.

use std::time::Duration;

use redis::{AsyncCommands, Commands, ErrorKind, RedisResult};

use crate::support::{Server, Value};
use crate::{args, await_that, in_memory};

fn client(server: &Server, protocol: &str) -> redis::Client {
    redis::Client::open(format!("redis://127.0.0.1:{}/?protocol={protocol}", server.port())).expect("a client")
}

#[test]
fn blocking_client() {
    let server = in_memory();
    for protocol in ["resp2", "resp3"] {
        let mut conn = client(&server, protocol).get_connection().expect("connect");
        let _: () = redis::cmd("FLUSHALL").query(&mut conn).expect("FLUSHALL");
        let _: () = conn.set("key", b"\x00binary\xff".as_slice()).expect("SET");
        assert_eq!(conn.get::<_, Vec<u8>>("key").expect("GET"), b"\x00binary\xff");
        assert_eq!(conn.get::<_, Option<String>>("nosuch").expect("GET"), None);
        assert_eq!(conn.incr::<_, _, i64>("n", 5).expect("INCRBY"), 5);
        assert_eq!(
            conn.mget::<_, Vec<Option<String>>>(&["n", "nosuch"]).expect("MGET"),
            [Some("5".into()), None]
        );
        assert!(conn.expire::<_, bool>("n", 1000).expect("EXPIRE"));
        assert!((990..=1000).contains(&conn.ttl::<_, i64>("n").expect("TTL")));
        let scanned: Vec<String> = conn
            .scan_match::<_, String>("*")
            .expect("SCAN")
            .map(|k| k.unwrap())
            .collect();
        assert_eq!(scanned.len(), 2);
        let error: RedisResult<()> = redis::cmd("GETRANGE").arg("key").query(&mut conn);
        let error = error.expect_err("a wrong number of arguments");
        assert_eq!(error.detail(), Some("wrong number of arguments for 'getrange' command"));
    }
}

#[test]
fn blocking_pipelines_and_transactions() {
    let server = in_memory();
    for protocol in ["resp2", "resp3"] {
        let mut conn = client(&server, protocol).get_connection().expect("connect");
        let _: () = redis::cmd("FLUSHALL").query(&mut conn).expect("FLUSHALL");
        let mut pipeline = redis::pipe();
        for n in 0..10_000 {
            pipeline.cmd("SET").arg(format!("k{n}")).arg(n).ignore();
        }
        let (k9, size): (i64, i64) = pipeline.get("k9").cmd("DBSIZE").query(&mut conn).expect("a pipeline");
        assert_eq!((k9, size), (9, 10_000));
        let (a, b): (i64, i64) = redis::pipe()
            .atomic()
            .incr("a", 1)
            .incr("b", 2)
            .query(&mut conn)
            .expect("a transaction");
        assert_eq!((a, b), (1, 2));
        let sum: (i64,) = redis::transaction(&mut conn, &["a", "b"], |conn, pipe| {
            let (a, b): (i64, i64) = (conn.get("a")?, conn.get("b")?);
            pipe.set("sum", a + b).ignore().get("sum").query(conn)
        })
        .expect("an optimistic transaction");
        assert_eq!(sum, (3,));
    }
}

#[test]
fn optimistic_transactions_lose_no_update() {
    let server = in_memory();
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                let mut conn = client(&server, "resp2").get_connection().expect("connect");
                for _ in 0..50 {
                    let _: () = redis::transaction(&mut conn, &["n"], |conn, pipe| {
                        let n: Option<i64> = conn.get("n")?;
                        pipe.set("n", n.unwrap_or(0) + 1).query(conn)
                    })
                    .expect("a transaction");
                }
            });
        }
    });
    assert_eq!(server.connect().call(&["GET", "n"]).text(), "400");
}

#[test]
fn hello_3_gives_a_map() {
    let server = in_memory();
    let hello = server.connect().call(&["HELLO", "3"]);
    let field = |name: &str| {
        hello
            .pairs()
            .into_iter()
            .find(|(k, _)| k.text() == name)
            .map(|(_, v)| v)
    };
    assert_eq!(hello.kind(), "map");
    assert_eq!(field("proto").and_then(|v| v.int()), Some(3));
    assert_eq!(field("mode").map(|v| v.text()).as_deref(), Some("standalone"));
}

#[test]
fn asynchronous_client() {
    let server = in_memory();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    for protocol in ["resp2", "resp3"] {
        runtime.block_on(async {
            let client = client(&server, protocol);
            let patience = Some(Duration::from_secs(60));
            let config = redis::AsyncConnectionConfig::new()
                .set_response_timeout(patience)
                .set_connection_timeout(patience);
            let conn = client
                .get_multiplexed_async_connection_with_config(&config)
                .await
                .expect("connect");
            let _: () = redis::cmd("FLUSHALL")
                .query_async(&mut conn.clone())
                .await
                .expect("FLUSHALL");
            let local = tokio::task::LocalSet::new();
            let tasks: Vec<_> = (0..100)
                .map(|task| {
                    let mut conn = conn.clone();
                    local.spawn_local(async move {
                        for n in 0..20 {
                            let key = format!("{task}:{n}");
                            let _: () = conn.set(&key, n).await.expect("SET");
                            assert_eq!(conn.get::<_, i64>(&key).await.expect("GET"), n);
                            let _: i64 = conn.incr("shared", 1).await.expect("INCR");
                        }
                    })
                })
                .collect();
            local.await;
            for task in tasks {
                task.await.expect("a task");
            }
            let mut conn = conn;
            let (shared, size): (i64, i64) = redis::pipe()
                .atomic()
                .get("shared")
                .cmd("DBSIZE")
                .query_async(&mut conn)
                .await
                .expect("MULTI");
            assert_eq!((shared, size), (2000, 2001));
            let error: RedisResult<()> = redis::cmd("INCR").arg("bad").arg("x").query_async(&mut conn).await;
            assert!(!matches!(error.expect_err("wrong arity").kind(), ErrorKind::Io));
        });
    }
}

/// The data stand still while writers are paused, as somebody who takes them over expects.
#[test]
fn nothing_expires_while_clients_are_paused() {
    let server = in_memory();
    let mut conn = server.connect();
    // All at once, so that nothing expires before the pause.
    let replies = conn.pipeline(&[
        args!["SET", "k", "v", "PX", "1000"],
        args!["HSET", "h", "f", "v", "g", "w"],
        args!["HPEXPIRE", "h", "1000", "FIELDS", "1", "f"],
        args!["CLIENT", "PAUSE", "100000", "WRITE"],
    ]);
    let replies = replies.expect("replies");
    assert_eq!([&replies[0], &replies[3]], [&Value::ok(), &Value::ok()]);
    std::thread::sleep(Duration::from_millis(1500));
    assert_eq!(conn.call(&["GET", "k"]), Value::Null);
    assert_eq!(conn.call(&["SCAN", "0"]).items()[1].items().len(), 1);
    assert_eq!(conn.call(&["DBSIZE"]), Value::Int(2));
    assert_eq!(conn.call(&["HLEN", "h"]), Value::Int(2));
    assert_eq!(conn.call(&["CLIENT", "UNPAUSE"]), Value::ok());
    await_that("it goes", || {
        conn.call(&["DBSIZE"]) == Value::Int(1) && conn.call(&["HLEN", "h"]) == Value::Int(1)
    });
}
