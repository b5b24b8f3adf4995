//! Scripts that have run for longer than others are to wait without a word: until they have ended, other clients are
//! told that the server is busy, and may end them.
//!
//! **Invariant:** while there is a busy script everybody who waits for what it holds, and its own worker, answers
//! others.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Instant;

use parking_lot::Mutex;
use tokio::sync::Notify;

/// A busy script, as others see it.
pub struct BusyScript {
    /// Of a function its name, else the script's digest.
    pub name: Vec<u8>,
    /// The request that runs it.
    pub request: Vec<Vec<u8>>,
    /// Whether it is a function.
    pub is_function: bool,
    /// When it began.
    pub since: Instant,
    is_killed: AtomicBool,
}

impl BusyScript {
    /// A script that is still running.
    pub fn new(name: Vec<u8>, request: Vec<Vec<u8>>, is_function: bool, since: Instant) -> Self {
        Self {
            name,
            request,
            is_function,
            since,
            is_killed: AtomicBool::new(false),
        }
    }

    /// Whether it is to end.
    pub fn is_killed(&self) -> bool {
        self.is_killed.load(Ordering::Acquire)
    }
}

/// Why a script was not ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotKilled {
    /// None is busy.
    NotBusy,
    /// It is a function, or is none.
    IsOther,
}

/// See the module.
#[derive(Default)]
pub struct BusyScripts {
    count: AtomicUsize,
    scripts: Mutex<Vec<Arc<BusyScript>>>,
    ended: Notify,
}

/// A script counts as busy until this is dropped.
pub struct Busy {
    server: Arc<super::Server>,
    script: Arc<BusyScript>,
}

impl Busy {
    /// Has others know that a script is busy.
    pub fn begin(server: &Arc<super::Server>, script: BusyScript) -> Self {
        let (busy, script) = (&server.busy, Arc::new(script));
        busy.scripts.lock().push(Arc::clone(&script));
        busy.count.fetch_add(1, Ordering::Release);
        Self {
            server: Arc::clone(server),
            script,
        }
    }

    /// What others see.
    pub fn script(&self) -> &BusyScript {
        &self.script
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        let busy = &self.server.busy;
        busy.scripts.lock().retain(|script| !Arc::ptr_eq(script, &self.script));
        if busy.count.fetch_sub(1, Ordering::AcqRel) == 1 {
            busy.ended.notify_waiters();
        }
    }
}

impl BusyScripts {
    /// Whether some script is busy.
    #[inline]
    pub fn are_some(&self) -> bool {
        self.count.load(Ordering::Acquire) > 0
    }

    /// The one that has been busy for the longest time.
    pub fn oldest(&self) -> Option<Arc<BusyScript>> {
        self.scripts.lock().first().cloned()
    }

    /// The function that has been busy for the longest time.
    pub fn oldest_function(&self) -> Option<Arc<BusyScript>> {
        self.scripts.lock().iter().find(|script| script.is_function).cloned()
    }

    /// Ends the functions that are busy, or the other scripts.
    ///
    /// # Errors
    /// When none is ended.
    pub fn kill(&self, functions: bool) -> Result<(), NotKilled> {
        let scripts = self.scripts.lock();
        let mut why = NotKilled::NotBusy;
        let mut has_killed = false;
        for script in scripts.iter() {
            if script.is_function != functions {
                why = NotKilled::IsOther;
            } else {
                script.is_killed.store(true, Ordering::Release);
                has_killed = true;
            }
        }
        if has_killed { Ok(()) } else { Err(why) }
    }

    /// Ends all that are busy.
    pub fn end_all(&self) {
        if self.are_some() {
            for script in self.scripts.lock().iter() {
                script.is_killed.store(true, Ordering::Release);
            }
        }
    }

    /// Returns when no script is busy.
    pub async fn wait(&self) {
        let ended = self.ended.notified();
        tokio::pin!(ended);
        ended.as_mut().enable();
        if self.are_some() {
            ended.await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn script(is_function: bool) -> Arc<BusyScript> {
        Arc::new(BusyScript::new(Vec::new(), Vec::new(), is_function, Instant::now()))
    }

    #[test]
    fn what_is_of_the_other_kind_is_not_killed() {
        let busy = BusyScripts::default();
        assert_eq!(busy.kill(false), Err(NotKilled::NotBusy));
        let (one, other) = (script(false), script(true));
        busy.scripts.lock().push(Arc::clone(&other));
        assert_eq!(busy.kill(false), Err(NotKilled::IsOther));
        busy.scripts.lock().push(Arc::clone(&one));
        assert_eq!(busy.kill(true), Ok(()));
        assert!(other.is_killed() && !one.is_killed());
        assert_eq!(busy.kill(false), Ok(()));
        assert!(one.is_killed());
    }
}
