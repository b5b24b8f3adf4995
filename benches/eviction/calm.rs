//! How long SETs take while a server evicts at full speed: small ones alone, then beside values of 1 MB, then beside
//! sets of a million members, which come and are evicted; and how far the memory in use goes beyond its limit.

use std::fmt;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::common::Result;
use super::common::client::{Client, encode_into};
use super::common::histogram::Histogram;
use super::common::server::Server;
use super::common::sides::Side;
use super::common::stats::thousands;
use super::table::{self, Align};
use super::{Options, figure, set};

const LIMIT_BYTES: u64 = 256 << 20;
/// Between two large values.
const PAUSE: Duration = Duration::from_millis(50);
const LARGE_BYTES: usize = 1 << 20;
const MEMBERS: usize = 1_000_000;
/// Members that are added at once.
const MEMBERS_AT_ONCE: usize = 500;
const VALUE: &[u8] = &[b'v'; 100];

/// What else is written.
#[derive(Clone, Copy, Debug)]
enum Beside {
    Nothing,
    Large,
    Sets,
}

impl fmt::Display for Beside {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Nothing => "small values alone",
            Self::Large => "values of 1 MB",
            Self::Sets => "sets of a million members",
        })
    }
}

struct Calm {
    sets: u64,
    times: Histogram,
    longest: Duration,
    over_bytes: u64,
    evicted: u64,
}

/// All servers.
pub fn measure(options: &Options, sides: &[Side]) -> Result<String> {
    let header = [
        ("Beside", Align::Left),
        ("Server", Align::Left),
        ("SET/s", Align::Right),
        ("p50 µs", Align::Right),
        ("p99 µs", Align::Right),
        ("p99.9 µs", Align::Right),
        ("longest ms", Align::Right),
        ("evicted", Align::Right),
        ("KB above the limit at most", Align::Right),
    ];
    let mut lines = Vec::new();
    for beside in [Beside::Nothing, Beside::Large, Beside::Sets] {
        for side in sides {
            eprintln!("eviction: {beside}, {}", side.title);
            let server = Server::start(&side.setup(options.workers))?;
            let calm = run(server.address(), beside, Duration::from_secs_f64(options.seconds * 2.0))?;
            let micros = |per_mille| thousands(calm.times.quantile(per_mille).as_secs_f64() * 1e6);
            lines.push(vec![
                beside.to_string(),
                side.title.clone(),
                thousands(calm.sets as f64 / (options.seconds * 2.0)),
                micros(500),
                micros(990),
                micros(999),
                format!("{:.1}", calm.longest.as_secs_f64() * 1e3),
                thousands(calm.evicted as f64),
                thousands(calm.over_bytes as f64 / 1024.0),
            ]);
        }
    }
    Ok(format!(
        "\n## Calm\n\nOne client sets new keys of 100 bytes one after another; maxmemory {} MB, allkeys-lru.\n\n{}\n",
        LIMIT_BYTES >> 20,
        table::render(&header, &lines)
    ))
}

fn run(address: SocketAddr, beside: Beside, time: Duration) -> Result<Calm> {
    let mut client = Client::connect(address)?;
    set(&mut client, "maxmemory-policy", "allkeys-lru")?;
    set(&mut client, "maxmemory", &LIMIT_BYTES.to_string())?;
    let mut numbers = 0..;
    fill(&mut client, &mut numbers)?;
    let is_over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let watching = scope.spawn(|| watch(address, &is_over));
        let writing = scope.spawn(|| write_beside(address, beside, &is_over));
        let (mut times, mut longest, mut sets) = (Histogram::new(), Duration::ZERO, 0);
        let begun = Instant::now();
        let mut result = Ok(());
        while begun.elapsed() < time && result.is_ok() {
            let number = numbers.next().unwrap_or_default();
            let asked = Instant::now();
            result = client
                .call(&[b"SET", format!("small:{number:010}").as_bytes(), VALUE])
                .map(drop);
            let took = asked.elapsed();
            times.add(took);
            longest = longest.max(took);
            sets += 1;
        }
        is_over.store(true, Ordering::Relaxed);
        result?;
        writing.join().map_err(|_| "a thread panicked")??;
        Ok(Calm {
            sets,
            times,
            longest,
            over_bytes: watching.join().map_err(|_| "a thread panicked")??,
            evicted: figure(&mut client, "stats", "evicted_keys")?,
        })
    })
}

/// Sets keys until some are evicted.
fn fill(client: &mut Client, numbers: &mut std::ops::RangeFrom<u64>) -> Result<()> {
    const BATCH: usize = 1000;
    while figure(client, "stats", "evicted_keys")? == 0 {
        for _ in 0..20 {
            let mut bytes = Vec::new();
            for number in numbers.by_ref().take(BATCH) {
                encode_into(&mut bytes, &[b"SET", format!("small:{number:010}").as_bytes(), VALUE]);
            }
            client.send(&bytes)?;
            for _ in 0..BATCH {
                client.read_ok()?;
            }
        }
    }
    Ok(())
}

/// By how much the limit is exceeded at most.
fn watch(address: SocketAddr, is_over: &AtomicBool) -> Result<u64> {
    let mut client = Client::connect(address)?;
    let mut over_bytes = 0;
    while !is_over.load(Ordering::Relaxed) {
        let used = figure(&mut client, "memory", "used_memory")?;
        over_bytes = over_bytes.max(used.saturating_sub(LIMIT_BYTES));
        std::thread::sleep(Duration::from_millis(5));
    }
    Ok(over_bytes)
}

fn write_beside(address: SocketAddr, beside: Beside, is_over: &AtomicBool) -> Result<()> {
    let mut client = Client::connect(address)?;
    let value = vec![b'v'; LARGE_BYTES];
    for number in 0_u64.. {
        if is_over.load(Ordering::Relaxed) {
            break;
        }
        match beside {
            Beside::Nothing => {}
            Beside::Large => {
                client.call(&[b"SET", format!("large:{number}").as_bytes(), &value])?;
            }
            Beside::Sets => add_members(&mut client, number, is_over)?,
        }
        std::thread::sleep(PAUSE);
    }
    Ok(())
}

fn add_members(client: &mut Client, number: u64, is_over: &AtomicBool) -> Result<()> {
    let key = format!("set:{number}");
    for first in (0..MEMBERS).step_by(MEMBERS_AT_ONCE) {
        if is_over.load(Ordering::Relaxed) {
            break;
        }
        let members: Vec<String> = (first..first + MEMBERS_AT_ONCE)
            .map(|at| format!("member {at:08}"))
            .collect();
        let words = [&b"SADD"[..], key.as_bytes()];
        let words: Vec<&[u8]> = words.into_iter().chain(members.iter().map(String::as_bytes)).collect();
        client.call(&words)?;
    }
    Ok(())
}
