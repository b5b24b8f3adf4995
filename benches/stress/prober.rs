//! The innocent bystander: one client that asks one thing every millisecond, and times each.
//!
//! A request's time counts from the moment it was due, where the one before was late: a second in which nobody is
//! served is a thousand late requests, not one.

use super::common::Result;
use super::common::client::{Client, encode};
use super::common::stats::Latencies;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

const EVERY: Duration = Duration::from_millis(1);

/// What it asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mix {
    /// SET and GET in turn.
    ReadsAndWrites,
    /// GET.
    Reads,
}

/// A running prober.
pub struct Prober {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Result<Latencies>>,
}

impl Prober {
    /// Connects and begins.
    pub fn start(address: SocketAddr, mix: Mix) -> Result<Self> {
        let mut client = Client::connect(address)?;
        // A server that closes clients which take too much must not take this one for them. It may not know the
        // command.
        client.send(&encode(&[b"CLIENT", b"NO-EVICT", b"ON"]))?;
        client.read()?;
        let stop = Arc::new(AtomicBool::new(false));
        let seen = Arc::clone(&stop);
        let thread = std::thread::spawn(move || probe(client, mix, &seen));
        Ok(Self { stop, thread })
    }

    /// Ends it; an error if the server failed it.
    pub fn finish(self) -> Result<Latencies> {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().map_err(|_| "the prober panicked")?
    }
}

fn probe(mut client: Client, mix: Mix, stop: &AtomicBool) -> Result<Latencies> {
    let get = encode(&[b"GET", b"probe"]);
    let requests = match mix {
        Mix::ReadsAndWrites => vec![encode(&[b"SET", b"probe", b"0123456789"]), get],
        Mix::Reads => vec![get],
    };
    let mut times = Vec::new();
    let mut due = Instant::now();
    for request in requests.iter().cycle() {
        if stop.load(Ordering::Relaxed) {
            break;
        }
        let late = Instant::now() > due;
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
        let start = if late { due } else { Instant::now() };
        client.send(request)?;
        client.read_ok()?;
        times.push(start.elapsed());
        due += EVERY;
    }
    Ok(Latencies::of(times))
}
