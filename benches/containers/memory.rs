//! Resident bytes per element: many small containers, and one large.

use super::Options;
use super::common::Result;
use super::common::server::{Server, Setup};
use super::fill::{SHAPES, Shape};
use super::table::{self, Align};
use std::thread::sleep;
use std::time::Duration;

/// Time for a server to finish what it does in the background.
const SETTLE: Duration = Duration::from_millis(700);
/// Elements in all.
const ELEMENTS: u64 = 5_000_000;
/// Elements of a small container.
const SMALL: u64 = 20;

/// Measures both servers and renders the section.
pub fn run(options: &Options) -> Result<String> {
    let elements = options.scaled(ELEMENTS);
    let mut rows = Vec::new();
    let mut ratios = Vec::new();
    for shape in SHAPES {
        for (size, each) in [("small", SMALL), ("large", elements)] {
            let mut bytes = Vec::new();
            for (side, setup) in options.sides() {
                eprintln!("memory: {size} {}, {side}", shape.name);
                bytes.push(measure(&setup, shape, elements / each, each)?);
            }
            let mut row = vec![shape.name.to_owned(), size.to_owned(), each.to_string()];
            row.extend(bytes.iter().map(|bytes| format!("{bytes:.1}")));
            row.push(table::ratio(&bytes));
            rows.push(row);
            if let [other, ours] = bytes.as_slice() {
                ratios.push(ours / other);
            }
        }
    }
    let [other, ours] = options.titles("bytes/element");
    let header = [
        ("Container", Align::Left),
        ("Size", Align::Left),
        ("Elements each", Align::Right),
        (&other, Align::Right),
        (&ours, Align::Right),
        ("ratio", Align::Right),
    ];
    #[expect(clippy::cast_precision_loss, reason = "a dozen")]
    let mean = ratios.iter().sum::<f64>() / ratios.len() as f64;
    Ok(format!(
        "## Memory of containers\n\nAdded resident memory, {elements} elements in all.\n\n{}\n\nMean ratio: {mean:.2}",
        table::render(&header, &rows),
    ))
}

#[expect(clippy::cast_precision_loss, reason = "sizes and counts are far below 2^53")]
fn measure(setup: &Setup, shape: &Shape, keys: u64, each: u64) -> Result<f64> {
    let server = Server::start(setup)?;
    sleep(SETTLE);
    let empty = server.resident_bytes()?;
    shape.fill(server.address(), keys, each)?;
    sleep(SETTLE);
    let added = server.resident_bytes()?.saturating_sub(empty);
    Ok(added as f64 / (keys * each) as f64)
}
