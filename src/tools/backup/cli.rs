//! `lokikv backup --list` and `--verify`.

use std::io::{self, BufWriter, Write};
use std::path::Path;

use super::check::{check, content};
use super::error::BackupError;
use super::manifest::Manifest;
use super::store::{Backup, Place};
use crate::config::cli::{EXIT_FAILURE, EXIT_OK};
use crate::fields;
use crate::recovery::moment;
use crate::storage::{Disk, RealDisk};
use crate::tools::cli::fail;
use crate::tools::output::written;
use crate::tools::report::Report;
use crate::tools::{Output, Progress, complain};

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
        complain(error);
    }
    let code = if place.damaged.is_empty() {
        EXIT_OK
    } else {
        EXIT_FAILURE
    };
    written(shown, code)
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
    let (mut code, mut out) = (EXIT_OK, Output::default());
    for (_, error) in &place.damaged {
        code = fail(&error.to_string());
    }
    for dir in &place.unfinished {
        let dir = dir.display();
        out.line(format_args!("note: {dir}: a backup is being taken, or was cut short"));
    }
    for dir in &place.foreign {
        let dir = dir.display();
        out.line(format_args!("note: {dir}: it has a backup's name and is none"));
    }
    for backup in &place.whole {
        match verify_one(&RealDisk, backup) {
            Ok(true) => out.line(format_args!("ok: {}: {}", backup.name(), backup.manifest.reach())),
            Ok(false) => out.line(format_args!("note: {}: it was removed meanwhile", backup.name())),
            Err(error) => code = fail(&error.to_string()),
        }
    }
    if place.whole.is_empty() && place.damaged.is_empty() {
        code = fail(&BackupError::NoBackup(dir.to_owned()).to_string());
    }
    out.finish(code)
}

/// Reads one back; false: it is no backup any more, as another process has removed it.
fn verify_one(disk: &dyn Disk, backup: &Backup) -> Result<bool, BackupError> {
    match read_back(disk, backup) {
        Err(_) if !Manifest::is_in(disk, &backup.dir) => Ok(false),
        read => read.map(|()| true),
    }
}

fn read_back(disk: &dyn Disk, backup: &Backup) -> Result<(), BackupError> {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tools::backup::BackupFile;
    use crate::tools::backup::manifest::MANIFEST;
    use crate::wal::Lsn;

    #[test]
    fn a_backup_that_goes_meanwhile_is_not_damaged() {
        let home = tempfile::tempdir().unwrap();
        let manifest = Manifest {
            format: Manifest::format(),
            program: String::new(),
            source: String::new(),
            data_set: String::new(),
            taken_ms: 1,
            lsn: Lsn::FIRST,
            checkpoints: Vec::new(),
            log: None,
            new_bytes: 0,
            files: vec![BackupFile {
                path: "wal/a".to_owned(),
                bytes: 1,
                sha256: String::new(),
            }],
        };
        let dir = home.path().to_owned();
        let backup = Backup { dir, manifest };
        std::fs::write(home.path().join(MANIFEST), "").unwrap();
        let why = verify_one(&RealDisk, &backup).unwrap_err().to_string();
        assert!(why.contains("it is missing"), "{why}");
        std::fs::remove_file(home.path().join(MANIFEST)).unwrap();
        assert!(!verify_one(&RealDisk, &backup).unwrap());
    }
}
