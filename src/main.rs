//! The `lokikv` binary: parses flags and hands over to the library.

use std::io::Write;
use std::process::ExitCode;

use clap::Parser;
use lokikv::allocator::Allocator;
use lokikv::config::Loaded;
use lokikv::config::cli::{Cli, Command, EXIT_FAILURE, EXIT_LOADING, EXIT_OK, EXIT_USAGE, PingArgs};
use lokikv::migrate;
use lokikv::resp::Client;
use lokikv::storage::make_file_limit_an_error;
use lokikv::tools;
use redis_protocol::resp3::types::Resp3Frame;

#[global_allocator]
static ALLOCATOR: Allocator = Allocator;

fn main() -> ExitCode {
    make_file_limit_an_error();
    let cli = Cli::parse();
    if let Some(command) = &cli.command {
        return ExitCode::from(match command {
            Command::Ping(args) => ping(args),
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

/// Asks a running server whether it is ready; one that asks for a password is taken to be, one that refuses writes is
/// not. One that is loading has an exit code of its own, so that who restarts what is dead does not end a load, and who
/// sends clients waits for its end.
fn ping(args: &PingArgs) -> u8 {
    let target = match &args.unixsocket {
        Some(path) => path.display().to_string(),
        None => format!("{}:{}", args.host, args.port),
    };
    let answer = Client::connect(&target).and_then(|mut client| {
        client.set_timeout(Some(args.timeout()))?;
        client.call(&[b"PING"])
    });
    match answer {
        Ok(frame) => {
            let text = frame.as_str().unwrap_or("alive");
            println!("{target}: {text}");
            match text.split(' ').next() {
                Some("LOADING") => EXIT_LOADING,
                Some("MISCONF") => EXIT_FAILURE,
                _ => EXIT_OK,
            }
        }
        Err(error) => {
            eprintln!("lokikv: {target}: {error}");
            EXIT_FAILURE
        }
    }
}
