//! The `lokikv` binary: parses flags and hands over to the library.

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use clap::Parser;
use lokikv::config::Loaded;
use lokikv::config::cli::{Cli, Command, EXIT_FAILURE, EXIT_OK, EXIT_USAGE, PingArgs, VerifyArgs};
use lokikv::config::schema::Storage;
use lokikv::recovery::verify::{self, Finding};
use lokikv::resp::Client;
use lokikv::storage::{Disk, RealDisk, lock_dir};
use redis_protocol::resp3::types::Resp3Frame;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let cli = Cli::parse();
    if let Some(Command::Ping(args)) = &cli.command {
        return ExitCode::from(ping(args));
    }
    if let Some(Command::Verify(args)) = &cli.command {
        return ExitCode::from(verify(args));
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
    eprintln!("lokikv: {why}");
    ExitCode::from(code)
}

fn check(loaded: &Loaded) -> ExitCode {
    match &loaded.file {
        Some(file) => println!("{}: valid", file.display()),
        None => println!("no configuration file: the defaults and flags are valid"),
    }
    ExitCode::from(EXIT_OK)
}

/// Asks a running server whether it is alive; one that asks for a password is.
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
            println!("{target}: {}", frame.as_str().unwrap_or("alive"));
            EXIT_OK
        }
        Err(error) => {
            eprintln!("lokikv: {target}: {error}");
            EXIT_FAILURE
        }
    }
}

/// Reads a data directory back: what is whole and what is noteworthy goes to standard output, faults to standard error.
fn verify(args: &VerifyArgs) -> u8 {
    let dir = Path::new(&args.dir);
    if !dir.is_dir() {
        eprintln!("lokikv: {}: no such directory", dir.display());
        return EXIT_FAILURE;
    }
    let _lock = match lock_dir(dir) {
        Ok(lock) => lock,
        Err(error) => {
            eprintln!("lokikv: data directory {}: {error}", dir.display());
            return EXIT_FAILURE;
        }
    };
    let storage = Storage {
        data_dir: args.dir.clone(),
        checkpoint_dir: args.checkpoint_dir.clone(),
        persist_dir: args.persist_dir.clone(),
        wal_dir: args.wal_dir.clone(),
    };
    let disk: Arc<dyn Disk> = Arc::new(RealDisk);
    let faults = verify::verify(&disk, &storage, &mut |finding| match finding {
        Finding::Good(what) => println!("ok: {what}"),
        Finding::Note(what) => println!("note: {what}"),
        Finding::Fault(what) => eprintln!("lokikv: {what}"),
    });
    if faults == 0 { EXIT_OK } else { EXIT_FAILURE }
}
