//! The `lokikv` binary: parses flags and hands over to the library.

// They panic where nothing can be written.
#![cfg_attr(not(test), deny(clippy::print_stdout, clippy::print_stderr))]

use std::process::ExitCode;

use clap::Parser;
use lokikv::allocator::Allocator;
use lokikv::config::Loaded;
use lokikv::config::cli::{Cli, Command, EXIT_FAILURE, EXIT_OK, EXIT_USAGE};
use lokikv::migrate;
use lokikv::storage::make_file_limit_an_error;
use lokikv::tools::{self, Output, complain};

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
    complain(why);
    ExitCode::from(code)
}

fn check(loaded: &Loaded) -> ExitCode {
    let mut out = Output::default();
    match &loaded.file {
        Some(file) => out.line(format_args!("{}: valid", file.display())),
        None => out.line("no configuration file: the defaults and flags are valid"),
    }
    ExitCode::from(out.finish(EXIT_OK))
}
