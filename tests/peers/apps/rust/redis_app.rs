//! The crate redis against a server: `redis_app HOST PORT`. Empties that server.

use std::collections::{HashMap, HashSet};

use redis::aio::{ConnectionManager, MultiplexedConnection};
use redis::streams::{StreamReadOptions, StreamReadReply};
use redis::{AsyncCommands, Client, Commands, ErrorKind, Script, Value, pipe};
use shared::{Failure, TRANSFER, check, in_time, url};

const WORKERS: usize = 8;
const ACCOUNTS: usize = 5;
const PAYMENTS: usize = 100;

fn checked(what: &str) {
    shared::checked("redis_app", what);
}

fn values(client: &Client) -> Result<(), Failure> {
    let mut conn = client.get_connection()?;
    redis::cmd("FLUSHALL").exec(&mut conn)?;
    let bytes = b"\0\r\n\xffx".repeat(500_000);
    let () = conn.set("a\0\r\n", &bytes)?;
    check("GET", conn.get::<_, Vec<u8>>("a\0\r\n")? == bytes, true);
    check("none", conn.get::<_, Option<i64>>("none")?, None);
    let error = conn.lpush::<_, _, i64>("a\0\r\n", 1).expect_err("a list it is not");
    check("code", error.code(), Some("WRONGTYPE"));
    let () = conn.hset_multiple("hash", &[("a", "1"), ("b", "two")])?;
    let hash: HashMap<String, String> = conn.hgetall("hash")?;
    check("HGETALL", hash.get("b").map(String::as_str), Some("two"));
    let () = conn.zadd_multiple("zset", &[(1.5, "a"), (2.0, "b")])?;
    check(
        "ZRANGE",
        conn.zrange_withscores::<_, Vec<(String, f64)>>("zset", 0, -1)?,
        vec![("a".to_owned(), 1.5), ("b".to_owned(), 2.0)],
    );
    let mut many = pipe();
    for number in 0..20_000 {
        many.cmd("SADD").arg("set").arg(number).ignore();
    }
    let (count,): (i64,) = many.cmd("SCARD").arg("set").query(&mut conn)?;
    check("SCARD", count, 20_000);
    let found: HashSet<i64> = conn.sscan("set")?.collect::<Result<_, _>>()?;
    check("SSCAN", found.len(), 20_000);
    Ok(())
}

/// Workers move amounts between accounts, by transactions that watch; none gets lost.
async fn transfers(client: &Client) -> Result<(), Failure> {
    let mut conn = client.get_multiplexed_async_connection().await?;
    for account in 0..ACCOUNTS {
        let () = conn.set(format!("account:{account}"), 1000).await?;
    }
    let mut workers = Vec::new();
    for worker in 0..WORKERS {
        // What is watched is a connection's: each has its own.
        let mut conn = client.get_multiplexed_async_connection().await?;
        workers.push(tokio::spawn(async move {
            for payment in 0..PAYMENTS {
                let from = format!("account:{}", (worker + payment) % ACCOUNTS);
                let to = format!("account:{}", (worker + payment * 3 + 1) % ACCOUNTS);
                pay(&mut conn, &from, &to).await?;
            }
            Ok::<_, Failure>(())
        }));
    }
    for worker in workers {
        in_time("payments", worker).await??;
    }
    let mut sum = 0;
    for account in 0..ACCOUNTS {
        sum += conn.get::<_, i64>(format!("account:{account}")).await?;
    }
    check("sum", sum, 1000 * ACCOUNTS as i64);
    check("payments", conn.get::<_, usize>("payments").await?, WORKERS * PAYMENTS);
    checked("800 payments of 8 clients by transactions that watch");
    Ok(())
}

async fn pay(conn: &mut MultiplexedConnection, from: &str, to: &str) -> Result<(), Failure> {
    loop {
        redis::cmd("WATCH").arg(from).arg(to).exec_async(conn).await?;
        let left: i64 = conn.get(from).await?;
        let mut change = pipe();
        change
            .atomic()
            .set(from, left - 1)
            .ignore()
            .incr(to, 1)
            .ignore()
            .incr("payments", 1);
        if from == to {
            change = pipe();
            change.atomic().incr("payments", 1);
        }
        let done: Option<Vec<i64>> = change.query_async(conn).await?;
        if done.is_some() {
            return Ok(());
        }
    }
}

async fn scripts(client: &Client) -> Result<(), Failure> {
    let mut conn = client.get_multiplexed_async_connection().await?;
    let script = Script::new(TRANSFER);
    let () = conn.mset(&[("rich", 100), ("poor", 0)]).await?;
    for round in 1..=50 {
        if round % 10 == 0 {
            redis::cmd("SCRIPT").arg("FLUSH").exec_async(&mut conn).await?;
        }
        let got: i64 = script.key("rich").key("poor").arg(2).invoke_async(&mut conn).await?;
        check("transferred", got, round * 2);
    }
    let refused = script
        .key("rich")
        .key("poor")
        .arg(2)
        .invoke_async::<i64>(&mut conn)
        .await;
    check("code", refused.expect_err("there is nothing left").code(), Some("POOR"));
    checked("50 calls of a script that is forgotten in between");
    Ok(())
}

async fn messages(client: &Client) -> Result<(), Failure> {
    let mut subscriber = client.get_async_pubsub().await?;
    subscriber.subscribe("news").await?;
    subscriber.psubscribe("log:*").await?;
    let mut conn = client.get_multiplexed_async_connection().await?;
    for number in 0..500 {
        let channel = if number % 2 == 0 { "news" } else { "log:x" };
        check("receivers", conn.publish::<_, _, i64>(channel, number).await?, 1);
    }
    let mut stream = subscriber.into_on_message();
    for number in 0..500 {
        let message = in_time("a message", next(&mut stream)).await.expect("one more");
        check("message", message.get_payload::<i64>()?, number);
    }
    checked("500 messages to a channel and a pattern, in order");
    Ok(())
}

/// The next of a stream, without another crate for that.
async fn next(stream: &mut redis::aio::PubSubStream) -> Option<redis::Msg> {
    std::future::poll_fn(|cx| futures_core::Stream::poll_next(std::pin::Pin::new(&mut *stream), cx)).await
}

async fn streams(client: &Client) -> Result<(), Failure> {
    let mut conn = client.get_multiplexed_async_connection().await?;
    let () = conn.xgroup_create_mkstream("jobs", "workers", "$").await?;
    let mut workers = Vec::new();
    for worker in 0..4 {
        let mut conn = client.get_multiplexed_async_connection().await?;
        workers.push(tokio::spawn(async move {
            let mut seen = Vec::new();
            let options = StreamReadOptions::default()
                .group("workers", format!("w{worker}"))
                .count(10)
                .block(20_000);
            loop {
                let reply: Option<StreamReadReply> = conn.xread_options(&["jobs"], &[">"], &options).await?;
                for entry in reply.into_iter().flat_map(|reply| reply.keys).flat_map(|key| key.ids) {
                    let number: i64 = entry.get("n").expect("a number");
                    let _: i64 = conn.xack("jobs", "workers", &[&entry.id]).await?;
                    if number < 0 {
                        return Ok::<_, Failure>(seen);
                    }
                    seen.push(number);
                }
            }
        }));
    }
    for number in 0..1000_i64 {
        let _: String = conn.xadd("jobs", "*", &[("n", number)]).await?;
    }
    // One that ends a worker may come to another one along with more of its kind.
    let mut all = Vec::new();
    for worker in workers {
        while !worker.is_finished() {
            let _: String = conn.xadd("jobs", "*", &[("n", -1)]).await?;
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
        all.extend(in_time("jobs", worker).await??);
    }
    all.sort_unstable();
    check("jobs", all, (0..1000).collect());
    checked("1000 entries to a group of 4 consumers, each once");
    Ok(())
}

/// A manager's connection comes back when it is killed.
async fn lost_connections(client: &Client) -> Result<(), Failure> {
    let mut admin = client.get_multiplexed_async_connection().await?;
    let mut managed = ConnectionManager::new(client.clone()).await?;
    for round in 1..=5 {
        let id: i64 = redis::cmd("CLIENT").arg("ID").query_async(&mut managed).await?;
        let killed: i64 = redis::cmd("CLIENT")
            .arg("KILL")
            .arg("ID")
            .arg(id)
            .query_async(&mut admin)
            .await?;
        check("killed", killed, 1);
        let work = async {
            loop {
                if let Ok(value) = managed.incr::<_, _, i64>("rounds", 1).await {
                    return value;
                }
            }
        };
        check("INCR", in_time("a connection", work).await, round);
    }
    let value: Value = redis::cmd("ECHO").arg("x").query_async(&mut managed).await?;
    check("ECHO", value, Value::BulkString(b"x".to_vec()));
    checked("a managed connection that is killed five times");
    Ok(())
}

#[tokio::main]
async fn main() -> Result<(), Failure> {
    for protocol in [2, 3] {
        let client = Client::open(url(protocol))?;
        values(&client)?;
        transfers(&client).await?;
        scripts(&client).await?;
        messages(&client).await?;
        streams(&client).await?;
        lost_connections(&client).await?;
    }
    let nobody = Client::open("redis://127.0.0.1:1")?.get_connection();
    check("nobody", nobody.err().map(|error| error.kind()), Some(ErrorKind::Io));
    checked("by both protocols: values of 2.5 MB, hashes, sorted sets, a pipeline of 20,000 commands");
    Ok(())
}
