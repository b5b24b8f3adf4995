//! The `lokikv` binary: parses flags and hands over to the library.

use std::io::Write;
use std::process::ExitCode;

use clap::Parser;
use lokikv::allocator::Allocator;
use lokikv::config::Loaded;
use lokikv::config::cli::{Cli, Command, EXIT_FAILURE, EXIT_OK, EXIT_USAGE};
use lokikv::migrate;
use lokikv::storage::make_file_limit_an_error;
use lokikv::tools;

#[global_allocator]
static ALLOCATOR: Allocator = Allocator;

fn main() -> ExitCode {
    make_file_limit_an_error();
    let cli = Cli::parse();
    if let Some(command) = &cli.command {
        return ExitCode::from(match command {
            Command::Ping(args) => tools::ping(args),
            Command::Verify(args) => tools::verify(args),
            Command::Doctor(args) => tools::doctor(args),
            Command::Inspect(args) => tools::inspect(args),
            Command::Restore(args) => tools::restore(args),
            Command::Repair(args) => tools::repair(args),
            Command::Import(args) => migrate::run_import(args),
            Command::Backup(args) => migrate::run_backup(args),
            Command::Export(args) => migrate::run_export(args),
            Command::Generate(args) => tools::generate(args),
        });
    }
    let loaded = match cli.load() {
        Ok(loaded) => loaded,
        Err(error) => return fail(EXIT_USAGE, &error.to_string()),
    };
    if cli.check_config {
        return check(&loaded);
    }
    match lokikv::server::run(loaded) {
        Ok(()) => ExitCode::from(EXIT_OK),
        Err(error) => fail(EXIT_FAILURE, &error.to_string()),
    }
}

fn fail(code: u8, why: &str) -> ExitCode {
    // Where that cannot be written, the code still tells.
    let _ = writeln!(std::io::stderr(), "lokikv: {why}");
    ExitCode::from(code)
}

fn check(loaded: &Loaded) -> ExitCode {
    match &loaded.file {
        Some(file) => println!("{}: valid", file.display()),
        None => println!("no configuration file: the defaults and flags are valid"),
    }
    ExitCode::from(EXIT_OK)
}
