//! The innocent bystander: one client that does SET and GET, one at a time, and times each.

use super::common::Result;
use super::common::client::{Client, encode};
use super::common::stats::Latencies;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Instant;

/// A running prober.
pub struct Prober {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Result<Latencies>>,
}

impl Prober {
    /// Connects and begins.
    pub fn start(address: SocketAddr) -> Result<Self> {
        let client = Client::connect(address)?;
        let stop = Arc::new(AtomicBool::new(false));
        let seen = Arc::clone(&stop);
        let thread = std::thread::spawn(move || probe(client, &seen));
        Ok(Self { stop, thread })
    }

    /// Ends it; an error if the server failed it.
    pub fn finish(self) -> Result<Latencies> {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().map_err(|_| "the prober panicked")?
    }
}

fn probe(mut client: Client, stop: &AtomicBool) -> Result<Latencies> {
    let requests = [encode(&[b"SET", b"probe", b"0123456789"]), encode(&[b"GET", b"probe"])];
    let mut times = Vec::new();
    while !stop.load(Ordering::Relaxed) {
        for request in &requests {
            let start = Instant::now();
            client.send(request)?;
            client.read_ok()?;
            times.push(start.elapsed());
        }
    }
    Ok(Latencies::of(times))
}
