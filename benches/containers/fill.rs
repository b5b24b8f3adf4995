//! Filling containers through one pipelined connection.

use super::common::Result;
use super::common::client::{Client, encode_into};
use std::net::SocketAddr;

/// Requests sent before their replies are read.
const BATCH: u64 = 1_000;
/// Elements of one request.
const ELEMENTS: u64 = 10;

/// A container with elements of some shape.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    /// What the report calls it.
    pub name: &'static str,
    command: &'static str,
    element: fn(u64) -> Vec<String>,
    /// Elements of one request, where there can be more.
    per_request: u64,
}

/// All shapes that are measured.
pub const SHAPES: &[Shape] = &[
    Shape {
        name: "hash",
        command: "HSET",
        element: |n| vec![format!("field:{n:010}"), format!("{n:032}")],
        per_request: ELEMENTS,
    },
    Shape {
        name: "list",
        command: "RPUSH",
        element: |n| vec![format!("element:{n:08x}")],
        per_request: ELEMENTS,
    },
    Shape {
        name: "set",
        command: "SADD",
        element: |n| vec![format!("member:{n:09}")],
        per_request: ELEMENTS,
    },
    Shape {
        name: "set of integers",
        command: "SADD",
        element: |n| vec![(n * 7919).to_string()],
        per_request: ELEMENTS,
    },
    Shape {
        name: "sorted set",
        command: "ZADD",
        element: |n| vec![(n * 7919 % 1_000_003).to_string(), format!("member:{n:09}")],
        per_request: ELEMENTS,
    },
    Shape {
        name: "stream",
        command: "XADD",
        element: |n| vec!["*".to_owned(), "field".to_owned(), format!("{n:016}")],
        per_request: 1,
    },
];

impl Shape {
    /// Makes `keys` containers of `elements` elements each.
    pub fn fill(&self, address: SocketAddr, keys: u64, elements: u64) -> Result<()> {
        let mut client = Client::connect(address)?;
        let (mut batch, mut pending) = (Vec::new(), 0);
        for key in 0..keys {
            let name = format!("{}:{key}", self.command);
            let mut next = 0;
            while next < elements {
                let end = elements.min(next + self.per_request);
                let mut args = vec![self.command.to_owned(), name.clone()];
                args.extend((next..end).flat_map(|n| (self.element)(key * elements + n)));
                let args: Vec<&[u8]> = args.iter().map(String::as_bytes).collect();
                encode_into(&mut batch, &args);
                pending += 1;
                next = end;
                if pending == BATCH {
                    flush(&mut client, &mut batch, &mut pending)?;
                }
            }
        }
        flush(&mut client, &mut batch, &mut pending)
    }
}

fn flush(client: &mut Client, batch: &mut Vec<u8>, pending: &mut u64) -> Result<()> {
    client.send(batch)?;
    for _ in 0..std::mem::take(pending) {
        client.read_ok()?;
    }
    batch.clear();
    Ok(())
}
