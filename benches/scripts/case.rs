//! The scripts that are measured, what they are given, and how often.

use super::common::Result;
use super::common::client::{Client, encode_into};
use super::common::load::requests::Unit;
use std::fmt;
use std::net::SocketAddr;
use std::str::FromStr;

/// Keys that scripts are spread over.
const KEYS: u64 = 100_000;
/// A document of about 10 KB.
const JSON_ITEMS: usize = 100;
/// The function that `FCALL` calls.
const LIBRARY: &str = "#!lua name=bench
redis.register_function('exchange', function(keys, args)
  local old = redis.call('GET', keys[1])
  redis.call('SET', keys[1], args[1])
  return old
end)";

/// A script.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Case {
    /// `return 1`: what a script costs at least.
    One,
    /// GET and SET of a declared key.
    Exchange,
    /// A rate limiter with a fixed window.
    Limiter,
    /// A lock is taken (SET NX PX) and released by a script that compares its token.
    Release,
    /// 1,000 calls.
    Loop,
    /// A document of 10 KB is decoded, changed and encoded.
    Json,
    /// `exchange` as a function.
    Fcall,
}

impl Case {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::One,
        Self::Exchange,
        Self::Limiter,
        Self::Release,
        Self::Loop,
        Self::Json,
        Self::Fcall,
    ];

    fn name(self) -> &'static str {
        match self {
            Self::One => "one",
            Self::Exchange => "exchange",
            Self::Limiter => "limiter",
            Self::Release => "release",
            Self::Loop => "loop",
            Self::Json => "json",
            Self::Fcall => "fcall",
        }
    }

    fn body(self) -> &'static str {
        match self {
            Self::One => "return 1",
            Self::Exchange => {
                "local old = redis.call('GET', KEYS[1])
                 redis.call('SET', KEYS[1], ARGV[1])
                 return old"
            }
            Self::Limiter => {
                "local count = redis.call('INCR', KEYS[1])
                 if count == 1 then redis.call('PEXPIRE', KEYS[1], ARGV[2]) end
                 if count > tonumber(ARGV[1]) then return redis.call('PTTL', KEYS[1]) end
                 return 0"
            }
            Self::Release => {
                "if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end
                 return 0"
            }
            Self::Loop => {
                "for i = 1, 1000 do redis.call('INCR', KEYS[1]) end
                 return 1"
            }
            Self::Json => {
                "local items = cjson.decode(ARGV[1])
                 items[1].count = items[1].count + 1
                 return #cjson.encode(items)"
            }
            Self::Fcall => LIBRARY,
        }
    }

    /// Tells a server of the script.
    pub fn prepare(self, server: SocketAddr) -> Result<()> {
        let mut client = Client::connect(server)?;
        match self {
            Self::Fcall => client.call(&[b"FUNCTION", b"LOAD", b"REPLACE", self.body().as_bytes()])?,
            _ => client.call(&[b"SCRIPT", b"LOAD", self.body().as_bytes()])?,
        };
        Ok(())
    }

    /// The requests that run it.
    pub fn unit(self) -> Unit {
        let key = format!("script:{}:000000", self.name()).into_bytes();
        let sha = sha1_smol::Sha1::from(self.body()).digest().to_string();
        let run: Vec<&[u8]> = vec![b"EVALSHA", sha.as_bytes(), b"1", &key];
        let document = document();
        let mut bytes = Vec::new();
        let mut encode = |args: &[&[u8]]| encode_into(&mut bytes, args);
        match self {
            Self::One => encode(&[b"EVALSHA", sha.as_bytes(), b"0"]),
            Self::Exchange => encode(&[&run[..], &[b"a value of some thirty-two bytes"]].concat()),
            Self::Limiter => encode(&[&run[..], &[b"100", b"1000"]].concat()),
            Self::Release => {
                encode(&[b"SET", &key, b"token", b"NX", b"PX", b"30000"]);
                encode(&[&run[..], &[b"token"]].concat());
            }
            Self::Loop => encode(&run),
            Self::Json => encode(&[b"EVALSHA", sha.as_bytes(), b"0", &document]),
            Self::Fcall => encode(&[b"FCALL", b"exchange", b"1", &key, b"a value of some thirty-two bytes"]),
        }
        Unit {
            bytes,
            replies: if self == Self::Release { 2 } else { 1 },
            key,
            keys: KEYS,
        }
    }
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Case {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Self, String> {
        let found = Self::ALL.into_iter().find(|case| case.name() == text);
        found.ok_or_else(|| format!("no script {text:?}: there are {}", Self::ALL.map(Self::name).join(", ")))
    }
}

/// What an application may keep: a list of objects with numbers, texts and lists.
fn document() -> Vec<u8> {
    let item = |number: usize| {
        format!(
            r#"{{"id":{number},"name":"item number {number}","price":{}.25,"tags":["new","blue"],"in_stock":true,"count":{}}}"#,
            number * 3,
            number * 7
        )
    };
    let items: Vec<String> = (0..JSON_ITEMS).map(item).collect();
    format!("[{}]", items.join(",")).into_bytes()
}
