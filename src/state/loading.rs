//! The load of the data at the start: whether it goes on, and how far it is.
//!
//! **Invariant:** while it goes on nothing touches the data but the thread that loads it.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

/// See the module. By default nothing is loading.
#[derive(Default)]
pub struct Loading {
    is_on: AtomicBool,
    since_s: AtomicU64,
    done_bytes: AtomicU64,
    total_bytes: AtomicU64,
    took_ms: AtomicU64,
}

/// How far a load is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LoadingNow {
    /// When it began, Unix seconds.
    pub since_s: u64,
    /// Bytes that have been loaded.
    pub done_bytes: u64,
    /// Bytes on disk that are to be loaded: of pages, and of the log behind them. 0: not known yet.
    pub total_bytes: u64,
}

impl Loading {
    /// It begins.
    pub fn begin(&self, now_s: u64) {
        self.since_s.store(now_s, Ordering::Relaxed);
        self.is_on.store(true, Ordering::Release);
    }

    /// It is so far.
    pub fn note(&self, done_bytes: u64, total_bytes: u64) {
        self.total_bytes.store(total_bytes, Ordering::Relaxed);
        self.done_bytes.store(done_bytes, Ordering::Relaxed);
    }

    /// All of the data is in place, after so long.
    pub fn end(&self, took: Duration) {
        let took_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
        self.took_ms.store(took_ms, Ordering::Relaxed);
        self.is_on.store(false, Ordering::Release);
    }

    /// How long it took, milliseconds; 0 before its end.
    pub fn took_ms(&self) -> u64 {
        self.took_ms.load(Ordering::Relaxed)
    }

    /// Whether data is loading.
    #[inline]
    pub fn is_on(&self) -> bool {
        self.is_on.load(Ordering::Acquire)
    }

    /// How far it is; `None` when nothing is loading.
    pub fn now(&self) -> Option<LoadingNow> {
        self.is_on().then(|| LoadingNow {
            since_s: self.since_s.load(Ordering::Relaxed),
            done_bytes: self.done_bytes.load(Ordering::Relaxed),
            total_bytes: self.total_bytes.load(Ordering::Relaxed),
        })
    }
}

impl LoadingNow {
    /// How much is loaded, per cent.
    pub fn percent(&self) -> f64 {
        match self.total_bytes {
            0 => 0.0,
            total => self.done_bytes as f64 * 100.0 / total as f64,
        }
    }

    /// How long the rest will take, by what has been loaded until now. A guess of one second before that tells
    /// anything.
    pub fn eta_s(&self, now_s: u64) -> u64 {
        let elapsed_s = now_s.saturating_sub(self.since_s);
        if elapsed_s == 0 || self.done_bytes == 0 {
            return 1;
        }
        let left = u128::from(self.total_bytes.saturating_sub(self.done_bytes));
        u64::try_from(left * u128::from(elapsed_s) / u128::from(self.done_bytes)).unwrap_or(u64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn how_far_it_is() {
        let loading = Loading::default();
        assert_eq!((loading.is_on(), loading.now()), (false, None));
        loading.begin(100);
        let now = loading.now().unwrap();
        assert_eq!((now.percent(), now.eta_s(103)), (0.0, 1));
        loading.note(25, 100);
        let now = loading.now().unwrap();
        assert_eq!((now.percent(), now.eta_s(100), now.eta_s(104)), (25.0, 1, 12));
        loading.note(u64::MAX, u64::MAX);
        assert_eq!(loading.now().unwrap().eta_s(u64::MAX), 0);
        loading.end(Duration::from_millis(7));
        assert_eq!((loading.now(), loading.took_ms()), (None, 7));
    }
}
