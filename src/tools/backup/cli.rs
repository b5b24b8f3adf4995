//! `lokikv backup --list` and `--verify`.

use std::io::{self, BufWriter, Write};
use std::path::Path;

use super::check::{check, content};
use super::error::BackupError;
use super::store::{Backup, Place};
use crate::config::cli::{EXIT_FAILURE, EXIT_OK};
use crate::fields;
use crate::recovery::moment;
use crate::storage::{Disk, RealDisk};
use crate::tools::Progress;
use crate::tools::cli::fail;
use crate::tools::report::Report;

fn look(dir: &Path) -> Result<Place, BackupError> {
    let place = Place::look(&RealDisk, dir)?;
    place.ok_or_else(|| BackupError::NoBackup(dir.to_owned()))
}

/// Shows which backups there are, and what can be restored from each; the exit code.
pub fn list(dir: &Path, as_json: bool) -> u8 {
    let place = match look(dir) {
        Ok(place) => place,
        Err(why) => return fail(&why.to_string()),
    };
    let mut out = BufWriter::new(io::stdout().lock());
    let shown = show(&place, &mut Report::new(&mut out, as_json)).and_then(|()| out.flush());
    for (_, error) in &place.damaged {
        eprintln!("lokikv: {error}");
    }
    match shown {
        // Whoever reads has seen enough.
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => fail(&format!("cannot write: {error}")),
        _ if place.damaged.is_empty() => EXIT_OK,
        _ => EXIT_FAILURE,
    }
}

fn show(place: &Place, report: &mut Report<'_>) -> io::Result<()> {
    for backup in &place.whole {
        let manifest = &backup.manifest;
        let (from_lsn, from_ms) = manifest.from().unwrap_or((manifest.lsn, manifest.taken_ms));
        let apart: Vec<String> = manifest.apart().map(|snapshot| snapshot.lsn.to_string()).collect();
        let fields = fields![
            "name" => backup.name().as_str(),
            "from" => moment::show(from_ms).as_str(),
            "to" => moment::show(manifest.taken_ms).as_str(),
            "from-lsn" => from_lsn.get(),
            "to-lsn" => manifest.lsn.get(),
            "checkpoints-before" => apart.join(" ").as_str(),
            "files" => manifest.files.len() as u64,
            "bytes" => manifest.bytes(),
            "new-bytes" => manifest.new_bytes,
            "source" => manifest.source.as_str(),
            "data-set" => manifest.data_set.as_str(),
        ];
        report.show("backup", fields)?;
    }
    for dir in &place.unfinished {
        report.show("unfinished", fields!["path" => dir.display().to_string().as_str()])?;
    }
    for dir in &place.foreign {
        report.show("foreign", fields!["path" => dir.display().to_string().as_str()])?;
    }
    Ok(())
}

/// Reads backups back; the exit code.
pub fn verify(dir: &Path) -> u8 {
    let place = match look(dir) {
        Ok(place) => place,
        Err(why) => return fail(&why.to_string()),
    };
    let mut code = EXIT_OK;
    for (_, error) in &place.damaged {
        code = fail(&error.to_string());
    }
    for dir in &place.unfinished {
        println!("note: {}: a backup is being taken, or was cut short", dir.display());
    }
    for dir in &place.foreign {
        println!("note: {}: it has a backup's name and is none", dir.display());
    }
    for backup in &place.whole {
        match verify_one(&RealDisk, backup) {
            Ok(()) => println!("ok: {}: {}", backup.name(), backup.manifest.reach()),
            Err(error) => code = fail(&error.to_string()),
        }
    }
    if place.whole.is_empty() && place.damaged.is_empty() {
        return fail(&BackupError::NoBackup(dir.to_owned()).to_string());
    }
    code
}

fn verify_one(disk: &dyn Disk, backup: &Backup) -> Result<(), BackupError> {
    let progress = Progress::new();
    let (mut done, total) = (0_u64, backup.manifest.bytes() * 2);
    let mut read = |bytes: u64| {
        done = (done + bytes).min(total);
        progress.show("backup", done, total);
        Ok(())
    };
    check(disk, backup, &mut read)?;
    content(disk, &backup.dir, &backup.manifest, &|_| false, &mut read)
}
