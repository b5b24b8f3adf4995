//! Requests per second and server CPU per request, for each durability, command and pipeline depth.

use super::common::Result;
use super::common::server::{Durability, Server, Setup};
use super::common::stats::{median, thousands};
use super::driver::{self, Load, Sample, Test};
use super::loader;
use super::options::{Options, SIDES};
use super::table::{self, Align};

/// All samples of one row: for each side, one per round.
struct Cell {
    load: Load,
    samples: [Vec<Sample>; 2],
}

/// Measures everything and renders the section.
pub fn run(options: &Options) -> Result<String> {
    let mut rows = Vec::new();
    for &durability in options.durabilities() {
        let cells = measure(options, durability)?;
        rows.extend(cells.iter().map(|cell| row(durability, cell)));
    }
    let header = [
        ("Log", Align::Left),
        ("Test", Align::Left),
        ("P", Align::Right),
        ("Redis req/s", Align::Right),
        ("LokiKV req/s", Align::Right),
        ("ratio", Align::Right),
        ("Redis CPU ns/req", Align::Right),
        ("LokiKV CPU ns/req", Align::Right),
        ("ratio", Align::Right),
        ("Redis p99 ms", Align::Right),
        ("LokiKV p99 ms", Align::Right),
    ];
    Ok(format!(
        "## Throughput\n\n{}\n\n{}",
        notes(options),
        table::render(&header, &rows)
    ))
}

fn notes(options: &Options) -> String {
    format!(
        "{} `redis-benchmark -c 50 -r {} -d {}` on the same machine, keys loaded before; P is the \
         pipeline depth, with {} generator thread(s) where P > 1. Ratios are LokiKV/Redis: more is \
         better for req/s, less for CPU. CPU is user + system time of the server process. The \
         generator shares the cores with the server and is the limit at high P (there, compare the \
         CPU). Redis: no snapshots, no AOF rewrites; LokiKV: no checkpoints.",
        options.method(),
        driver::KEYS,
        driver::VALUE_BYTES,
        options.threads,
    )
}

fn measure(options: &Options, durability: Durability) -> Result<Vec<Cell>> {
    let mut cells = plan(options);
    let setups = options.setups(durability);
    for round in 0..options.rounds() {
        // The order changes each round, so that a drift of the machine does not favour one side.
        let order = if round % 2 == 0 { [0, 1] } else { [1, 0] };
        for side in order {
            let (Some(setup), Some(name)) = (setups.get(side), SIDES.get(side)) else {
                continue;
            };
            eprintln!("throughput: log {}, round {}, {name}", durability.name(), round + 1);
            measure_side(options, setup, &mut cells, side)?;
        }
    }
    Ok(cells)
}

fn plan(options: &Options) -> Vec<Cell> {
    let loads = options.pipeline.iter().flat_map(|&pipeline| {
        let threads = if pipeline > 1 { options.threads } else { 1 };
        Test::ALL.map(|test| Load {
            test,
            pipeline,
            threads,
        })
    });
    loads
        .map(|load| Cell {
            load,
            samples: [Vec::new(), Vec::new()],
        })
        .collect()
}

fn measure_side(options: &Options, setup: &Setup, cells: &mut [Cell], side: usize) -> Result<()> {
    let server = Server::start(setup)?;
    loader::load(server.address(), driver::KEYS, loader::benchmark_key)?;
    for cell in cells {
        let sample = driver::measure(&server, cell.load, options.seconds())?;
        if let Some(samples) = cell.samples.get_mut(side) {
            samples.push(sample);
        }
    }
    Ok(())
}

fn row(durability: Durability, cell: &Cell) -> Vec<String> {
    let medians = |field: fn(&Sample) -> f64| {
        cell.samples
            .each_ref()
            .map(|side| median(&side.iter().map(field).collect::<Vec<_>>()))
    };
    let per_second = medians(|sample| sample.per_second);
    let cpu_ns = medians(|sample| sample.cpu_ns);
    let p99_ms = medians(|sample| sample.p99_ms);
    let mut row = vec![
        durability.name().to_owned(),
        cell.load.test.name().to_owned(),
        cell.load.pipeline.to_string(),
    ];
    row.extend(per_second.map(thousands));
    row.push(table::ratio(&per_second));
    row.extend(cpu_ns.map(thousands));
    row.push(table::ratio(&cpu_ns));
    row.extend(p99_ms.map(|ms| format!("{ms:.2}")));
    row
}
