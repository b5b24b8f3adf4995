//! Progress bars on standard error, for work that takes long. Without a terminal there are none.

use std::io::IsTerminal;

use indicatif::{ProgressBar, ProgressStyle};

const BYTES: &str = "{msg} {wide_bar} {bytes} of {total_bytes}, {eta}";
const COUNT: &str = "{msg} {wide_bar} {human_pos} of {human_len}, {eta}";

/// A bar over bytes, or whatever can be counted.
pub struct Progress(ProgressBar);

impl Progress {
    /// A bar over bytes, hidden where nobody would see it.
    pub fn new() -> Self {
        Self::with(BYTES)
    }

    /// The same over things of several kinds, which the message names.
    pub fn counting() -> Self {
        Self::with(COUNT)
    }

    fn with(template: &str) -> Self {
        let bar = if std::io::stderr().is_terminal() {
            ProgressBar::new(0)
        } else {
            ProgressBar::hidden()
        };
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        Self(bar)
    }

    /// `done` of `total` bytes of `what` are read (or so many of them dealt with).
    pub fn show(&self, what: &str, done: u64, total: u64) {
        if self.0.is_hidden() {
            return;
        }
        if self.0.message() != what {
            self.0.set_message(what.to_owned());
        }
        self.0.set_length(total);
        self.0.set_position(done);
    }

    /// Runs `write` with the bar out of its way.
    pub fn suspend<R>(&self, write: impl FnOnce() -> R) -> R {
        self.0.suspend(write)
    }
}

impl Default for Progress {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}
