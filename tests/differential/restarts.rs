//! LokiKV's restarts: its kinds of collections, checkpoints, crashes, and what must be the same after them.
//!
//! Two judges: Redis, which is not restarted, and LokiKV's own image from before, which is compared to the byte and the
//! millisecond. Where the tested server is a Redis, nothing is done.

use crate::args;
use crate::dataset::{self, DATABASES};
use crate::generate::Interruption;
use crate::pair::{Difference, Pair};
use crate::support::{Conn, Program, Value};

/// The kind of the collection behind each database.
pub type Kinds = [&'static str; DATABASES as usize];

/// A key of LokiKV's: its database, its name, and all that is known of it.
type Image = Vec<(u8, Value, Vec<Value>)>;

/// Makes the databases' collections ones of these kinds.
pub fn convert(pair: &Pair, kinds: &Kinds) {
    if pair.loki.program() != Program::LokiKv {
        return;
    }
    let mut conn = pair.loki.connect();
    for (database, kind) in kinds.iter().enumerate() {
        let converted = conn.call(&args!["COLLECTION", "CONVERT", name_of(database), "KIND", kind]);
        assert_eq!(converted, Value::ok());
    }
    assert_eq!(kinds_of(&mut conn), sorted(kinds.map(str::to_owned)));
}

/// What befalls LokiKV amid a sequence.
pub fn interrupt(pair: &mut Pair, interruption: Interruption) -> Result<(), Box<Difference>> {
    if pair.loki.program() != Program::LokiKv {
        return Ok(());
    }
    match interruption {
        Interruption::Checkpoint => {
            checkpoint(pair);
            Ok(())
        }
        Interruption::Crash => crash(pair, "killed amid a sequence"),
    }
}

/// At the end of a sequence: what the log brings back (with the newest checkpoint, if the sequence took one), and then
/// what a checkpoint of its own does.
pub fn check(pair: &mut Pair) -> Result<(), Box<Difference>> {
    if pair.loki.program() != Program::LokiKv {
        return Ok(());
    }
    let mut conn = pair.loki.connect();
    let kinds = kinds_of(&mut conn);
    crash(pair, "killed")?;
    checkpoint(pair);
    crash(pair, "killed after a checkpoint")?;
    assert_eq!(
        kinds_of(&mut pair.loki.connect()),
        kinds,
        "kinds of collections changed"
    );
    Ok(())
}

fn crash(pair: &mut Pair, how: &str) -> Result<(), Box<Difference>> {
    let before = image(&mut pair.loki.connect());
    pair.crash_loki();
    let after = image(&mut pair.loki.connect());
    let changed = before.iter().zip(&after).find(|(before, after)| before != after);
    if let Some((before, after)) = changed {
        let why = format!("another image when {how}: what redis is said to be was before");
        return Err(pair.difference("(restart)".into(), why, show(before), show(after)));
    }
    assert_eq!(before.len(), after.len(), "keys are lost or came up when {how}");
    dataset::compare(pair)
}

fn show((database, key, known): &(u8, Value, Vec<Value>)) -> String {
    format!("{database}:{key}: {}", Value::Array(known.clone()))
}

fn checkpoint(pair: &Pair) {
    assert_eq!(pair.loki.connect().call(&["CHECKPOINT"]), Value::ok());
}

/// Databases are swapped in sequences: only which kinds there are does not change.
fn kinds_of(conn: &mut Conn) -> Vec<String> {
    let kind = |database| {
        let info = conn.call(&args!["COLLECTION", "INFO", name_of(database)]);
        info.field("kind").map(|kind| kind.text()).unwrap_or_default()
    };
    sorted((0..DATABASES as usize).map(kind))
}

fn sorted(kinds: impl IntoIterator<Item = String>) -> Vec<String> {
    let mut kinds: Vec<String> = kinds.into_iter().collect();
    kinds.sort();
    kinds
}

fn name_of(database: usize) -> String {
    match database {
        0 => "default".to_owned(),
        numbered => numbered.to_string(),
    }
}

fn image(conn: &mut Conn) -> Image {
    let mut image = Image::new();
    for database in 0..DATABASES {
        for key in dataset::keys_of(conn, database) {
            let name = key.bytes().unwrap_or_default().to_vec();
            let mut known = vec![conn.call(&args!["PEXPIRETIME", name])];
            known.extend(content(conn, &name));
            image.push((database, key, known));
        }
    }
    image
}

/// What a key holds, to the byte. Big sets and hashes are in another order after each start.
fn content(conn: &mut Conn, name: &[u8]) -> Vec<Value> {
    match conn.call(&args!["TYPE", name]).text().as_str() {
        "set" => vec![conn.call(&args!["SMEMBERS", name]).sorted()],
        "hash" => vec![dataset::fields_of(conn, name)],
        _ => vec![conn.call(&args!["DUMP", name])],
    }
}
