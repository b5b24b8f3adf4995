//! LokiKV beside Redis: throughput, CPU per request, and memory per key, on the same machine in one run.
//!
//! `cargo bench --bench compare -- [--quick] [--rounds N] [--only SECTION] [--markdown FILE]`.
//! Both servers are started in turn, several rounds, and medians are compared. Needs `redis-server`
//! and `redis-benchmark` in the path.
//!
//! **Invariants**: the two servers never run at the same time; both get the same load from the same
//! generator and keep data in memory with matching durability; nothing is written but `--markdown FILE`.

#[path = "../common/mod.rs"]
mod common;
mod driver;
mod loader;
mod memory;
mod options;
mod table;
mod throughput;

use clap::Parser;
use common::{Result, machine};
use options::{Options, Section};

fn main() -> Result<()> {
    if !common::asked_to_run() {
        println!("compare: a benchmark, run by `cargo bench --bench compare`");
        return Ok(());
    }
    let options = Options::parse();
    let mut report = vec![format!("## Machine\n\n{}", machine::describe(options.lokikv()))];
    if options.wants(Section::Throughput) {
        report.push(throughput::run(&options)?);
    }
    if options.wants(Section::Memory) {
        report.push(memory::run(&options)?);
    }
    let report = report.join("\n\n") + "\n";
    println!("{report}");
    match &options.markdown {
        Some(path) => Ok(std::fs::write(path, report)?),
        None => Ok(()),
    }
}
