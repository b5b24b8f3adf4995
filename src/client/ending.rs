//! How a client's wait ends: once, by what it waited for, by its time, by CLIENT UNBLOCK, or with its connection.
//!
//! **Invariant:** CLIENT UNBLOCK has ended a wait, and says so, only if nothing else had; a wait that is just being
//! served is not ended.

use std::future::Future;
use std::sync::Arc;

use tokio::sync::oneshot;

use crate::sync::{Mutex, lock_meanwhile};

/// How CLIENT UNBLOCK ends a wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unblocked {
    /// As if its time were over.
    TimedOut,
    /// With an error.
    Refused,
}

/// That a wait has ended otherwise than one has tried to end it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HasEnded {
    /// By CLIENT UNBLOCK.
    Unblocked(Unblocked),
    /// By whoever served it, or gave it up.
    Otherwise,
}

/// The end of one wait, to which whoever may end it has a way; `None` once it has come. Who serves it holds it while it
/// waits for locks on data, which a busy script may have: others see to their clients meanwhile.
pub struct Ending(Mutex<Option<oneshot::Sender<Unblocked>>>);

/// The waiting side of an [`Ending`].
pub struct Waiter {
    ending: Arc<Ending>,
    unblocked: oneshot::Receiver<Unblocked>,
}

impl Ending {
    /// A wait that begins.
    pub(super) fn begin() -> (Arc<Self>, Waiter) {
        let (sender, unblocked) = oneshot::channel();
        let ending = Arc::new(Self(Mutex::new(Some(sender))));
        let waiter = Waiter {
            ending: Arc::clone(&ending),
            unblocked,
        };
        (ending, waiter)
    }

    /// Whether it has not come. Being served, a wait has not ended.
    pub fn is_open(&self) -> bool {
        let Some(ending) = self.0.try_lock() else { return true };
        ending.as_ref().is_some_and(|sender| !sender.is_closed())
    }

    /// Ends the wait, unless it has ended; whether this did.
    pub fn end(&self) -> bool {
        lock_meanwhile(&self.0).take().is_some()
    }

    /// Ends the wait if `serve` has something for it. Nothing else ends it meanwhile.
    ///
    /// # Errors
    /// When it has ended, however that was; then nothing is tried.
    pub fn end_by<R>(&self, serve: impl FnOnce() -> Option<R>) -> Result<Option<R>, HasEnded> {
        let mut ending = lock_meanwhile(&self.0);
        // Who waited may have gone without having told so yet.
        if ending.as_ref().is_none_or(oneshot::Sender::is_closed) {
            return Err(HasEnded::Otherwise);
        }
        let served = serve();
        if served.is_some() {
            *ending = None;
        }
        Ok(served)
    }

    /// Ends it for CLIENT UNBLOCK; whether this did.
    pub(super) fn unblock(&self, how: Unblocked) -> bool {
        let sender = lock_meanwhile(&self.0).take();
        sender.is_some_and(|sender| sender.send(how).is_ok())
    }
}

impl Waiter {
    /// The end, for others who may bring it.
    pub fn ending(&self) -> Arc<Ending> {
        Arc::clone(&self.ending)
    }

    /// Waits for `event`, which ends the wait.
    ///
    /// # Errors
    /// How it has ended before that.
    pub async fn until<T>(mut self, event: impl Future<Output = T>) -> Result<T, HasEnded> {
        let ended = tokio::select! {
            biased;
            ended = &mut self.unblocked => ended,
            happened = event => {
                if self.ending.end() {
                    return Ok(happened);
                }
                self.unblocked.await
            }
        };
        Err(ended.map_or(HasEnded::Otherwise, HasEnded::Unblocked))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block_on<T>(future: impl Future<Output = T>) -> T {
        let runtime = tokio::runtime::Builder::new_current_thread().build();
        runtime.unwrap().block_on(future)
    }

    #[test]
    fn whoever_comes_first_ends_it() {
        let (ending, waiter) = Ending::begin();
        assert!(ending.is_open() && ending.unblock(Unblocked::Refused));
        assert!(!ending.is_open() && !ending.end() && !ending.unblock(Unblocked::TimedOut));
        assert_eq!(ending.end_by(|| Some(())), Err(HasEnded::Otherwise));
        let refused = HasEnded::Unblocked(Unblocked::Refused);
        assert_eq!(block_on(waiter.until(async {})), Err(refused));

        let (ending, waiter) = Ending::begin();
        assert_eq!(ending.end_by(|| None::<()>), Ok(None));
        assert!(ending.is_open());
        assert_eq!(block_on(waiter.until(async { 5 })), Ok(5));
        assert!(!ending.unblock(Unblocked::Refused));

        let (ending, waiter) = Ending::begin();
        assert_eq!(ending.end_by(|| Some(())), Ok(Some(())));
        assert_eq!(block_on(waiter.until(async {})), Err(HasEnded::Otherwise));

        let (ending, waiter) = Ending::begin();
        drop(waiter);
        assert_eq!(ending.end_by(|| Some(())), Err(HasEnded::Otherwise));
        assert!(!ending.is_open() && !ending.unblock(Unblocked::Refused));
    }

    #[test]
    fn a_wait_that_is_being_served_is_not_unblocked() {
        let (ending, _waiter) = Ending::begin();
        let (begun, has_begun) = std::sync::mpsc::channel();
        std::thread::scope(|scope| {
            let ending = &ending;
            let unblocker = scope.spawn(move || {
                has_begun.recv().unwrap();
                ending.unblock(Unblocked::Refused)
            });
            let served = ending.end_by(|| {
                begun.send(()).unwrap();
                std::thread::sleep(std::time::Duration::from_millis(30));
                assert!(ending.is_open());
                Some("served")
            });
            assert_eq!(served, Ok(Some("served")));
            assert!(!unblocker.join().unwrap());
        });
    }
}
