//! What a server remembers of its clients, and clients that are too many.

use super::super::common::Result;
use super::super::common::client::{Client, encode};
use super::crowd::{Crowd, Part};
use super::{Hoard, Limit, MIB, Mix, nothing, replies, with_big_argument};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};

const ALL_CLIENTS: Limit = Limit {
    settings: &[("maxmemory-clients", "64mb")],
    bytes: 64 * MIB,
};
const BURST: usize = 3000;

/// The family.
pub const HOARDS: &[Hoard] = &[
    Hoard {
        name: "nobody",
        title: "nobody: what this machine does by itself",
        limit: Limit {
            settings: &[],
            bytes: 0,
        },
        prepare: nothing,
        act: |_| Ok(Crowd::default()),
        mix: Mix::ReadsAndWrites,
    },
    Hoard {
        name: "names",
        title: "100 × CLIENT SETNAME of 5 MiB",
        limit: ALL_CLIENTS,
        prepare: nothing,
        act: names,
        mix: Mix::ReadsAndWrites,
    },
    Hoard {
        name: "library-names",
        title: "100 × CLIENT SETINFO of 5 MiB",
        limit: ALL_CLIENTS,
        prepare: nothing,
        act: library_names,
        mix: Mix::ReadsAndWrites,
    },
    Hoard {
        name: "slow-log",
        title: "slow log of 5000 × DEL of 100 × 1000 bytes",
        limit: Limit {
            settings: &[("slowlog-log-slower-than", "0"), ("slowlog-max-len", "1000")],
            // Of each, 32 arguments of 128 bytes.
            bytes: 4 * MIB,
        },
        prepare: nothing,
        act: slow_log,
        mix: Mix::ReadsAndWrites,
    },
    Hoard {
        name: "burst",
        title: "3000 connections at once, the server busy",
        limit: Limit {
            settings: &[("maxclients", "100")],
            // The reply that the busy client waits for, and those who are let in.
            bytes: 18 * MIB,
        },
        prepare: replies::big_list,
        act: burst,
        mix: Mix::ReadsAndWrites,
    },
];

fn names(address: SocketAddr) -> Result<Crowd> {
    let mut crowd = Crowd::connect(address, 100)?;
    crowd.send(&with_big_argument(&[b"CLIENT", b"SETNAME"], 5))?;
    Ok(crowd)
}

fn library_names(address: SocketAddr) -> Result<Crowd> {
    let mut crowd = Crowd::connect(address, 100)?;
    crowd.send(&with_big_argument(&[b"CLIENT", b"SETINFO", b"LIB-NAME"], 5))?;
    Ok(crowd)
}

fn slow_log(address: SocketAddr) -> Result<Crowd> {
    let name = [b'x'; 1000];
    let mut args: Vec<&[u8]> = vec![b"DEL"];
    args.resize(101, &name);
    let mut crowd = Crowd::connect(address, 1)?;
    crowd.send(&[Part::times(encode(&args), 5000)])?;
    Ok(crowd)
}

/// While somebody keeps the server busy with long commands, as many connect as the system lets.
fn burst(address: SocketAddr) -> Result<Crowd> {
    let over = AtomicBool::new(false);
    let mut client = Client::connect(address)?;
    client.call(&[b"PING"])?;
    std::thread::scope(|scope| {
        let busy = scope.spawn(|| -> Result<()> {
            while !over.load(Ordering::Relaxed) {
                client.call(&[b"LRANGE", b"list", b"0", b"-1"])?;
            }
            Ok(())
        });
        let crowd = Crowd::connect(address, BURST);
        over.store(true, Ordering::Relaxed);
        busy.join().map_err(|_| "the busy client panicked")??;
        crowd
    })
}
