//! Resident memory per key: 16-byte keys, 32-byte values.

use super::common::Result;
use super::common::server::Durability;
use super::common::sides::Side;
use super::common::stats::thousands;
use super::loader;
use super::options::Options;
use super::sides::Sides;
use super::table::{self, Align};
use std::thread::sleep;
use std::time::Duration;

/// Time for a server to finish what it does in the background (growing tables, returning memory).
const SETTLE: Duration = Duration::from_secs(1);

struct Footprint {
    empty: u64,
    full: u64,
}

/// Measures all servers and renders the section.
pub fn run(options: &Options, sides: &Sides) -> Result<String> {
    let keys = options.keys();
    let mut rows = Vec::new();
    for side in &sides.all {
        eprintln!("memory: {}, {keys} keys", side.title);
        let footprint = measure(options, side, keys)?;
        rows.push(row(&side.title, &footprint, keys));
    }
    let header = [
        ("Server", Align::Left),
        ("RSS empty, MiB", Align::Right),
        ("RSS full, MiB", Align::Right),
        ("Bytes per key (added RSS)", Align::Right),
        ("Bytes per key (whole RSS)", Align::Right),
    ];
    Ok(format!(
        "## Memory\n\n{} unique keys of 16 bytes with values of 32 bytes, no log.\n\n{}",
        thousands(to_float(keys)),
        table::render(&header, &rows),
    ))
}

fn measure(options: &Options, side: &Side, keys: u64) -> Result<Footprint> {
    let server = side.start(options, Durability::Off)?;
    sleep(SETTLE);
    let empty = server.resident_bytes()?;
    loader::load(server.address(), keys, loader::scattered_key)?;
    sleep(SETTLE);
    Ok(Footprint {
        empty,
        full: server.resident_bytes()?,
    })
}

fn row(side: &str, footprint: &Footprint, keys: u64) -> Vec<String> {
    let added = to_float(footprint.full.saturating_sub(footprint.empty)) / to_float(keys);
    vec![
        side.to_owned(),
        mebibytes(footprint.empty),
        mebibytes(footprint.full),
        format!("{added:.1}"),
        format!("{:.1}", to_float(footprint.full) / to_float(keys)),
    ]
}

fn mebibytes(bytes: u64) -> String {
    format!("{:.1}", to_float(bytes) / 1_048_576.0)
}

#[expect(clippy::cast_precision_loss, reason = "sizes and counts are far below 2^53")]
fn to_float(value: u64) -> f64 {
    value as f64
}
