//! The end of the server: asked for by a signal or SHUTDOWN, waited for by everything that runs.

use std::sync::OnceLock;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tokio::sync::Notify;

/// Longer than anybody waits.
const LONG: Duration = Duration::from_secs(365 * 24 * 3600);

/// How the server is told to end.
#[derive(Default)]
pub struct Shutdown {
    /// When that was.
    asked: OnceLock<Instant>,
    /// Skip the final checkpoint (`SHUTDOWN NOSAVE`), or demand it (`SAVE`).
    save: Mutex<Option<bool>>,
    notify: Notify,
}

impl Shutdown {
    /// Asks the server to end. `save`: whether to take a final checkpoint, `None` = as configured.
    pub fn request(&self, save: Option<bool>) {
        *self.save.lock() = save;
        self.asked.get_or_init(Instant::now);
        self.notify.notify_waiters();
    }

    /// Whether the server is ending.
    pub fn is_requested(&self) -> bool {
        self.asked.get().is_some()
    }

    /// When the server has been ending for `time`; from now on, if it is not ending.
    pub fn after(&self, time: Duration) -> Instant {
        self.asked.get().copied().unwrap_or_else(Instant::now) + time.min(LONG)
    }

    /// What was said about the final checkpoint.
    pub fn save(&self) -> Option<bool> {
        *self.save.lock()
    }

    /// Returns once the server is ending.
    pub async fn wait(&self) {
        let notified = self.notify.notified();
        tokio::pin!(notified);
        notified.as_mut().enable();
        if !self.is_requested() {
            notified.await;
        }
    }
}
