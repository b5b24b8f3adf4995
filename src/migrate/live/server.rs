//! A running server as the target.
//!
//! **Invariant:** a database is judged, and emptied if that was asked for, once, before the first key goes there.

use std::collections::BTreeSet;

use parking_lot::Mutex;

use super::error::LiveError;
use super::fetch::{FOOTER_BYTES, Uses, Value, decode, named, number};
use super::link::{Conn, Endpoint, Link, Space, Trouble, error_of};
use crate::migrate::targets::{Existing, Into};

/// So much is sent before replies are read.
const PUSH_BYTES_MAX: usize = 64 << 10;
/// Errors that are about the payload.
const BAD_PAYLOADS: [&str; 2] = ["ERR Bad data format", "ERR DUMP payload version or checksum are wrong"];

/// See the module.
pub struct ServerTarget<'a> {
    pub endpoint: &'a Endpoint,
    into: &'a Into,
    existing: Existing,
    ready: Mutex<BTreeSet<u64>>,
}

impl<'a> ServerTarget<'a> {
    /// `ready` is for these databases of the source already.
    pub fn new(endpoint: &'a Endpoint, into: &'a Into, existing: Existing, ready: &[u64]) -> Self {
        Self {
            endpoint,
            into,
            existing,
            ready: Mutex::new(ready.iter().copied().collect()),
        }
    }

    /// The databases it is ready for.
    pub fn ready(&self) -> Vec<u64> {
        self.ready.lock().iter().copied().collect()
    }

    /// Where the source's database `db` goes.
    pub fn space(&self, db: u64) -> Space {
        match self.into {
            Into::Numbers => Space::Number(db),
            Into::Collection(name, _) => Space::Named(name.clone()),
        }
    }

    /// Has the place for database `db` ready.
    pub fn prepare(&self, link: &mut Link<'_>, db: u64) -> Result<(), LiveError> {
        let mut ready = self.ready.lock();
        if !ready.contains(&db) {
            link.run("preparing a database", |conn| self.judge(conn, db))?;
            ready.insert(db);
        }
        Ok(())
    }

    fn judge(&self, conn: &mut Conn, db: u64) -> Result<(), Trouble> {
        if let Into::Collection(name, kind) = self.into {
            match conn.select(&self.space(db)) {
                Err(Trouble::Refused(_)) => {
                    conn.ask(&[
                        b"COLLECTION",
                        b"CREATE",
                        name.as_bytes(),
                        b"KIND",
                        kind.name().as_bytes(),
                    ])?;
                }
                other => other?,
            }
        }
        conn.select(&self.space(db))?;
        let keys = number(&conn.ask(&[b"DBSIZE"])?).ok_or_else(|| Trouble::strange("DBSIZE"))?;
        match self.existing {
            Existing::Refuse if keys > 0 => {
                let place = match self.space(db) {
                    Space::Number(db) => format!("database {db}"),
                    Space::Named(name) => format!("collection \"{name}\""),
                };
                let server = self.endpoint.url.to_string();
                Err(LiveError::HasKeys { server, place, keys }.into())
            }
            Existing::Replace if keys > 0 => conn.ask(&[b"FLUSHDB"]).map(drop),
            _ => Ok(()),
        }
    }

    /// Puts keys there; what was wrong with those that it could not.
    pub fn push(
        &self,
        link: &mut Link<'_>,
        db: u64,
        values: &[(Vec<u8>, Value)],
        uses: Uses,
    ) -> Result<Vec<String>, LiveError> {
        let space = self.space(db);
        link.run("RESTORE", |conn| {
            conn.select(&space)?;
            let mut unreadable = Vec::new();
            let mut rest = values;
            while !rest.is_empty() {
                let client = conn.pipeline();
                let mut sent = 0;
                for (key, value) in rest {
                    queue(client, key, value, uses);
                    sent += 1;
                    if client.queued_bytes() >= PUSH_BYTES_MAX {
                        break;
                    }
                }
                client.flush()?;
                let (now, later) = rest.split_at_checked(sent).unwrap_or((rest, &[]));
                for (key, value) in now {
                    match error_of(&client.receive()?) {
                        None => {}
                        Some(text) if BAD_PAYLOADS.contains(&text) => {
                            let why = decode(&value.payload).err().unwrap_or_else(|| text.to_owned());
                            unreadable.push(format!("{}: {why}", named(db, key)));
                        }
                        Some(text) => return Err(Trouble::of_reply(text)),
                    }
                }
                rest = later;
            }
            Ok(unreadable)
        })
    }

    /// Puts libraries of functions there.
    pub fn push_libraries(&self, link: &mut Link<'_>, payload: &[u8], is_resumed: bool) -> Result<(), LiveError> {
        if payload.len() <= FOOTER_BYTES {
            // There are none: so those that are there stay.
            return Ok(());
        }
        let policy: &[u8] = match self.existing {
            Existing::Refuse if !is_resumed => b"APPEND",
            Existing::Refuse | Existing::Merge => b"REPLACE",
            Existing::Replace => b"FLUSH",
        };
        link.run("FUNCTION RESTORE", |conn| {
            conn.ask(&[b"FUNCTION", b"RESTORE", payload, policy]).map(drop)
        })
    }
}

fn queue(client: &mut crate::resp::Client, key: &[u8], value: &Value, uses: Uses) {
    let expires_at = value.expires_at_ms.unwrap_or_default().to_string();
    let usage = value.usage.map(|usage| usage.to_string());
    let mut words: Vec<&[u8]> = vec![
        b"RESTORE",
        key,
        expires_at.as_bytes(),
        &value.payload,
        b"REPLACE",
        b"ABSTTL",
    ];
    if let Some(usage) = &usage {
        words.push(if uses == Uses::Frequency { b"FREQ" } else { b"IDLETIME" });
        words.push(usage.as_bytes());
    }
    client.queue(&words);
}
