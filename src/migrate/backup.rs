//! `lokikv backup --from`: a running server holds its files while they are copied.
//!
//! **Invariants**
//! - The hold is renewed for as long as copying goes on, and ends by itself if this process does.
//! - A backup does not depend on it: a file that is gone all the same is missed, and then there is none.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use redis_protocol::resp3::types::{OwnedFrame, Resp3Frame as _};

use super::live::LiveError;
use super::live::interrupt::Stop;
use super::live::link::{Conn, Endpoint, Link, Trouble};
use super::{MigrateError, Outcome};
use crate::config::cli::{EXIT_FAILURE, EXIT_OK, EXIT_USAGE};
use crate::config::migrate_args::BackupArgs;
use crate::config::schema::Storage;
use crate::config::server_url::ServerUrl;
use crate::storage::{Disk, RealDisk};
use crate::tools::backup::{self, BackupError, Options, Source, Store, Taken, Watcher};
use crate::tools::{Output, Progress, complain};
use crate::wal::Lsn;

/// How long a hold lasts unless it is renewed.
const HOLD_MS: u64 = 30_000;
/// It is renewed so many times in that time.
const RENEWALS: u32 = 3;
/// How long a checkpoint may take that is being taken when a hold is asked for, or that is asked for.
const CHECKPOINT_MAX: Duration = Duration::from_secs(3600);

/// `lokikv backup`; the exit code.
pub fn run_backup(args: &BackupArgs) -> u8 {
    match (&args.list, &args.verify, &args.from, &args.to) {
        (Some(dir), ..) => backup::list(dir, args.json),
        (_, Some(dir), ..) => backup::verify(dir),
        (_, _, Some(from), _) if from.database.is_some() => {
            complain(format_args!(
                "--from {from}: a backup is of the whole server, not of one database"
            ));
            EXIT_USAGE
        }
        (_, _, Some(from), Some(to)) => match take(args, from, to.clone()) {
            Ok(taken) => tell(&taken),
            Err(why) => {
                complain(why);
                EXIT_FAILURE
            }
        },
        // The command line does not let that pass.
        _ => EXIT_FAILURE,
    }
}

fn tell(Taken { backup, removed }: &Taken) -> u8 {
    let manifest = &backup.manifest;
    let mut out = Output::default();
    out.line(format_args!(
        "{}: {}; {} files, {} bytes, {} of them new",
        backup.dir.display(),
        manifest.reach(),
        manifest.files.len(),
        manifest.bytes(),
        manifest.new_bytes
    ));
    for name in removed {
        out.line(format_args!("removed: {name}"));
    }
    out.finish(EXIT_OK)
}

fn take(args: &BackupArgs, from: &ServerUrl, to: PathBuf) -> Outcome<Taken> {
    let stop = Stop::by_signals()?;
    let endpoint = Endpoint::new(from, &args.access)?;
    let name = format!("backup-{:016x}", rand::random::<u64>());
    let told = hold(&mut Link::new(&endpoint, &stop), &name)?;
    let taken = take_while_held(args, (&endpoint, &name), told, to, &stop);
    // A server that is gone holds nothing, and is not waited for.
    let at_once = Endpoint {
        patience: Duration::ZERO,
        ..Endpoint::new(from, &args.access)?
    };
    let last = Stop::default();
    let released = Link::new(&at_once, &last).run("CHECKPOINT RELEASE", |conn| {
        conn.ask(&[b"CHECKPOINT", b"RELEASE", name.as_bytes()])
    });
    // What was held to its end is not missing anything because of that.
    match (taken, released) {
        (Err(why), Ok(OwnedFrame::Number { data: 0, .. })) => {
            Err(not_held(why, "it was restarted, or was not heard of"))
        }
        (Err(why), Err(lost @ LiveError::Lost { .. })) => Err(not_held(why, &lost.to_string())),
        (taken, _) => taken,
    }
}

/// Takes it while the hold of that name is renewed.
fn take_while_held(
    args: &BackupArgs,
    (endpoint, name): (&Endpoint, &str),
    told: Told,
    to: PathBuf,
    stop: &Stop,
) -> Outcome<Taken> {
    let data_dir = told.data_dir(args);
    let source = told.source(args, &endpoint.url);
    let folders = [
        Some(source.checkpoints.as_path()),
        Some(&source.log),
        data_dir.as_deref(),
    ];
    let folders: Vec<&Path> = folders.into_iter().flatten().collect();
    backup::check_outside_folders(&to, &folders)?;
    let disk: Arc<dyn Disk> = Arc::new(RealDisk);
    let store = Store::open(&disk, &to)?;
    let options = Options {
        keep: args.keep,
        may_link: !args.copy,
    };
    let done = Stop::default();
    std::thread::scope(|scope| {
        let renewing = std::thread::Builder::new().name("renew".to_owned());
        let renewed = renewing.spawn_scoped(scope, || renew(endpoint, name, &done));
        let taken = match renewed {
            Ok(_) => copy(&disk, &source, &store, options, stop),
            Err(error) => Err(LiveError::Thread(error).into()),
        };
        done.set();
        taken
    })
}

/// What failed while the server did not hold its files any more, as that may be why.
fn not_held(why: MigrateError, state: &str) -> MigrateError {
    match why {
        MigrateError::Backup(BackupError::Interrupted) => why,
        MigrateError::Backup(why) => BackupError::NotHeld(Box::new(why), state.to_owned()).into(),
        other => other,
    }
}

fn copy(disk: &Arc<dyn Disk>, source: &Source, store: &Store, options: Options, stop: &Stop) -> Outcome<Taken> {
    let progress = Progress::new();
    let mut watcher = Watcher {
        progress: &mut |done, total| {
            progress.show("backup", done, total);
            if stop.is_set() {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            }
        },
        note: &mut |text| progress.suspend(|| complain(format_args!("note: {text}"))),
    };
    Ok(backup::take(disk, source, store, options, &mut watcher)?)
}

/// Renews the hold until `done`. A server that does not answer has its own troubles, and is asked again.
fn renew(endpoint: &Endpoint, name: &str, done: &Stop) {
    let mut link = Link::new(endpoint, done);
    let time = HOLD_MS.to_string();
    while done.sleep(Duration::from_millis(HOLD_MS) / RENEWALS).is_ok() {
        let _ = link.run("CHECKPOINT RENEW", |conn| {
            conn.ask(&[b"CHECKPOINT", b"RENEW", name.as_bytes(), time.as_bytes()])
        });
    }
}

/// What a server tells of what it holds.
struct Told {
    lsn: Option<Lsn>,
    wall_ms: u64,
    data_set: String,
    /// Versions before this one do not tell.
    data_dir: Option<PathBuf>,
    checkpoints: PathBuf,
    log: PathBuf,
}

fn hold(link: &mut Link<'_>, name: &str) -> Outcome<Told> {
    let time = HOLD_MS.to_string();
    let told = link.run("CHECKPOINT HOLD", |conn| {
        if !conn.is_lokikv {
            return Err(Trouble::Refused(
                "it is not LokiKV, which alone holds its files".to_owned(),
            ));
        }
        conn.pipeline().set_timeout(Some(CHECKPOINT_MAX))?;
        let reply = conn.ask(&[b"CHECKPOINT", b"HOLD", name.as_bytes(), time.as_bytes()])?;
        let told = Told::of_reply(&reply).ok_or_else(|| Trouble::strange("CHECKPOINT HOLD"))?;
        // Without a log there is only what a checkpoint has.
        if told.lsn.is_none() {
            checkpoint(conn, name, &time)?;
        }
        Ok(told)
    })?;
    Ok(told)
}

/// Takes a checkpoint; the hold lasts from its end on.
fn checkpoint(conn: &mut Conn, name: &str, time: &str) -> Result<(), Trouble> {
    conn.ask(&[b"CHECKPOINT"])?;
    conn.ask(&[b"CHECKPOINT", b"HOLD", name.as_bytes(), time.as_bytes()])?;
    Ok(())
}

impl Told {
    fn of_reply(reply: &OwnedFrame) -> Option<Self> {
        let OwnedFrame::Array { data, .. } = reply else {
            return None;
        };
        let value = |name: &str| {
            let (pairs, _) = data.as_chunks::<2>();
            let pair = pairs.iter().find(|[key, _]| key.as_str() == Some(name));
            pair.map(|[_, value]| value)
        };
        let number = |frame: &OwnedFrame| match frame {
            OwnedFrame::Number { data, .. } => u64::try_from(*data).ok(),
            _ => None,
        };
        let text = |name| Some(value(name)?.as_str()?.to_owned());
        let lsn = match value("lsn")? {
            OwnedFrame::Null => None,
            frame => Some(Lsn::new(number(frame)?)),
        };
        Some(Self {
            lsn,
            wall_ms: number(value("time-ms")?)?,
            data_set: text("data-set")?,
            data_dir: text("data-dir").map(PathBuf::from),
            checkpoints: PathBuf::from(text("checkpoint-dir")?),
            log: PathBuf::from(text("wal-dir")?),
        })
    }

    /// The server's data directory from here, if that is known.
    fn data_dir(&self, args: &BackupArgs) -> Option<PathBuf> {
        args.data_dir
            .as_ref()
            .map(PathBuf::from)
            .or_else(|| self.data_dir.clone())
    }

    /// Where that is from here.
    fn source(self, args: &BackupArgs, from: &ServerUrl) -> Source {
        let here = |dir: &str, below: fn(&Storage) -> PathBuf, told: PathBuf| match (&args.data_dir, dir) {
            (None, "") => told,
            (None, dir) => PathBuf::from(dir),
            (Some(data_dir), _) => below(&Storage {
                data_dir: data_dir.clone(),
                checkpoint_dir: args.checkpoint_dir.clone(),
                wal_dir: args.wal_dir.clone(),
                ..Storage::default()
            }),
        };
        Source {
            url: from.to_string(),
            checkpoints: here(&args.checkpoint_dir, Storage::checkpoint_path, self.checkpoints),
            log: here(&args.wal_dir, Storage::wal_path, self.log),
            lsn: self.lsn,
            wall_ms: self.wall_ms,
            data_set: self.data_set,
        }
    }
}
