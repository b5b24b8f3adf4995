//! `lokikv verify`: everything in a data directory read back, nothing changed.
//!
//! Older checkpoints and persisted collections are read too, which recovery leaves alone. Whether the log's effects
//! make sense for the data is only known by replaying them, which is not done here.
//!
//! **Invariant:** a file that recovery would find damaged, missing or unknown is a fault; a torn tail is none.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::checkpoint::files::catalog;
use crate::checkpoint::files::control::Control;
use crate::checkpoint::files::format::ManifestKind;
use crate::checkpoint::files::manifest::Manifest;
use crate::checkpoint::files::persisted::persisted_manifests;
use crate::checkpoint::files::verify::{Event, Expected, verify_manifest};
use crate::engine::effect::decode_all;
use crate::storage::Disk;
use crate::wal::{LogNote, Lsn, Reader, WalError};

/// Records between two reports.
const REPORT_RECORDS: u64 = 1 << 14;

/// What is told while a directory is verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finding {
    /// Something is whole.
    Good(String),
    /// Nothing is wrong, but whoever looks may want to know.
    Note(String),
    /// Damaged, missing or unknown, with file and place.
    Fault(String),
    /// How far the reading of something is, in bytes; told often.
    Read {
        /// Of what.
        what: &'static str,
        /// Read.
        done: u64,
        /// In all.
        total: u64,
    },
}

/// Where everything is.
#[derive(Clone, Debug)]
pub struct Folders {
    /// Checkpoints.
    pub checkpoints: PathBuf,
    /// Persisted collections.
    pub persisted: PathBuf,
    /// The log.
    pub log: PathBuf,
}

/// Reads everything in `folders`; returns the number of faults, each of which `tell` is told.
pub fn verify(disk: &Arc<dyn Disk>, folders: &Folders, tell: &mut dyn FnMut(Finding)) -> u64 {
    let mut faults = 0;
    let mut verifier = Verifier {
        disk,
        tell: &mut |finding| {
            faults += u64::from(matches!(finding, Finding::Fault(_)));
            tell(finding);
        },
    };
    let last = verifier.checkpoints(&folders.checkpoints);
    verifier.persisted(&folders.persisted);
    verifier.log(folders, last);
    faults
}

struct Verifier<'a> {
    disk: &'a Arc<dyn Disk>,
    tell: &'a mut dyn FnMut(Finding),
}

impl Verifier<'_> {
    fn fault(&mut self, error: &impl ToString) {
        (self.tell)(Finding::Fault(error.to_string()));
    }

    /// Returns the LSN of the newest checkpoint, 0 without one that can be read.
    fn checkpoints(&mut self, dir: &Path) -> Lsn {
        let manifests = match catalog::manifests(self.disk.as_ref(), dir) {
            Ok(manifests) => manifests,
            Err(error) => {
                self.fault(&error);
                return Lsn::ZERO;
            }
        };
        let control = self.control(dir, &manifests);
        let mut last = Lsn::ZERO;
        for (id, path) in manifests {
            let expected = Expected {
                kind: ManifestKind::Checkpoint,
                id: Some(id),
            };
            if let Some(manifest) = self.manifest(&format!("checkpoint {id}"), &path, expected) {
                last = manifest.head.lsn;
                let data_set = manifest.head.data_set;
                if let Some(control) = control.as_ref().filter(|control| control.data_set != data_set) {
                    let expected = control.data_set;
                    self.fault(&format!(
                        "{} is of data set {data_set:032x}, the control file of {expected:032x}",
                        path.display()
                    ));
                }
            }
        }
        last
    }

    /// The control file: whole, and what it names there.
    fn control(&mut self, dir: &Path, manifests: &[(u64, PathBuf)]) -> Option<Control> {
        let disk = self.disk.as_ref();
        if let Err(error) = catalog::committed(disk, dir) {
            self.fault(&error);
        }
        // What is wrong with it has just been told.
        let control = Control::read(disk, dir).ok()??;
        let is_there = |id: &u64| manifests.iter().any(|(there, _)| there == id);
        for id in control.pins.iter().filter(|id| !is_there(id)) {
            self.fault(&format!(
                "{}: checkpoint {id} is pinned, but its manifest {} is missing",
                Control::path(dir).display(),
                catalog::manifest_name(*id)
            ));
        }
        let (id, lsn, pins) = (control.checkpoint, control.lsn, control.pins.len());
        (self.tell)(Finding::Good(format!(
            "control file: checkpoint {id} at LSN {lsn} was committed last, {pins} pinned"
        )));
        Some(control)
    }

    fn persisted(&mut self, dir: &Path) {
        let persisted = match persisted_manifests(self.disk.as_ref(), dir) {
            Ok(persisted) => persisted,
            Err(error) => return self.fault(&error),
        };
        for (name, path) in persisted {
            let expected = Expected {
                kind: ManifestKind::Persisted,
                id: None,
            };
            self.manifest(&format!("persisted collection {name:?}"), &path, expected);
        }
    }

    fn manifest(&mut self, what: &str, path: &Path, expected: Expected) -> Option<Manifest> {
        let mut whole = true;
        let manifest = verify_manifest(self.disk.as_ref(), path, expected, &mut |event| match event {
            Event::Fault(error) => {
                whole = false;
                (self.tell)(Finding::Fault(format!("{what}: {error}")));
            }
            Event::Read { done, total } => (self.tell)(Finding::Read {
                what: "pages",
                done,
                total,
            }),
        });
        if let Some(Manifest { head, libraries, .. }) = manifest.as_ref().filter(|_| whole) {
            let (lsn, pages, entries) = (head.lsn, head.pages, head.entries);
            let libraries = match libraries.len() {
                0 => String::new(),
                libraries => format!(", {libraries} libraries of functions"),
            };
            (self.tell)(Finding::Good(format!(
                "{what}: LSN {lsn}, {pages} pages, {entries} entries{libraries}"
            )));
        }
        manifest
    }

    /// The log: what recovery would read after the checkpoint at `last`, and what is kept from before it.
    fn log(&mut self, folders: &Folders, last: Lsn) {
        let (dir, disk) = (&folders.log, self.disk.as_ref());
        let note = LogNote::read(disk, &folders.checkpoints).unwrap_or_else(|error| {
            self.fault(&error);
            None
        });
        let checked = note.map_or(Ok(()), |note| note.check(disk, &folders.checkpoints, dir));
        if let Err(error) = checked {
            self.fault(&error);
        }
        match Reader::oldest_lsn(self.disk.as_ref(), dir) {
            Ok(None) => {}
            Ok(Some(oldest)) => {
                if oldest <= last
                    && let Err(error) = self.records(dir, oldest, last)
                {
                    self.before(&error);
                }
                let read = self.records(dir, last.next(), Lsn::MAX);
                let checked = read.and_then(|next| match note {
                    Some(note) => note.check_end(&folders.checkpoints, next),
                    None => Ok(()),
                });
                if let Err(error) = checked {
                    self.fault(&error);
                }
            }
            Err(error) => self.fault(&error),
        }
    }

    /// What is wrong with the log before the newest checkpoint. A gap there is what a time without a log leaves.
    fn before(&mut self, error: &WalError) {
        match error {
            WalError::Missing { .. } => (self.tell)(Finding::Note(format!("before the newest checkpoint: {error}"))),
            _ => self.fault(error),
        }
    }

    /// Reads the records from `from` to `to`, effects included; returns the LSN after the last one in the log.
    fn records(&mut self, dir: &Path, from: Lsn, to: Lsn) -> Result<Lsn, WalError> {
        let mut reader = Reader::open(Arc::clone(self.disk), dir, from)?;
        let (mut records, mut effects) = (0_u64, 0_u64);
        let mut unknown = None;
        while let Some(record) = reader.next()? {
            if record.lsn > to {
                break;
            }
            let lsn = record.lsn;
            records += 1;
            let is_due = records.is_multiple_of(REPORT_RECORDS);
            for effect in decode_all(record.payload) {
                match effect {
                    Ok(_) => effects += 1,
                    Err(reason) => unknown = Some(format!("the record at LSN {lsn} is not understood: {reason}")),
                }
            }
            if let Some(reason) = unknown.take() {
                let (file, offset) = reader.position().unwrap_or((dir, 0));
                self.fault(&format!("{} at byte {offset}: {reason}", file.display()));
            }
            if is_due {
                let (done, total) = reader.progress();
                (self.tell)(Finding::Read {
                    what: "log",
                    done,
                    total,
                });
            }
        }
        // Told by the reading that goes to the end.
        if let Some(tail) = reader.tail().filter(|tail| to == Lsn::MAX && !tail.is_blank) {
            (self.tell)(Finding::Note(format!(
                "the log ends torn: the next start cuts {} bytes off {} at byte {} ({})",
                tail.bytes,
                tail.file.display(),
                tail.offset,
                tail.reason
            )));
        }
        if records > 0 {
            let last = from.saturating_add(records - 1);
            (self.tell)(Finding::Good(format!(
                "log: LSN {from} to {last}, {records} records, {effects} effects"
            )));
        }
        Ok(reader.next_lsn())
    }
}
