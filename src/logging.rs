//! The log: what the server says about itself, on standard output or in a file.
//!
//! **Invariant:** a line is written whole, to the file that was open when it began: what is opened anew takes its place
//! between two lines.

use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use parking_lot::Mutex;
use tracing::Subscriber;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::prelude::*;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::{Layer, Registry, reload};

use crate::config::log_levels::LogLevels;
use crate::config::schema::Config;
use crate::config::values::{LogFormat, LogLevel};
use crate::metrics::warnings::WarningsLayer;

static LEVELS: OnceLock<reload::Handle<Targets, Registry>> = OnceLock::new();
static FILE: OnceLock<LogFile> = OnceLock::new();

fn filter(levels: &LogLevels) -> Targets {
    let of = |level: LogLevel| level.filter().parse().unwrap_or(LevelFilter::INFO);
    let targets = levels
        .targets
        .iter()
        .map(|(target, level)| (target.as_str(), of(*level)));
    Targets::new().with_default(of(levels.all)).with_targets(targets)
}

/// The log's own file cannot be opened.
#[derive(Debug)]
pub struct LogFileError {
    path: PathBuf,
    error: io::Error,
}

impl fmt::Display for LogFileError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "log.file: cannot open {}: {}", self.path.display(), self.error)
    }
}

impl std::error::Error for LogFileError {}

/// A file that can be opened again under its name.
#[derive(Clone)]
struct LogFile {
    path: Arc<Path>,
    current: Arc<Mutex<Arc<File>>>,
}

impl LogFile {
    fn open(path: &Path) -> Result<Self, LogFileError> {
        Ok(Self {
            path: Arc::from(path),
            current: Arc::new(Mutex::new(Arc::new(append_to(path)?))),
        })
    }

    fn reopen(&self) -> Result<(), LogFileError> {
        let file = Arc::new(append_to(&self.path)?);
        *self.current.lock() = file;
        Ok(())
    }
}

fn append_to(path: &Path) -> Result<File, LogFileError> {
    // Whoever opens a pipe waits for its reader.
    let is_pipe = fs::metadata(path).is_ok_and(|found| found.file_type().is_fifo());
    let opened = if is_pipe {
        Err(io::Error::other("it is a named pipe"))
    } else {
        OpenOptions::new().create(true).append(true).open(path)
    };
    opened.map_err(|error| LogFileError {
        path: path.to_owned(),
        error,
    })
}

/// The file as it is open while a line is written.
struct OpenFile(Arc<File>);

impl Write for OpenFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        (&*self.0).write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        (&*self.0).flush()
    }
}

impl<'a> MakeWriter<'a> for LogFile {
    type Writer = OpenFile;

    fn make_writer(&'a self) -> OpenFile {
        OpenFile(Arc::clone(&self.current.lock()))
    }
}

/// What writes lines of this form.
fn layer<S, W>(format: LogFormat, writer: W) -> Box<dyn Layer<S> + Send + Sync>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let plain = tracing_subscriber::fmt::layer()
        .with_target(false)
        // It would panic where standard error cannot be written either.
        .log_internal_errors(false)
        .with_ansi(false)
        .with_writer(writer);
    match format {
        LogFormat::Text => plain.boxed(),
        LogFormat::Compact => plain.compact().boxed(),
        LogFormat::Json => plain
            .json()
            .with_target(true)
            .flatten_event(true)
            .with_current_span(false)
            .with_span_list(false)
            .boxed(),
    }
}

/// Starts logging. A second call in one process (an embedded server) leaves the first one's destination.
///
/// # Errors
/// When the log file cannot be opened.
pub fn start(config: &Config) -> Result<(), LogFileError> {
    let (levels, handle) = reload::Layer::new(filter(&config.log.level));
    let (format, path) = (config.log.format, config.log.file.as_str());
    let file = if path.is_empty() {
        None
    } else {
        Some(LogFile::open(Path::new(path))?)
    };
    let layer = match file.clone() {
        None => layer(format, io::stdout),
        Some(file) => layer(format, file),
    };
    let all = Registry::default().with(levels).with(layer).with(WarningsLayer);
    if tracing::subscriber::set_global_default(all).is_ok() {
        let _ = LEVELS.set(handle);
        if let Some(file) = file {
            let _ = FILE.set(file);
        }
    }
    Ok(())
}

/// Changes the levels of a running server.
pub fn set_levels(levels: &LogLevels) {
    if let Some(handle) = LEVELS.get() {
        let _ = handle.modify(|current| *current = filter(levels));
    }
}

/// Opens the log's file again under its name, so that one that was renamed grows no more; whether there is a file.
///
/// # Errors
/// When it cannot be opened; lines go on to the one that was open.
pub fn reopen() -> Result<bool, LogFileError> {
    match FILE.get() {
        Some(file) => file.reopen().map(|()| true),
        None => Ok(false),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_was_renamed_grows_no_more() {
        let dir = tempfile::tempdir().unwrap();
        let (path, old) = (dir.path().join("log"), dir.path().join("old"));
        let file = LogFile::open(&path).unwrap();
        file.make_writer().write_all(b"one\n").unwrap();
        let mut begun = file.make_writer();
        std::fs::rename(&path, &old).unwrap();
        file.reopen().unwrap();
        begun.write_all(b"two\n").unwrap();
        file.make_writer().write_all(b"three\n").unwrap();
        assert_eq!(std::fs::read(&old).unwrap(), b"one\ntwo\n");
        assert_eq!(std::fs::read(&path).unwrap(), b"three\n");
        drop(dir);
        assert!(file.reopen().is_err());
        file.make_writer().write_all(b"four\n").unwrap();
    }

    #[test]
    fn levels_become_a_filter() {
        use tracing::Level;
        let filter = filter(&"warning,lokikv::wal=debug,lokikv::wal::keeper=nothing".parse().unwrap());
        assert!(filter.would_enable("lokikv::net", &Level::WARN) && !filter.would_enable("lokikv::net", &Level::INFO));
        assert!(filter.would_enable("lokikv::wal::writer", &Level::TRACE));
        assert!(!filter.would_enable("lokikv::wal::keeper", &Level::ERROR));
    }
}
