//! How a server behaves under abuse: what other clients feel, what memory it takes, how fast it stops.
//!
//! `cargo bench --bench stress -- [--only NAME] [--seconds S] [--durability MODE] [--markdown FILE]`.
//! While one client misbehaves, another does SET and GET one at a time and its latency is recorded.
//!
//! **Invariants**: each scenario has a server of its own, so that its memory peak is its own; each is
//! bounded in time; a scenario that a server does not survive is an entry in the table, not a panic.

#[path = "../common/mod.rs"]
mod common;
mod options;
mod prober;
mod report;
mod scenarios;

use clap::Parser;
use common::server::Server;
use common::{Result, machine};
use options::Options;
use report::Row;
use scenarios::Scenario;

fn main() -> Result<()> {
    if !common::asked_to_run() {
        println!("stress: a benchmark, run by `cargo bench --bench stress`");
        return Ok(());
    }
    let options = Options::parse();
    raise_open_files_limit()?;
    let mut rows = Vec::new();
    for scenario in Scenario::ALL.into_iter().filter(|&scenario| options.wants(scenario)) {
        for (name, setup) in options.setups() {
            eprintln!("stress: {}, {name}", scenario.name());
            let run = Server::start(&setup).and_then(|server| scenarios::run(scenario, server, &options));
            rows.push(Row {
                scenario,
                server: name,
                outcome: run.map_err(|error| error.to_string()),
            });
        }
    }
    let text = report::render(&machine::describe(options.lokikv()), &options, &rows);
    println!("{text}");
    match &options.markdown {
        Some(path) => Ok(std::fs::write(path, text)?),
        None => Ok(()),
    }
}

/// Thousands of connections need as many descriptors here, and in the servers, which inherit the limit.
fn raise_open_files_limit() -> Result<()> {
    let mut limit = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: the pointer is to a live struct of the right type.
    if unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) } != 0 {
        return Err(std::io::Error::last_os_error().into());
    }
    limit.rlim_cur = limit.rlim_max;
    // SAFETY: as above, and setrlimit only reads it.
    if unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit) } != 0 {
        return Err(std::io::Error::last_os_error().into());
    }
    Ok(())
}
