//! The end of a copy before its time: by the user, or because a part of it has failed.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use tokio::runtime::Builder;
use tokio::signal::unix::{SignalKind, signal};

use super::error::LiveError;

/// How often who sleeps looks.
const LOOK: Duration = Duration::from_millis(20);
/// What a shell makes of a program that SIGINT has ended.
const EXIT_INTERRUPTED: i32 = 130;

/// Whether all is to end.
#[derive(Clone, Debug, Default)]
pub struct Stop(Arc<AtomicBool>);

impl Stop {
    /// One that SIGINT and SIGTERM set from now on. The second of them ends the process.
    ///
    /// # Errors
    /// There is no thread to be had for that, or signals cannot be caught.
    pub fn by_signals() -> Result<Self, LiveError> {
        let stop = Self::default();
        let to_set = stop.clone();
        let runtime = Builder::new_current_thread().enable_io().build();
        let runtime = runtime.map_err(LiveError::Thread)?;
        // Before there is anything to be ended in good order: the thread may begin late.
        let caught =
            runtime.block_on(async { Ok((signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?)) });
        let (mut int, mut term) = caught.map_err(LiveError::Thread)?;
        let wait = move || {
            runtime.block_on(async {
                loop {
                    tokio::select! {
                        _ = int.recv() => {}
                        _ = term.recv() => {}
                    }
                    if to_set.0.swap(true, Ordering::Relaxed) {
                        std::process::exit(EXIT_INTERRUPTED);
                    }
                }
            });
        };
        let builder = std::thread::Builder::new().name("signals".to_owned());
        builder.spawn(wait).map_err(LiveError::Thread)?;
        Ok(stop)
    }

    /// Sets it.
    pub fn set(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether it is set.
    pub fn is_set(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// An error if it is set.
    ///
    /// # Errors
    /// It is.
    pub fn check(&self) -> Result<(), LiveError> {
        if self.is_set() {
            Err(LiveError::Interrupted)
        } else {
            Ok(())
        }
    }

    /// Waits, unless all is to end.
    ///
    /// # Errors
    /// It is.
    pub fn sleep(&self, time: Duration) -> Result<(), LiveError> {
        let until = Instant::now() + time;
        loop {
            self.check()?;
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(());
            }
            std::thread::sleep(left.min(LOOK));
        }
    }
}
