//! The last warnings and errors that the server's own log was told, for those who look at the server and not at its
//! log.
//!
//! **Invariants**
//! - It is bounded: the newest [`LINES_MAX`] lines of at most [`LINE_BYTES_MAX`] bytes.
//! - The lock is held to put a line in or to copy pointers, never while a line is written or shown.

use std::collections::VecDeque;
use std::fmt::{self, Write};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use parking_lot::Mutex;
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;

/// Lines that are kept.
pub const LINES_MAX: usize = 64;
/// Bytes of a line that are kept.
pub const LINE_BYTES_MAX: usize = 512;

/// A line of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warning {
    /// When, Unix milliseconds.
    pub at_ms: u64,
    /// Whether it tells of an error.
    pub is_error: bool,
    /// What it says, and its fields behind that.
    pub text: String,
}

/// Those of this process: it has one log.
static NEWEST: Mutex<VecDeque<Arc<Warning>>> = Mutex::new(VecDeque::new());

/// The newest ones, up to `count`, newest first.
pub fn newest(count: usize) -> Vec<Arc<Warning>> {
    NEWEST.lock().iter().rev().take(count).cloned().collect()
}

/// What the log is watched by.
pub struct WarningsLayer;

impl<S: Subscriber> Layer<S> for WarningsLayer {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let level = *event.metadata().level();
        // Levels are ordered by how much they let through.
        if level > Level::WARN {
            return;
        }
        let mut text = Text::default();
        event.record(&mut text);
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let warning = Arc::new(Warning {
            at_ms: since_epoch.as_millis() as u64,
            is_error: level == Level::ERROR,
            text: text.0,
        });
        let mut newest = NEWEST.lock();
        newest.push_back(warning);
        // Freed when the lock is given up.
        let _old = (newest.len() > LINES_MAX).then(|| newest.pop_front());
        drop(newest);
    }
}

/// A line that takes no more than it may.
#[derive(Default)]
struct Text(String);

impl Write for Text {
    fn write_str(&mut self, part: &str) -> fmt::Result {
        let room = LINE_BYTES_MAX.saturating_sub(self.0.len());
        let end = part.floor_char_boundary(room);
        self.0.push_str(part.get(..end).unwrap_or_default());
        Ok(())
    }
}

impl Visit for Text {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        // Writing to it cannot fail.
        let _ = match field.name() {
            "message" => write!(self, "{value:?}"),
            name => write!(self, " {name}={value:?}"),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tracing_subscriber::Registry;
    use tracing_subscriber::layer::SubscriberExt;

    #[test]
    fn warnings_are_kept_and_bounded() {
        let watched = Registry::default().with(WarningsLayer);
        tracing::subscriber::with_default(watched, || {
            tracing::info!("all is well");
            tracing::warn!(client = 7, name = ?"a\n", "it has {}", "happened");
            tracing::error!("{}", "ü".repeat(LINE_BYTES_MAX));
        });
        // Nothing else in this process warns through this layer.
        let [error, warning] = &newest(9)[..] else {
            panic!("{:?}", newest(9))
        };
        assert!(!warning.is_error && warning.at_ms > 0);
        assert_eq!(warning.text, "it has happened client=7 name=\"a\\n\"");
        assert!(error.is_error);
        assert_eq!(error.text, "ü".repeat(LINE_BYTES_MAX / 2));
        let watched = Registry::default().with(WarningsLayer);
        tracing::subscriber::with_default(watched, || {
            (0..1000).for_each(|number| tracing::warn!("{number}"));
        });
        assert_eq!(newest(usize::MAX).len(), LINES_MAX);
        assert_eq!(newest(1)[0].text, "999");
    }
}
