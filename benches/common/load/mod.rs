//! The load generator: many connections, pipelines, an even rate if asked for; cheap enough not to be the limit.
//!
//! A request costs it a patched key and its share of a write, a read and a look at the clock; replies are counted, not
//! kept. It measures what the server's threads used meanwhile, and what it used itself.
//!
//! **Invariants**: the first moments are not counted; requests and CPU times are read together, at both ends.

mod lane;
pub mod requests;
mod scanner;

use super::Result;
use super::cores::Cores;
use super::histogram::Histogram;
use super::process::ThreadTimes;
use super::server::Server;
use lane::Lane;
use requests::Unit;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::time::{Duration, Instant};

const WARM_UP: Duration = Duration::from_millis(250);
const WARM: u8 = 0;
const MEASURE: u8 = 1;
const STOP: u8 = 2;

/// One load.
#[derive(Clone, Debug)]
pub struct Load {
    /// What is asked.
    pub unit: Unit,
    /// Connections.
    pub connections: usize,
    /// Requests sent before replies are waited for.
    pub pipeline: usize,
    /// Requests a second, of all connections; `None`: as many as the server answers.
    pub rate: Option<u64>,
}

/// What was measured.
#[derive(Clone, Copy, Debug)]
pub struct Sample {
    /// Requests answered per second.
    pub per_second: f64,
    /// CPU time of all the server's threads per request.
    pub cpu_ns: f64,
    /// Median of the pipelines' times.
    pub p50_us: f64,
    /// Their 99th percentile.
    pub p99_us: f64,
    /// Cores that the server used.
    pub server_cores: f64,
    /// Cores that the generator used.
    pub generator_cores: f64,
}

/// What the threads tell each other.
struct Shared {
    phase: AtomicU8,
    answered: Vec<AtomicU64>,
}

/// Everything that counts, at one moment.
struct Reading {
    at: Instant,
    answered: u64,
    server: ThreadTimes,
    generator: ThreadTimes,
}

impl Reading {
    fn take(server: &Server, shared: &Shared) -> Result<Self> {
        Ok(Self {
            at: Instant::now(),
            answered: shared.answered.iter().map(|lane| lane.load(Ordering::Relaxed)).sum(),
            server: server.thread_times()?,
            generator: ThreadTimes::of(std::process::id())?,
        })
    }
}

/// How a load is made.
#[derive(Clone, Debug)]
pub struct Generator {
    /// How long what is measured lasts.
    pub seconds: f64,
    /// Threads.
    pub threads: usize,
    /// Which cores are whose; `None`: as the system likes it.
    pub cores: Option<Cores>,
}

/// Loads a server.
pub fn measure(server: &Server, load: &Load, generator: &Generator) -> Result<Sample> {
    let lanes = generator.threads.clamp(1, load.connections.max(1));
    if let Some(cores) = &generator.cores {
        cores.confine_server(server)?;
    }
    let shared = Shared {
        phase: AtomicU8::new(WARM),
        answered: (0..lanes).map(|_| AtomicU64::new(0)).collect(),
    };
    let ready: Vec<Lane> = (0..lanes)
        .map(|number| Lane::connect(server.address(), load, number, lanes, &shared))
        .collect::<Result<_>>()?;
    let (readings, times) = std::thread::scope(|scope| {
        let start = |lane: Lane| {
            generator.cores.as_ref().map_or(Ok(()), Cores::take_generator)?;
            lane.run()
        };
        let running: Vec<_> = ready.into_iter().map(|lane| scope.spawn(move || start(lane))).collect();
        let readings = window(server, &shared, generator.seconds);
        shared.phase.store(STOP, Ordering::Relaxed);
        let mut times = Histogram::new();
        for lane in running {
            times.merge(&lane.join().map_err(|_| "a generator thread panicked")??);
        }
        Result::Ok((readings, times))
    })?;
    let (start, end) = readings?;
    Ok(sample(&start, &end, &times))
}

fn window(server: &Server, shared: &Shared, seconds: f64) -> Result<(Reading, Reading)> {
    std::thread::sleep(WARM_UP);
    shared.phase.store(MEASURE, Ordering::Relaxed);
    let start = Reading::take(server, shared)?;
    std::thread::sleep(Duration::from_secs_f64(seconds));
    Ok((start, Reading::take(server, shared)?))
}

fn sample(start: &Reading, end: &Reading, times: &Histogram) -> Sample {
    let elapsed = end.at.duration_since(start.at).as_secs_f64();
    let answered = (end.answered - start.answered) as f64;
    let server = end.server.since(&start.server).as_secs_f64();
    let micros = |per_mille| times.quantile(per_mille).as_secs_f64() * 1e6;
    Sample {
        per_second: answered / elapsed,
        cpu_ns: server * 1e9 / answered.max(1.0),
        p50_us: micros(500),
        p99_us: micros(990),
        server_cores: server / elapsed,
        generator_cores: end.generator.since(&start.generator).as_secs_f64() / elapsed,
    }
}
