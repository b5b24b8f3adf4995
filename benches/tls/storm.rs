//! Thousands of connections a second, and what those wait who are in already.
//!
//! Whoever storms does little: it connects, says hello if TLS is spoken there (the same hello each time, of which the
//! server cannot know that nobody wants its answer), and is closed when some hundreds have come behind it.

use std::collections::VecDeque;
use std::io::Write;
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use rustls::ClientConnection;
use rustls::pki_types::ServerName;

use crate::Running;
use crate::clients::{ask, config, connect, socket};
use crate::common::Result;
use crate::common::stats::Latencies;
use crate::files::Files;

/// Connections that a storm holds open.
const OPEN: usize = 500;
/// So often a client that is in asks for something.
const PROBE_GAP: Duration = Duration::from_micros(500);

/// By which port it comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The plain one.
    Plain,
    /// The one for TLS.
    Tls,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Self::Plain => "plain storm",
            Self::Tls => "TLS storm",
        }
    }
}

/// The latency of requests of clients that are in, over either port, while it storms; and how many came a second.
pub fn measure(
    running: &Running,
    kind: Kind,
    per_second: u32,
    time: Duration,
    files: &Files,
) -> Result<Vec<(String, f64)>> {
    let config = config(files)?;
    let (plain_port, tls_port) = (running.server.address().port(), running.port);
    let mut plain = socket(plain_port)?;
    let mut tls = connect(tls_port, &config)?;
    let mut hello = Vec::new();
    let name = ServerName::try_from("localhost")?;
    ClientConnection::new(Arc::clone(&config), name)?.write_tls(&mut hello)?;
    let port = if kind == Kind::Plain { plain_port } else { tls_port };
    let words = if kind == Kind::Plain { Vec::new() } else { hello };
    let (is_over, came) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let storm = {
        let (is_over, came) = (Arc::clone(&is_over), Arc::clone(&came));
        std::thread::spawn(move || blow(port, &words, per_second, &is_over, &came))
    };
    let begun = Instant::now();
    let mut times = [Vec::new(), Vec::new()];
    while begun.elapsed() < time {
        let [of_plain, of_tls] = &mut times;
        of_plain.push(probe(&mut plain)?);
        of_tls.push(probe(&mut tls)?);
        std::thread::sleep(PROBE_GAP);
    }
    is_over.store(true, Relaxed);
    let elapsed = begun.elapsed();
    storm.join().map_err(|_| "the storm died")?;
    let mut figures = vec![(
        format!("{}, connections/s", kind.name()),
        came.load(Relaxed) as f64 / elapsed.as_secs_f64(),
    )];
    for (times, inside) in times.into_iter().zip(["plain", "TLS"]) {
        let latencies = Latencies::of(times);
        for (per_mille, title) in [(500, "p50"), (990, "p99"), (1000, "max")] {
            figures.push((
                format!("{}, {inside} client inside, {title} ms", kind.name()),
                latencies.quantile(per_mille).as_secs_f64() * 1e3,
            ));
        }
    }
    Ok(figures)
}

fn probe(stream: &mut (impl std::io::Read + Write)) -> Result<Duration> {
    let begun = Instant::now();
    ask(stream, b"PING\r\n", b"+PONG\r\n")?;
    Ok(begun.elapsed())
}

/// Connects so often a second until it is over.
fn blow(port: u16, words: &[u8], per_second: u32, is_over: &AtomicBool, came: &AtomicU64) {
    let mut open: VecDeque<TcpStream> = VecDeque::new();
    let begun = Instant::now();
    let mut count = 0_u32;
    while !is_over.load(Relaxed) {
        let due = Duration::from_secs(1) * count / per_second.max(1);
        if begun.elapsed() < due {
            std::thread::sleep(Duration::from_micros(200));
            continue;
        }
        count += 1;
        // Who is refused has been a part of the storm as well.
        if let Ok(mut socket) = socket(port) {
            let _ = socket.write_all(words);
            open.push_back(socket);
            came.fetch_add(1, Relaxed);
        }
        if open.len() > OPEN {
            open.pop_front();
        }
    }
}
