//! Values of keys, as DUMP gives them, many at a time.
//!
//! **Invariant:** the window keeps what the source has to hold for us to a few MiB, unless its values are larger.

use redis_protocol::resp3::types::OwnedFrame;

use super::link::{Conn, FULL, Space, Trouble, error_of};
use super::scan::bytes_of;
use crate::rdb::{self, Object, RestoreError};
use crate::resp::Client;

/// What the source is to hold for us.
const WINDOW_BYTES: usize = 2 << 20;
const WINDOW_KEYS_MAX: usize = 256;
const WINDOW_KEYS_FIRST: usize = 16;
/// So much is sent before replies are read: it fits into the buffers of sockets, so that nobody waits for the other.
const REQUEST_BYTES_MAX: usize = 32 << 10;
/// What servers take as a value, with what belongs to its reply.
const PAYLOAD_BYTES_MAX: usize = (512 << 20) + 1024;
/// What a payload ends with: its version and a checksum.
pub const FOOTER_BYTES: usize = 10;

/// What is asked about how keys are used, by what the source's policy of eviction looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Uses {
    Ignored,
    Idle,
    Frequency,
}

impl Uses {
    /// What keys are evicted by under this policy.
    pub fn of_policy(name: &str) -> Self {
        match name.rsplit('-').next() {
            Some("lru" | "lrm") => Self::Idle,
            Some("lfu") => Self::Frequency,
            _ => Self::Ignored,
        }
    }
}

/// A key's value.
#[derive(Debug)]
pub struct Value {
    pub payload: Vec<u8>,
    /// Why there is no payload: the server has none of this one key.
    pub refused: Option<String>,
    /// Unix milliseconds.
    pub expires_at_ms: Option<u64>,
    /// Seconds without use, or the counter of uses, as was asked.
    pub usage: Option<u64>,
}

impl Value {
    /// What it is, or why that cannot be told.
    pub fn object(&self) -> Result<Object, String> {
        match &self.refused {
            Some(text) => Err(text.clone()),
            None => decode(&self.payload),
        }
    }
}

/// Asks for values.
#[derive(Debug)]
pub struct Fetcher {
    uses: Uses,
    window: usize,
}

impl Fetcher {
    pub fn new(uses: Uses) -> Self {
        Self {
            uses,
            window: WINDOW_KEYS_FIRST,
        }
    }

    /// Tells `each` the value of every key, or that there is none any more, in their order.
    pub fn fetch(
        &mut self,
        conn: &mut Conn,
        space: &Space,
        keys: &[Vec<u8>],
        mut each: impl FnMut(&[u8], Option<Value>) -> Result<(), Trouble>,
    ) -> Result<(), Trouble> {
        conn.select(space)?;
        let client = conn.pipeline();
        let mut rest = keys;
        while !rest.is_empty() {
            let mut asked = 0;
            for key in rest.iter().take(self.window) {
                self.ask(client, key);
                asked += 1;
                if client.queued_bytes() >= REQUEST_BYTES_MAX {
                    break;
                }
            }
            client.flush()?;
            let (now, later) = rest.split_at_checked(asked).unwrap_or((rest, &[]));
            let mut largest = 1;
            for key in now {
                let value = self.receive(client)?;
                largest = largest.max(value.as_ref().map_or(0, |value| value.payload.len()));
                each(key, value)?;
            }
            self.window = (WINDOW_BYTES / largest).clamp(1, WINDOW_KEYS_MAX.min(self.window * 2));
            rest = later;
        }
        Ok(())
    }

    fn ask(&self, client: &mut Client, key: &[u8]) {
        // Before the value is: that may count as a use.
        match self.uses {
            Uses::Ignored => {}
            Uses::Idle => client.queue(&[b"OBJECT", b"IDLETIME", key]),
            Uses::Frequency => client.queue(&[b"OBJECT", b"FREQ", key]),
        }
        client.queue(&[b"DUMP", key]);
        client.queue(&[b"PEXPIRETIME", key]);
    }

    fn receive(&self, client: &mut Client) -> Result<Option<Value>, Trouble> {
        let usage = match self.uses {
            Uses::Ignored => None,
            // An error: the policy has changed, or the key is gone, or it may not be asked. All else is as important.
            Uses::Idle | Uses::Frequency => number(&client.receive()?).and_then(|usage| u64::try_from(usage).ok()),
        };
        let (payload, time) = (client.receive_at_most(PAYLOAD_BYTES_MAX)?, client.receive()?);
        let refused = error_of(&payload).filter(|text| is_of_one_key(text)).map(str::to_owned);
        for reply in [Some(&payload).filter(|_| refused.is_none()), Some(&time)]
            .into_iter()
            .flatten()
        {
            if let Some(text) = error_of(reply) {
                return Err(Trouble::of_reply(text));
            }
        }
        let expires_at_ms = match number(&time).ok_or_else(|| Trouble::strange("PEXPIRETIME"))? {
            -1 => None,
            // It went in between.
            ..0 => return Ok(None),
            at_ms => Some(at_ms as u64),
        };
        if payload == OwnedFrame::Null {
            return Ok(None);
        }
        let payload = match refused {
            Some(_) => Vec::new(),
            None => bytes_of(payload).ok_or_else(|| Trouble::strange("DUMP"))?,
        };
        Ok(Some(Value {
            payload,
            refused: refused.map(|text| format!("DUMP is refused: {text}")),
            expires_at_ms,
            usage,
        }))
    }
}

/// Whether an error is about the value that was asked for, and the rest may be had.
fn is_of_one_key(text: &str) -> bool {
    text.starts_with("ERR ") && !text.starts_with("ERR unknown command") && text != FULL
}

/// The number that a reply is.
pub fn number(reply: &OwnedFrame) -> Option<i64> {
    match reply {
        OwnedFrame::Number { data, .. } => Some(*data),
        _ => None,
    }
}

/// The value of a payload, or what is wrong with it.
pub fn decode(payload: &[u8]) -> Result<Object, String> {
    rdb::restore(payload).map_err(|error| match error {
        RestoreError::Value(error) => error.to_string(),
        RestoreError::Footer => {
            let version = payload.len().checked_sub(FOOTER_BYTES).and_then(|at| payload.get(at..at + 2));
            let number = version.map_or(0, |bytes| bytes.iter().rev().fold(0u16, |sum, byte| sum << 8 | u16::from(*byte)));
            let kind = payload.first().copied().unwrap_or_default();
            format!(
                "type {kind}, version {number}, {} bytes: this version of payloads is not known, or the checksum is wrong",
                payload.len()
            )
        }
    })
}

/// A key in a message.
pub fn named(db: u64, key: &[u8]) -> String {
    format!("database {db}: key \"{}\"", key.escape_ascii())
}
