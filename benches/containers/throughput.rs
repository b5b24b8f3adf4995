//! Requests per second of commands on containers, by `redis-benchmark`, and CPU time of the server for each.

use super::Options;
use super::common::Result;
use super::common::server::Server;
use super::common::stats::{median, thousands};
use super::table::{self, Align};
use std::process::{Command, Stdio};

const CONNECTIONS: usize = 50;
const RANGE: u64 = 1_000_000;
/// Requests at each pipeline depth.
const REQUESTS: [(usize, u64); 2] = [(1, 150_000), (16, 1_000_000)];

/// A command, and what is done before so that it finds something.
struct Test {
    name: &'static str,
    command: &'static str,
    /// Run once a request that follows.
    before: &'static str,
    /// Run so many times before, whatever the number of requests.
    once: &'static [&'static str],
}

const fn test(name: &'static str, command: &'static str) -> Test {
    Test {
        name,
        command,
        before: "",
        once: &[],
    }
}

const TESTS: &[Test] = &[
    test("LPUSH", "LPUSH mylist data"),
    Test {
        before: "LPUSH mylist data",
        ..test("RPOP", "RPOP mylist")
    },
    Test {
        once: &[
            "RPUSH hundred 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30 31 32 \
                 33 34 35 36 37 38 39 40 41 42 43 44 45 46 47 48 49 50 51 52 53 54 55 56 57 58 59 60 61 62 63 64 65 66 67 \
                 68 69 70 71 72 73 74 75 76 77 78 79 80 81 82 83 84 85 86 87 88 89 90 91 92 93 94 95 96 97 98 99",
        ],
        ..test("LRANGE_100", "LRANGE hundred 0 99")
    },
    test("SADD", "SADD myset element:__rand_int__"),
    Test {
        before: "SADD myset element:__rand_int__",
        ..test("SPOP", "SPOP myset")
    },
    test("HSET", "HSET myhash element:__rand_int__ data"),
    Test {
        once: &["HSET small a 1 b 2 c 3 d 4 e 5 f 6 g 7 h 8 i 9 j 10"],
        ..test("HGETALL (10)", "HGETALL small")
    },
    test("ZADD", "ZADD myzset __rand_int__ element:__rand_int__"),
    Test {
        before: "ZADD myzset __rand_int__ element:__rand_int__",
        ..test("ZRANGE (10)", "ZRANGE myzset 1000 1009")
    },
    Test {
        before: "ZADD myzset __rand_int__ element:__rand_int__",
        ..test("ZRANK", "ZRANK myzset element:__rand_int__")
    },
    test("XADD", "XADD mystream * field data"),
    Test {
        before: "XADD mystream * field data",
        once: &["XGROUP CREATE mystream g 0 MKSTREAM"],
        ..test("XREADGROUP", "XREADGROUP GROUP g c COUNT 1 STREAMS mystream >")
    },
];

/// What one run gave.
struct Sample {
    per_second: f64,
    cpu_micros: f64,
}

/// Measures everything and renders the section.
pub fn run(options: &Options) -> Result<String> {
    let mut rows = Vec::new();
    let mut ratios = Vec::new();
    for test in TESTS {
        for (pipeline, requests) in REQUESTS {
            let samples = measure(options, test, pipeline, options.scaled(requests))?;
            let medians = |figure: fn(&Sample) -> f64| {
                samples
                    .each_ref()
                    .map(|side| median(&side.iter().map(figure).collect::<Vec<_>>()))
            };
            let per_second = medians(|sample| sample.per_second);
            let cpu = medians(|sample| sample.cpu_micros);
            let mut row = vec![test.name.to_owned(), pipeline.to_string()];
            row.extend(per_second.map(thousands));
            row.push(table::ratio(&per_second));
            row.extend(cpu.map(|micros| format!("{micros:.2}")));
            row.push(table::ratio(&cpu));
            rows.push(row);
            ratios.push((pipeline, per_second[1] / per_second[0]));
        }
    }
    let (speeds, costs) = (options.titles("req/s"), options.titles("CPU µs/req"));
    let header = [
        ("Test", Align::Left),
        ("P", Align::Right),
        (&speeds[0], Align::Right),
        (&speeds[1], Align::Right),
        ("ratio", Align::Right),
        (&costs[0], Align::Right),
        (&costs[1], Align::Right),
        ("ratio", Align::Right),
    ];
    let means: Vec<String> = REQUESTS
        .iter()
        .map(|(pipeline, _)| format!("P = {pipeline}: {:.2}", mean(&ratios, *pipeline)))
        .collect();
    Ok(format!(
        "## Throughput of containers\n\nMedians of {} rounds, a fresh server for each figure, no log, LokiKV with {} \
         worker(s). `redis-benchmark -c {CONNECTIONS} -r {RANGE}`, one generator thread; all requests go to one key.\n\n{}\n\nMean ratios: {}",
        options.rounds(),
        options.workers,
        table::render(&header, &rows),
        means.join(", ")
    ))
}

/// What the rounds of one test gave for each side.
fn measure(options: &Options, test: &Test, pipeline: usize, requests: u64) -> Result<[Vec<Sample>; 2]> {
    let mut samples = [Vec::new(), Vec::new()];
    for round in 1..=options.rounds() {
        let mut sides = options.sides().into_iter().zip(&mut samples).collect::<Vec<_>>();
        if round % 2 == 0 {
            sides.reverse();
        }
        for ((name, setup), samples) in sides {
            eprintln!("throughput: {} P={pipeline}, round {round}, {name}", test.name);
            let server = Server::start(&setup)?;
            for command in test.once {
                bench(&server, command, 1, 1, 1)?;
            }
            if !test.before.is_empty() {
                bench(&server, test.before, requests, 64, CONNECTIONS)?;
            }
            let cpu = server.cpu_time()?;
            let per_second = bench(&server, test.command, requests, pipeline, CONNECTIONS)?;
            let cpu = server.cpu_time()?.saturating_sub(cpu);
            samples.push(Sample {
                per_second,
                cpu_micros: cpu.as_secs_f64() * 1e6 / requests as f64,
            });
        }
    }
    Ok(samples)
}

#[expect(clippy::cast_precision_loss, reason = "a dozen")]
fn mean(ratios: &[(usize, f64)], pipeline: usize) -> f64 {
    let of_depth: Vec<f64> = ratios
        .iter()
        .filter(|(depth, _)| *depth == pipeline)
        .map(|(_, ratio)| *ratio)
        .collect();
    of_depth.iter().sum::<f64>() / of_depth.len() as f64
}

fn bench(server: &Server, command: &str, requests: u64, pipeline: usize, connections: usize) -> Result<f64> {
    let output = Command::new("redis-benchmark")
        .args(["-h", &server.address().ip().to_string()])
        .args(["-p", &server.address().port().to_string()])
        .args(["-c", &connections.to_string(), "-n", &requests.to_string()])
        .args(["-r", &RANGE.to_string(), "-P", &pipeline.to_string(), "--csv"])
        .args(command.split(' '))
        .stdin(Stdio::null())
        .output()?;
    let text = String::from_utf8_lossy(&output.stdout);
    let per_second = text
        .lines()
        .rev()
        .find_map(|line| line.split("\",\"").nth(1)?.trim_matches('"').parse::<f64>().ok());
    match per_second {
        Some(per_second) if output.status.success() => Ok(per_second),
        _ => Err(format!("redis-benchmark failed ({}): {text}", output.status).into()),
    }
}
