//! `import` and `export` as the command line has them: what is done goes to standard output, what is wrong or
//! noteworthy to standard error.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::export::{ExportOptions, export};
use super::import::{ImportOptions, import};
use super::live::run_live;
use super::targets::{Existing, Into};
use super::{MigrateError, Observer, Offline, Outcome};
use crate::commands::collections::name;
use crate::config::Loaded;
use crate::config::cli::{EXIT_FAILURE, EXIT_OK, EXIT_USAGE};
use crate::config::migrate_args::{ExportArgs, ImportArgs, Place};
use crate::engine::index::Kind;
use crate::storage::{Disk, RealDisk};
use crate::tools::{Output, Progress, complain};

/// A bar and notes on standard error.
struct Console(Progress);

impl Observer for Console {
    fn progress(&mut self, what: &str, done: u64, total: u64) {
        self.0.show(what, done, total);
    }

    fn note(&mut self, text: &str) {
        self.0.suspend(|| complain(format_args!("note: {text}")));
    }
}

/// `lokikv import`; the exit code.
pub fn run_import(args: &ImportArgs) -> u8 {
    run(&args.place, |loaded, disk| do_import(args, loaded, disk))
}

/// `lokikv export`; the exit code.
pub fn run_export(args: &ExportArgs) -> u8 {
    run(&args.place, |loaded, disk| do_export(args, loaded, disk))
}

fn run(place: &Place, body: impl FnOnce(Loaded, Arc<dyn Disk>) -> Outcome<String>) -> u8 {
    let loaded = match place.load() {
        Ok(loaded) => loaded,
        Err(error) => {
            complain(error);
            return EXIT_USAGE;
        }
    };
    match body(loaded, Arc::new(RealDisk)) {
        Ok(done) => {
            let mut out = Output::default();
            out.line(done);
            out.finish(EXIT_OK)
        }
        Err(why) => {
            complain(why);
            EXIT_FAILURE
        }
    }
}

fn do_import(args: &ImportArgs, loaded: Loaded, disk: Arc<dyn Disk>) -> Outcome<String> {
    let into = match &args.into_collection {
        None => Into::Numbers,
        Some(name) => {
            let kind = Kind::ALL.into_iter().find(|kind| kind.name() == args.kind);
            Into::Collection(
                name::any(name.as_bytes()).map_err(MigrateError::NoName)?,
                kind.ok_or_else(|| MigrateError::NoKind(args.kind.clone()))?,
            )
        }
    };
    let existing = match (args.merge, args.replace) {
        (true, _) => Existing::Merge,
        (_, true) => Existing::Replace,
        _ => Existing::Refuse,
    };
    let mut console = Console(Progress::counting());
    let file = match (&args.live.from, &args.file) {
        (Some(from), _) => return run_live(&args.live, from, (into, existing), (loaded, &disk), &mut console),
        (None, file) => file.clone().unwrap_or_default(),
    };
    let options = ImportOptions { file, into, existing };
    let dir = loaded.config.storage.data_path();
    let created = disk.create_dir_all(&dir);
    created.map_err(|error| MigrateError::Create(dir.clone(), error))?;
    let offline = Offline::open(loaded, &disk, &mut console)?;
    let done = import(&offline, disk.as_ref(), &options, &mut console)?;
    let libraries = of_libraries(done.libraries);
    let mut text = format!("imported {} keys{libraries} into {}", done.keys, dir.display());
    if done.commands > 0 {
        text.push_str(&format!("; {} commands were run", done.commands));
    }
    if done.expired > 0 {
        text.push_str(&format!("; {} had expired", done.expired));
    }
    if done.void > 0 {
        text.push_str(&format!("; {} had no elements", done.void));
    }
    Ok(text)
}

/// The file that is to be written: where a link leads. What is no file is not replaced by one.
fn file_to_write(path: &Path) -> Outcome<PathBuf> {
    let Ok(found) = std::fs::metadata(path) else {
        return Ok(path.to_owned());
    };
    if !found.is_file() {
        return Err(MigrateError::NoFile(path.to_owned()));
    }
    if !path.is_symlink() {
        return Ok(path.to_owned());
    }
    path.canonicalize()
        .map_err(|error| MigrateError::Write(error).of_file(path.display()))
}

fn do_export(args: &ExportArgs, loaded: Loaded, disk: Arc<dyn Disk>) -> Outcome<String> {
    let dir = loaded.config.storage.data_path();
    if !dir.is_dir() {
        return Err(MigrateError::NoDirectory(dir));
    }
    let options = ExportOptions {
        file: file_to_write(&args.file)?,
        named: args.collection.clone(),
        skip_named: args.skip_named,
        force: args.force,
        version: args.rdb_version,
        skip_functions: args.skip_functions,
    };
    let mut console = Console(Progress::counting());
    let offline = Offline::open(loaded, &disk, &mut console)?;
    let done = export(&offline, disk.as_ref(), &options, &mut console)?;
    let file = options.file.display();
    let libraries = of_libraries(done.libraries);
    Ok(format!(
        "exported {} keys{libraries} to {file}: {} bytes, {}",
        done.keys, done.bytes, done.version
    ))
}

/// Libraries of functions, where there are some.
fn of_libraries(count: u64) -> String {
    match count {
        0 => String::new(),
        count => format!(" and {count} libraries of functions"),
    }
}
