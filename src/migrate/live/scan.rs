//! Which keys there are: databases one after another, each by SCAN.
//!
//! **Invariant:** a cursor is used with the process that gave it. Another one (the server was started anew, or another
//! has its address) begins the database from the start.

use std::collections::{BTreeMap, BTreeSet};

use parking_lot::Mutex;
use redis_protocol::resp3::types::{OwnedFrame, Resp3Frame as _};
use serde::{Deserialize, Serialize};

use super::error::LiveError;
use super::link::{Conn, Link, Space, Trouble};

/// So many keys are asked for at once.
const SCAN_KEYS: &[u8] = b"512";
const START: &str = "0";

/// How far a scan is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Position {
    /// The process that gave the cursor.
    pub run_id: String,
    /// Databases that are done.
    pub done: BTreeSet<u64>,
    /// The one that is not.
    pub db: Option<u64>,
    /// Its cursor.
    pub cursor: String,
}

/// Some keys.
#[derive(Debug)]
pub struct Task {
    /// Counts from 0.
    pub number: u64,
    pub db: u64,
    pub keys: Vec<Vec<u8>>,
    /// Where the scan is when these, and all before, are dealt with.
    pub after: Position,
}

/// One scan, for all lanes.
#[derive(Debug)]
pub struct Scanner {
    only: Option<u64>,
    progress: Mutex<Progress>,
}

/// Some keys of a database.
type Found = (u64, Vec<Vec<u8>>);

#[derive(Debug)]
struct Progress {
    position: Position,
    tasks: u64,
    is_over: bool,
}

impl Scanner {
    /// Of one database or all, from `position` on.
    pub fn new(only: Option<u64>, position: Position) -> Self {
        Self {
            only,
            progress: Mutex::new(Progress {
                position,
                tasks: 0,
                is_over: false,
            }),
        }
    }

    /// The next keys; `None` when there are no more.
    ///
    /// # Errors
    /// The server refuses, or is away for too long.
    pub fn next(&self, link: &mut Link<'_>) -> Result<Option<Task>, LiveError> {
        let mut progress = self.progress.lock();
        while !progress.is_over {
            let found = link.run("SCAN", |conn| progress.step(conn, self.only))?;
            if let Some((db, keys)) = found.filter(|(_, keys)| !keys.is_empty()) {
                let number = progress.tasks;
                progress.tasks += 1;
                return Ok(Some(Task {
                    number,
                    db,
                    keys,
                    after: progress.position.clone(),
                }));
            }
        }
        Ok(None)
    }

    /// Databases that have been scanned wholly.
    pub fn done(&self) -> BTreeSet<u64> {
        self.progress.lock().position.done.clone()
    }
}

impl Progress {
    fn step(&mut self, conn: &mut Conn, only: Option<u64>) -> Result<Option<Found>, Trouble> {
        let position = &mut self.position;
        if position.run_id != conn.run_id {
            position.run_id.clone_from(&conn.run_id);
            START.clone_into(&mut position.cursor);
        }
        let db = match position.db {
            Some(db) => db,
            None => {
                let candidates = match only {
                    Some(db) => vec![db],
                    None => databases(conn)?.into_keys().collect(),
                };
                let Some(db) = candidates.into_iter().find(|db| !position.done.contains(db)) else {
                    self.is_over = true;
                    return Ok(None);
                };
                START.clone_into(&mut position.cursor);
                *position.db.insert(db)
            }
        };
        conn.select(&Space::Number(db))?;
        let (cursor, keys) = scan(conn, &position.cursor)?;
        if cursor == START {
            position.done.insert(db);
            position.db = None;
        }
        position.cursor = cursor;
        Ok(Some((db, keys)))
    }
}

/// One step of SCAN in what is selected.
///
/// # Errors
/// The server refuses, or is gone.
pub fn scan(conn: &mut Conn, cursor: &str) -> Result<(String, Vec<Vec<u8>>), Trouble> {
    let reply = conn.ask(&[b"SCAN", cursor.as_bytes(), b"COUNT", SCAN_KEYS])?;
    let strange = || Trouble::strange("SCAN");
    let OwnedFrame::Array { data, .. } = reply else {
        return Err(strange());
    };
    let mut parts = data.into_iter();
    let (Some(cursor), Some(OwnedFrame::Array { data: keys, .. })) = (parts.next(), parts.next()) else {
        return Err(strange());
    };
    let keys: Option<Vec<Vec<u8>>> = keys.into_iter().map(bytes_of).collect();
    let cursor = cursor.as_str().filter(|cursor| cursor.parse::<u64>().is_ok());
    cursor.map(str::to_owned).zip(keys).ok_or_else(strange)
}

/// The bytes of a string.
pub fn bytes_of(reply: OwnedFrame) -> Option<Vec<u8>> {
    match reply {
        OwnedFrame::BlobString { data, .. } | OwnedFrame::SimpleString { data, .. } => Some(data),
        _ => None,
    }
}

/// Databases that have keys, and how many.
///
/// # Errors
/// The server refuses, or is gone.
pub fn databases(conn: &mut Conn) -> Result<BTreeMap<u64, u64>, Trouble> {
    let info = conn.info("keyspace")?;
    let of_line = |line: &str| {
        let (db, rest) = line.strip_prefix("db")?.split_once(":keys=")?;
        let keys = rest.split(',').next()?;
        Some((db.parse().ok()?, keys.parse().ok()?))
    };
    Ok(info.lines().filter_map(of_line).collect())
}

/// Which tasks are dealt with.
#[derive(Debug)]
pub struct Ledger {
    next: u64,
    ahead: BTreeMap<u64, Position>,
    /// All before is dealt with.
    pub reached: Position,
}

impl Ledger {
    /// None yet.
    pub fn new(position: Position) -> Self {
        Self {
            next: 0,
            ahead: BTreeMap::new(),
            reached: position,
        }
    }

    /// The task of this number is.
    pub fn done(&mut self, number: u64, after: Position) {
        self.ahead.insert(number, after);
        while let Some(after) = self.ahead.remove(&self.next) {
            self.next += 1;
            self.reached = after;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_has_all_before_it_counts_as_reached() {
        let at = |cursor: &str| Position {
            cursor: cursor.to_owned(),
            ..Position::default()
        };
        let mut ledger = Ledger::new(at("start"));
        ledger.done(1, at("b"));
        assert_eq!(ledger.reached, at("start"));
        ledger.done(0, at("a"));
        assert_eq!(ledger.reached, at("b"));
        ledger.done(3, at("d"));
        ledger.done(2, at("c"));
        assert_eq!(ledger.reached, at("d"));
    }
}
