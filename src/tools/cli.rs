//! The tools as the command line has them; each returns the exit code.

use std::io::{self, BufWriter, Write};
use std::path::Path;
use std::sync::Arc;

use super::error::ToolError;
use super::inspect::{self, Options};
use super::repair::{self, Plan};
use super::report::Report;
use super::{Output, Progress, complain};
use crate::config::cli::{
    EXIT_FAILURE, EXIT_NEEDS_CONSENT, EXIT_OK, EXIT_REPAIRABLE, InspectArgs, RepairArgs, VerifyArgs,
};
use crate::config::schema::Storage;
use crate::engine::worker::unix_ms;
use crate::recovery::exchange::Exchange;
use crate::recovery::folders::FolderLocks;
use crate::recovery::verify::{self, Finding};
use crate::storage::{Disk, RealDisk};

/// The data directory for this process alone.
fn lock(storage: &Storage) -> Result<FolderLocks, ToolError> {
    let locks = lock_any(storage)?;
    let dir = storage.data_path();
    match Exchange::pending(&RealDisk, &dir)? {
        Some(pending) => Err(ToolError::Interrupted(Box::new(pending), dir)),
        None => Ok(locks),
    }
}

/// The data directory for this process alone, also one whose restore in place has still to be finished.
pub(super) fn lock_any(storage: &Storage) -> Result<FolderLocks, ToolError> {
    let dir = storage.data_path();
    if !dir.is_dir() {
        return Err(ToolError::NoDirectory(storage.data_dir.clone()));
    }
    Ok(FolderLocks::take_existing(&dir, &storage.folders())?)
}

/// Where the parts of the data are.
fn storage(args: &VerifyArgs) -> Storage {
    Storage {
        data_dir: args.dir.clone(),
        checkpoint_dir: args.checkpoint_dir.clone(),
        persist_dir: args.persist_dir.clone(),
        wal_dir: args.wal_dir.clone(),
        ..Storage::default()
    }
}

/// Reads a data directory back: what is whole and what is noteworthy goes to standard output, faults to standard error.
pub fn verify(args: &VerifyArgs) -> u8 {
    let _locks = match lock(&storage(args)) {
        Ok(locks) => locks,
        Err(why) => return fail(&why.to_string()),
    };
    let disk: Arc<dyn Disk> = Arc::new(RealDisk);
    let progress = Progress::new();
    let mut out = Output::default();
    let faults = verify::verify(&disk, &storage(args).folders(), &mut |finding| match finding {
        Finding::Good(what) => progress.suspend(|| out.line(format_args!("ok: {what}"))),
        Finding::Note(what) => progress.suspend(|| out.line(format_args!("note: {what}"))),
        Finding::Fault(what) => progress.suspend(|| complain(what)),
        Finding::Read { what, done, total } => progress.show(what, done, total),
    });
    out.finish(if faults == 0 { EXIT_OK } else { EXIT_FAILURE })
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

/// Says what it takes to make a directory startable, and does it when told to.
pub fn repair(args: &RepairArgs) -> u8 {
    let mut out = Output::default();
    match try_repair(args, &mut out) {
        Ok(code) => out.finish(code),
        Err(why) => fail(&why.to_string()),
    }
}

fn try_repair(args: &RepairArgs, out: &mut Output) -> Result<u8, ToolError> {
    let dir = &args.dirs.dir;
    let _locks = lock(&storage(&args.dirs))?;
    let disk: Arc<dyn Disk> = Arc::new(RealDisk);
    let progress = Progress::new();
    let plan = repair::plan(&disk, &storage(&args.dirs), &mut |what, done, total| {
        progress.show(what, done, total);
    })?;
    drop(progress);
    if plan.steps.is_empty() {
        out.line("nothing to repair");
        return Ok(EXIT_OK);
    }
    if plan.loses() && !args.accept_loss {
        tell(&plan, out);
        complain(
            "what is marked LOSS was acknowledged and would be lost: nothing was changed; to go on, use --yes --accept-loss",
        );
        return Ok(EXIT_NEEDS_CONSENT);
    }
    if !args.yes {
        tell(&plan, out);
        complain("nothing was changed; to carry this out, use --yes");
        return Ok(EXIT_REPAIRABLE);
    }
    let quarantine = repair::carry_out(&disk, &plan, Path::new(dir), unix_ms(), &mut |step| {
        out.line(format_args!("done: {}", step.text));
    })?;
    out.line(format_args!("what was dropped is in {}", quarantine.display()));
    Ok(EXIT_OK)
}

fn tell(plan: &Plan, out: &mut Output) {
    for step in &plan.steps {
        let mark = if step.loses { "LOSS: " } else { "" };
        out.line(format_args!("{mark}would {}", step.text));
    }
}

pub(super) fn fail(why: &str) -> u8 {
    complain(why);
    EXIT_FAILURE
}
