//! Writes many unique keys through one pipelined connection.

use super::common::Result;
use super::common::client::{Client, encode_into};
use std::net::SocketAddr;

/// Requests sent before their replies are read. Their replies fit any socket buffer, so neither side
/// can wait for the other.
const BATCH: u64 = 2_000;
/// Odd and no multiple of five: multiplication permutes the numbers below 10^16.
const SCATTER: u128 = 6_364_136_223_846_793;
const SIXTEEN_DIGITS: u128 = 10_000_000_000_000_000;

/// The key `redis-benchmark` asks for as number `index`: `key:` and 12 digits.
pub fn benchmark_key(index: u64) -> String {
    format!("key:{index:012}")
}

/// Key number `index` of the memory section: 16 digits, in no order.
pub fn scattered_key(index: u64) -> String {
    format!("{:016}", u128::from(index) * SCATTER % SIXTEEN_DIGITS)
}

/// SETs keys 0 to `count`, each to a 32-byte value of its own.
pub fn load(address: SocketAddr, count: u64, key: fn(u64) -> String) -> Result<()> {
    let mut client = Client::connect(address)?;
    let mut batch = Vec::new();
    let mut next = 0;
    while next < count {
        let end = count.min(next + BATCH);
        batch.clear();
        for index in next..end {
            let value = format!("{index:032x}");
            encode_into(&mut batch, &[b"SET", key(index).as_bytes(), value.as_bytes()]);
        }
        client.send(&batch)?;
        for _ in next..end {
            client.read_ok()?;
        }
        next = end;
    }
    Ok(())
}
