//! Worker threads: each a current-thread runtime that runs its connections.

use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::runtime::Runtime;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::LocalSet;

use super::connection::Connection;
use super::linger;
use super::stream::{Accepted, Stream};
use crate::config::schema::core_count;
use crate::session::WorkerCx;
use crate::state::Server;

/// How often a worker looks after what it keeps.
const TIDY: Duration = Duration::from_secs(1);

struct Seat {
    inbox: UnboundedSender<Accepted>,
    connections: Arc<AtomicUsize>,
}

/// The running workers.
pub struct Workers {
    seats: Vec<Seat>,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

impl Workers {
    /// Gives a connection to the worker that has the fewest.
    pub fn assign(&self, accepted: Accepted) {
        let seat = self
            .seats
            .iter()
            .min_by_key(|seat| seat.connections.load(Ordering::Relaxed));
        if let Some(seat) = seat {
            seat.connections.fetch_add(1, Ordering::Relaxed);
            if seat.inbox.send(accepted).is_err() {
                seat.connections.fetch_sub(1, Ordering::Relaxed);
            }
        }
    }

    /// Waits until all workers have ended.
    pub fn join(&self) {
        for thread in self.threads.lock().drain(..) {
            let _ = thread.join();
        }
    }
}

/// Starts `count` workers.
///
/// # Errors
/// When a thread or its runtime cannot be made.
pub fn start_workers(server: &Arc<Server>, count: usize) -> io::Result<Arc<Workers>> {
    let (mut seats, mut threads) = (Vec::new(), Vec::new());
    let linger_us = server.params.config().server.linger_us;
    let has_spare_core = core_count() > count;
    let gap_max = (has_spare_core && linger_us > 0).then(|| Duration::from_micros(linger_us));
    for number in 0..count {
        let (inbox, arrivals) = unbounded_channel();
        let connections = Arc::new(AtomicUsize::new(0));
        seats.push(Seat {
            inbox,
            connections: Arc::clone(&connections),
        });
        let server = Arc::clone(server);
        let worker = server
            .engine
            .worker()
            .ok_or_else(|| io::Error::other("too many workers"))?;
        let runtime = runtime(gap_max.is_some())?;
        let thread = std::thread::Builder::new().name(format!("worker-{number}"));
        threads.push(thread.spawn(move || {
            let cx = Rc::new(WorkerCx::new(server, worker));
            let tasks = LocalSet::new();
            if let Some(gap_max) = gap_max {
                tasks.spawn_local(linger::run(gap_max));
            }
            tasks.block_on(&runtime, run(cx, arrivals, connections));
        })?);
    }
    Ok(Arc::new(Workers {
        seats,
        threads: Mutex::new(threads),
    }))
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

async fn run(cx: Rc<WorkerCx>, mut arrivals: UnboundedReceiver<Accepted>, connections: Arc<AtomicUsize>) {
    let mut tidy = tokio::time::interval(TIDY);
    loop {
        let accepted = tokio::select! {
            accepted = arrivals.recv() => accepted,
            () = cx.server.shutdown.wait() => None,
            _ = tidy.tick() => {
                // An idle worker must not keep flushed collections alive.
                cx.collections.refresh(&cx.server.engine);
                continue;
            }
        };
        let Some(accepted) = accepted else { break };
        match Stream::adopt(accepted) {
            Ok(stream) => {
                let connection = Connection::new(stream, Rc::clone(&cx));
                let connections = Arc::clone(&connections);
                tokio::task::spawn_local(async move {
                    connection.serve().await;
                    connections.fetch_sub(1, Ordering::Relaxed);
                });
            }
            Err(error) => {
                connections.fetch_sub(1, Ordering::Relaxed);
                tracing::warn!(%error, "cannot take over a connection");
            }
        }
    }
    drain(&cx, &connections).await;
}

/// Lets connections finish, for as long as the configuration says.
async fn drain(cx: &WorkerCx, connections: &AtomicUsize) {
    let patience = Duration::from_secs(cx.server.params.live().shutdown_timeout_s.load(Ordering::Relaxed));
    let started = tokio::time::Instant::now();
    while connections.load(Ordering::Relaxed) > 0 && started.elapsed() < patience {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
