//! CLIENT PAUSE: commands that are held back for a time.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::Notify;

/// CLIENT PAUSE: until when, and whether reads wait too.
#[derive(Default)]
pub struct Pause {
    until_ms: AtomicU64,
    all: AtomicBool,
    notify: Notify,
}

impl Pause {
    /// Pauses until `until_ms` (Unix): writes, or `all` commands. A longer pause that already holds stays.
    pub fn set(&self, until_ms: u64, all: bool, now_ms: u64) {
        let active = self.until_ms.load(Ordering::Relaxed) > now_ms;
        let all = all || (active && self.all.load(Ordering::Relaxed));
        self.all.store(all, Ordering::Relaxed);
        let until_ms = if active {
            until_ms.max(self.until_ms.load(Ordering::Relaxed))
        } else {
            until_ms
        };
        self.until_ms.store(until_ms, Ordering::Release);
    }

    /// Ends the pause.
    pub fn clear(&self) {
        self.until_ms.store(0, Ordering::Release);
        self.notify.notify_waiters();
    }

    /// Whether a command must wait now.
    #[inline]
    pub fn holds(&self, is_write: bool, now_ms: u64) -> bool {
        self.until_ms.load(Ordering::Acquire) > now_ms && (is_write || self.all.load(Ordering::Relaxed))
    }

    /// Returns when the pause may have ended.
    pub async fn wait(&self, now_ms: u64) {
        // From here on no end of the pause is missed.
        let ended = self.notify.notified();
        tokio::pin!(ended);
        ended.as_mut().enable();
        let left_ms = self.until_ms.load(Ordering::Acquire).saturating_sub(now_ms);
        let _ = tokio::time::timeout(Duration::from_millis(left_ms), ended).await;
    }
}
