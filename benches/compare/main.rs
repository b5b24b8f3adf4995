//! LokiKV beside its peers, or beside a version before: throughput, CPU per request, latency, and memory per key.
//!
//! `cargo bench --bench compare -- [--quick] [--rounds N] [--seconds S] [--rows ROW,…] [--before PATH] [--markdown
//! FILE]`. `.ci/peers.sh` installs the peers; whoever is missing is named in the report. All run on the same machine,
//! in turn, several rounds, and medians are compared.
//!
//! **Invariants**: no two servers work at the same time; all get the same load from the same generator and keep data in
//! memory with matching durability; nothing is written but `--markdown FILE`.

#[path = "../common/mod.rs"]
mod common;
#[allow(dead_code, reason = "another benchmark uses the other key shape")]
mod loader;
mod memory;
mod options;
mod rows;
mod sides;
#[allow(dead_code, reason = "another benchmark uses ratios of two")]
mod table;
mod test;
mod throughput;

use clap::Parser;
use common::{Result, machine};
use options::{Options, Section};
use sides::Sides;

fn main() -> Result<()> {
    if !common::asked_to_run() {
        println!("compare: a benchmark, run by `cargo bench --bench compare`");
        return Ok(());
    }
    let options = Options::parse();
    let sides = Sides::of(&options);
    let about = sides.about.join("\n");
    eprintln!("{about}");
    let mut report = vec![format!("## Machine\n\n{}\n{about}", machine::system())];
    if options.wants(Section::Throughput) {
        report.push(throughput::run(&options, &sides)?);
    }
    if options.wants(Section::Memory) {
        report.push(memory::run(&options, &sides)?);
    }
    let report = report.join("\n\n") + "\n";
    println!("{report}");
    match &options.markdown {
        Some(path) => Ok(std::fs::write(path, report)?),
        None => Ok(()),
    }
}
