//! Which files there are to read: one, or those that a manifest lists.
//!
//! ```text
//! file appendonly.aof.2.base.rdb seq 2 type b
//! file appendonly.aof.7.incr.aof seq 7 type i
//! ```
//!
//! **Invariant:** a file is named without a folder: nothing outside of the manifest's is read.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use super::error::CommandsError;
use crate::migrate::{MigrateError, Outcome};
use crate::resp::words;
use crate::storage::Disk;

const SUFFIX: &str = ".manifest";
/// Where a server of Redis 7 and later has its append-only files, within its folder.
const FOLDER: &str = "appendonlydir";
/// A manifest of more bytes is none.
const BYTES_MAX: u64 = 1 << 20;

/// The files of an import.
#[derive(Debug, PartialEq, Eq)]
pub struct Listed {
    /// In the order in which they are to be read.
    pub files: Vec<PathBuf>,
    /// A manifest lists them.
    pub is_log: bool,
}

/// The files that `path` stands for.
///
/// # Errors
/// It is a folder without a manifest, or a manifest that makes no sense.
pub fn listed(disk: &dyn Disk, path: &Path) -> Outcome<Listed> {
    let of_path = |error: MigrateError| error.of_file(path.display());
    if is_manifest(path.as_os_str()) {
        return of_manifest(disk, path).map_err(of_path);
    }
    // What cannot be listed is no folder.
    let Ok(names) = disk.list(path) else {
        return Ok(Listed {
            files: vec![path.to_owned()],
            is_log: false,
        });
    };
    let mut manifests = names.iter().filter(|name| is_manifest(name));
    match (manifests.next(), manifests.next()) {
        (Some(name), None) => {
            let manifest = path.join(name);
            of_manifest(disk, &manifest).map_err(|error| error.of_file(manifest.display()))
        }
        (None, _) if names.iter().any(|name| name == FOLDER) => listed(disk, &path.join(FOLDER)),
        (None, _) => Err(of_path(
            CommandsError::Manifest("there is no manifest in this folder").into(),
        )),
        (Some(_), Some(_)) => Err(of_path(
            CommandsError::Manifest("there are several manifests in this folder: name one of them").into(),
        )),
    }
}

fn is_manifest(name: &OsStr) -> bool {
    name.as_encoded_bytes().ends_with(SUFFIX.as_bytes())
}

fn of_manifest(disk: &dyn Disk, manifest: &Path) -> Outcome<Listed> {
    if disk.len(manifest).map_err(MigrateError::Read)? > BYTES_MAX {
        return Err(CommandsError::Manifest("this is too long for a manifest").into());
    }
    let text = disk.read(manifest).map_err(MigrateError::Read)?;
    let names = parse(&text).map_err(CommandsError::Manifest)?;
    let files = names.into_iter().map(|name| manifest.with_file_name(name));
    Ok(Listed {
        files: files.collect(),
        is_log: true,
    })
}

/// What a line says of a file.
#[derive(Default)]
struct Line {
    name: Option<String>,
    number: Option<u64>,
    kind: Option<u8>,
}

/// The names of a manifest's files: the base, if there is one, then those behind it.
fn parse(text: &[u8]) -> Result<Vec<String>, &'static str> {
    let mut base = None;
    let mut behind: Vec<(u64, String)> = Vec::new();
    for line in text.split(|byte| *byte == b'\n') {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if line.is_empty() || line.starts_with(b"#") {
            continue;
        }
        let (name, number, kind) = parse_line(line)?;
        match kind {
            b'b' if base.is_some() => return Err("the manifest has two base files"),
            b'b' => base = Some(name),
            b'i' if behind.last().is_some_and(|(last, _)| *last >= number) => {
                return Err("the manifest's incremental files are out of order");
            }
            b'i' => behind.push((number, name)),
            // Left over from before the base was written.
            b'h' => {}
            _ => return Err("the manifest has a file of an unknown type"),
        }
    }
    let names: Vec<String> = base
        .into_iter()
        .chain(behind.into_iter().map(|(_, name)| name))
        .collect();
    if names.is_empty() {
        return Err("the manifest lists no files");
    }
    Ok(names)
}

fn parse_line(line: &[u8]) -> Result<(String, u64, u8), &'static str> {
    const BAD: &str = "the manifest has a line that makes no sense";
    let request = words(line).map_err(|_| BAD)?;
    let mut found = Line::default();
    let mut words = request.args().iter();
    while let Some(key) = words.next() {
        let value = words
            .next()
            .and_then(|value| std::str::from_utf8(value).ok())
            .ok_or(BAD)?;
        match key {
            b"file" => found.name = Some(value.to_owned()),
            b"seq" => found.number = Some(value.parse().map_err(|_| BAD)?),
            b"type" => found.kind = value.bytes().next(),
            // Offsets for replicas, and what is yet to come.
            _ => {}
        }
    }
    let (Some(name), Some(number), Some(kind)) = (found.name, found.number, found.kind) else {
        return Err(BAD);
    };
    if name.contains('/') || name == ".." || name.is_empty() {
        return Err("the manifest names a file in another folder");
    }
    Ok((name, number, kind))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_base_comes_first_and_history_not_at_all() {
        let text = b"# a remark\nfile \"a b.2.base.rdb\" seq 2 type b\r\nfile a.1.incr.aof seq 1 type h\n\
                     file a.7.incr.aof seq 7 type i startoffset 17\nfile a.8.incr.aof seq 8 type i\n";
        assert_eq!(
            parse(text),
            Ok(["a b.2.base.rdb", "a.7.incr.aof", "a.8.incr.aof"]
                .map(str::to_owned)
                .to_vec())
        );
        assert_eq!(parse(b"file a seq 1 type i"), Ok(vec!["a".to_owned()]));
    }

    #[test]
    fn what_makes_no_sense_is_an_error() {
        for text in [
            "",
            "# nothing",
            "file a seq 1",
            "file a seq x type b",
            "file a seq 1 type",
            "file a seq 1 type z",
            "file ../a seq 1 type b",
            "file /etc/passwd seq 1 type b",
            "file \"a seq 1 type b",
            "file a seq 1 type b\nfile b seq 2 type b",
            "file a seq 2 type i\nfile b seq 2 type i",
        ] {
            assert!(parse(text.as_bytes()).is_err(), "{text}");
        }
    }
}
