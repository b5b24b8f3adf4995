//! The manifest of a backup: what is in it, and what every file of it is.
//!
//! A line of JSON, and a line with its SHA-256.
//!
//! **Invariant:** what was read has matched its digest, and names only files in the folders of a backup.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::digest;
use super::error::BackupError;
use crate::recovery::{Until, moment};
use crate::storage::fault_point::fault_point;
use crate::storage::{Disk, FileError};
use crate::wal::Lsn;

/// Its name.
pub const MANIFEST: &str = "backup.lkb";
/// Its name until it is whole: it is there, empty, before anything else of a backup.
pub const TEMPORARY: &str = "backup.lkb.tmp";
/// The folder of checkpoints in a backup, as in a data directory.
pub const CHECKPOINTS: &str = "checkpoint";
/// That of the log.
pub const LOG: &str = "wal";

const FORMAT: u32 = 1;

/// No backup has a greater number: bytes, times, or records.
const NUMBER_MAX: u64 = 1 << 60;

/// A file of a backup.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackupFile {
    /// Where it is in the backup: folder and name.
    pub path: String,
    /// How long it is.
    pub bytes: u64,
    /// Its SHA-256, in hexadecimal.
    pub sha256: String,
}

/// A checkpoint in a backup.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Snapshot {
    /// Its identity.
    pub id: u64,
    /// Its instant.
    pub lsn: Lsn,
    /// When that was, Unix milliseconds.
    pub wall_ms: u64,
}

/// The log in a backup.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogPart {
    /// Its first record.
    pub first: Lsn,
    /// When that was written, Unix milliseconds.
    pub first_ms: u64,
}

/// See the module.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// The version of its layout.
    pub format: u32,
    /// Which version of the program has written it.
    pub program: String,
    /// Where the server was.
    pub source: String,
    /// The data set, in hexadecimal.
    pub data_set: String,
    /// All that was written by then is in it, Unix milliseconds.
    pub taken_ms: u64,
    /// The last record in it.
    pub lsn: Lsn,
    /// Oldest first.
    pub checkpoints: Vec<Snapshot>,
    /// From where on there is every record up to the last one; `None`: there are checkpoints only.
    pub log: Option<LogPart>,
    /// Bytes that no backup before it had.
    pub new_bytes: u64,
    /// All files but this one.
    pub files: Vec<BackupFile>,
}

impl Manifest {
    /// The version that is written.
    pub const fn format() -> u32 {
        FORMAT
    }

    /// As it stands in the file.
    fn encode(&self) -> Result<Vec<u8>, BackupError> {
        let mut text =
            serde_json::to_vec(self).map_err(|error| BackupError::damaged(Path::new(MANIFEST), error.to_string()))?;
        let digest = digest::of_bytes(&text);
        text.push(b'\n');
        text.extend_from_slice(digest.as_bytes());
        text.push(b'\n');
        Ok(text)
    }

    fn decode(path: &Path, bytes: &[u8]) -> Result<Self, BackupError> {
        let damaged = |why: &str| BackupError::damaged(path, why);
        let mut lines = bytes.split_inclusive(|byte| *byte == b'\n');
        let (first, second) = (lines.next(), lines.next());
        let parts = first.and_then(|line| line.strip_suffix(b"\n")).zip(second);
        let (text, digest) = parts.ok_or_else(|| damaged("it is cut short"))?;
        if lines.next().is_some() || digest.strip_suffix(b"\n") != Some(digest::of_bytes(text).as_bytes()) {
            return Err(damaged("its checksum does not match"));
        }
        #[derive(Deserialize)]
        struct Version {
            format: u32,
        }
        let not_understood = |error: serde_json::Error| BackupError::damaged(path, error.to_string());
        let version: Version = serde_json::from_slice(text).map_err(not_understood)?;
        if version.format != FORMAT {
            return Err(BackupError::Version(path.to_owned(), version.format));
        }
        let manifest: Self = serde_json::from_slice(text).map_err(not_understood)?;
        if let Some(file) = manifest.files.iter().find(|file| !is_inside(&file.path)) {
            return Err(damaged(&format!("it names {:?}, which is in no backup", file.path)));
        }
        if !manifest.has_possible_numbers() {
            return Err(damaged("it has an impossible number"));
        }
        Ok(manifest)
    }

    /// Whether no number is so great that it was never written, and sums of them are numbers, too.
    fn has_possible_numbers(&self) -> bool {
        let snapshots = self.checkpoints.iter();
        let of_snapshots = snapshots.flat_map(|snapshot| [snapshot.id, snapshot.lsn.get(), snapshot.wall_ms]);
        let of_log = self.log.iter().flat_map(|log| [log.first.get(), log.first_ms]);
        let of_files = self.files.iter().map(|file| file.bytes);
        let bytes = of_files.fold(0_u64, u64::saturating_add);
        [self.taken_ms, self.lsn.get(), self.new_bytes, bytes]
            .into_iter()
            .chain(of_snapshots)
            .chain(of_log)
            .all(|number| number <= NUMBER_MAX)
    }

    /// Whether there is one in `dir`, or that cannot be told.
    pub fn is_in(disk: &dyn Disk, dir: &Path) -> bool {
        disk.exists(&dir.join(MANIFEST)).unwrap_or(true)
    }

    /// That of the backup in `dir`; `None`: there is no whole backup.
    ///
    /// # Errors
    /// When it is damaged or of another version, or cannot be read.
    pub fn read(disk: &dyn Disk, dir: &Path) -> Result<Option<Self>, BackupError> {
        let path = dir.join(MANIFEST);
        if !disk.exists(&path).map_err(FileError::at("look for", &path))? {
            return Ok(None);
        }
        let bytes = disk.read(&path).map_err(FileError::at("read", &path))?;
        Self::decode(&path, &bytes).map(Some)
    }

    /// Makes a backup of `dir`, in which all files are durable, and `backup.lkb.tmp` is there, empty.
    ///
    /// # Errors
    /// When the disk refuses; after the rename it may be one.
    pub fn write(&self, disk: &dyn Disk, dir: &Path) -> Result<(), BackupError> {
        let temporary = dir.join(TEMPORARY);
        let path = dir.join(MANIFEST);
        let opened = disk.open_append(&temporary);
        let mut file = opened.map_err(FileError::at("open", &temporary))?;
        file.write_all(&self.encode()?)
            .map_err(FileError::at("write", &temporary))?;
        file.sync_data().map_err(FileError::at("sync", &temporary))?;
        fault_point("backup.manifest_written");
        disk.rename(&temporary, &path)
            .map_err(FileError::at("rename", &temporary))?;
        fault_point("backup.manifest_renamed");
        disk.sync_dir(dir).map_err(FileError::at("sync", dir))?;
        Ok(())
    }

    /// The file of this name, if it is in it.
    pub fn file(&self, path: &str) -> Option<&BackupFile> {
        self.files.iter().find(|file| file.path == path)
    }

    /// Bytes of all files.
    pub fn bytes(&self) -> u64 {
        self.files.iter().map(|file| file.bytes).sum()
    }

    /// From which moment on every one can be restored: LSN and time.
    pub fn from(&self) -> Option<(Lsn, u64)> {
        let log = self.log?;
        if log.first <= Lsn::FIRST {
            return Some((Lsn::FIRST, log.first_ms));
        }
        let base = self
            .checkpoints
            .iter()
            .find(|snapshot| snapshot.lsn.next() >= log.first);
        base.map(|snapshot| (snapshot.lsn, snapshot.wall_ms))
    }

    /// Checkpoints before that, each of which can be restored.
    pub fn apart(&self) -> impl Iterator<Item = &Snapshot> {
        let from = self.from().map_or(Lsn::MAX, |(lsn, _)| lsn);
        self.checkpoints.iter().filter(move |snapshot| snapshot.lsn < from)
    }

    /// Whether that moment can be restored from it.
    pub fn has(&self, until: Until) -> bool {
        match (until, self.from()) {
            (Until::Lsn(lsn), Some((from, _))) if (from..=self.lsn).contains(&lsn) => true,
            (Until::Lsn(lsn), _) => self.checkpoints.iter().any(|snapshot| snapshot.lsn == lsn),
            (Until::Time(at_ms), Some(from)) => (self.earliest_ms(from)..=self.taken_ms).contains(&at_ms),
            (Until::Time(at_ms), None) => self.checkpoint_of(at_ms).is_some(),
        }
    }

    /// From which time on it surely has a moment: where the clock went back within it, that of a later checkpoint.
    fn earliest_ms(&self, (from, from_ms): (Lsn, u64)) -> u64 {
        let later = self.checkpoints.iter().filter(|snapshot| snapshot.lsn >= from);
        later.map(|snapshot| snapshot.wall_ms).fold(from_ms, u64::min)
    }

    /// Whether only its log could tell if that moment can be restored from it: the clock went back within it, behind
    /// where it begins.
    pub fn may_have(&self, until: Until) -> bool {
        match (until, self.from()) {
            (Until::Time(at_ms), Some((_, from_ms))) => at_ms <= self.taken_ms && self.taken_ms < from_ms,
            _ => false,
        }
    }

    /// Whether it is a time that is looked for between two others: not that of a checkpoint, nor an LSN.
    pub fn is_of_span(&self, until: Until) -> bool {
        matches!(until, Until::Time(_)) && self.from().is_some()
    }

    /// The newest checkpoint of exactly that time.
    fn checkpoint_of(&self, at_ms: u64) -> Option<&Snapshot> {
        self.checkpoints.iter().rfind(|snapshot| snapshot.wall_ms == at_ms)
    }

    /// A moment that it has, as it is to be restored; `None`: its last one. Without a log a time is that of a
    /// checkpoint.
    pub fn moment(&self, until: Option<Until>) -> Until {
        match until {
            None => Until::Lsn(self.lsn),
            Some(Until::Time(at_ms)) if self.from().is_none() => {
                let snapshot = self.checkpoint_of(at_ms);
                snapshot.map_or(Until::Time(at_ms), |snapshot| Until::Lsn(snapshot.lsn))
            }
            Some(until) => until,
        }
    }

    /// What can be restored from it, in words.
    pub fn reach(&self) -> String {
        let mut parts: Vec<String> = self
            .apart()
            .map(|snapshot| at(snapshot.lsn, snapshot.wall_ms))
            .collect();
        if let Some((lsn, ms)) = self.from() {
            parts.push(format!("{} to {}", at(lsn, ms), at(self.lsn, self.taken_ms)));
        }
        parts.join(", ")
    }
}

fn at(lsn: Lsn, wall_ms: u64) -> String {
    format!("LSN {lsn} ({})", moment::show(wall_ms))
}

/// Whether that is a file in one of the two folders.
fn is_inside(path: &str) -> bool {
    let parts = path.split_once('/');
    parts.is_some_and(|(folder, name)| {
        [CHECKPOINTS, LOG].contains(&folder) && !name.is_empty() && !name.contains('/') && name != ".." && name != "."
    })
}

/// Where a file is in the backup `dir`.
pub fn place(dir: &Path, path: &str) -> PathBuf {
    dir.join(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manifest() -> Manifest {
        let snapshot = |id, lsn, wall_ms| Snapshot {
            id,
            lsn: Lsn::new(lsn),
            wall_ms,
        };
        Manifest {
            format: FORMAT,
            program: "0".to_owned(),
            source: "redis://a:1".to_owned(),
            data_set: "00".to_owned(),
            taken_ms: 900,
            lsn: Lsn::new(90),
            checkpoints: vec![snapshot(1, 10, 100), snapshot(3, 50, 500), snapshot(4, 80, 800)],
            log: Some(LogPart {
                first: Lsn::new(40),
                first_ms: 400,
            }),
            new_bytes: 5,
            files: vec![BackupFile {
                path: "wal/a".to_owned(),
                bytes: 5,
                sha256: digest::of_bytes(b"12345"),
            }],
        }
    }

    #[test]
    fn reads_back_and_every_flipped_bit_is_seen() {
        let path = Path::new("m");
        let bytes = manifest().encode().unwrap();
        assert_eq!(Manifest::decode(path, &bytes).unwrap(), manifest());
        for at in 0..bytes.len() * 8 {
            let mut flipped = bytes.clone();
            flipped[at / 8] ^= 1 << (at % 8);
            assert!(Manifest::decode(path, &flipped).is_err(), "bit {at}");
        }
        for cut in 0..bytes.len() {
            assert!(Manifest::decode(path, &bytes[..cut]).is_err(), "{cut} bytes");
        }
    }

    #[test]
    fn impossible_numbers_are_damage() {
        let change: [fn(&mut Manifest); 5] = [
            |manifest| manifest.files[0].bytes = u64::MAX,
            |manifest| manifest.files.iter_mut().for_each(|file| file.bytes = NUMBER_MAX),
            |manifest| manifest.lsn = Lsn::new(u64::MAX),
            |manifest| manifest.taken_ms = 1 << 63,
            |manifest| manifest.checkpoints[0].wall_ms = u64::MAX,
        ];
        for change in change {
            let mut changed = manifest();
            changed.files.push(changed.files[0].clone());
            assert!(Manifest::decode(Path::new("m"), &changed.encode().unwrap()).is_ok());
            change(&mut changed);
            assert!(Manifest::decode(Path::new("m"), &changed.encode().unwrap()).is_err());
        }
    }

    #[test]
    fn what_can_be_restored() {
        let mut manifest = manifest();
        let lsn = |lsn| Until::Lsn(Lsn::new(lsn));
        let found = [9, 10, 11, 40, 49, 50, 77, 90, 91].map(|number| manifest.has(lsn(number)));
        assert_eq!(found, [false, true, false, false, false, true, true, true, false]);
        let found = [100, 499, 500, 900, 901].map(|ms| manifest.has(Until::Time(ms)));
        assert_eq!(found, [false, false, true, true, false]);
        manifest.log = None;
        assert!(manifest.has(lsn(80)) && !manifest.has(lsn(81)) && !manifest.has(Until::Time(600)));
        // Without a log its times are those of the checkpoints.
        let found = [100, 101, 500, 800, 900].map(|ms| manifest.has(Until::Time(ms)));
        assert_eq!(found, [true, false, true, true, false]);
        assert_eq!(manifest.moment(Some(Until::Time(500))), lsn(50));
        assert_eq!(manifest.moment(None), lsn(90));
        manifest.log = Some(LogPart {
            first: Lsn::FIRST,
            first_ms: 50,
        });
        assert!(manifest.has(lsn(1)) && manifest.has(Until::Time(50)) && !manifest.has(Until::Time(49)));
    }

    #[test]
    fn times_of_a_backup_within_which_the_clock_went_back() {
        let mut manifest = manifest();
        let found = |manifest: &Manifest, at_ms| {
            let until = Until::Time(at_ms);
            (manifest.has(until), manifest.may_have(until))
        };
        assert_eq!(found(&manifest, 300), (false, false));
        // It begins with the second checkpoint, and the third one is of an earlier time.
        manifest.checkpoints[1].wall_ms = 950;
        let told = [300, 799, 800, 900, 901].map(|at_ms| found(&manifest, at_ms));
        let expected = [(false, true), (false, true), (true, true), (true, true), (false, false)];
        assert_eq!(told, expected);
        // Nothing but the log tells where it went back.
        manifest.checkpoints[2].wall_ms = 960;
        let told = [900, 901, 950].map(|at_ms| found(&manifest, at_ms));
        assert_eq!(told, [(false, true), (false, false), (false, false)]);
        assert!(!manifest.may_have(Until::Lsn(Lsn::new(60))) && manifest.has(Until::Lsn(Lsn::new(60))));
        manifest.log = None;
        assert_eq!(found(&manifest, 900), (false, false));
    }

    #[test]
    fn files_are_in_the_two_folders() {
        assert!(is_inside("wal/a") && is_inside("checkpoint/a"));
        for path in [
            "wal",
            "wal/",
            "wal/..",
            "wal/a/b",
            "/etc/a",
            "../wal/a",
            "persist/a",
            "",
        ] {
            assert!(!is_inside(path), "{path}");
        }
    }
}
