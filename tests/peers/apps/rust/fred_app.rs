//! The crate fred against a server: `fred_app HOST PORT`. Empties that server.

use std::time::Duration;

use fred::prelude::*;
use fred::types::scripts::Script;
use fred::types::{Expiration, RespVersion, SetOptions};
use shared::{Failure, TRANSFER, check, in_time, url};

const CLIENTS: usize = 6;

fn checked(what: &str) {
    shared::checked("fred_app", what);
}

fn builder(version: RespVersion) -> Result<Builder, Error> {
    let mut config = Config::from_url(&url(2))?;
    config.version = version;
    let mut builder = Builder::from_config(config);
    builder.set_policy(ReconnectPolicy::new_constant(0, 20));
    builder.with_connection_config(|config| config.max_command_attempts = 20);
    Ok(builder)
}

async fn values(pool: &Pool) -> Result<(), Failure> {
    let _: () = pool.flushall(false).await?;
    let large = "x".repeat(3_000_000);
    let _: () = pool.set("large", large.as_str(), None, None, false).await?;
    check("GET", pool.get::<String, _>("large").await? == large, true);
    check("none", pool.get::<Option<i64>, _>("none").await?, None);
    let refused = pool
        .lpush::<i64, _, _>("large", "x")
        .await
        .expect_err("a list it is not");
    check("WRONGTYPE", refused.details().starts_with("WRONGTYPE"), true);
    let set: Option<String> = pool
        .set("large", "y", Some(Expiration::PX(100_000)), Some(SetOptions::NX), false)
        .await?;
    check("SET NX", set, None);
    let _: () = pool.hset("hash", [("a", "1"), ("b", "two")]).await?;
    check(
        "HMGET",
        pool.hmget::<Vec<Option<String>>, _, _>("hash", vec!["b", "c"]).await?,
        vec![Some("two".to_owned()), None],
    );
    let _: i64 = pool
        .zadd("zset", None, None, false, false, vec![(1.5, "a"), (2.0, "b")])
        .await?;
    check("ZSCORE", pool.zscore::<f64, _, _>("zset", "a").await?, 1.5);
    Ok(())
}

/// A pool's clients add to one counter, each in pipelines.
async fn counters(pool: &Pool) -> Result<(), Failure> {
    let mut workers = Vec::new();
    for worker in 0..CLIENTS * 2 {
        let pool = pool.clone();
        workers.push(tokio::spawn(async move {
            for round in 0..20 {
                let pipeline = pool.next().pipeline();
                for _ in 0..50 {
                    let _: () = pipeline.incr("counter").await?;
                }
                let _: () = pipeline.sadd("seen", format!("{worker}:{round}")).await?;
                let replies: Vec<i64> = pipeline.all().await?;
                check("replies", replies.len(), 51);
                check("ascending", replies[..50].is_sorted(), true);
            }
            Ok::<_, Error>(())
        }));
    }
    for worker in workers {
        in_time("counting", worker).await??;
    }
    check("counter", pool.get::<i64, _>("counter").await?, 12_000);
    check("seen", pool.scard::<i64, _>("seen").await?, 240);
    checked("12,000 increments by a pool of 6, in pipelines");
    Ok(())
}

async fn transactions(pool: &Pool) -> Result<(), Failure> {
    let transaction = pool.next().multi();
    let _: () = transaction.set("t", 1, None, None, false).await?;
    let _: () = transaction.incr_by("t", 41).await?;
    let _: () = transaction.get("t").await?;
    let (_, sum, text): (String, i64, String) = transaction.exec(true).await?;
    check("EXEC", (sum, text.as_str()), (42, "42"));
    let script = Script::from_lua(TRANSFER);
    let _: () = pool.mset(vec![("rich", 100), ("poor", 0)]).await?;
    for round in 1..=50_i64 {
        if round % 10 == 0 {
            let _: () = pool.script_flush(false).await?;
        }
        let got: i64 = script
            .evalsha_with_reload(pool.next(), vec!["rich", "poor"], vec![2])
            .await?;
        check("transferred", got, round * 2);
    }
    let refused: Result<i64, Error> = script
        .evalsha_with_reload(pool.next(), vec!["rich", "poor"], vec![2])
        .await;
    check(
        "POOR",
        refused.expect_err("there is nothing left").details().contains("POOR"),
        true,
    );
    checked("a transaction; 50 calls of a script that is forgotten in between");
    Ok(())
}

async fn messages(builder: &Builder, pool: &Pool) -> Result<(), Failure> {
    let subscriber = builder.build_subscriber_client()?;
    subscriber.init().await?;
    let mut received = subscriber.message_rx();
    let _: () = subscriber.subscribe("news").await?;
    let _: () = subscriber.psubscribe("log:*").await?;
    let keeping = subscriber.manage_subscriptions();
    for number in 0..20_i64 {
        let channel = if number % 2 == 0 { "news" } else { "log:x" };
        check("receivers", pool.next().publish::<i64, _, _>(channel, number).await?, 1);
        let message = in_time("a message", received.recv()).await?;
        check("message", message.value.convert::<i64>()?, number);
    }
    // Killed, it subscribes again.
    let killed: i64 = pool
        .next()
        .custom(fred::cmd!("CLIENT"), vec!["KILL", "TYPE", "pubsub"])
        .await?;
    check("killed", killed, 1);
    let both = async {
        loop {
            let heard: i64 = pool.next().publish("news", "again").await?;
            let also: i64 = pool.next().publish("log:x", "again").await?;
            if heard + also == 2 {
                return Ok::<_, Error>(());
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    in_time("subscriptions", both).await?;
    let message = in_time("a message", received.recv()).await?;
    check("message", message.value.convert::<String>()?, "again".to_owned());
    keeping.abort();
    let _: () = subscriber.quit().await?;
    checked("messages to a channel and a pattern; a subscriber that is killed");
    Ok(())
}

/// Takers wait at two lists; each gets what no other gets.
async fn queue(builder: &Builder, pool: &Pool) -> Result<(), Failure> {
    let mut takers = Vec::new();
    for _ in 0..4 {
        let client = builder.build()?;
        client.init().await?;
        takers.push(tokio::spawn(async move {
            let mut got = Vec::new();
            loop {
                let (_, number): (String, i64) = client.blpop(vec!["urgent", "queue"], 60.0).await?;
                if number < 0 {
                    let _: () = client.quit().await?;
                    return Ok::<_, Error>(got);
                }
                got.push(number);
            }
        }));
    }
    for number in 0..400_i64 {
        let list = if number % 4 == 0 { "urgent" } else { "queue" };
        let _: i64 = pool.rpush(list, number).await?;
    }
    let _: i64 = pool.rpush("queue", vec![-1; 4]).await?;
    let mut all = Vec::new();
    for taker in takers {
        all.extend(in_time("taking", taker).await??);
    }
    all.sort_unstable();
    check("taken", all, (0..400).collect());
    checked("400 elements of two lists to 4 blocked takers, each once");
    Ok(())
}

#[tokio::main]
async fn main() -> Result<(), Failure> {
    for version in [RespVersion::RESP2, RespVersion::RESP3] {
        let builder = builder(version)?;
        let pool = builder.build_pool(CLIENTS)?;
        pool.init().await?;
        values(&pool).await?;
        counters(&pool).await?;
        transactions(&pool).await?;
        messages(&builder, &pool).await?;
        queue(&builder, &pool).await?;
        let _: () = pool.quit().await?;
    }
    checked("by both protocols: values of 3 MB, hashes, sorted sets");
    Ok(())
}
