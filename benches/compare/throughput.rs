//! Requests per second, server CPU per request and latency, for each log and each row.
//!
//! All servers of a round are up, each measurement of a row follows the one before at once, and whoever is not measured
//! is stopped by SIGSTOP.

use super::common::Result;
use super::common::load::{self, Generator, Sample};
use super::common::server::{Durability, Server};
use super::common::stats::{median, thousands};
use super::loader;
use super::options::Options;
use super::rows::Row;
use super::sides::Sides;
use super::table::{self, Align};
use std::time::Duration;

/// Time for a server that has been filled to finish what it does in the background.
const SETTLE: Duration = Duration::from_millis(500);

/// All samples of one row: for each round one of each side.
struct Cell {
    row: Row,
    rounds: Vec<Vec<Sample>>,
}

/// Measures everything and renders the section.
pub fn run(options: &Options, sides: &Sides) -> Result<String> {
    let generator = options.generator()?;
    let mut rows = Vec::new();
    for durability in options.durabilities() {
        for cell in measure(options, sides, &generator, durability)? {
            rows.extend((0..sides.all.len()).map(|side| line(durability, &cell, sides, side)));
        }
    }
    let header = [
        ("Log", Align::Left),
        ("Row", Align::Left),
        ("Server", Align::Left),
        ("req/s", Align::Right),
        ("CPU ns/req", Align::Right),
        ("p50 µs", Align::Right),
        ("p99 µs", Align::Right),
        ("server cores", Align::Right),
        ("generator cores", Align::Right),
        ("LokiKV req/s", Align::Right),
        ("LokiKV CPU (rounds)", Align::Right),
    ];
    Ok(format!(
        "## Throughput\n\n{}\n\n{}",
        notes(options, &generator),
        table::render(&header, &rows)
    ))
}

fn notes(options: &Options, generator: &Generator) -> String {
    let cores = match &generator.cores {
        Some(_) => "on cores that the servers do not use",
        None => "on cores that the servers use, too",
    };
    format!(
        "Medians of {} rounds, {} s a measurement, servers in turn, {} generator thread(s) {cores}. A row is what is asked, by \
         how many connections (c), at which pipeline depth (p), at which even rate (r, requests a second; without it: \
         as many as are answered), with values of how many bytes (d, 32 if not said). CPU is that of all the server's \
         threads. Times are of whole pipelines; at a rate they count from when each was due. Where the generator uses a \
         whole core it is the limit: compare the CPU. The last columns are LokiKV as a multiple of the line's server: \
         more is better for req/s, less for CPU, in brackets the least and the most of the rounds. Redis, Valkey: no \
         snapshots, no AOF rewrites; LokiKV: no checkpoints.",
        options.rounds(),
        generator.seconds,
        generator.threads,
    )
}

fn measure(options: &Options, sides: &Sides, generator: &Generator, durability: Durability) -> Result<Vec<Cell>> {
    let rows = options.rows(durability).into_iter();
    let mut cells: Vec<Cell> = rows
        .map(|row| Cell {
            row,
            rounds: Vec::new(),
        })
        .collect();
    if cells.is_empty() {
        return Ok(cells);
    }
    for round in 0..options.rounds() {
        eprintln!("throughput: log {}, round {}", durability.name(), round + 1);
        let servers = start(options, sides, durability, &cells)?;
        for cell in &mut cells {
            let mut samples: Vec<(usize, Sample)> = Vec::new();
            for side in sides.order(round) {
                let server = servers.get(side).ok_or("no such server")?;
                server.resume()?;
                let sample = load::measure(server, &cell.row.load(), generator)
                    .map_err(|error| format!("{}, {}: {error}", cell.row, name(sides, side)))?;
                server.pause()?;
                samples.push((side, sample));
            }
            samples.sort_unstable_by_key(|(side, _)| *side);
            cell.rounds
                .push(samples.into_iter().map(|(_, sample)| sample).collect());
        }
    }
    Ok(cells)
}

/// All servers, filled and stopped.
fn start(options: &Options, sides: &Sides, durability: Durability, cells: &[Cell]) -> Result<Vec<Server>> {
    let mut keyspaces = Vec::new();
    for cell in cells {
        let keyspace = cell.row.keyspace();
        if !keyspaces.contains(&keyspace) {
            keyspaces.push(keyspace);
        }
    }
    let mut servers = Vec::new();
    for side in &sides.all {
        let server = side.start(options, durability)?;
        for keyspace in &keyspaces {
            if let Some(bytes) = keyspace.value_bytes {
                loader::load_sized(server.address(), keyspace.count, bytes, |index| keyspace.key(index))?;
            }
        }
        std::thread::sleep(SETTLE);
        server.pause()?;
        servers.push(server);
    }
    Ok(servers)
}

fn line(durability: Durability, cell: &Cell, sides: &Sides, side: usize) -> Vec<String> {
    let figure = |field: fn(&Sample) -> f64| {
        let samples = cell.rounds.iter().filter_map(|round| round.get(side));
        median(&samples.map(field).collect::<Vec<_>>())
    };
    let judged = sides.all.len() - 1;
    let mut line = vec![
        durability.name().to_owned(),
        cell.row.to_string(),
        name(sides, side).to_owned(),
        thousands(figure(|sample| sample.per_second)),
        thousands(figure(|sample| sample.cpu_ns)),
        thousands(figure(|sample| sample.p50_us)),
        thousands(figure(|sample| sample.p99_us)),
        format!("{:.2}", figure(|sample| sample.server_cores)),
        format!("{:.2}", figure(|sample| sample.generator_cores)),
    ];
    if side == judged {
        line.extend([String::new(), String::new()]);
        return line;
    }
    let per_second = ratios(cell, side, |sample| sample.per_second);
    let cpu = ratios(cell, side, |sample| sample.cpu_ns);
    let least = cpu.iter().copied().fold(f64::INFINITY, f64::min);
    let most = cpu.iter().copied().fold(0.0, f64::max);
    line.push(format!("{:.2}", median(&per_second)));
    line.push(format!("{:.2} ({least:.2}–{most:.2})", median(&cpu)));
    line
}

/// The last side as a multiple of this one, in each round.
fn ratios(cell: &Cell, side: usize, field: fn(&Sample) -> f64) -> Vec<f64> {
    let pairs = cell.rounds.iter().filter_map(|round| round.get(side).zip(round.last()));
    pairs.map(|(one, last)| field(last) / field(one)).collect()
}

fn name(sides: &Sides, side: usize) -> &str {
    sides.all.get(side).map_or("?", |side| &side.title)
}
