//! Drives one measurement with `redis-benchmark`.

use super::common::Result;
use super::common::server::Server;
use std::process::{Command, Stdio};

/// Keys the load is spread over; the loader makes the same ones beforehand.
pub const KEYS: u64 = 1_000_000;
/// Bytes of a value.
pub const VALUE_BYTES: usize = 32;
const CONNECTIONS: usize = 50;

/// What is asked of the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Test {
    /// GET of a random key that exists.
    Get,
    /// SET of a random key that exists.
    Set,
}

/// One load.
#[derive(Clone, Copy, Debug)]
pub struct Load {
    /// What is asked.
    pub test: Test,
    /// Requests sent before replies are waited for.
    pub pipeline: usize,
    /// Threads of the generator.
    pub threads: usize,
}

/// What was measured.
#[derive(Clone, Copy, Debug)]
pub struct Sample {
    /// Requests per second, as the generator saw it.
    pub per_second: f64,
    /// CPU time of the server per request.
    pub cpu_ns: f64,
    /// 99th percentile of the latency (of whole pipelines).
    pub p99_ms: f64,
}

impl Test {
    /// Both, reads first.
    pub const ALL: [Self; 2] = [Self::Get, Self::Set];

    /// The command.
    pub fn name(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Set => "SET",
        }
    }
}

/// Measures for about `seconds`; a short run before tells how many requests that takes.
pub fn measure(server: &Server, load: Load, seconds: f64) -> Result<Sample> {
    let least = 10_000.max(CONNECTIONS * load.pipeline * 4);
    let probe = run(server, load, least)?;
    let wanted = (probe.per_second * seconds).min(1e8);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to 1e8")]
    run(server, load, least.max(wanted as usize))
}

fn run(server: &Server, load: Load, requests: usize) -> Result<Sample> {
    let before = server.cpu_time()?;
    let (per_second, p99_ms) = benchmark(server, load, requests)?;
    let cpu = server.cpu_time()?.saturating_sub(before);
    #[expect(clippy::cast_precision_loss, reason = "below 2^53")]
    let cpu_ns = cpu.as_nanos() as f64 / requests as f64;
    Ok(Sample {
        per_second,
        cpu_ns,
        p99_ms,
    })
}

fn benchmark(server: &Server, load: Load, requests: usize) -> Result<(f64, f64)> {
    let mut command = Command::new("redis-benchmark");
    let arguments = [
        ("-h", server.address().ip().to_string()),
        ("-p", server.address().port().to_string()),
        ("-c", CONNECTIONS.to_string()),
        ("-n", requests.to_string()),
        ("-r", KEYS.to_string()),
        ("-d", VALUE_BYTES.to_string()),
        ("-P", load.pipeline.to_string()),
        ("-t", load.test.name().to_lowercase()),
    ];
    for (flag, value) in arguments {
        command.arg(flag).arg(value);
    }
    if load.threads > 1 {
        command.arg("--threads").arg(load.threads.to_string());
    }
    let output = command.arg("--csv").stdin(Stdio::null()).output()?;
    let text = String::from_utf8_lossy(&output.stdout);
    if !output.status.success() {
        return Err(format!("redis-benchmark failed ({}): {text}", output.status).into());
    }
    parse(&text, load.test).ok_or_else(|| format!("cannot read redis-benchmark's answer: {text}").into())
}

/// Finds requests per second and p99 in `"test","rps","avg","min","p50","p95","p99","max"` lines.
fn parse(text: &str, test: Test) -> Option<(f64, f64)> {
    let line = text
        .lines()
        .find(|line| line.starts_with(&format!("\"{}\"", test.name())))?;
    let mut fields = line.split(',').map(|field| field.trim_matches('"').parse::<f64>().ok());
    let per_second = fields.nth(1)??;
    let p99_ms = fields.nth(4)??;
    Some((per_second, p99_ms))
}
