//! Writes many unique keys through one pipelined connection.

use super::common::Result;
use super::common::client::{Client, encode_into};
use std::net::SocketAddr;

/// Requests sent before their replies are read, and their bytes. Their replies fit any socket buffer, so neither side
/// can wait for the other.
const BATCH: u64 = 2_000;
const BATCH_BYTES: usize = 1024 * 1024;
/// Odd and no multiple of five: multiplication permutes the numbers below 10^16.
const SCATTER: u128 = 6_364_136_223_846_793;
const SIXTEEN_DIGITS: u128 = 10_000_000_000_000_000;

/// The key number `index` of writers beside checkpoints: `key:` and 12 digits.
pub fn benchmark_key(index: u64) -> String {
    format!("key:{index:012}")
}

/// Key number `index` of the memory section: 16 digits, in no order.
pub fn scattered_key(index: u64) -> String {
    format!("{:016}", u128::from(index) * SCATTER % SIXTEEN_DIGITS)
}

/// SETs keys 0 to `count`, each to a 32-byte value of its own.
pub fn load(address: SocketAddr, count: u64, key: impl Fn(u64) -> String) -> Result<()> {
    load_sized(address, count, 32, key)
}

/// SETs keys 0 to `count`, each to a value of its own of so many bytes.
pub fn load_sized(address: SocketAddr, count: u64, bytes: usize, key: impl Fn(u64) -> String) -> Result<()> {
    let mut client = Client::connect(address)?;
    let mut batch = Vec::new();
    let mut waiting = 0;
    for index in 0..count {
        let mut value = format!("{index:0bytes$x}");
        value.truncate(bytes);
        encode_into(&mut batch, &[b"SET", key(index).as_bytes(), value.as_bytes()]);
        waiting += 1;
        if waiting == BATCH || batch.len() >= BATCH_BYTES || index + 1 == count {
            client.send(&batch)?;
            for _ in 0..waiting {
                client.read_ok()?;
            }
            batch.clear();
            waiting = 0;
        }
    }
    Ok(())
}
