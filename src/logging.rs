//! The log: what the server says about itself, on standard output or in a file.

use std::fmt;
use std::fs::OpenOptions;
use std::io;
use std::sync::OnceLock;

use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::fmt::format::FmtSpan;
use tracing_subscriber::prelude::*;
use tracing_subscriber::{Registry, reload};

use crate::config::schema::Config;
use crate::config::values::{LogFormat, LogLevel};

static LEVEL: OnceLock<reload::Handle<LevelFilter, Registry>> = OnceLock::new();

fn filter(level: LogLevel) -> LevelFilter {
    level.filter().parse().unwrap_or(LevelFilter::INFO)
}

/// The log's own file cannot be opened.
#[derive(Debug)]
pub struct LogFileError {
    path: String,
    error: io::Error,
}

impl fmt::Display for LogFileError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "log.file: cannot open {}: {}", self.path, self.error)
    }
}

impl std::error::Error for LogFileError {}

/// Starts logging. A second call in one process (an embedded server) leaves the first one's destination.
///
/// # Errors
/// When the log file cannot be opened.
pub fn start(config: &Config) -> Result<(), LogFileError> {
    let (level, handle) = reload::Layer::new(filter(config.log.level));
    let plain = tracing_subscriber::fmt::layer()
        .with_target(false)
        // It would panic where standard error cannot be written either.
        .log_internal_errors(false)
        .with_span_events(FmtSpan::NONE);
    let compact = config.log.format == LogFormat::Compact;
    let path = config.log.file.as_str();
    let layer = if path.is_empty() {
        let layer = plain.with_ansi(false);
        if compact {
            layer.compact().boxed()
        } else {
            layer.boxed()
        }
    } else {
        let file = OpenOptions::new().create(true).append(true).open(path);
        let file = file.map_err(|error| LogFileError {
            path: path.to_owned(),
            error,
        })?;
        let layer = plain.with_ansi(false).with_writer(file);
        if compact {
            layer.compact().boxed()
        } else {
            layer.boxed()
        }
    };
    if tracing::subscriber::set_global_default(Registry::default().with(level).with(layer)).is_ok() {
        let _ = LEVEL.set(handle);
    }
    Ok(())
}

/// Changes the level of a running server.
pub fn set_level(level: LogLevel) {
    if let Some(handle) = LEVEL.get() {
        let _ = handle.modify(|current| *current = filter(level));
    }
}
