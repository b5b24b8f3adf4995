//! From what a Redis or a Valkey has written into a data directory: a file in the RDB format, an append-only file, or
//! several of those.
//!
//! **Invariant:** nothing is dropped without a word: what is skipped is counted or noted, all else is an error.

use std::io::{Cursor, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::aof::CommandsError;
use super::aof::manifest::{Listed, listed};
use super::aof::reader::CommandReader;
use super::aof::replay::Replay;
use super::file::InputFile;
use super::library::{put_libraries, titled};
use super::offline::{Incoming, Offline};
use super::targets::{Existing, Into, Targets};
use super::{MigrateError, Observer, Outcome};
use crate::checkpoint::CheckpointDone;
use crate::engine::libraries::Library;
use crate::rdb::convert::stored;
use crate::rdb::{Entry, Event, Reader, is_rdb};
use crate::storage::Disk;

/// How many keys between two looks at the clock and two words to the observer.
const BATCH_KEYS: u64 = 1024;
/// So many bytes tell what a file is.
const MAGIC_BYTES: u64 = 9;
/// Remarks of a beginning behind which commands are to follow, by Redis 7 and those before.
const BEGINNINGS: [&[u8]; 2] = [b"aof-base", b"aof-preamble"];

/// What to import, and how.
#[derive(Clone, Debug)]
pub struct ImportOptions {
    /// The file, or the folder of an append-only file's parts.
    pub file: PathBuf,
    /// Where to.
    pub into: Into,
    /// What to do with keys that are there.
    pub existing: Existing,
}

/// What an import did.
#[derive(Clone, Copy, Debug)]
pub struct Imported {
    /// Keys that are there now.
    pub keys: u64,
    /// Commands that were run.
    pub commands: u64,
    /// Libraries of functions in the file.
    pub libraries: u64,
    /// Keys left out because they had expired.
    pub expired: u64,
    /// Containers left out because they had no elements.
    pub void: u64,
    /// The checkpoint that has them.
    pub checkpoint: CheckpointDone,
}

/// Imports a file, or several that belong together.
///
/// # Errors
/// A file is damaged or holds what cannot be kept, or there are keys already. Nothing has changed.
pub fn import(
    offline: &Offline,
    disk: &dyn Disk,
    options: &ImportOptions,
    observer: &mut dyn Observer,
) -> Outcome<Imported> {
    let Listed { files, is_log } = listed(disk, &options.file)?;
    let mut import = Import {
        offline,
        targets: Targets::new(offline, &options.into, options.existing),
        replay: Replay::new(offline, is_log)?,
        libraries: Vec::new(),
        counts: Counts::default(),
        observer,
    };
    for (number, path) in files.iter().enumerate() {
        let place = Place {
            is_first: number == 0,
            is_last: number + 1 == files.len(),
        };
        let done = import.file(disk, path, place);
        done.map_err(|error| error.of_file(path.display()))?;
    }
    import.replay.end();
    let Counts {
        expired,
        void,
        libraries,
        ..
    } = import.counts;
    let commands = import.replay.commands();
    // What commands make and remove is seen at the end.
    let (keys, libraries) = match commands {
        0 => (import.counts.keys, libraries),
        _ => {
            let libraries = offline.engine().registry().libraries().len();
            (import.targets.keys()?, libraries as u64)
        }
    };
    Ok(Imported {
        keys,
        commands,
        libraries,
        expired,
        void,
        checkpoint: offline.checkpoint()?,
    })
}

#[derive(Default)]
struct Counts {
    seen: u64,
    keys: u64,
    expired: u64,
    void: u64,
    libraries: u64,
}

/// Of a file among others.
#[derive(Clone, Copy)]
struct Place {
    is_first: bool,
    is_last: bool,
}

struct Import<'a> {
    offline: &'a Offline,
    targets: Targets<'a>,
    replay: Replay<'a>,
    /// The libraries of functions of the file that is being read.
    libraries: Vec<Arc<Library>>,
    counts: Counts,
    observer: &'a mut dyn Observer,
}

impl Import<'_> {
    fn file(&mut self, disk: &dyn Disk, path: &Path, place: Place) -> Outcome<()> {
        let (mut file, len) = InputFile::open(disk, path).map_err(MigrateError::Read)?;
        let mut magic = Vec::new();
        let begun = (&mut file).take(MAGIC_BYTES).read_to_end(&mut magic);
        begun.map_err(MigrateError::Read)?;
        let has_data = is_rdb(&magic);
        let is_log = matches!(magic.first(), Some(b'*' | b'#')) || magic.is_empty() && self.replay.is_log();
        let whole = Cursor::new(magic).chain(file);
        if has_data && place.is_first {
            let (rest, at) = self.data(whole, len)?;
            self.commands(CommandReader::new(rest, at), len, place)?;
        } else if is_log {
            self.commands(CommandReader::new(whole, 0), len, place)?;
        } else {
            return Err(MigrateError::NoFormat);
        }
        self.observer.progress("bytes of the file", len, len);
        Ok(())
    }

    /// Reads what is in the RDB format; what follows, and where that is.
    fn data<R: Read>(&mut self, input: R, len: u64) -> Outcome<(impl Read + use<R>, u64)> {
        let mut reader = Reader::of_part(input)?;
        while let Some(event) = reader.next()? {
            match event {
                Event::Entry(entry) => self.entry(entry)?,
                Event::Function { code } => self.library(&code)?,
                Event::OldFunction { name } => {
                    let name = name.escape_ascii();
                    self.observer.note(&format!(
                        "skipped a library of functions from before Redis 7.0.0: {name}"
                    ));
                }
                Event::ModuleData { module } => {
                    self.observer.note(&format!("skipped data of the module type {module}"));
                }
                Event::Remark { name, value } if value == b"1" && BEGINNINGS.contains(&name.as_slice()) => {
                    self.replay.expect_commands();
                }
                Event::Remark { .. } | Event::Size { .. } => {}
            }
            if self.counts.seen.is_multiple_of(BATCH_KEYS) {
                self.observer.progress("bytes of the file", reader.position(), len);
            }
        }
        self.counts.libraries += self.put_libraries()?;
        let at = reader.position();
        Ok((reader.into_rest(), at))
    }

    fn commands<R: Read>(&mut self, reader: CommandReader<R>, len: u64, place: Place) -> Outcome<()> {
        let observer = &mut *self.observer;
        let torn = self.replay.run_file(&mut self.targets, reader, |at| {
            observer.progress("bytes of the file", at, len);
        })?;
        match torn {
            None => Ok(()),
            Some(at) if place.is_last => {
                self.observer.note(&format!(
                    "the file ends in the middle of a command or transaction, which is left out: {} bytes from byte {at} on",
                    len.saturating_sub(at)
                ));
                Ok(())
            }
            Some(at) => Err(CommandsError::Torn(at).into()),
        }
    }

    fn entry(&mut self, entry: Entry) -> Outcome<()> {
        let collection = self.targets.collection(entry.db)?;
        self.counts.seen += 1;
        if self.counts.seen.is_multiple_of(BATCH_KEYS) {
            self.offline.turn();
        }
        let (key, now_ms) = (entry.key, self.offline.cx.worker.borrow().now_ms());
        if entry.expires_at_ms.is_some_and(|at_ms| at_ms <= now_ms as i64) {
            self.counts.expired += 1;
            return Ok(());
        }
        if entry.object.is_void() {
            self.counts.void += 1;
            return Ok(());
        }
        let stored = stored(entry.object, self.offline.engine().thresholds(), now_ms)
            .map_err(|reason| MigrateError::Value(reason).of_key(&key))?;
        let Some(stored) = stored else {
            // A hash all of whose fields have expired.
            self.counts.expired += 1;
            return Ok(());
        };
        let incoming = Incoming {
            key: &key,
            value: stored.value(),
            expires_at_ms: entry.expires_at_ms.map(|at_ms| at_ms as u64),
            idle_s: entry.idle_s,
        };
        let may_replace = self.targets.existing == Existing::Merge;
        if !self.offline.put(&collection, &incoming, may_replace) {
            return Err(MigrateError::Twice(entry.db).of_key(&key));
        }
        self.counts.keys += 1;
        Ok(())
    }

    fn library(&mut self, code: &[u8]) -> Outcome<()> {
        let library = titled(code)?;
        if self.libraries.iter().any(|other| other.name == library.name) {
            return Err(MigrateError::LibraryTwice(library.name.to_vec()));
        }
        self.libraries.push(Arc::new(library));
        Ok(())
    }

    /// Puts the file's libraries; how many there are.
    fn put_libraries(&mut self) -> Outcome<u64> {
        put_libraries(
            self.offline,
            self.targets.existing,
            &std::mem::take(&mut self.libraries),
        )
    }
}
