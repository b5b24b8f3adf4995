//! How a server behaves under abuse: what other clients feel, what memory it takes, how fast it stops.
//!
//! `cargo bench --bench stress -- [--only NAME] [--seconds S] [--durability MODE] [--markdown FILE]`. While some
//! clients misbehave, another does SET and GET, one every millisecond, and its latency is recorded. The second part is
//! the ways in which clients can make a server hold memory, each with the limit set that is to prevent it.
//!
//! **Invariants**: each scenario has a server of its own, so that its memory peak is its own; each is bounded in time,
//! and a server that takes 6 GiB is killed; a scenario that a server does not survive is an entry in the table, not a
//! panic.

#[path = "../common/mod.rs"]
mod common;
mod hoards;
mod options;
mod prober;
mod report;
mod scenarios;

use clap::Parser;
use common::peers::Found;
use common::server::Server;
use common::{Result, machine, process};
use options::Options;
use scenarios::Scenario;

fn main() -> Result<()> {
    if !common::asked_to_run() {
        println!("stress: a benchmark, run by `cargo bench --bench stress`");
        return Ok(());
    }
    let options = Options::parse();
    process::raise_open_files_limit()?;
    let peer = options.peer()?;
    let setups = options.setups(peer.as_ref());
    let mut rows = Vec::new();
    for scenario in Scenario::ALL {
        if !options.wants("abuse", &scenario.name()) {
            continue;
        }
        for (name, setup) in &setups {
            eprintln!("stress: {}, {name}", scenario.name());
            let run = Server::start(setup).and_then(|server| scenarios::run(scenario, server, &options));
            rows.push(report::Row {
                scenario,
                server: name,
                outcome: run.map_err(|error| error.to_string()),
            });
        }
    }
    let mut held = Vec::new();
    for hoard in hoards::all().filter(|hoard| options.wants("memory", hoard.name)) {
        for (name, setup) in &setups {
            let run = Server::start(setup).and_then(|server| hoards::run(hoard, &server, options.duration()));
            let row = report::Held {
                hoard,
                server: name,
                outcome: run.map_err(|error| error.to_string()),
            };
            eprint!("stress: {}: {}", hoard.name, row.render());
            held.push(row);
        }
    }
    let machine = about(&options, peer.as_ref());
    let text = report::render(&machine, &options, &rows, &held);
    println!("{text}");
    match &options.markdown {
        Some(path) => Ok(std::fs::write(path, text)?),
        None => Ok(()),
    }
}

/// The machine and the programs.
fn about(options: &Options, peer: Option<&Found>) -> String {
    let mut lines = vec![machine::system()];
    lines.extend(peer.map(|found| format!("- Peer: {}", found.title)));
    lines.extend(
        options
            .lokikv()
            .map(|path| format!("- LokiKV: {}", machine::version(path))),
    );
    lines.join("\n")
}
