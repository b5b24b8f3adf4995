//! The slowest of commands that Redis does not document as O(n), on containers of a million elements, while a checkpoint
//! (a snapshot, there) runs now and then.

use super::common::Result;
use super::common::client::Client;
use super::common::server::{Program, Server};
use super::common::stats::Latencies;
use super::fill::SHAPES;
use super::table::{self, Align};
use super::{Options, SIDES};
use std::time::{Duration, Instant};

const ELEMENTS: u64 = 1_000_000;
/// Calls of each command.
const CALLS: u64 = 20_000;

/// Commands; `#` becomes a number that differs each time.
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
];

/// Measures both servers and renders the section.
pub fn run(options: &Options) -> Result<String> {
    let mut sides = Vec::new();
    for (side, setup) in SIDES.iter().zip(options.setups()) {
        eprintln!("latency: {side}");
        let server = Server::start(&setup)?;
        for shape in SHAPES {
            shape.fill(server.address(), 1, options.scaled(ELEMENTS))?;
        }
        let snapshot: &[&[u8]] = match setup.program {
            Program::Redis => &[b"BGSAVE"],
            Program::LokiKv(_) => &[b"CHECKPOINT"],
        };
        sides.push(measure(&server, snapshot, options.scaled(CALLS))?);
    }
    let rows: Vec<Vec<String>> = COMMANDS
        .iter()
        .enumerate()
        .map(|(at, command)| {
            let figures = sides.iter().filter_map(|side| side.get(at));
            let text = |time: Duration| format!("{:.2}", time.as_secs_f64() * 1000.0);
            let mut row = vec![format!("`{command}`")];
            row.extend(figures.flat_map(|felt| [text(felt.quantile(999)), text(felt.quantile(1000))]));
            row
        })
        .collect();
    let header = [
        ("Command", Align::Left),
        ("Redis p99.9 ms", Align::Right),
        ("Redis max ms", Align::Right),
        ("LokiKV p99.9 ms", Align::Right),
        ("LokiKV max ms", Align::Right),
    ];
    Ok(format!(
        "## Slowest commands on a million elements\n\n{} calls of each, one at a time, all of them in turn, while another \
         connection asks for a snapshot over and over. The times are a client's, scheduling of a busy machine \
         included.\n\n{}",
        options.scaled(CALLS),
        table::render(&header, &rows)
    ))
}

fn measure(server: &Server, snapshot: &[&[u8]], calls: u64) -> Result<Vec<Latencies>> {
    let address = server.address();
    let is_over = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        let saver = scope.spawn(|| -> Result<()> {
            let mut client = Client::connect(address)?;
            while !is_over.load(std::sync::atomic::Ordering::Relaxed) {
                // Refused while one runs.
                client.send(&super::common::client::encode(snapshot))?;
                client.read()?;
                std::thread::sleep(Duration::from_millis(300));
            }
            Ok(())
        });
        let outcome = call_all(address, calls);
        is_over.store(true, std::sync::atomic::Ordering::Relaxed);
        saver
            .join()
            .map_err(|_| "the thread that takes snapshots has panicked")??;
        outcome
    })
}

fn call_all(address: std::net::SocketAddr, calls: u64) -> Result<Vec<Latencies>> {
    let mut client = Client::connect(address)?;
    let mut times = vec![Vec::new(); COMMANDS.len()];
    for call in 0..calls {
        for (command, times) in COMMANDS.iter().zip(&mut times) {
            let text = command.replace('#', &call.to_string());
            let args: Vec<&[u8]> = text.split(' ').map(str::as_bytes).collect();
            let started = Instant::now();
            client.call(&args)?;
            times.push(started.elapsed());
        }
    }
    Ok(times.into_iter().map(Latencies::of).collect())
}
