//! Standard output and standard error of a tool, which may be closed, or on a disk that is full.
//!
//! **Invariants**
//! - What cannot be written ends nothing that was begun: it is told of at the end.
//! - Lines of tools go through here: the macros of the standard library panic where nothing can be written (lints keep
//!   them out).

use std::fmt;
use std::io::{self, Write};

use super::cli::fail;

/// Lines on standard output.
#[derive(Debug, Default)]
pub struct Output(Option<io::Error>);

impl Output {
    /// Writes a line, unless one could not be written before.
    pub fn line(&mut self, line: impl fmt::Display) {
        if self.0.is_none() {
            self.0 = writeln!(io::stdout(), "{line}").err();
        }
    }

    /// The exit code: `code`, or that of a failure, which is told, where something could not be written.
    pub fn finish(self, code: u8) -> u8 {
        let written = self.0.map_or_else(|| io::stdout().flush(), Err);
        self::written(written, code)
    }
}

/// Says on standard error what is wrong, or worth knowing. Where that cannot be written, the exit code still tells.
pub fn complain(what: impl fmt::Display) {
    let _ = writeln!(io::stderr(), "lokikv: {what}");
}

/// The exit code for what was written to standard output.
pub fn written(written: io::Result<()>, code: u8) -> u8 {
    match written {
        // Whoever reads has seen enough.
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => fail(&format!("cannot write: {error}")),
        _ => code,
    }
}
