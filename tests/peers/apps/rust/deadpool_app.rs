//! The crate deadpool-redis against a server: `deadpool_app HOST PORT`. Empties that server.

use deadpool_redis::redis::{AsyncCommands, Script, cmd, pipe};
use deadpool_redis::{Config, Pool, PoolConfig, Runtime};
use shared::{Failure, TRANSFER, check, in_time, url};

const CONNECTIONS: usize = 8;

fn checked(what: &str) {
    shared::checked("deadpool_app", what);
}

fn pool() -> Result<Pool, Failure> {
    let mut config = Config::from_url(url(2));
    config.pool = Some(PoolConfig::new(CONNECTIONS));
    Ok(config.create_pool(Some(Runtime::Tokio1))?)
}

/// 200 tasks share 8 connections: the server never sees more, and every change is there.
async fn shared_by_many(pool: &Pool) -> Result<(), Failure> {
    let mut conn = pool.get().await?;
    cmd("FLUSHALL").exec_async(&mut conn).await?;
    drop(conn);
    let mut tasks = Vec::new();
    for task in 0..200 {
        let pool = pool.clone();
        tasks.push(tokio::spawn(async move {
            for round in 0..10 {
                let mut conn = pool.get().await?;
                let id: i64 = cmd("CLIENT").arg("ID").query_async(&mut conn).await?;
                let mut work = pipe();
                work.atomic().incr("total", 1).ignore().sadd("clients", id).ignore();
                work.hset(format!("task:{task}"), round, id).ignore();
                let () = work.query_async(&mut conn).await?;
            }
            Ok::<_, Failure>(())
        }));
    }
    for task in tasks {
        in_time("the tasks", task).await??;
    }
    let mut conn = pool.get().await?;
    check("total", conn.get::<_, i64>("total").await?, 2000);
    let clients: usize = conn.scard("clients").await?;
    check("connections", (1..=CONNECTIONS).contains(&clients), true);
    check("rounds", conn.hlen::<_, i64>("task:199").await?, 10);
    checked("2000 transactions of 200 tasks on 8 connections");
    Ok(())
}

/// Connections that were killed are replaced when they are taken.
async fn replaced(pool: &Pool) -> Result<(), Failure> {
    let admin = deadpool_redis::redis::Client::open(url(2))?;
    let mut admin = admin.get_multiplexed_async_connection().await?;
    let mut held = Vec::new();
    for _ in 0..CONNECTIONS {
        held.push(pool.get().await?);
    }
    check("none left", pool.status().available, 0);
    drop(held);
    let killed: i64 = cmd("CLIENT")
        .arg("KILL")
        .arg("TYPE")
        .arg("normal")
        .arg("SKIPME")
        .arg("yes")
        .query_async(&mut admin)
        .await?;
    check("killed", killed >= CONNECTIONS as i64, true);
    for round in 1..=CONNECTIONS as i64 * 2 {
        let mut conn = in_time("a connection", pool.get()).await?;
        check("INCR", conn.incr::<_, _, i64>("after", 1).await?, round);
    }
    checked("8 killed connections are replaced");
    Ok(())
}

async fn scripts(pool: &Pool) -> Result<(), Failure> {
    let mut conn = pool.get().await?;
    let () = conn.mset(&[("rich", 1000), ("poor", 0)]).await?;
    drop(conn);
    let mut tasks = Vec::new();
    for _ in 0..50 {
        let pool = pool.clone();
        tasks.push(tokio::spawn(async move {
            let script = Script::new(TRANSFER);
            let mut poor = 0;
            for _ in 0..10 {
                let mut conn = pool.get().await?;
                match script
                    .key("rich")
                    .key("poor")
                    .arg(3)
                    .invoke_async::<i64>(&mut conn)
                    .await
                {
                    Ok(_) => {}
                    Err(error) if error.code() == Some("POOR") => poor += 1,
                    Err(error) => return Err(Failure::from(error)),
                }
            }
            Ok(poor)
        }));
    }
    let mut poor = 0;
    for task in tasks {
        poor += in_time("the scripts", task).await??;
    }
    let mut conn = pool.get().await?;
    let (rich, had): (i64, i64) = conn.mget(&["rich", "poor"]).await?;
    check("what is left", (rich, had, poor), (1, 999, 500 - 333));
    checked("500 calls of a script at once, until there is nothing left");
    Ok(())
}

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let pool = pool()?;
    shared_by_many(&pool).await?;
    replaced(&pool).await?;
    scripts(&pool).await?;
    Ok(())
}
