//! Resident memory per key: 16-byte keys, 32-byte values.

use super::common::Result;
use super::common::server::{Durability, Server, Setup};
use super::common::stats::thousands;
use super::loader;
use super::options::{Options, SIDES};
use super::table::{self, Align};
use std::thread::sleep;
use std::time::Duration;

/// Time for a server to finish what it does in the background (growing tables, returning memory).
const SETTLE: Duration = Duration::from_secs(1);

struct Footprint {
    empty: u64,
    full: u64,
}

/// Measures both servers and renders the section.
pub fn run(options: &Options) -> Result<String> {
    let keys = options.keys();
    let mut rows = Vec::new();
    let mut per_key = Vec::new();
    for (side, setup) in SIDES.iter().zip(options.setups(Durability::Off)) {
        eprintln!("memory: {side}, {keys} keys");
        let footprint = measure(&setup, keys)?;
        let (row, bytes) = row(side, &footprint, keys);
        rows.push(row);
        per_key.push(bytes);
    }
    let ratio = table::ratio(&per_key);
    let header = [
        ("Server", Align::Left),
        ("RSS empty, MiB", Align::Right),
        ("RSS full, MiB", Align::Right),
        ("Bytes per key (added RSS)", Align::Right),
        ("Bytes per key (whole RSS)", Align::Right),
    ];
    Ok(format!(
        "## Memory\n\n{} unique keys of 16 bytes with values of 32 bytes, no log.\n\n{}\n\nLokiKV/Redis: {ratio}",
        thousands(to_float(keys)),
        table::render(&header, &rows),
    ))
}

fn measure(setup: &Setup, keys: u64) -> Result<Footprint> {
    let server = Server::start(setup)?;
    sleep(SETTLE);
    let empty = server.resident_bytes()?;
    loader::load(server.address(), keys, loader::scattered_key)?;
    sleep(SETTLE);
    Ok(Footprint {
        empty,
        full: server.resident_bytes()?,
    })
}

fn row(side: &str, footprint: &Footprint, keys: u64) -> (Vec<String>, f64) {
    let added = to_float(footprint.full.saturating_sub(footprint.empty)) / to_float(keys);
    let cells = vec![
        side.to_owned(),
        mebibytes(footprint.empty),
        mebibytes(footprint.full),
        format!("{added:.1}"),
        format!("{:.1}", to_float(footprint.full) / to_float(keys)),
    ];
    (cells, added)
}

fn mebibytes(bytes: u64) -> String {
    format!("{:.1}", to_float(bytes) / 1_048_576.0)
}

#[expect(clippy::cast_precision_loss, reason = "sizes and counts are far below 2^53")]
fn to_float(value: u64) -> f64 {
    value as f64
}
