//! Worker threads: each a current-thread runtime that runs one task, the hub of its connections. One that is like the
//! others may be kept for administrators, so that nothing which keeps those busy holds it up.

use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::runtime::Runtime;
use tokio::sync::mpsc::{Sender, channel};

use super::arrival::{Arrival, Seat};
use super::hub::Hub;
use super::linger;
use super::places::Place;
use super::socket::Accepted;
use crate::config::core_count;
use crate::session::WorkerCx;
use crate::state::Server;

/// Connections on their way to a worker; more stay with the system until it has come to these.
const ARRIVALS_QUEUED: usize = 64;

/// The way to a worker.
struct Inbox {
    arrivals: Sender<Arrival>,
    connections: Arc<AtomicUsize>,
}

/// The running workers.
pub struct Workers {
    inboxes: Vec<Inbox>,
    /// The way to the one that administrators alone have.
    admin: Option<Inbox>,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

impl Workers {
    /// Gives a connection to the worker that has the fewest, of those that keep up. Where none does it waits, and so
    /// does whoever accepts.
    pub async fn assign(&self, accepted: Accepted, place: Place) {
        let for_all = self.inboxes.iter().min_by_key(|inbox| {
            let is_full = inbox.arrivals.capacity() == 0;
            (is_full, inbox.connections.load(Ordering::Relaxed))
        });
        let inbox = if place.is_spare() { self.admin.as_ref() } else { for_all };
        if let Some(inbox) = inbox {
            // A worker that has ended takes nobody; the socket closes.
            let seat = Seat::take(&inbox.connections);
            let _ = inbox.arrivals.send(Arrival { accepted, seat, place }).await;
        }
    }

    /// Waits until all workers have ended.
    pub fn join(&self) {
        for thread in self.threads.lock().drain(..) {
            let _ = thread.join();
        }
    }
}

/// Starts `count` workers, and one that administrators have for themselves, if that is wanted.
///
/// # Errors
/// When a thread or its runtime cannot be made.
pub fn start_workers(server: &Arc<Server>, count: usize, has_admin: bool) -> io::Result<Arc<Workers>> {
    let has_spare_core = core_count() > count;
    let linger_us = if has_spare_core {
        server.params.config().server.linger_us
    } else {
        0
    };
    let gap_max = Duration::from_micros(linger_us);
    let (mut inboxes, mut threads) = (Vec::new(), Vec::new());
    for number in 0..count {
        let (inbox, thread) = start_worker(server, format!("worker-{number}"), gap_max)?;
        inboxes.push(inbox);
        threads.push(thread);
    }
    let mut admin = None;
    if has_admin {
        let (inbox, thread) = start_worker(server, "admin".to_owned(), Duration::ZERO)?;
        admin = Some(inbox);
        threads.push(thread);
    }
    Ok(Arc::new(Workers {
        inboxes,
        admin,
        threads: Mutex::new(threads),
    }))
}

fn start_worker(server: &Arc<Server>, name: String, gap_max: Duration) -> io::Result<(Inbox, JoinHandle<()>)> {
    let (arrivals, arrived) = channel(ARRIVALS_QUEUED);
    let inbox = Inbox {
        arrivals,
        connections: Arc::default(),
    };
    let server = Arc::clone(server);
    let worker = server
        .engine
        .worker()
        .ok_or_else(|| io::Error::other("too many workers"))?;
    let runtime = runtime(!gap_max.is_zero())?;
    let thread = std::thread::Builder::new().name(name).spawn(move || {
        let cx = Rc::new(WorkerCx::new(server, worker));
        runtime.block_on(async { Hub::new(cx, arrived, gap_max).run().await });
    })?;
    Ok((inbox, thread))
}

fn runtime(lingers: bool) -> io::Result<Runtime> {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    if lingers {
        builder
            .on_thread_park(linger::note_sleep)
            .on_thread_unpark(linger::note_wake);
    }
    builder.enable_all().build()
}
