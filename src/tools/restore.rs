//! `lokikv restore`: the data of an earlier moment as a data directory, whose next start gives exactly that; from
//! another data directory, or from a backup.
//!
//! **Invariants**
//! - What is read from is not changed, but for `--in-place`, which sets it aside and deletes nothing.
//! - A backup is used when all of it was found to be as it was written.
//! - Where the restored data goes there was nothing before. It is complete, by a checkpoint, before it is in place.
//! - What fails leaves nothing behind; what is cut short is removed by the next one.
//! - In place it is all or nothing, by the journal of [`crate::recovery::exchange`].

use std::io;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::backup::{Place, check, check_outside_backups, check_outside_folders};
use super::cli::{fail, lock_any};
use super::error::ToolError;
use super::{Output, Progress, complain};
use crate::checkpoint::{CheckpointOptions, CheckpointSettings, Checkpointer, Origin};
use crate::config::cli::{EXIT_OK, EXIT_USAGE, RestoreArgs};
use crate::config::core_count;
use crate::config::schema::Storage;
use crate::engine::Engine;
use crate::engine::worker::unix_ms;
use crate::recovery::exchange::{Exchange, ExchangeError};
use crate::recovery::unfinished::{UNFINISHED, forget, forget_built};
use crate::recovery::{RecoverOptions, Stage, Until, moment, recover_past};
use crate::storage::fault_point::fault_point;
use crate::storage::{Disk, LOCK_FILE, RealDisk, lock_dir};
use crate::time;
use crate::wal::{Lsn, Wal};

/// What was restored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Restored {
    /// The last record in it.
    pub lsn: Lsn,
    /// Its keys.
    pub keys: u64,
}

/// Restores as the command line says; returns the exit code.
pub fn restore(args: &RestoreArgs) -> u8 {
    let to = args.to.as_deref();
    let until = match to.map(|to| moment::parse(to).ok_or(to)).transpose() {
        Ok(until) => until,
        Err(to) => {
            complain(format_args!(
                "--to {to:?}: expected \"lsn N\", Unix milliseconds, or a time such as 2026-11-25T08:00:00Z"
            ));
            return EXIT_USAGE;
        }
    };
    match Place::look(&RealDisk, Path::new(&args.from)) {
        Ok(Some(place)) => restore_backup(args, place, until),
        Ok(None) if !Path::new(&args.from).is_dir() => fail(&ToolError::NoDirectory(args.from.clone()).to_string()),
        Ok(None) => match until.zip(to) {
            Some(moment) => restore_directory(args, moment),
            None => {
                let from = &args.from;
                complain(format_args!(
                    "{from} is no backup: --to says as of when its data is wanted"
                ));
                EXIT_USAGE
            }
        },
        Err(why) => fail(&why.to_string()),
    }
}

/// From a backup, or the one of several that has the moment.
fn restore_backup(args: &RestoreArgs, place: Place, until: Option<Until>) -> u8 {
    let Some(into) = &args.into else {
        complain(format_args!(
            "{} is a backup, which stays as it is: use --into",
            args.from
        ));
        return EXIT_USAGE;
    };
    let disk: Arc<dyn Disk> = Arc::new(RealDisk);
    let progress = Progress::new();
    let restored = place
        .choose(Path::new(&args.from), until, &mut |text| {
            complain(format_args!("note: {text}"))
        })
        .map_err(ToolError::from)
        .and_then(|backup| {
            let (mut done, total) = (0, backup.manifest.bytes());
            check(disk.as_ref(), &backup, &mut |bytes| {
                done += bytes;
                progress.show("backup", done, total);
                Ok(())
            })?;
            let from = Storage {
                data_dir: backup.dir.display().to_string(),
                ..Storage::default()
            };
            let until = backup.manifest.moment(until);
            restore_into(&disk, &from, Path::new(into), until, &mut |stage, done, total| {
                progress.show(Stage::what(stage), done, total);
            })
        });
    drop(progress);
    tell(args, restored.map(|done| (done, Vec::new())))
}

/// From a data directory; the moment comes with the words it was asked for with.
fn restore_directory(args: &RestoreArgs, (until, to): (Until, &str)) -> u8 {
    let data_dir = Path::new(&args.from);
    let from = Storage {
        data_dir: args.from.clone(),
        checkpoint_dir: args.checkpoint_dir.clone(),
        wal_dir: args.wal_dir.clone(),
        ..Storage::default()
    };
    let _locks = match lock_any(&from) {
        Ok(locks) => locks,
        Err(why) => return fail(&why.to_string()),
    };
    match Exchange::pending(&RealDisk, data_dir) {
        Ok(None) => {}
        Ok(Some(pending)) if args.in_place && pending.to == to => {
            return tell(
                args,
                pending
                    .finish(&RealDisk, data_dir)
                    .map(|aside| (restored(&pending), aside))
                    .map_err(ToolError::from),
            );
        }
        Ok(Some(pending)) => return fail(&pending.refusal(data_dir)),
        Err(why) => return fail(&why.to_string()),
    }
    let disk: Arc<dyn Disk> = Arc::new(RealDisk);
    let progress = Progress::new();
    let mut show = |stage, done, total| {
        progress.show(Stage::what(stage), done, total);
    };
    let outcome = match &args.into {
        Some(into) => restore_into(&disk, &from, Path::new(into), until, &mut show).map(|done| (done, Vec::new())),
        None => restore_in_place(&disk, &from, (until, to), &mut show),
    };
    drop(progress);
    tell(args, outcome)
}

fn tell(args: &RestoreArgs, outcome: Result<(Restored, Vec<PathBuf>), ToolError>) -> u8 {
    match outcome {
        Ok((Restored { lsn, keys }, aside)) => {
            let place = args.into.as_ref().unwrap_or(&args.from);
            let mut out = Output::default();
            out.line(format_args!("restored LSN {lsn} into {place}: {keys} keys"));
            for path in &aside {
                out.line(format_args!("set aside: {}", path.display()));
            }
            out.finish(EXIT_OK)
        }
        Err(why) => fail(&why.to_string()),
    }
}

fn restored(exchange: &Exchange) -> Restored {
    Restored {
        lsn: exchange.lsn,
        keys: exchange.keys,
    }
}

/// Told of the stage, and how much of how much is done.
type Show<'a> = &'a mut dyn FnMut(Stage, u64, u64);

/// Makes `into`, which must not hold anything nor be within a backup or what is read, a data directory with the data of
/// that moment. What another restore into it has left that was cut short is no hindrance.
///
/// # Errors
/// Why; `into` then is as it was, or empty.
pub fn restore_into(
    disk: &Arc<dyn Disk>,
    from: &Storage,
    into: &Path,
    until: Until,
    show: Show<'_>,
) -> Result<Restored, ToolError> {
    check_outside_backups(disk.as_ref(), into)?;
    let (data, checkpoints, log) = (from.data_path(), from.checkpoint_path(), from.wal_path());
    check_outside_folders(into, &[&data, &checkpoints, &log])?;
    let was_there = disk.exists(into).map_err(at(into))?;
    if was_there {
        check_empty(disk.as_ref(), into)?;
    }
    build_into(disk, from, into, until, show).inspect_err(|_| {
        if !was_there {
            let _ = disk.remove_dir(into);
        }
    })
}

/// That there is nothing in `into`, but for what a restore may have left that was cut short.
fn check_empty(disk: &dyn Disk, into: &Path) -> Result<(), ToolError> {
    let names = disk.list(into).map_err(at(into))?;
    let left = std::fs::symlink_metadata(into.join(UNFINISHED));
    if names.iter().any(|name| name != UNFINISHED) || left.is_ok_and(|left| !left.is_dir()) {
        return Err(ToolError::NotEmpty(into.to_owned()));
    }
    Ok(())
}

/// Builds the checkpoint apart, and has it in its place when it is whole.
fn build_into(
    disk: &Arc<dyn Disk>,
    from: &Storage,
    into: &Path,
    until: Until,
    show: Show<'_>,
) -> Result<Restored, ToolError> {
    let built = into.join(UNFINISHED);
    disk.create_dir_all(&built).map_err(at(&built))?;
    // Another restore may be writing there, or have just been done.
    let mut lock = lock_dir(&built).map_err(at(&built))?;
    lock.renew().map_err(at(&built))?;
    check_empty(disk.as_ref(), into).inspect_err(|_| forget(disk.as_ref(), &built))?;
    for name in disk.list(&built).map_err(at(&built))? {
        if name != LOCK_FILE {
            let path = built.join(name);
            disk.remove(&path).map_err(at(&path))?;
        }
    }
    fault_point("restore.begun");
    let storage = Storage {
        data_dir: into.display().to_string(),
        ..Storage::default()
    };
    let done = write_past(disk, from, &built, until, show).and_then(|done| {
        fault_point("restore.built");
        let place = storage.checkpoint_path();
        disk.rename(&built, &place).map_err(at(&place))?;
        disk.sync_dir(into).map_err(at(into)).inspect_err(|_| {
            let _ = disk.rename(&place, &built);
        })?;
        Ok(done)
    });
    let done = done.inspect_err(|_| forget(disk.as_ref(), &built))?;
    fault_point("restore.in_place");
    Ok(done)
}

fn at(path: &Path) -> impl FnOnce(io::Error) -> ToolError {
    let path = path.to_owned();
    |error| ToolError::At(path, error)
}

/// Sets the checkpoints and the log of `from` aside and puts the data of that moment in their place, all or nothing;
/// returns where the old ones are now. The moment comes with the words it was asked for with.
///
/// # Errors
/// Why; see [`Exchange::carry_out`].
pub fn restore_in_place(
    disk: &Arc<dyn Disk>,
    from: &Storage,
    (until, to): (Until, &str),
    show: Show<'_>,
) -> Result<(Restored, Vec<PathBuf>), ToolError> {
    let data_dir = from.data_path();
    let place = |path: PathBuf| Exchange::place(&data_dir, &path).map_err(|error| ToolError::At(path, error));
    let mut exchange = Exchange {
        to: to.to_owned(),
        lsn: Lsn::ZERO,
        keys: 0,
        stamp: format!("{}-{}", time::compact(unix_ms()), std::process::id()),
        checkpoints: place(from.checkpoint_path())?,
        wal: place(from.wal_path())?,
    };
    // The directory is locked, and no exchange is pending.
    forget_built(disk.as_ref(), &from.checkpoint_path());
    let built = exchange.built(&data_dir);
    let done = write_past(disk, from, &built, until, show).inspect_err(|_| forget(disk.as_ref(), &built))?;
    fault_point("exchange.built");
    (exchange.lsn, exchange.keys) = (done.lsn, done.keys);
    let aside = exchange.carry_out(disk.as_ref(), &data_dir).inspect_err(|why| {
        if !matches!(why, ExchangeError::Unfinished { .. }) {
            forget(disk.as_ref(), &built);
        }
    })?;
    Ok((done, aside))
}

/// Writes the data of that moment as a checkpoint in `dir`, which holds nothing.
///
/// # Errors
/// Why; there may be a part of it then.
fn write_past(
    disk: &Arc<dyn Disk>,
    from: &Storage,
    dir: &Path,
    until: Until,
    show: Show<'_>,
) -> Result<Restored, ToolError> {
    let options = RecoverOptions {
        checkpoint_dir: from.checkpoint_path(),
        wal_dir: from.wal_path(),
        wal_enabled: true,
        threads: core_count(),
    };
    let past = recover_past(disk, &options, until, |progress| {
        show(progress.stage, progress.done, progress.total);
        ControlFlow::Continue(())
    });
    let past = past?;
    let (lsn, keys) = (past.lsn, past.keys);
    let engine = Engine::new(past.registry, Wal::disabled(lsn.next()), 1, past.data_bytes);
    let engine = Arc::new(engine.map_err(|error| ToolError::Start("a thread", error))?);
    let options = CheckpointOptions {
        dir: dir.to_owned(),
        // Nothing is persisted or logged here.
        persist_dir: dir.to_owned(),
        wal_dir: dir.to_owned(),
        term: 0,
    };
    let checkpoints = Checkpointer::new(
        engine,
        Arc::clone(disk),
        options,
        Arc::new(CheckpointSettings::default()),
    );
    checkpoints
        .start(Origin::default())
        .map_err(|error| ToolError::Start("the checkpointer", error))?;
    let done = checkpoints.checkpoint_blocking();
    checkpoints.stop();
    let done = done?;
    if done.lsn != lsn {
        return Err(ToolError::OtherMoment {
            found: done.lsn,
            wanted: lsn,
        });
    }
    Ok(Restored { lsn, keys })
}
