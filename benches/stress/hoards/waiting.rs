//! Clients that wait, and what they can pile up meanwhile.

use super::super::common::Result;
use super::super::common::client::{Client, encode};
use super::crowd::{Crowd, Part};
use super::{Hoard, Limit, MIB, Mix, nothing, with_big_argument};
use std::net::SocketAddr;

const CLIENTS: usize = 64;

/// 4 MiB for each client, and as much for all of them.
const EACH_AND_ALL: Limit = Limit {
    settings: &[("client-query-buffer-limit", "4mb"), ("maxmemory-clients", "256mb")],
    bytes: CLIENTS as u64 * 4 * MIB,
};
const ALL_CLIENTS: Limit = Limit {
    settings: &[("maxmemory-clients", "64mb")],
    bytes: 64 * MIB,
};

/// The family.
pub const HOARDS: &[Hoard] = &[
    Hoard {
        name: "blocked",
        title: "64 × BLPOP with a SET of 20 MiB behind it",
        limit: EACH_AND_ALL,
        prepare: nothing,
        act: blocked,
        mix: Mix::ReadsAndWrites,
    },
    Hoard {
        name: "paused",
        title: "CLIENT PAUSE WRITE, 64 × 20 SETs of 1 MiB",
        limit: EACH_AND_ALL,
        prepare: nothing,
        act: paused,
        mix: Mix::Reads,
    },
    Hoard {
        name: "blocked-keys",
        title: "10 × BLPOP on 100,000 keys",
        limit: ALL_CLIENTS,
        prepare: nothing,
        act: blocked_keys,
        mix: Mix::ReadsAndWrites,
    },
    Hoard {
        name: "watch",
        title: "500 × WATCH of 2000 keys",
        limit: ALL_CLIENTS,
        prepare: nothing,
        act: watch,
        mix: Mix::ReadsAndWrites,
    },
    Hoard {
        name: "watch-alone",
        title: "WATCH of 30,000 keys by one client",
        limit: ALL_CLIENTS,
        prepare: nothing,
        act: watch_alone,
        mix: Mix::ReadsAndWrites,
    },
    Hoard {
        name: "channels",
        title: "SUBSCRIBE to a million channels",
        limit: ALL_CLIENTS,
        prepare: nothing,
        act: channels,
        mix: Mix::ReadsAndWrites,
    },
];

fn blocked(address: SocketAddr) -> Result<Crowd> {
    let mut parts = vec![Part::once(encode(&[b"BLPOP", b"nothing", b"0"]))];
    parts.extend(with_big_argument(&[b"SET", b"behind"], 20));
    let mut crowd = Crowd::connect(address, CLIENTS)?;
    crowd.send(&parts)?;
    Ok(crowd)
}

fn paused(address: SocketAddr) -> Result<Crowd> {
    Client::connect(address)?.call(&[b"CLIENT", b"PAUSE", b"60000", b"WRITE"])?;
    let mut parts = Vec::new();
    for _ in 0..20 {
        parts.extend(with_big_argument(&[b"SET", b"later"], 1));
    }
    let mut crowd = Crowd::connect(address, CLIENTS)?;
    crowd.send(&parts)?;
    Ok(crowd)
}

fn blocked_keys(address: SocketAddr) -> Result<Crowd> {
    let names = names("blocked", 0..100_000);
    let mut args: Vec<&[u8]> = vec![b"BLPOP"];
    args.extend(names.iter().map(|name| name.as_bytes()));
    args.push(b"0");
    let mut crowd = Crowd::connect(address, 10)?;
    crowd.send(&[Part::once(encode(&args))])?;
    Ok(crowd)
}

fn watch(address: SocketAddr) -> Result<Crowd> {
    let mut crowd = Crowd::default();
    for client in 0..500 {
        let mut one = Crowd::connect(address, 1)?;
        one.send(&naming(b"WATCH", client * 2..(client + 1) * 2))?;
        crowd.join(one);
    }
    Ok(crowd)
}

fn watch_alone(address: SocketAddr) -> Result<Crowd> {
    let mut crowd = Crowd::connect(address, 1)?;
    crowd.send(&naming(b"WATCH", 0..30))?;
    Ok(crowd)
}

fn channels(address: SocketAddr) -> Result<Crowd> {
    let mut crowd = Crowd::connect(address, 1)?;
    crowd.send(&naming(b"SUBSCRIBE", 0..1000))?;
    Ok(crowd)
}

/// A request for each of these batches, with a thousand names of its own.
fn naming(command: &[u8], batches: std::ops::Range<u32>) -> Vec<Part> {
    let request = |batch: u32| {
        let names = names("name", batch * 1000..(batch + 1) * 1000);
        let mut args = vec![command];
        args.extend(names.iter().map(|name| name.as_bytes()));
        Part::once(encode(&args))
    };
    batches.map(request).collect()
}

fn names(prefix: &str, range: std::ops::Range<u32>) -> Vec<String> {
    range.map(|index| format!("{prefix}:{index:012}")).collect()
}
