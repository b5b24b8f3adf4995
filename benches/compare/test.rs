//! What is asked of the servers, and of which keys.

use super::common::client::encode_into;
use super::common::load::requests::Unit;
use std::fmt;
use std::str::FromStr;

/// The digits of a key that never vary.
const ZEROS: &str = "000000";
/// Keys that a load is spread over, if their values are small.
pub const KEYS: u64 = 1_000_000;
/// The values' size where a row says nothing of it.
pub const VALUE_BYTES: usize = 32;
const DATA_BYTES_MAX: u64 = 128 * 1024 * 1024;
const COUNTERS: u64 = 100_000;

/// What is asked of the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Test {
    /// PING: the front alone.
    Ping,
    /// GET of a key that exists.
    Get,
    /// SET of a key that exists.
    Set,
    /// INCR.
    Incr,
    /// MGET of ten keys that exist.
    Mget,
    /// MULTI, INCR, EXEC: three requests.
    Multi,
}

/// The keys that a load asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Keyspace {
    /// What they begin with.
    pub prefix: String,
    /// How many there are.
    pub count: u64,
    /// Bytes of each value; `None`: counters, which need not exist.
    pub value_bytes: Option<usize>,
}

impl Keyspace {
    /// Of a test with values of this size.
    pub fn of(test: Test, value_bytes: usize) -> Self {
        match test {
            Test::Incr | Test::Multi => Self {
                prefix: "num:".to_owned(),
                count: COUNTERS,
                value_bytes: None,
            },
            Test::Ping | Test::Get | Test::Set | Test::Mget => Self {
                prefix: format!("k{value_bytes}:"),
                count: KEYS.min(DATA_BYTES_MAX / (value_bytes as u64).max(1)).max(1),
                value_bytes: Some(value_bytes),
            },
        }
    }

    /// Key number `index`.
    pub fn key(&self, index: u64) -> String {
        format!("{}{ZEROS}{index:06}", self.prefix)
    }
}

impl Test {
    const ALL: [Self; 6] = [Self::Ping, Self::Get, Self::Set, Self::Incr, Self::Mget, Self::Multi];

    fn name(self) -> &'static str {
        match self {
            Self::Ping => "ping",
            Self::Get => "get",
            Self::Set => "set",
            Self::Incr => "incr",
            Self::Mget => "mget",
            Self::Multi => "multi",
        }
    }

    /// Whether it changes data.
    pub fn writes(self) -> bool {
        matches!(self, Self::Set | Self::Incr | Self::Multi)
    }

    /// One request of this kind, or several that belong together.
    pub fn unit(self, value_bytes: usize) -> Unit {
        let keyspace = Keyspace::of(self, value_bytes);
        let (key, value) = (keyspace.key(0).into_bytes(), vec![b'x'; value_bytes]);
        let mut bytes = Vec::new();
        self.encode(&mut bytes, &key, &value);
        Unit {
            bytes,
            replies: self.replies(),
            key,
            keys: keyspace.count,
        }
    }

    /// Replies to what [`Self::encode`] writes.
    fn replies(self) -> usize {
        if self == Self::Multi { 3 } else { 1 }
    }

    fn encode(self, out: &mut Vec<u8>, key: &[u8], value: &[u8]) {
        match self {
            Self::Ping => encode_into(out, &[b"PING"]),
            Self::Get => encode_into(out, &[b"GET", key]),
            Self::Set => encode_into(out, &[b"SET", key, value]),
            Self::Incr => encode_into(out, &[b"INCR", key]),
            Self::Mget => encode_into(out, &[b"MGET", key, key, key, key, key, key, key, key, key, key]),
            Self::Multi => {
                encode_into(out, &[b"MULTI"]);
                encode_into(out, &[b"INCR", key]);
                encode_into(out, &[b"EXEC"]);
            }
        }
    }
}

impl fmt::Display for Test {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Test {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|test| test.name() == text);
        found.ok_or_else(|| format!("no test {text:?}: there are {}", Self::ALL.map(Self::name).join(", ")))
    }
}
