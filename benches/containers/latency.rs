//! The slowest of commands that Redis does not document as O(n), on containers of a million elements, while a
//! checkpoint (a snapshot, there) runs now and then: as a client feels them, by the server's own clock, and in CPU time
//! of the threads that run commands, which a busy machine does not lengthen.

use super::Options;
use super::common::Result;
use super::common::client::Client;
use super::common::process::ThreadClock;
use super::common::server::{Program, Server};
use super::common::stats::Latencies;
use super::fill::SHAPES;
use super::table::{self, Align};
use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

const ELEMENTS: u64 = 1_000_000;
/// Calls of each command.
const CALLS: u64 = 20_000;

/// What a server's slow log keeps: calls that take longer, as many as there may be.
const SLOW_MICROS: u64 = 250;
const SLOW_CALLS_MAX: i64 = 1_000_000;

/// Commands, none of them twice; `#` becomes a number that differs each time.
const COMMANDS: &[&str] = &[
    "HSET HSET:0 field:new# v",
    "HGET HSET:0 field:0000012345",
    "HDEL HSET:0 field:new#",
    "HINCRBY HSET:0 count 1",
    "HLEN HSET:0",
    "HRANDFIELD HSET:0 5",
    "HSCAN HSET:0 # COUNT 100",
    "SADD SADD:0 new#",
    "SISMEMBER SADD:0 new#",
    "SREM SADD:0 new#",
    "SPOP SADD:0",
    "SRANDMEMBER SADD:0 5",
    "SCARD SADD:0",
    "ZADD ZADD:0 # new#",
    "ZSCORE ZADD:0 new#",
    "ZRANK ZADD:0 member:000012345",
    "ZRANGE ZADD:0 500000 500010",
    "ZINCRBY ZADD:0 7 new#",
    "ZREM ZADD:0 new#",
    "ZPOPMIN ZADD:0",
    "ZCOUNT ZADD:0 1000 900000",
    "LPUSH RPUSH:0 new#",
    "RPUSH RPUSH:0 new#",
    "LPOP RPUSH:0",
    "RPOP RPUSH:0",
    "LLEN RPUSH:0",
    "LRANGE RPUSH:0 0 10",
    "XADD XADD:0 * f v",
    "XLEN XADD:0",
    "XRANGE XADD:0 - + COUNT 10",
    "XREVRANGE XADD:0 + - COUNT 10",
    "EXPIRE HSET:0 100000",
    "TYPE ZADD:0",
    "RENAME ZADD:0 passing",
    "RENAME passing ZADD:0",
];

/// After a reply, for the server's thread to fall asleep: then its CPU time is exact.
const REST: Duration = Duration::from_micros(50);

/// What calls of one command took.
#[derive(Default)]
struct Times {
    felt: Vec<Duration>,
    cpu: Vec<Duration>,
}

/// What one server showed.
struct Side {
    /// Of each command.
    times: Vec<Times>,
    /// The longest run of each command that is in the slow log, by the server's clock.
    slowest: HashMap<String, Duration>,
}

/// Measures both servers and renders the section.
pub fn run(options: &Options) -> Result<String> {
    let mut sides = Vec::new();
    for (side, setup) in options.sides() {
        eprintln!("latency: {side}");
        let server = Server::start(&setup)?;
        for shape in SHAPES {
            shape.fill(server.address(), 1, options.scaled(ELEMENTS))?;
        }
        let snapshot: &[&[u8]] = match setup.program {
            Program::Redis(_) => &[b"BGSAVE"],
            Program::LokiKv(_) => &[b"CHECKPOINT"],
        };
        sides.push(measure(&server, snapshot, options.scaled(CALLS))?);
    }
    let text = |time: Duration| format!("{:.2}", time.as_secs_f64() * 1000.0);
    let rows: Vec<Vec<String>> = COMMANDS
        .iter()
        .enumerate()
        .map(|(at, command)| {
            let mut row = vec![format!("`{command}`")];
            for side in &mut sides {
                let Times { felt, cpu } = side.times.get_mut(at).map(std::mem::take).unwrap_or_default();
                row.push(text(Latencies::of(felt).quantile(999)));
                let slowest = side.slowest.get(name_of(command));
                row.push(slowest.map_or_else(|| "-".to_owned(), |time| text(*time)));
                row.push(text(Latencies::of(cpu).quantile(1000)));
            }
            row
        })
        .collect();
    let [other, ours] = options.titles("p99.9 ms");
    let header = [
        ("Command", Align::Left),
        (&other, Align::Right),
        ("in server, max ms", Align::Right),
        ("CPU, max ms", Align::Right),
        (&ours, Align::Right),
        ("in server, max ms", Align::Right),
        ("CPU, max ms", Align::Right),
    ];
    Ok(format!(
        "## Slowest commands on a million elements\n\n{} calls of each, one at a time, all of them in turn, while another \
         connection asks for a snapshot over and over. p99.9 is a client's, scheduling of a busy machine included; the \
         longest run is by the server's own clock, from its slow log, \"-\" where none took {:.2} ms. CPU is what the \
         threads that run commands used from request to reply, the network's part included.\n\n{}",
        options.scaled(CALLS),
        SLOW_MICROS as f64 / 1000.0,
        table::render(&header, &rows)
    ))
}

fn name_of(command: &str) -> &str {
    command.split(' ').next().unwrap_or_default()
}

fn measure(server: &Server, snapshot: &[&[u8]], calls: u64) -> Result<Side> {
    let address = server.address();
    let mut admin = redis::Client::open(format!("redis://{address}"))?.get_connection()?;
    redis::cmd("CONFIG")
        .arg("SET")
        .arg(&["slowlog-log-slower-than", &SLOW_MICROS.to_string()])
        .arg(&["slowlog-max-len", &SLOW_CALLS_MAX.to_string()])
        .exec(&mut admin)?;
    redis::cmd("SLOWLOG").arg("RESET").exec(&mut admin)?;
    let is_over = AtomicBool::new(false);
    let clock = server.command_clock()?;
    let times = std::thread::scope(|scope| {
        let saver = scope.spawn(|| -> Result<()> {
            let mut client = Client::connect(address)?;
            while !is_over.load(Ordering::Relaxed) {
                // Refused while one runs.
                client.send(&super::common::client::encode(snapshot))?;
                client.read()?;
                std::thread::sleep(Duration::from_millis(300));
            }
            Ok(())
        });
        let outcome = call_all(address, &clock, calls);
        is_over.store(true, Ordering::Relaxed);
        saver
            .join()
            .map_err(|_| "the thread that takes snapshots has panicked")??;
        outcome
    })?;
    Ok(Side {
        times,
        slowest: slowest_runs(&mut admin)?,
    })
}

/// The longest run of each command in the slow log.
fn slowest_runs(admin: &mut redis::Connection) -> Result<HashMap<String, Duration>> {
    let log: Vec<(u64, u64, u64, Vec<String>, String, String)> =
        redis::cmd("SLOWLOG").arg("GET").arg(-1).query(admin)?;
    let mut slowest = HashMap::new();
    for (_, _, micros, args, ..) in log {
        let time = Duration::from_micros(micros);
        let longest = slowest
            .entry(args.into_iter().next().unwrap_or_default())
            .or_insert(time);
        *longest = time.max(*longest);
    }
    Ok(slowest)
}

fn call_all(address: SocketAddr, clock: &ThreadClock, calls: u64) -> Result<Vec<Times>> {
    let mut client = Client::connect(address)?;
    let mut all: Vec<Times> = COMMANDS.iter().map(|_| Times::default()).collect();
    for call in 0..calls {
        for (command, times) in COMMANDS.iter().zip(&mut all) {
            let text = command.replace('#', &call.to_string());
            let args: Vec<&[u8]> = text.split(' ').map(str::as_bytes).collect();
            let before = clock.read()?;
            let started = Instant::now();
            client.call(&args)?;
            times.felt.push(started.elapsed());
            std::thread::sleep(REST);
            times.cpu.push(clock.read()?.saturating_sub(before));
        }
    }
    Ok(all)
}
