//! The end of the server: asked for by a signal or SHUTDOWN, waited for by everything that runs.
//!
//! It begins with a question: is there anything that would be lost? `ending` answers it while clients are still served,
//! so that the end can be refused. Once [`Shutdown::request`] was called there is no way back.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::Notify;

/// Longer than anybody waits.
const LONG: Duration = Duration::from_secs(365 * 24 * 3600);

/// How the server is told to end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Way {
    /// Take a last checkpoint (`SAVE`), or none (`NOSAVE`); `None`: as configured.
    pub save: Option<bool>,
    /// End even if something is lost by that (`FORCE`).
    pub is_forced: bool,
}

/// What is left to do, and to tell, at the end.
#[derive(Clone, Debug, Default)]
pub struct Rest {
    /// Whether a last checkpoint is still to be taken.
    pub takes_checkpoint: bool,
    /// What ending costs, where that was not refused.
    pub loss: Option<String>,
}

/// See the module.
#[derive(Default)]
pub struct Shutdown {
    /// When that was, and what is left to do.
    asked: OnceLock<(Instant, Rest)>,
    notify: Notify,
    /// Whoever finds out whether the server may end.
    pub(super) turn: tokio::sync::Mutex<()>,
    /// Whether the end is being prepared, and was not called off.
    stage: AtomicU8,
    called_off: Notify,
}

/// The end is not being prepared: nobody has asked for it, or it has been decided.
const IDLE: u8 = 0;
/// It is, and can be called off.
const PREPARING: u8 = 1;
/// It was, and has been called off.
const CALLED_OFF: u8 = 2;

impl Shutdown {
    /// Has the server end, with no way back. The first that says so counts.
    pub fn request(&self, rest: Rest) {
        self.asked.get_or_init(|| (Instant::now(), rest));
        self.notify.notify_waiters();
    }

    /// Whether the server is ending.
    pub fn is_requested(&self) -> bool {
        self.asked.get().is_some()
    }

    /// When the server has been ending for `time`; from now on, if it is not ending.
    pub fn after(&self, time: Duration) -> Instant {
        self.asked.get().map_or_else(Instant::now, |(since, _)| *since) + time.min(LONG)
    }

    /// What is left to do.
    pub fn rest(&self) -> Rest {
        self.asked.get().map(|(_, rest)| rest.clone()).unwrap_or_default()
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

    /// Calls off an end that is being prepared; whether one was.
    pub fn call_off(&self) -> bool {
        let was = self.leave(PREPARING, CALLED_OFF);
        if was {
            self.called_off.notify_waiters();
        }
        was
    }

    fn leave(&self, from: u8, to: u8) -> bool {
        self.stage
            .compare_exchange(from, to, Ordering::AcqRel, Ordering::Acquire)
            .is_ok()
    }

    /// Runs `prepare`; `None` when the end is called off meanwhile.
    pub(super) async fn preparing<T>(&self, prepare: impl Future<Output = T>) -> Option<T> {
        /// Whoever asked may go away meanwhile.
        struct Over<'a>(&'a AtomicU8);
        impl Drop for Over<'_> {
            fn drop(&mut self) {
                self.0.store(IDLE, Ordering::Release);
            }
        }
        let called_off = self.called_off.notified();
        tokio::pin!(called_off);
        called_off.as_mut().enable();
        self.stage.store(PREPARING, Ordering::Release);
        let _over = Over(&self.stage);
        let outcome = tokio::select! {
            () = called_off => return None,
            outcome = prepare => outcome,
        };
        // From here on it is too late.
        self.leave(PREPARING, IDLE).then_some(outcome)
    }
}
