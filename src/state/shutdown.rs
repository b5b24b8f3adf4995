//! The end of the server: asked for by a signal or SHUTDOWN, waited for by everything that runs.

use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::Mutex;
use tokio::sync::Notify;

/// How the server is told to end.
#[derive(Default)]
pub struct Shutdown {
    requested: AtomicBool,
    /// Skip the final checkpoint (`SHUTDOWN NOSAVE`), or demand it (`SAVE`).
    save: Mutex<Option<bool>>,
    notify: Notify,
}

impl Shutdown {
    /// Asks the server to end. `save`: whether to take a final checkpoint, `None` = as configured.
    pub fn request(&self, save: Option<bool>) {
        *self.save.lock() = save;
        self.requested.store(true, Ordering::Release);
        self.notify.notify_waiters();
    }

    /// Whether the server is ending.
    pub fn is_requested(&self) -> bool {
        self.requested.load(Ordering::Acquire)
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
