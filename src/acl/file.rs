//! The ACL file: a line for each user, as ACL LIST shows it.
//!
//! **Invariants**
//! - A file is read as a whole, with all that is wrong with it, before anything changes.
//! - What is written is whole at every instant: temporary file, fsync, rename, fsync of the folder.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;

use super::rule::RuleError;
use super::words::{merge_selectors, split};

const UNCHANGED: &str = "WARNING: ACL errors detected, no change to the previously active ACL rules was performed";

/// Why the file was not read, or written.
#[derive(Debug)]
pub enum FileError {
    /// None is configured.
    NoFile,
    /// It could not be opened.
    Opening(String, io::Error),
    /// These things are wrong with it.
    Wrong(Vec<String>),
    /// It could not be written.
    Writing(io::Error),
}

impl std::fmt::Display for FileError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::NoFile => f.write_str(
                "This Redis instance is not configured to use an ACL file. You may want to specify users via the ACL \
                 SETUSER command and then issue a CONFIG REWRITE (assuming you have a Redis configuration file set) in \
                 order to store users in the Redis configuration.",
            ),
            Self::Opening(path, error) => {
                let why = io_text(error);
                write!(f, "Error loading ACLs, opening file '{path}': {why}")
            }
            Self::Wrong(faults) => {
                faults.iter().try_for_each(|fault| write!(f, "{fault} "))?;
                f.write_str(UNCHANGED)
            }
            Self::Writing(_) => f.write_str(
                "There was an error trying to save the ACLs. Please check the server logs for more information",
            ),
        }
    }
}

/// What the system calls an error, without its number.
fn io_text(error: &io::Error) -> String {
    let text = error.to_string();
    match text.split_once(" (os error") {
        Some((text, _)) => text.to_owned(),
        None => text,
    }
}

/// A line of the file.
pub(super) struct Line {
    /// From 1.
    pub number: usize,
    pub name: Box<[u8]>,
    pub rules: Vec<Vec<u8>>,
}

/// The users of a file.
pub(super) fn read(path: &Path) -> Result<Vec<Line>, FileError> {
    let text = fs::read(path).map_err(|error| FileError::Opening(path.display().to_string(), error))?;
    let (mut lines, mut wrong) = (Vec::new(), Vec::new());
    for (number, line) in (1..).zip(text.split(|byte| *byte == b'\n')) {
        let line = line.trim_ascii();
        if line.is_empty() {
            continue;
        }
        let mut words = split(line);
        let (first, name) = (words.next(), words.next());
        let (Some(b"user"), Some(name)) = (first, name) else {
            let place = format!("{}:{number}", path.display());
            wrong.push(format!(
                "{place} should start with user keyword followed by the username."
            ));
            continue;
        };
        match merge_selectors(words) {
            Ok(rules) => lines.push(Line {
                number,
                name: name.into(),
                rules,
            }),
            Err(_) => wrong.push(wrong_line(path, number, "Unmatched parenthesis in selector definition")),
        }
    }
    if wrong.is_empty() {
        Ok(lines)
    } else {
        Err(FileError::Wrong(wrong))
    }
}

/// What is told of a line.
pub(super) fn wrong_line(path: &Path, number: usize, why: &str) -> String {
    format!("{}:{number}: {why}.", path.display())
}

/// What is told of a rule. One that may be a password is not shown.
pub(super) fn wrong_rule(rule: &[u8], error: RuleError) -> String {
    if error == RuleError::Unknown {
        let rule = String::from_utf8_lossy(rule);
        return format!("Error in applying operation '{rule}': {error}");
    }
    error.to_string()
}

/// Reads a line `user name rules…`, with or without the word `user`.
pub(super) fn parse_user(line: &str, number: usize) -> Result<Line, String> {
    let mut words = split(line.as_bytes()).peekable();
    words.next_if(|word| *word == b"user");
    let name = words.next().ok_or("it names no user")?;
    let rules = merge_selectors(words).map_err(|_| "a parenthesis is not closed")?;
    Ok(Line {
        number,
        name: name.into(),
        rules,
    })
}

/// Replaces the file, durably.
pub(super) fn write(path: &Path, text: &[u8]) -> Result<(), FileError> {
    let written = replace(path, text);
    written.map_err(|error| {
        tracing::error!(path = %path.display(), "cannot write the ACL file: {error}");
        FileError::Writing(error)
    })
}

fn replace(path: &Path, text: &[u8]) -> io::Result<()> {
    let temporary = path.with_extension(format!("tmp-{}", std::process::id()));
    let write = || -> io::Result<()> {
        // Hashes of passwords are nobody else's business.
        let mut options = OpenOptions::new();
        let mut file = options
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&temporary)?;
        if let Ok(before) = fs::metadata(path) {
            file.set_permissions(fs::Permissions::from_mode(before.permissions().mode()))?;
        }
        file.write_all(text)?;
        file.sync_all()?;
        fs::rename(&temporary, path)
    };
    if let Err(error) = write() {
        // The error counts; a leftover is only untidy.
        let _ = fs::remove_file(&temporary);
        return Err(error);
    }
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
}
