//! Replies that are asked for and never read.

use super::super::common::Result;
use super::super::common::client::{Client, encode, encode_into};
use super::crowd::{Crowd, Part};
use super::{Hoard, Limit, MIB, Mix, mebibyte, nothing};
use std::net::SocketAddr;

const TEN_MEBIBYTES: Limit = Limit {
    settings: &[("client-output-buffer-limit", "normal 10mb 0 0")],
    bytes: 10 * MIB,
};
const SUBSCRIBERS: usize = 10;
const NEIGHBOURS: usize = 2000;

const fn unread(
    name: &'static str,
    title: &'static str,
    prepare: fn(SocketAddr) -> Result<()>,
    act: fn(SocketAddr) -> Result<Crowd>,
) -> Hoard {
    Hoard {
        name,
        title,
        limit: TEN_MEBIBYTES,
        prepare,
        act,
        mix: Mix::ReadsAndWrites,
    }
}

/// The family.
pub const HOARDS: &[Hoard] = &[
    unread(
        "distinct-replies",
        "1000 × (SET of 1 MiB, GET), unread",
        nothing,
        distinct,
    ),
    unread(
        "range-batch",
        "1000 × LRANGE of a million in one write, unread",
        big_list,
        ranges,
    ),
    unread("pings", "16 million PINGs, unread", nothing, pings),
    unread("errors", "10 million errors, unread", nothing, errors),
    unread("same-value", "4 × MGET of 1000 × 1 MiB, unread", big_value, same_value),
    unread("exec-replies", "EXEC of 1000 × GET of 1 MiB, unread", big_value, exec),
    unread("echoes", "1000 × ECHO of 1 MiB, unread", nothing, echoes),
    unread("keys", "200 × KEYS of 200,000, unread", many_keys, keys),
    unread("client-list", "500 × CLIENT LIST of 2000, unread", nothing, client_list),
    unread("monitor", "MONITOR of 1000 × SET of 1 MiB, unread", nothing, monitor),
    Hoard {
        name: "subscribers",
        title: "10 subscribers, 500 messages of 1 MiB, unread",
        limit: Limit {
            settings: &[("client-output-buffer-limit", "pubsub 1mb 0 0")],
            bytes: SUBSCRIBERS as u64 * MIB,
        },
        prepare: nothing,
        act: subscribers,
        mix: Mix::ReadsAndWrites,
    },
];

/// One client that sends this.
fn one(address: SocketAddr, parts: &[Part]) -> Result<Crowd> {
    let mut crowd = Crowd::connect(address, 1)?;
    crowd.send(parts)?;
    Ok(crowd)
}

fn distinct(address: SocketAddr) -> Result<Crowd> {
    let mut both = encode(&[b"SET", b"value", &mebibyte()]);
    encode_into(&mut both, &[b"GET", b"value"]);
    one(address, &[Part::times(both, 1000)])
}

pub(super) fn big_list(address: SocketAddr) -> Result<()> {
    let mut client = Client::connect(address)?;
    let mut args: Vec<&[u8]> = vec![b"RPUSH", b"list"];
    args.resize(1002, b"0123456789");
    for _ in 0..1000 {
        client.call(&args)?;
    }
    Ok(())
}

fn ranges(address: SocketAddr) -> Result<Crowd> {
    let request = encode(&[b"LRANGE", b"list", b"0", b"-1"]);
    one(address, &[Part::once(request.repeat(1000))])
}

fn pings(address: SocketAddr) -> Result<Crowd> {
    one(address, &[Part::times(b"PING\r\n".repeat(16_000), 1000)])
}

fn errors(address: SocketAddr) -> Result<Crowd> {
    one(address, &[Part::times(b"NO\r\n".repeat(10_000), 1000)])
}

fn big_value(address: SocketAddr) -> Result<()> {
    Client::connect(address)?.call(&[b"SET", b"value", &mebibyte()])?;
    Ok(())
}

fn same_value(address: SocketAddr) -> Result<Crowd> {
    let mut args: Vec<&[u8]> = vec![b"MGET"];
    args.resize(1001, b"value");
    one(address, &[Part::times(encode(&args), 4)])
}

fn exec(address: SocketAddr) -> Result<Crowd> {
    let mut request = encode(&[b"MULTI"]);
    request.extend(encode(&[b"GET", b"value"]).repeat(1000));
    encode_into(&mut request, &[b"EXEC"]);
    one(address, &[Part::once(request)])
}

fn echoes(address: SocketAddr) -> Result<Crowd> {
    one(address, &[Part::times(encode(&[b"ECHO", &mebibyte()]), 1000)])
}

fn many_keys(address: SocketAddr) -> Result<()> {
    let mut client = Client::connect(address)?;
    for batch in 0..200 {
        let names: Vec<String> = (0..1000).map(|index| format!("key:{batch:06}:{index:06}")).collect();
        let mut args: Vec<&[u8]> = vec![b"MSET"];
        args.extend(names.iter().flat_map(|name| [name.as_bytes(), b"1"]));
        client.call(&args)?;
    }
    Ok(())
}

fn keys(address: SocketAddr) -> Result<Crowd> {
    one(address, &[Part::times(encode(&[b"KEYS", b"*"]), 200)])
}

fn client_list(address: SocketAddr) -> Result<Crowd> {
    let neighbours = Crowd::connect(address, NEIGHBOURS)?;
    let mut crowd = one(address, &[Part::times(encode(&[b"CLIENT", b"LIST"]), 500)])?;
    // What counts is what becomes of the one, so the others only have to stay for as long as it does.
    crowd.keep(neighbours);
    Ok(crowd)
}

fn monitor(address: SocketAddr) -> Result<Crowd> {
    let crowd = watching(address, 1, &[b"MONITOR"])?;
    let mut writer = Client::connect(address)?;
    for _ in 0..1000 {
        writer.call(&[b"SET", b"value", &mebibyte()])?;
    }
    Ok(crowd)
}

fn subscribers(address: SocketAddr) -> Result<Crowd> {
    let crowd = watching(address, SUBSCRIBERS, &[b"SUBSCRIBE", b"channel"])?;
    let mut publisher = Client::connect(address)?;
    for _ in 0..500 {
        publisher.call(&[b"PUBLISH", b"channel", &mebibyte()])?;
    }
    Ok(crowd)
}

/// Clients whose request has been answered, and not by an error.
fn watching(address: SocketAddr, count: usize, request: &[&[u8]]) -> Result<Crowd> {
    let mut crowd = Crowd::default();
    for _ in 0..count {
        let mut client = Client::connect(address)?;
        client.call(request)?;
        crowd.join(Crowd::of(client.stream().try_clone()?)?);
    }
    Ok(crowd)
}
