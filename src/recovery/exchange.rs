//! The exchange of a data directory's checkpoints and log for restored ones, which is done as a whole.
//!
//! A journal in the data directory commits it; the renames follow. A program that opens the directory to use it
//! finishes an exchange that a crash cut short; one that only reads refuses.
//!
//! **Invariants**
//! - The journal appears when what is exchanged for is durable, and goes when all renames are.
//! - What was there is set aside, never removed.
//! - The last rename is that which puts the restored data in place: as long as it is not there, nothing is finished.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::storage::fault_point::fault_point;
use crate::storage::{Disk, FileError};
use crate::wal::Lsn;

/// The journal's name.
pub const JOURNAL: &str = "restore.lkj";
/// Stands in the name of a restored checkpoint until it is in place.
pub(super) const RESTORED: &str = "restored";
/// Stands in the name of what was there before.
pub(super) const SET_ASIDE: &str = "before";

/// See the module. Paths are relative to the data directory where they are in it, so that it can be moved.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exchange {
    /// The moment of the restored data, as it was asked for.
    pub to: String,
    /// Its last record.
    pub lsn: Lsn,
    /// Its keys.
    pub keys: u64,
    /// What makes the names of what is set aside, and of what is restored, unique.
    pub stamp: String,
    /// Where checkpoints are.
    pub checkpoints: PathBuf,
    /// Where the log is.
    pub wal: PathBuf,
}

/// Why an exchange cannot be done or finished.
#[derive(Debug)]
pub enum ExchangeError {
    /// The file system refused.
    File(FileError),
    /// Something cannot be moved.
    Move {
        /// This.
        from: PathBuf,
        /// To here.
        to: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// The journal is damaged.
    Damaged(PathBuf),
    /// The journal cannot be put into words.
    Encode(String),
    /// It had to be given up, and what was done could not be undone.
    Unfinished {
        /// Why it had to.
        why: Box<ExchangeError>,
        /// Why it could not.
        error: Box<ExchangeError>,
    },
}

impl From<FileError> for ExchangeError {
    fn from(error: FileError) -> Self {
        Self::File(error)
    }
}

impl fmt::Display for ExchangeError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(error) => error.fmt(out),
            Self::Move { from, to, error } => {
                write!(out, "cannot move {} to {}: {error}", from.display(), to.display())
            }
            Self::Damaged(journal) => write!(out, "{}: it is damaged", journal.display()),
            Self::Encode(why) => out.write_str(why),
            Self::Unfinished { why, error } => write!(
                out,
                "{why}; the restore has still to be finished, by the same restore again: {error}"
            ),
        }
    }
}

impl std::error::Error for ExchangeError {}

type Moved = Vec<(PathBuf, PathBuf)>;

impl Exchange {
    /// The one that was begun in `data_dir` and not finished, if any.
    ///
    /// # Errors
    /// When there is a journal that cannot be read.
    pub fn pending(disk: &dyn Disk, data_dir: &Path) -> Result<Option<Self>, ExchangeError> {
        let path = data_dir.join(JOURNAL);
        if !disk.exists(&path).map_err(FileError::at("look for", &path))? {
            return Ok(None);
        }
        let bytes = disk.read(&path).map_err(FileError::at("read", &path))?;
        let exchange = decode(&bytes).ok_or(ExchangeError::Damaged(path))?;
        Ok(Some(exchange))
    }

    /// Finishes the one that was begun in `data_dir`, if any: it, and where what was there is now.
    ///
    /// # Errors
    /// Why; it has still to be finished then.
    pub fn finish_pending(disk: &dyn Disk, data_dir: &Path) -> Result<Option<(Self, Vec<PathBuf>)>, ExchangeError> {
        let Some(pending) = Self::pending(disk, data_dir)? else {
            return Ok(None);
        };
        let aside = pending.finish(disk, data_dir)?;
        Ok(Some((pending, aside)))
    }

    /// What to say to whom it keeps from the directory.
    pub fn refusal(&self, data_dir: &Path) -> String {
        format!(
            "{}: a restore in place to {:?} was interrupted; the next start of the server finishes it, and so does the same \
             restore again",
            data_dir.join(JOURNAL).display(),
            self.to
        )
    }

    /// A path as the journal has it.
    pub fn place(data_dir: &Path, path: &Path) -> std::io::Result<PathBuf> {
        match path.strip_prefix(data_dir) {
            Ok(inside) => Ok(inside.to_owned()),
            Err(_) => std::path::absolute(path),
        }
    }

    /// Where the restored checkpoint is until it is in place.
    pub fn built(&self, data_dir: &Path) -> PathBuf {
        self.beside(&data_dir.join(&self.checkpoints), RESTORED)
    }

    /// Does it; returns where what was there is now.
    ///
    /// # Errors
    /// Why. Everything is as it was then, unless it says that it has still to be finished.
    pub fn carry_out(&self, disk: &dyn Disk, data_dir: &Path) -> Result<Vec<PathBuf>, ExchangeError> {
        let mut moved = Moved::new();
        let written = self.write(disk, data_dir);
        match written.and_then(|()| self.rename_all(disk, data_dir, &mut moved)) {
            Ok(()) => remove(disk, data_dir)?,
            Err(why) => return Err(undo(disk, data_dir, moved, why)),
        }
        Ok(self.set_aside(disk, data_dir))
    }

    /// Does what is left of it; returns where what was there is now.
    ///
    /// # Errors
    /// Why; it has still to be finished then.
    pub fn finish(&self, disk: &dyn Disk, data_dir: &Path) -> Result<Vec<PathBuf>, ExchangeError> {
        self.rename_all(disk, data_dir, &mut Moved::new())?;
        remove(disk, data_dir)?;
        Ok(self.set_aside(disk, data_dir))
    }

    fn set_aside(&self, disk: &dyn Disk, data_dir: &Path) -> Vec<PathBuf> {
        let places = [&self.checkpoints, &self.wal];
        let aside = places.map(|place| self.beside(&data_dir.join(place), SET_ASIDE));
        let is_there = |path: &PathBuf| disk.exists(path).unwrap_or(true);
        aside.into_iter().filter(is_there).collect()
    }

    fn beside(&self, path: &Path, what: &str) -> PathBuf {
        let mut name = path.file_name().unwrap_or_default().to_owned();
        name.push(format!(".{what}-{}", self.stamp));
        path.with_file_name(name)
    }

    fn write(&self, disk: &dyn Disk, data_dir: &Path) -> Result<(), ExchangeError> {
        let path = data_dir.join(JOURNAL);
        let temporary = data_dir.join(format!("{JOURNAL}.tmp"));
        // A crash may have left it.
        if disk.exists(&temporary).map_err(FileError::at("look for", &temporary))? {
            disk.remove(&temporary).map_err(FileError::at("remove", &temporary))?;
        }
        let bytes = self
            .encode()
            .map_err(|error| ExchangeError::Encode(error.to_string()))?;
        let mut file = disk.create(&temporary).map_err(FileError::at("create", &temporary))?;
        file.write_all(&bytes).map_err(FileError::at("write", &temporary))?;
        file.sync_data().map_err(FileError::at("sync", &temporary))?;
        fault_point("exchange.journal_written");
        disk.rename(&temporary, &path)
            .map_err(FileError::at("rename", &temporary))?;
        fault_point("exchange.journal_renamed");
        disk.sync_dir(data_dir).map_err(FileError::at("sync", data_dir))?;
        fault_point("exchange.journal_durable");
        Ok(())
    }

    fn encode(&self) -> serde_json::Result<Vec<u8>> {
        let text = serde_json::to_string(self)?;
        Ok(format!("{text}\n{:08x}\n", crc32c::crc32c(text.as_bytes())).into_bytes())
    }

    fn rename_all(&self, disk: &dyn Disk, data_dir: &Path, moved: &mut Moved) -> Result<(), ExchangeError> {
        let built = self.built(data_dir);
        if !disk.exists(&built).map_err(FileError::at("look for", &built))? {
            return Ok(());
        }
        let (checkpoints, wal) = (data_dir.join(&self.checkpoints), data_dir.join(&self.wal));
        move_if_there(disk, &wal, &self.beside(&wal, SET_ASIDE), moved)?;
        fault_point("exchange.log_aside");
        move_if_there(disk, &checkpoints, &self.beside(&checkpoints, SET_ASIDE), moved)?;
        fault_point("exchange.checkpoints_aside");
        move_if_there(disk, &built, &checkpoints, moved)?;
        fault_point("exchange.in_place");
        Ok(())
    }
}

fn decode(bytes: &[u8]) -> Option<Exchange> {
    let text = std::str::from_utf8(bytes).ok()?;
    let (text, crc) = text.strip_suffix('\n')?.rsplit_once('\n')?;
    let is_whole = crc == format!("{:08x}", crc32c::crc32c(text.as_bytes()));
    is_whole.then(|| serde_json::from_str(text).ok()).flatten()
}

fn move_if_there(disk: &dyn Disk, from: &Path, to: &Path, moved: &mut Moved) -> Result<(), ExchangeError> {
    if !disk.exists(from).map_err(FileError::at("look for", from))? {
        return Ok(());
    }
    disk.rename(from, to).map_err(cannot_move(from, to))?;
    moved.push((from.to_owned(), to.to_owned()));
    sync_parent(disk, from)
}

fn cannot_move(from: &Path, to: &Path) -> impl FnOnce(io::Error) -> ExchangeError {
    move |error| ExchangeError::Move {
        from: from.to_owned(),
        to: to.to_owned(),
        error,
    }
}

fn sync_parent(disk: &dyn Disk, path: &Path) -> Result<(), ExchangeError> {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    let parent = parent.unwrap_or(Path::new("."));
    Ok(disk.sync_dir(parent).map_err(FileError::at("sync", parent))?)
}

/// Puts back what was moved, and gives the exchange up; `why` it had to, and what became of it.
fn undo(disk: &dyn Disk, data_dir: &Path, moved: Moved, why: ExchangeError) -> ExchangeError {
    let put_back = |(from, to): &(PathBuf, PathBuf)| {
        disk.rename(to, from).map_err(cannot_move(to, from))?;
        sync_parent(disk, from)
    };
    let undone = moved.iter().rev().try_for_each(put_back);
    match undone.and_then(|()| remove(disk, data_dir)) {
        Ok(()) => why,
        Err(error) => ExchangeError::Unfinished {
            why: Box::new(why),
            error: Box::new(error),
        },
    }
}

fn remove(disk: &dyn Disk, data_dir: &Path) -> Result<(), ExchangeError> {
    let path = data_dir.join(JOURNAL);
    // Where writing it failed there may be none.
    if disk.exists(&path).map_err(FileError::at("look for", &path))? {
        disk.remove(&path).map_err(FileError::at("remove", &path))?;
    }
    fault_point("exchange.journal_removed");
    Ok(disk.sync_dir(data_dir).map_err(FileError::at("sync", data_dir))?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::RealDisk;

    fn exchange() -> Exchange {
        Exchange {
            to: "lsn 7".to_owned(),
            lsn: Lsn::new(7),
            keys: 3,
            stamp: "now".to_owned(),
            checkpoints: "checkpoint".into(),
            wal: "wal".into(),
        }
    }

    /// What is in the directory: the names of its folders, and what each file in them says.
    fn look(dir: &Path) -> Vec<(String, String)> {
        let mut found = Vec::new();
        for name in RealDisk.list(dir).unwrap() {
            let text = std::fs::read_to_string(dir.join(&name).join("file"));
            found.push((name.into_string().unwrap(), text.unwrap_or_default()));
        }
        found
    }

    fn make(dir: &Path, folders: &[&str]) {
        for folder in folders {
            std::fs::create_dir(dir.join(folder)).unwrap();
            std::fs::write(dir.join(folder).join("file"), folder).unwrap();
        }
    }

    fn said(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        let owned = |(name, text): &(&str, &str)| ((*name).to_owned(), (*text).to_owned());
        pairs.iter().map(owned).collect()
    }

    #[test]
    fn a_journal_reads_back_and_every_flipped_bit_is_seen() {
        let bytes = exchange().encode().unwrap();
        assert_eq!(decode(&bytes), Some(exchange()));
        for at in 0..bytes.len() * 8 {
            let mut flipped = bytes.clone();
            flipped[at / 8] ^= 1 << (at % 8);
            assert_eq!(decode(&flipped), None, "bit {at}");
        }
    }

    #[test]
    fn a_folder_that_is_not_there_is_none_to_set_aside() {
        let dir = tempfile::tempdir().unwrap();
        make(dir.path(), &["checkpoint.restored-now", "wal"]);
        let aside = exchange().carry_out(&RealDisk, dir.path()).unwrap();
        assert_eq!(aside, [dir.path().join("wal.before-now")]);
        let expected = [("checkpoint", "checkpoint.restored-now"), ("wal.before-now", "wal")];
        assert_eq!(look(dir.path()), said(&expected));
        assert_eq!(Exchange::pending(&RealDisk, dir.path()).unwrap(), None);
    }

    #[test]
    fn what_cannot_be_moved_leaves_all_as_it_was() {
        let dir = tempfile::tempdir().unwrap();
        make(
            dir.path(),
            &["checkpoint", "checkpoint.before-now", "checkpoint.restored-now", "wal"],
        );
        let before = look(dir.path());
        let why = exchange().carry_out(&RealDisk, dir.path()).unwrap_err().to_string();
        assert!(why.starts_with("cannot move"), "{why}");
        assert_eq!(look(dir.path()), before);
    }
}
