//! Whether a script has run for long: a thread of its own looks, so that scripts need not.

use std::sync::Arc;
use std::sync::Weak;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use super::Server;
use crate::script::Interrupter;

/// How often it is looked.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// When a worker's script began, as others see it.
#[derive(Clone)]
pub struct Stint {
    epoch: Instant,
    /// Microseconds since the epoch; 0: none is running.
    began_us: Arc<AtomicU64>,
}

impl Stint {
    /// A script begins.
    #[inline]
    pub fn begin(&self) {
        let began_us = self.epoch.elapsed().as_micros() as u64;
        self.began_us.store(began_us.max(1), Ordering::Relaxed);
    }

    /// It has ended.
    #[inline]
    pub fn end(&self) {
        self.began_us.store(0, Ordering::Relaxed);
    }

    /// For how long it has been running; nothing if none is.
    pub fn elapsed(&self) -> Duration {
        match self.began_us.load(Ordering::Relaxed) {
            0 => Duration::ZERO,
            began_us => self.epoch.elapsed().saturating_sub(Duration::from_micros(began_us)),
        }
    }
}

/// See the module.
#[derive(Default)]
pub struct ScriptWatch {
    watched: Mutex<Watched>,
}

#[derive(Default)]
struct Watched {
    scripts: Vec<(Interrupter, Stint)>,
    /// The thread is there.
    has_watcher: bool,
}

impl ScriptWatch {
    /// Watches the scripts of a worker, which `interrupter` interrupts.
    pub fn add(server: &Arc<Server>, interrupter: Interrupter) -> Stint {
        let stint = Stint {
            epoch: Instant::now(),
            began_us: Arc::default(),
        };
        let mut watched = server.script_watch.watched.lock();
        watched.scripts.push((interrupter, stint.clone()));
        // Where it could not be begun it is tried again with the next worker that comes to run a script.
        if !watched.has_watcher {
            let server = Arc::downgrade(server);
            let thread = std::thread::Builder::new().name("script-watch".to_owned());
            match thread.spawn(move || watch(&server)) {
                Ok(_) => watched.has_watcher = true,
                Err(error) => {
                    tracing::error!(%error, "no thread that watches scripts: none that runs for long can be ended");
                }
            }
        }
        stint
    }
}

fn watch(server: &Weak<Server>) {
    while let Some(server) = server.upgrade() {
        // When the server ends all of them are to end, however young.
        let is_ending = server.shutdown.is_requested();
        let threshold = server.params.live().busy_reply_threshold();
        let threshold = if is_ending { Some(Duration::ZERO) } else { threshold };
        for (interrupter, stint) in &server.script_watch.watched.lock().scripts {
            if threshold.is_some_and(|threshold| stint.elapsed() >= threshold) {
                interrupter.arm();
            }
        }
        drop(server);
        std::thread::sleep(LOOK_EVERY);
    }
}
