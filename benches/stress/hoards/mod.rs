//! The ways in which a client can make a server hold memory, each tried with the limit set that is to prevent it.
//!
//! A way is a [`Hoard`]: what it is called, which limit it is tried with, and what is done. What is measured is the
//! same for all: how far memory grew over the limit, what became of the clients, what others felt, what stays once they
//! left.

mod crowd;
mod names;
mod replies;
mod requests;
mod waiting;
mod watcher;

use super::common::Result;
use super::common::client::{Client, Reply, encode};
use super::common::server::Server;
use super::common::stats::Latencies;
use super::prober::{Mix, Prober};
use crowd::{Crowd, Part};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use watcher::{Seen, Watcher};

const MIB: u64 = 1024 * 1024;
/// Time for a server to let go of clients that have left.
const AFTERWARDS: Duration = Duration::from_secs(1);

/// One way to make a server hold memory.
pub struct Hoard {
    /// Its name on the command line.
    pub name: &'static str,
    /// Its name in the table.
    pub title: &'static str,
    /// What is to prevent it.
    pub limit: Limit,
    /// Data it needs.
    prepare: fn(SocketAddr) -> Result<()>,
    /// What the clients do; they stay connected while what is returned lives.
    act: fn(SocketAddr) -> Result<Crowd>,
    /// What the bystander asks meanwhile.
    mix: Mix,
}

/// A limit on memory.
pub struct Limit {
    /// Parameters and their values, as Redis calls them; none: a limit of the protocol.
    pub settings: &'static [(&'static str, &'static str)],
    /// What all clients of the scenario together may take by it.
    pub bytes: u64,
}

/// What came of it.
pub struct Outcome {
    /// Parameters that the server refused.
    pub refused: Vec<&'static str>,
    /// How far memory grew at its highest.
    pub grown: u64,
    /// How much of that is there after the clients have left; `None` if the server is not there itself.
    pub left: Option<u64>,
    /// What became of the clients.
    pub fates: String,
    /// What the bystander felt, or why it felt nothing any more.
    pub felt: Result<Latencies>,
}

/// All of them.
pub fn all() -> impl Iterator<Item = &'static Hoard> {
    let families = [names::HOARDS, replies::HOARDS, requests::HOARDS, waiting::HOARDS];
    families.into_iter().flatten()
}

/// Tries one on a fresh server.
pub fn run(hoard: &Hoard, server: &Server, hold: Duration) -> Result<Outcome> {
    let address = server.address();
    let refused = set_limits(address, &hoard.limit)?;
    (hoard.prepare)(address)?;
    std::thread::sleep(Duration::from_millis(300));
    let before = server.resident_bytes()?;
    let watcher = Watcher::start(server.pid())?;
    let prober = Prober::start(address, hoard.mix)?;
    let mut crowd = (hoard.act)(address);
    std::thread::sleep(hold);
    let felt = prober.finish();
    let seen = watcher.finish()?;
    let fates = describe(&seen, crowd.as_mut())?;
    drop(crowd);
    std::thread::sleep(AFTERWARDS);
    let left = server.resident_bytes().ok().map(|now| now.saturating_sub(before));
    Ok(Outcome {
        refused,
        grown: seen.peak.saturating_sub(before),
        left,
        fates,
        felt,
    })
}

fn describe(seen: &Seen, crowd: std::result::Result<&mut Crowd, &mut super::common::Error>) -> Result<String> {
    if seen.killed {
        return Ok(format!("server killed at {} GiB", watcher::CAP_BYTES >> 30));
    }
    match crowd {
        Ok(crowd) => Ok(crowd.fates()?.to_string()),
        Err(error) => Ok(format!("could not be tried: {}", error.to_string().trim())),
    }
}

/// Sets what can be set; the names of those parameters that the server does not take.
fn set_limits(address: SocketAddr, limit: &Limit) -> Result<Vec<&'static str>> {
    let mut client = Client::connect(address)?;
    let mut refused = Vec::new();
    for (name, value) in limit.settings {
        client.send(&encode(&[b"CONFIG", b"SET", name.as_bytes(), value.as_bytes()]))?;
        if let Reply::Error(_) = client.read()? {
            refused.push(*name);
        }
    }
    Ok(refused)
}

fn nothing(_: SocketAddr) -> Result<()> {
    Ok(())
}

/// One request, its last argument so many mebibytes long.
fn with_big_argument(head: &[&[u8]], mebibytes: u64) -> [Part; 3] {
    let mut start = format!("*{}\r\n", head.len() + 1).into_bytes();
    for argument in head {
        start.extend_from_slice(format!("${}\r\n", argument.len()).as_bytes());
        start.extend_from_slice(argument);
        start.extend_from_slice(b"\r\n");
    }
    start.extend_from_slice(format!("${}\r\n", mebibytes * MIB).as_bytes());
    [
        Part::once(start),
        Part(mebibyte(), mebibytes),
        Part::once(b"\r\n".as_slice()),
    ]
}

fn mebibyte() -> Arc<[u8]> {
    vec![b'x'; 1 << 20].into()
}
