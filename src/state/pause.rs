//! Commands that are held back for a time: by CLIENT PAUSE, and while the server makes sure that it may end.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::Notify;

/// CLIENT PAUSE: until when, and whether reads wait too.
#[derive(Default)]
pub struct Pause {
    until_ms: AtomicU64,
    all: AtomicBool,
    /// Held while what a pause means is changed.
    changing: Mutex<()>,
    /// What is written from now on would not be kept: it waits for the end, or for its being called off.
    before_the_end: AtomicBool,
    notify: Notify,
}

/// Holds writes back; they go on when it is dropped.
pub struct Held<'a>(&'a Pause);

impl Held<'_> {
    /// They do not go on: the server ends.
    pub fn for_good(self) {
        std::mem::forget(self);
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.0.before_the_end.store(false, Ordering::SeqCst);
        self.0.notify.notify_waiters();
    }
}

impl Pause {
    /// Pauses until `until_ms` (Unix): writes, or `all` commands. A longer pause that already holds stays. `tell` is
    /// told when it ends, before another change.
    pub fn set(&self, (until_ms, all): (u64, bool), now_ms: u64, tell: impl FnOnce(u64)) {
        let _changing = self.changing.lock();
        let active = self.until_ms.load(Ordering::Relaxed) > now_ms;
        let all = all || (active && self.all.load(Ordering::Relaxed));
        self.all.store(all, Ordering::Relaxed);
        let until_ms = if active {
            until_ms.max(self.until_ms.load(Ordering::Relaxed))
        } else {
            until_ms
        };
        self.until_ms.store(until_ms, Ordering::Release);
        tell(until_ms);
    }

    /// Ends the pause; `tell` is told so, before another change.
    pub fn clear(&self, tell: impl FnOnce()) {
        let _changing = self.changing.lock();
        self.until_ms.store(0, Ordering::Release);
        tell();
        self.notify.notify_waiters();
    }

    /// Holds back writes that begin from now on, before the end of the server.
    pub fn before_the_end(&self) -> Held<'_> {
        self.before_the_end.store(true, Ordering::SeqCst);
        Held(self)
    }

    /// Whether CLIENT PAUSE has a command wait now.
    #[inline]
    pub fn holds(&self, is_write: bool, now_ms: u64) -> bool {
        self.until_ms.load(Ordering::Acquire) > now_ms && (is_write || self.all.load(Ordering::Relaxed))
    }

    /// Whether what is written now waits for the end.
    #[inline]
    pub fn is_before_the_end(&self) -> bool {
        self.before_the_end.load(Ordering::SeqCst)
    }

    /// Returns when the pause may have ended.
    pub async fn wait(&self, now_ms: u64) {
        // From here on no end of the pause is missed.
        let ended = self.notify.notified();
        tokio::pin!(ended);
        ended.as_mut().enable();
        if self.before_the_end.load(Ordering::SeqCst) {
            return ended.await;
        }
        let left_ms = self.until_ms.load(Ordering::Acquire).saturating_sub(now_ms);
        let _ = tokio::time::timeout(Duration::from_millis(left_ms), ended).await;
    }
}
