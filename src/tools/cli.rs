//! The tools as the command line has them; each returns the exit code.

use std::io::{self, BufWriter, Write};
use std::path::Path;
use std::sync::Arc;

use super::Progress;
use super::inspect::{self, Options};
use super::report::Report;
use crate::config::cli::{EXIT_FAILURE, EXIT_OK, InspectArgs, VerifyArgs};
use crate::config::schema::Storage;
use crate::recovery::verify::{self, Finding};
use crate::storage::{DirLock, Disk, RealDisk, lock_dir};

/// The data directory for this process alone.
pub(super) fn lock(dir: &str) -> Result<DirLock, String> {
    let path = Path::new(dir);
    if !path.is_dir() {
        return Err(format!("{dir}: no such directory"));
    }
    lock_dir(path).map_err(|error| format!("data directory {dir}: {error}"))
}

/// Where the parts of the data are.
pub(super) fn storage(args: &VerifyArgs) -> Storage {
    Storage {
        data_dir: args.dir.clone(),
        checkpoint_dir: args.checkpoint_dir.clone(),
        persist_dir: args.persist_dir.clone(),
        wal_dir: args.wal_dir.clone(),
    }
}

/// Reads a data directory back: what is whole and what is noteworthy goes to standard output, faults to standard error.
pub fn verify(args: &VerifyArgs) -> u8 {
    let _lock = match lock(&args.dir) {
        Ok(lock) => lock,
        Err(why) => return fail(&why),
    };
    let disk: Arc<dyn Disk> = Arc::new(RealDisk);
    let progress = Progress::new();
    let faults = verify::verify(&disk, &storage(args), &mut |finding| match finding {
        Finding::Good(what) => progress.suspend(|| println!("ok: {what}")),
        Finding::Note(what) => progress.suspend(|| println!("note: {what}")),
        Finding::Fault(what) => progress.suspend(|| eprintln!("lokikv: {what}")),
        Finding::Read { what, done, total } => progress.show(what, done, total),
    });
    if faults == 0 { EXIT_OK } else { EXIT_FAILURE }
}

/// Shows what is at some paths.
pub fn inspect(args: &InspectArgs) -> u8 {
    let options = Options {
        limit: if args.limit == 0 { u64::MAX } else { args.limit },
        lsn: args.lsn,
        page: args.page,
    };
    let disk: Arc<dyn Disk> = Arc::new(RealDisk);
    let mut out = BufWriter::new(io::stdout().lock());
    let outcome = inspect::inspect(&disk, &args.paths, &options, &mut Report::new(&mut out, args.json));
    match outcome.and_then(|faults| out.flush().map(|()| faults)) {
        Ok(0) => EXIT_OK,
        Ok(_) => EXIT_FAILURE,
        // Whoever reads has seen enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => EXIT_OK,
        Err(error) => fail(&format!("cannot write what is found: {error}")),
    }
}

pub(super) fn fail(why: &str) -> u8 {
    eprintln!("lokikv: {why}");
    EXIT_FAILURE
}
