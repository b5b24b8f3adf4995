//! Requests that never end, and those that are queued.

use super::super::common::Result;
use super::crowd::{Crowd, Part};
use super::{Hoard, Limit, MIB, Mix, mebibyte, nothing, with_big_argument};
use std::net::SocketAddr;

const ENDLESS: usize = 20;
const MANY: usize = 10_000;

const fn sending(name: &'static str, title: &'static str, limit: Limit, act: fn(SocketAddr) -> Result<Crowd>) -> Hoard {
    Hoard {
        name,
        title,
        limit,
        prepare: nothing,
        act,
        mix: Mix::ReadsAndWrites,
    }
}

/// 64 KiB, as Redis has it, for each client.
const LINES: Limit = Limit {
    settings: &[],
    bytes: ENDLESS as u64 * 64 * 1024,
};

const ALL_CLIENTS: Limit = Limit {
    settings: &[("maxmemory-clients", "64mb")],
    bytes: 64 * MIB,
};

/// The family.
pub const HOARDS: &[Hoard] = &[
    sending(
        "multi-queue",
        "MULTI, 30 × SET of 100 MiB",
        Limit {
            settings: &[("client-query-buffer-limit", "256mb")],
            bytes: 256 * MIB,
        },
        multi_queue,
    ),
    sending(
        "half-bulks",
        "12 × half a SET of 300 MiB",
        Limit {
            settings: &[("maxmemory-clients", "512mb")],
            bytes: 512 * MIB,
        },
        half_bulks,
    ),
    sending("one-byte", "10,000 clients, one byte each", ALL_CLIENTS, one_byte),
    sending(
        "many-args",
        "20 × a million arguments, half sent",
        ALL_CLIENTS,
        many_args,
    ),
    sending("headers", "10,000 × `*1000000`, nothing more", ALL_CLIENTS, headers),
    sending(
        "bulk-headers",
        "10,000 × `$500000000`, nothing more",
        ALL_CLIENTS,
        bulk_headers,
    ),
    sending("inline", "20 × a line of 100 MiB without an end", LINES, inline),
    sending("long-number", "20 × a length of 100 MiB of digits", LINES, long_number),
];

/// So many clients that send this.
fn many(address: SocketAddr, count: usize, parts: &[Part]) -> Result<Crowd> {
    let mut crowd = Crowd::connect(address, count)?;
    crowd.send(parts)?;
    Ok(crowd)
}

fn multi_queue(address: SocketAddr) -> Result<Crowd> {
    let mut parts = vec![Part::once(b"MULTI\r\n".as_slice())];
    for _ in 0..30 {
        parts.extend(with_big_argument(&[b"SET", b"queued"], 100));
    }
    many(address, 1, &parts)
}

fn half_bulks(address: SocketAddr) -> Result<Crowd> {
    let [start, ..] = with_big_argument(&[b"SET", b"half"], 300);
    many(address, 12, &[start, Part(mebibyte(), 290)])
}

fn one_byte(address: SocketAddr) -> Result<Crowd> {
    many(address, MANY, &[Part::once(b"*".as_slice())])
}

fn many_args(address: SocketAddr) -> Result<Crowd> {
    let head = Part::once(b"*1000000\r\n$3\r\nDEL\r\n".as_slice());
    many(address, ENDLESS, &[head, Part::times(b"$1\r\nx\r\n".repeat(999), 1000)])
}

fn headers(address: SocketAddr) -> Result<Crowd> {
    many(address, MANY, &[Part::once(b"*1000000\r\n".as_slice())])
}

fn bulk_headers(address: SocketAddr) -> Result<Crowd> {
    let head = b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$500000000\r\n";
    many(address, MANY, &[Part::once(head.as_slice())])
}

fn inline(address: SocketAddr) -> Result<Crowd> {
    many(address, ENDLESS, &[Part(mebibyte(), 100)])
}

fn long_number(address: SocketAddr) -> Result<Crowd> {
    let digits = vec![b'0'; 1 << 20];
    many(
        address,
        ENDLESS,
        &[Part::once(b"*".as_slice()), Part::times(digits, 100)],
    )
}
