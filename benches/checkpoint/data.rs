//! What is written beside checkpoints: many small keys, or one big container of each type.

use super::common::Result;
use super::common::client::{Client, encode_into};
use super::loader;
use std::net::SocketAddr;

/// Odd, so that it walks through all elements.
const STRIDE: u64 = 982_451_653;
/// Elements of one request while all is filled, and requests sent before their replies are read.
const ELEMENTS: u64 = 200;
const BATCH: usize = 20;
const STRING_BYTES: u64 = 256 << 20;
const CHUNK_BYTES: u64 = 1 << 20;

/// The data of a server.
#[derive(Clone, Copy, Debug)]
pub enum Data {
    /// So many strings.
    Keys(u64),
    /// A hash, a set, a sorted set, a list and a stream of so many elements, and a string of 256 MiB.
    Containers(u64),
}

impl Data {
    /// In words.
    pub fn describe(self) -> String {
        match self {
            Self::Keys(count) => format!("{count} keys"),
            Self::Containers(count) => {
                format!(
                    "a hash, a set, a sorted set, a list and a stream of {count} elements each, a string of 256 MiB"
                )
            }
        }
    }

    /// Puts it into a server.
    pub fn load(self, address: SocketAddr) -> Result<()> {
        match self {
            Self::Keys(count) => loader::load(address, count, loader::benchmark_key),
            Self::Containers(count) => fill(address, count),
        }
    }

    /// Appends write number `number` to `request`. What there is neither grows nor shrinks by much.
    pub fn write(self, number: u64, request: &mut Vec<u8>) {
        let value = format!("{number:032x}");
        match self {
            Self::Keys(count) => {
                let key = loader::benchmark_key(number.wrapping_mul(STRIDE) % count);
                encode_into(request, &[b"SET", key.as_bytes(), value.as_bytes()]);
            }
            Self::Containers(count) => write_element(number, number.wrapping_mul(STRIDE) % count, &value, request),
        }
    }
}

fn name(element: u64) -> String {
    format!("element:{element:010}")
}

/// Write number `number` goes to one container after the other.
fn write_element(number: u64, element: u64, value: &str, request: &mut Vec<u8>) {
    let (name, value, index) = (name(element), value.as_bytes(), element.to_string());
    let added = format!("more:{element:010}");
    match number % 6 {
        0 => encode_into(request, &[b"HSET", b"hash", name.as_bytes(), value]),
        1 => encode_into(request, &[b"SADD", b"set", added.as_bytes()]),
        2 => encode_into(
            request,
            &[
                b"ZADD",
                b"zset",
                (number % 1_000_003).to_string().as_bytes(),
                name.as_bytes(),
            ],
        ),
        3 => encode_into(request, &[b"LSET", b"list", index.as_bytes(), value]),
        4 => encode_into(request, &[b"XADD", b"stream", b"*", b"field", value]),
        _ => {
            let offset = (element.wrapping_mul(STRIDE) % STRING_BYTES).to_string();
            encode_into(request, &[b"SETRANGE", b"string", offset.as_bytes(), b"x"]);
        }
    }
}

fn fill(address: SocketAddr, count: u64) -> Result<()> {
    let mut filler = Filler {
        client: Client::connect(address)?,
        batch: Vec::new(),
        pending: 0,
    };
    for from in (0..count).step_by(usize::try_from(ELEMENTS)?) {
        let names: Vec<String> = (from..count.min(from + ELEMENTS)).map(name).collect();
        filler.add(
            &["HSET", "hash"],
            names.iter().flat_map(|name| [name.as_str(), "a value of a field"]),
        )?;
        filler.add(&["SADD", "set"], names.iter().map(String::as_str))?;
        let score = (from % 1_000_003).to_string();
        filler.add(
            &["ZADD", "zset"],
            names.iter().flat_map(|name| [score.as_str(), name.as_str()]),
        )?;
        filler.add(&["RPUSH", "list"], names.iter().map(String::as_str))?;
        for name in &names {
            filler.add(&["XADD", "stream", "*", "field"], [name.as_str()])?;
        }
    }
    let chunk: String = (0..CHUNK_BYTES / 16)
        .map(|number| format!("{:016x}", number.wrapping_mul(STRIDE)))
        .collect();
    for offset in (0..STRING_BYTES).step_by(usize::try_from(CHUNK_BYTES)?) {
        filler.add(&["SETRANGE", "string", &offset.to_string()], [chunk.as_str()])?;
    }
    filler.flush()
}

struct Filler {
    client: Client,
    batch: Vec<u8>,
    pending: usize,
}

impl Filler {
    fn add<'a>(&mut self, head: &[&'a str], rest: impl IntoIterator<Item = &'a str>) -> Result<()> {
        let args: Vec<&[u8]> = head.iter().copied().chain(rest).map(str::as_bytes).collect();
        encode_into(&mut self.batch, &args);
        self.pending += 1;
        if self.pending == BATCH * usize::try_from(ELEMENTS)? || self.batch.len() as u64 > CHUNK_BYTES {
            self.flush()?;
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<()> {
        self.client.send(&self.batch)?;
        for _ in 0..std::mem::take(&mut self.pending) {
            self.client.read_ok()?;
        }
        self.batch.clear();
        Ok(())
    }
}
