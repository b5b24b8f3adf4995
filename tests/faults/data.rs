//! A data directory with a history, and a look at all that a server holds.

use std::collections::BTreeMap;

use crate::args;
use crate::support::{Args, Conn, Server, Value};

/// Settings of all servers here. Segments are short, so that what is brought in goes over several.
pub const SETTINGS: [&str; 6] = [
    "server.workers=1",
    "wal.fsync=always",
    "wal.segment_bytes=65536",
    "wal.keep_age_s=3600",
    "checkpoint.interval_s=0",
    "checkpoint.keep_count=9",
];

/// Kind and keys of each collection, by name.
pub type State = BTreeMap<String, (String, BTreeMap<Vec<u8>, Vec<u8>>)>;

const COLLECTIONS: [(&str, &str, usize); 3] = [("books", "bcust", 900), ("spare", "bdef", 40), ("gone", "hmap", 40)];

/// Everything there is.
pub fn state(conn: &mut Conn) -> State {
    let names = conn.call(&["COLLECTION", "LIST"]).items();
    let state = names.iter().map(|name| {
        let name = name.text();
        let kind = kind_of(conn, &name);
        (name.clone(), (kind, content(conn, &name)))
    });
    state.collect()
}

pub fn kind_of(conn: &mut Conn, name: &str) -> String {
    let kind = conn.call(&["COLLECTION", "INFO", name]).field("kind");
    kind.expect("a kind").text()
}

fn content(conn: &mut Conn, name: &str) -> BTreeMap<Vec<u8>, Vec<u8>> {
    assert_eq!(conn.call(&["SELECT", name]), Value::ok());
    let keys = conn.call(&["KEYS", "*"]).items();
    if keys.is_empty() {
        return BTreeMap::new();
    }
    let bytes = |value: &Value| value.bytes().expect("a string").to_vec();
    let keys: Vec<Vec<u8>> = keys.iter().map(bytes).collect();
    let mut command = vec![b"MGET".to_vec()];
    command.extend(keys.iter().cloned());
    let values = conn.call(&command).items();
    keys.into_iter().zip(values.iter().map(bytes)).collect()
}

fn put(conn: &mut Conn, name: &str, keys: impl Iterator<Item = usize>, word: &str) {
    assert_eq!(conn.call(&["SELECT", name]), Value::ok());
    let commands: Vec<Args> = keys
        .map(|key| args!["SET", format!("{name}:{key}"), format!("{word} {}", "x".repeat(100))])
        .collect();
    for reply in conn.pipeline(&commands).expect("replies") {
        assert_eq!(reply, Value::ok());
    }
}

fn checkpoint_lsn(conn: &mut Conn) -> i64 {
    let newest = conn.call(&["CHECKPOINT", "LIST"]).items().remove(0);
    newest.field("lsn").and_then(|lsn| lsn.int()).expect("a number")
}

/// A stopped server over a directory with two checkpoints, `books` persisted, and changes after each of them.
pub struct History {
    pub server: Server,
    /// All that there is.
    pub state: State,
    /// A moment between the checkpoints, and what there was.
    pub lsn: i64,
    pub then: State,
}

impl History {
    /// `has_log`: or there are the checkpoints alone, and the moment is the first one's.
    pub fn new(has_log: bool) -> Self {
        let mut settings = SETTINGS.to_vec();
        if !has_log {
            settings.push("wal.enabled=false");
        }
        let mut server = Server::lokikv(&settings);
        let mut conn = server.connect();
        put(&mut conn, "default", 0..300, "first");
        for (name, kind, keys) in COLLECTIONS {
            conn.call(&["COLLECTION", "CREATE", name, "KIND", kind]);
            put(&mut conn, name, 0..keys, "first");
        }
        let mut moment = None;
        for act in [&["CHECKPOINT"][..], &["COLLECTION", "PERSIST", "books"]] {
            let reply = conn.call(act);
            assert!(!reply.is_error(), "{act:?}: {reply}");
            moment = moment.or_else(|| (!has_log).then(|| (checkpoint_lsn(&mut conn), state(&mut conn))));
        }
        put(&mut conn, "books", (0..900).step_by(3), "second");
        put(&mut conn, "default", 200..400, "second");
        let (lsn, then) = moment.unwrap_or_else(|| (conn.wal_info("last-lsn"), state(&mut conn)));
        assert_eq!(conn.call(&["COLLECTION", "RENAME", "spare", "later"]), Value::ok());
        put(&mut conn, "default", (0..400).step_by(5), "third");
        assert_eq!(conn.call(&["CHECKPOINT"]), Value::ok());
        if has_log {
            put(&mut conn, "books", 600..700, "fourth");
        }
        let state = state(&mut conn);
        drop(conn);
        assert!(server.terminate().success());
        Self {
            server,
            state,
            lsn,
            then,
        }
    }
}
