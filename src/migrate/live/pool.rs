//! Lanes: threads that work on a scan's tasks side by side and hand what they make to the one that called them.
//!
//! **Invariant:** a task is reported done behind all of its parts; so its parts may come again, after a loss.

use std::sync::mpsc::{RecvTimeoutError, SyncSender, sync_channel};
use std::time::Duration;

use super::error::LiveError;
use super::interrupt::Stop;
use super::link::{Endpoint, Link};
use super::rate::Rate;
use super::scan::{Position, Scanner, Task};
use crate::migrate::{MigrateError, Outcome};

/// So many parts wait at most.
const WAITING_MAX: usize = 2;
/// How often the caller is woken if nothing comes.
const TICK: Duration = Duration::from_millis(100);

/// What all lanes share.
pub struct Shared<'a> {
    pub source: &'a Endpoint,
    pub scanner: &'a Scanner,
    pub rate: &'a Rate,
    pub lanes: usize,
    /// Set by the user.
    pub stop: &'a Stop,
}

/// What comes from the lanes.
pub enum News<T> {
    Part(T),
    /// The task of this number is done; where the scan is behind it.
    Done(u64, Position),
    /// Nothing, for a while.
    Quiet,
}

enum Message<T> {
    News(News<T>),
    Failed(LiveError),
}

/// How a lane hands over parts.
pub struct Outlet<T>(SyncSender<Message<T>>);

impl<T> Outlet<T> {
    /// Waits until there is room.
    ///
    /// # Errors
    /// Nobody wants it any more.
    pub fn hand_over(&self, part: T) -> Result<(), LiveError> {
        let sent = self.0.send(Message::News(News::Part(part)));
        sent.map_err(|_| LiveError::Interrupted)
    }
}

/// Has `work` done on all tasks by lanes that `lane` makes, and `take` told of it, on this thread.
///
/// # Errors
/// The first failure, of a lane or of `take`; or all is to end. What has been taken by then is told.
pub fn pull<T: Send, L>(
    shared: &Shared<'_>,
    lane: impl Fn() -> L + Sync,
    work: impl Fn(&mut Link<'_>, &mut L, &Task, &Outlet<T>) -> Result<(), LiveError> + Sync,
    mut take: impl FnMut(News<T>) -> Outcome<()>,
) -> Outcome<()> {
    let (sender, receiver) = sync_channel(WAITING_MAX);
    let halt = Stop::default();
    let run_lane = |outlet: Outlet<T>| {
        let mut link = Link::new(shared.source, &halt);
        let mut own = lane();
        let outcome = (|| {
            while let Some(task) = shared.scanner.next(&mut link)? {
                shared.rate.wait(task.keys.len(), &halt)?;
                work(&mut link, &mut own, &task, &outlet)?;
                let done = Message::News(News::Done(task.number, task.after));
                outlet.0.send(done).map_err(|_| LiveError::Interrupted)?;
            }
            Ok(())
        })();
        if let Err(error) = outcome {
            // Whoever does not listen any more knows of another failure.
            let _ = outlet.0.send(Message::Failed(error));
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..shared.lanes {
            let outlet = Outlet(sender.clone());
            let builder = std::thread::Builder::new().name("lane".to_owned());
            let run_lane = &run_lane;
            if let Err(error) = builder.spawn_scoped(scope, move || run_lane(outlet)) {
                halt.set();
                return Err(LiveError::Thread(error).into());
            }
        }
        drop(sender);
        let outcome = loop {
            let news = match receiver.recv_timeout(TICK) {
                Ok(Message::News(news)) => news,
                Ok(Message::Failed(error)) => break Err(MigrateError::from(error)),
                Err(RecvTimeoutError::Timeout) => News::Quiet,
                Err(RecvTimeoutError::Disconnected) => break Ok(()),
            };
            let taken = take(news).and_then(|()| Ok(shared.stop.check()?));
            if taken.is_err() {
                break taken;
            }
        };
        halt.set();
        // So that no lane waits for room.
        drop(receiver);
        outcome
    })
}
