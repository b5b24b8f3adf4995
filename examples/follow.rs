//! Follows the changes of a collection, and goes on where it was after a restart of either side.
//!
//! `cargo run --example follow -- HOST:PORT COLLECTION LSN_FILE [PATTERN]`
//!
//! It prints each change, then notes its LSN in a file. Whoever needs each change exactly once stores that together
//! with what the change led to.

use std::path::Path;
use std::time::Duration;

use redis::Value;

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

/// How long a call waits for a change.
const BLOCK_MS: u64 = 5000;
/// How long it is waited before the server is tried again.
const AGAIN: Duration = Duration::from_secs(1);

/// The last LSN that was dealt with; 0 where nothing is noted yet.
fn noted(file: &Path) -> Outcome<u64> {
    match std::fs::read_to_string(file) {
        Ok(text) => Ok(text.trim().parse()?),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(0),
        Err(error) => Err(error.into()),
    }
}

/// Notes it so that a crash leaves the old number or the new one.
fn note(file: &Path, lsn: u64) -> Outcome<()> {
    let new = file.with_extension("new");
    std::fs::write(&new, lsn.to_string())?;
    Ok(std::fs::rename(new, file)?)
}

/// The next records: LSN and effects.
fn read(conn: &mut redis::Connection, from: u64, filters: &[String]) -> redis::RedisResult<Vec<(u64, Vec<Value>)>> {
    let mut command = redis::cmd("WAL");
    command
        .arg("READ")
        .arg(from)
        .arg("COUNT")
        .arg(1000)
        .arg("BLOCK")
        .arg(BLOCK_MS);
    let records: Vec<(u64, u64, Vec<Value>)> = command.arg(filters).query(conn)?;
    Ok(records.into_iter().map(|(lsn, _, effects)| (lsn, effects)).collect())
}

/// Follows until the connection is lost.
fn follow(client: &redis::Client, file: &Path, filters: &[String]) -> Outcome<()> {
    let mut conn = client.get_connection()?;
    conn.set_read_timeout(Some(Duration::from_millis(2 * BLOCK_MS)))?;
    let mut last = noted(file)?;
    loop {
        for (lsn, effects) in read(&mut conn, last + 1, filters)? {
            effects.iter().for_each(|effect| println!("{lsn} {effect:?}"));
            last = lsn;
        }
        note(file, last)?;
    }
}

fn main() -> Outcome<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let (addr, collection, file, pattern) = match args.as_slice() {
        [addr, collection, file] => (addr, collection, file, "*"),
        [addr, collection, file, pattern] => (addr, collection, file, pattern.as_str()),
        _ => return Err("follow HOST:PORT COLLECTION LSN_FILE [PATTERN]".into()),
    };
    let client = redis::Client::open(format!("redis://{addr}/"))?;
    let filters = ["COLLECTION", collection, "MATCH", pattern].map(str::to_owned);
    loop {
        let Err(error) = follow(&client, Path::new(file), &filters) else {
            return Ok(());
        };
        if error.to_string().contains("LSNGONE") {
            return Err(error);
        }
        eprintln!("{error}; trying again");
        std::thread::sleep(AGAIN);
    }
}
