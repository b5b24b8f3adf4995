//! Requests of extreme size: the largest value and a million arguments, both within the protocol's limits.

use super::super::common::Result;
use super::super::common::client::{Client, Reply, encode, encode_into};
use std::net::SocketAddr;
use std::time::Instant;

const VALUE_BYTES: u64 = 512 * 1024 * 1024;
const CHUNK_BYTES: u64 = 1024 * 1024;
const PAIRS: usize = 500_000;

/// Writes a value of 512 MiB, in chunks: this program need not hold it.
pub fn set(address: SocketAddr) -> Result<String> {
    let mut client = Client::connect(address)?;
    let chunk = vec![b'x'; usize::try_from(CHUNK_BYTES)?];
    let start = Instant::now();
    client.send(format!("*3\r\n$3\r\nSET\r\n$3\r\nbig\r\n${VALUE_BYTES}\r\n").as_bytes())?;
    for _ in 0..VALUE_BYTES / CHUNK_BYTES {
        client.send(&chunk)?;
    }
    client.send(b"\r\n")?;
    client.read_ok()?;
    Ok(took(start))
}

/// Reads it back.
pub fn get(address: SocketAddr) -> Result<String> {
    let mut client = Client::connect(address)?;
    let start = Instant::now();
    match client.call(&[b"GET", b"big"])? {
        Reply::Bulk(VALUE_BYTES) => Ok(took(start)),
        other => Err(format!("GET of the big value gave {other:?}").into()),
    }
}

/// One MSET with 500,000 keys.
pub fn many_args(address: SocketAddr) -> Result<String> {
    let names: Vec<String> = (0..PAIRS).map(|index| format!("many:{index}")).collect();
    let mut args: Vec<&[u8]> = vec![b"MSET"];
    args.extend(names.iter().flat_map(|name| [name.as_bytes(), b"value"]));
    let mut client = Client::connect(address)?;
    let mut request = Vec::new();
    encode_into(&mut request, &args);
    let start = Instant::now();
    client.send(&request)?;
    client.read_ok()?;
    let note = took(start);
    client.send(&encode(&[b"DBSIZE"]))?;
    match client.read_ok()? {
        Reply::Integer(keys) if usize::try_from(keys)? >= PAIRS => Ok(note),
        other => Err(format!("DBSIZE after it gave {other:?}").into()),
    }
}

fn took(start: Instant) -> String {
    format!("took {:.0} ms", start.elapsed().as_secs_f64() * 1e3)
}
