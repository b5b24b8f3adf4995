//! A worker's turns: all connections that have something to do are served together, stage by stage.
//!
//! A turn takes all connections that have been woken, some tens at a time: it receives from each, runs their requests,
//! hands the log's records over once, and sends to each. So costs per call (the log's hand-over, waking a client that
//! has many connections) are paid once for many.
//!
//! **Invariants**
//! - No reply leaves before the records that it shows are in the log's file, and stable where that is asked for.
//! - Every wait ends when its reason does: writers are held back only while the engine says so.
//! - A connection is dropped outside of any pass.
//! - A connection runs once in a turn: a batch that ran twice would change twice what it changes.

mod connections;
mod delivery;
mod handshakes;
mod lobby;

use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::time::{Duration, Instant};

use tokio::sync::mpsc::Receiver;
use tokio::time::{Interval, Sleep};

use super::arrival::Arrival;
use super::connection::{Connection, Next};
use super::linger::Linger;
use super::ready::{ReadyList, Slot, Ticket};
use super::settling::{Owed, Settled, Settling, Verdict, judge};
use crate::allocator::{Follower, Fresh};
use crate::metrics::activity::Doing;
use crate::session::{CHUNK_REQUESTS, Looked, WorkerCx};
use crate::sync::set_meanwhile;
use connections::{Connections, index_of};
use delivery::Deliveries;
use lobby::Lobby;

/// Connections served together.
const GROUP_CONNECTIONS: usize = 64;
/// How often a worker looks after what no event tells of.
const TICK: Duration = Duration::from_millis(100);
/// So long a turn goes on with connections that have much to do.
const LATER_MAX: Duration = Duration::from_micros(250);
/// Ticks in which every connection is looked after once.
const TICKS_PER_ROUND: usize = 10;

/// Sources of work beside the connections; their slots come first.
const ARRIVALS: usize = 0;
const CLOCK: usize = 1;
const SHUTDOWN: usize = 2;
const SETTLING: usize = 3;
const MESSAGES: usize = 4;
const SOURCES: usize = 5;

/// A worker's connections and what else wakes it. Its future ends when the server does.
pub struct Hub {
    cx: Rc<WorkerCx>,
    ready: ReadyList,
    /// The list that is served, kept for its room.
    serving: Vec<Ticket>,
    sources: [Arc<Slot>; SOURCES],
    connections: Connections,
    /// Connections that have much to do: a large request to receive, requests that take long, many watched keys to let
    /// go of. They go on when the others have been served, in rotation, as many as a turn has time for: however much
    /// there is to do for them, others do not wait for all of it.
    later: VecDeque<Ticket>,
    /// Who runs in this turn, and what it will owe; empty between turns.
    running: Vec<Running>,
    lobby: Rc<Lobby>,
    clock: Interval,
    tick: usize,
    ending: Pin<Box<dyn Future<Output = ()>>>,
    /// How long connections may still take, once the server ends.
    patience: Option<Pin<Box<Sleep>>>,
    settling: Settling,
    deliveries: Deliveries,
    linger: Linger,
    /// Its part in giving memory back.
    follower: Follower,
    /// Where it puts what it moves while memory is defragmented.
    fresh: Option<Fresh>,
}

/// A connection that runs in this turn.
struct Running {
    index: usize,
    /// What was found out of its requests before.
    looked: Option<Looked>,
    /// What is to be before its replies leave, once it has run.
    owed: Owed,
}

impl Hub {
    /// A worker's hub, to which connections come by `arrivals`.
    pub fn new(cx: Rc<WorkerCx>, arrivals: Receiver<Arrival>, gap_max: Duration) -> Self {
        let ready = ReadyList::default();
        let sources = std::array::from_fn(|number| ready.slot(number));
        sources.iter().for_each(Wake::wake_by_ref);
        let server = Arc::clone(&cx.server);
        if let Some(slot) = sources.get(MESSAGES) {
            cx.desk.set_waker(Waker::from(Arc::clone(slot)));
        }
        let follower = Follower::new(sources.get(CLOCK).map(|slot| Waker::from(Arc::clone(slot))));
        let connections = Connections::default();
        let lobby = Lobby::new(Rc::clone(&cx), ready.clone(), connections.clone(), arrivals);
        let lobby = Rc::new(lobby);
        if let Some(slot) = sources.get(ARRIVALS) {
            let (lobby, waker) = (Rc::clone(&lobby), Waker::from(Arc::clone(slot)));
            set_meanwhile(Rc::new(move || lobby.serve_meanwhile(&waker)));
        }
        Self {
            cx,
            ready,
            serving: Vec::new(),
            sources,
            connections,
            later: VecDeque::new(),
            running: Vec::new(),
            lobby,
            clock: tokio::time::interval(TICK),
            tick: 0,
            ending: Box::pin(async move { server.shutdown.wait().await }),
            patience: None,
            settling: Settling::default(),
            deliveries: Deliveries::default(),
            linger: Linger::new(gap_max),
            follower,
            fresh: None,
        }
    }

    /// Serves until the server has ended.
    pub async fn run(mut self) {
        // A turn is bounded by itself; tokio's budget is made for tasks that look after one socket.
        tokio::task::unconstrained(std::future::poll_fn(move |cx| self.poll(cx))).await;
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.ready.set_worker(cx.waker());
        self.cx.counters.activity.note(Doing::Serves);
        let mut serving = std::mem::take(&mut self.serving);
        self.ready.take(&mut serving);
        let mut has_worked = false;
        for tickets in serving.chunks(GROUP_CONNECTIONS) {
            has_worked |= self.serve(tickets);
        }
        serving.clear();
        self.serving = serving;
        has_worked |= self.go_on_later();
        if self.later.is_empty() && self.cx.broadcast_held() {
            self.deliver();
        }
        let has_more = self.send_news();
        if self.has_ended() {
            return Poll::Ready(());
        }
        self.evict_clients();
        self.cx.counters.activity.note(Doing::Rests);
        if self.linger.looks_on(has_worked) || has_more || !self.later.is_empty() {
            cx.waker().wake_by_ref();
        }
        Poll::Pending
    }

    /// Closes clients, of whichever worker, if all together hold too much, and has keys evicted for what they hold.
    fn evict_clients(&self) {
        let server = &self.cx.server;
        let bytes_max = server.params.live().clients_bytes_max();
        if bytes_max > 0 && server.clients.held_bytes() > bytes_max {
            server.clients.evict_to(bytes_max);
        }
        server.watch_memory();
    }

    /// Serves these slots as one turn; whether requests have run.
    fn serve(&mut self, tickets: &[Ticket]) -> bool {
        // What was told of before an answer was posted comes before that.
        self.deliver();
        // These may end connections, whose numbers new ones get: not once something is under way.
        let sources = tickets.iter().filter(|ticket| ticket.number < SOURCES);
        sources.for_each(|source| self.see(source.number));
        for ticket in tickets {
            let Some(index) = self.index(*ticket) else {
                continue;
            };
            let is_later = self.connections.see(index, |connected| connected.is_later);
            let next = self.connections.with(index, |connection| {
                connection.rest();
                // Who goes on later is not looked at now, unless it is to end: what it holds is to be free at once.
                let is_due = is_later == Some(false) || connection.is_to_end();
                is_due.then(|| connection.wake_up())
            });
            if let Some(Some(next)) = next {
                self.go_on(index, next);
            }
        }
        if self.running.is_empty() {
            return false;
        }
        self.run_all();
        true
    }

    /// Where the connection is that has this ticket, unless it has gone.
    fn index(&self, ticket: Ticket) -> Option<usize> {
        let index = index_of(ticket)?;
        let is_it = self.connections.see(index, |connected| connected.ticket == ticket)?;
        is_it.then_some(index)
    }

    /// Goes on with those that have much to do; whether requests have run.
    fn go_on_later(&mut self) -> bool {
        let begun = (!self.later.is_empty()).then(Instant::now);
        let mut has_worked = false;
        while begun.is_some_and(|begun| begun.elapsed() < LATER_MAX)
            && let Some(ticket) = self.later.pop_front()
        {
            let Some(index) = self.index(ticket) else { continue };
            self.connections.see(index, |connected| connected.is_later = false);
            if let Some(next) = self.connections.with(index, Connection::go_on) {
                self.go_on(index, next);
            }
            if !self.running.is_empty() {
                self.run_all();
                has_worked = true;
            }
        }
        has_worked
    }

    fn run_all(&mut self) {
        let mut running = std::mem::take(&mut self.running);
        let (mut rest, mut is_cut) = (running.as_mut_slice(), false);
        self.deliver();
        self.cx.begin_turn();
        while !rest.is_empty() {
            let count = self.look_ahead(rest);
            let (window, behind) = rest.split_at_mut(count);
            rest = behind;
            for runs in window {
                let posted = self.cx.desk.outlet().posted();
                let ran = self.connections.with(runs.index, |connection| {
                    (connection.run(runs.looked.as_ref()), connection.take_cut())
                });
                if let Some(((depends_on, run), leaves_some)) = ran {
                    (runs.owed.depends_on, runs.owed.run) = (depends_on, run);
                    runs.owed.publishes = self.cx.desk.outlet().posted() != posted;
                    is_cut |= leaves_some;
                    self.cx.go_on();
                }
            }
        }
        let is_alone = running.len() == 1 && self.ready.is_empty();
        let posted = self.cx.desk.outlet().posted();
        self.cx.end_turn(is_alone, is_cut);
        if self.cx.desk.outlet().posted() != posted {
            // It is not known any more whose changes were told of.
            running.iter_mut().for_each(|runs| runs.owed.publishes = true);
        }
        self.deliver();
        self.settle_all(&running);
        running.clear();
        self.running = running;
    }

    /// Looks at the requests of the first of `running` before any of them runs, so that what one waits for in memory is
    /// fetched while others run; how many connections that were.
    fn look_ahead(&self, running: &mut [Running]) -> usize {
        if running.len() < 2 {
            return running.len();
        }
        let mut count = 0;
        self.cx.look_ahead(|ahead| {
            for runs in running.iter_mut() {
                if ahead.requests() >= CHUNK_REQUESTS {
                    break;
                }
                let looked = self.connections.with(runs.index, |connection| connection.look(ahead));
                runs.looked = looked.flatten();
                count += 1;
            }
            let looked = running.iter().take(count).filter_map(|runs| runs.looked.as_ref());
            looked.for_each(|looked| ahead.fetch(looked));
        });
        // Nobody could look while a script kept everybody out.
        if count == 0 { running.len() } else { count }
    }

    /// Sends the replies that may leave; the others wait.
    fn settle_all(&mut self, ran: &[Running]) {
        let server = Arc::clone(&self.cx.server);
        let (mut has_added, now) = (false, self.cx.last_look());
        for &Running { index, owed, .. } in ran {
            let Some(ticket) = self.connections.see(index, |connected| connected.ticket) else {
                continue;
            };
            match judge(&server, &owed, false, now) {
                Verdict::Waits(reason) => {
                    self.settling.add(ticket, owed, reason);
                    has_added = true;
                }
                Verdict::Settled(settled) => self.release(index, owed.run, &settled),
            }
        }
        if has_added {
            self.see_settling();
        }
    }

    /// A connection's replies of this run may leave, or it is refused.
    fn release(&mut self, index: usize, run: u64, settled: &Settled) {
        let next = self.connections.with(index, |connection| {
            let next = match settled {
                _ if !connection.awaits(run) => Next::Rest,
                Settled::Refused(why) => connection.refuse(why),
                Settled::Free => connection.settled(),
            };
            if matches!(next, Next::Run | Next::Later) {
                connection.charge();
            }
            if next == Next::Run {
                connection.wake_later();
            }
            next
        });
        if let Some(next) = next.filter(|next| *next != Next::Run) {
            self.go_on(index, next);
        }
    }

    /// After its part in a stage of the turn.
    fn go_on(&mut self, index: usize, next: Next) {
        match next {
            Next::Rest => {
                self.connections.with(index, Connection::charge);
            }
            Next::Run => {
                debug_assert!(
                    self.running.iter().all(|runs| runs.index != index),
                    "it would run twice"
                );
                self.running.push(Running {
                    index,
                    looked: None,
                    owed: Owed::default(),
                });
            }
            Next::End if self.connections.with(index, Connection::let_go) == Some(true) => {
                self.connections.remove(index);
            }
            Next::Later | Next::End => {
                let newly = self.connections.see(index, |connected| {
                    let was_later = std::mem::replace(&mut connected.is_later, true);
                    (!was_later).then_some(connected.ticket)
                });
                self.later.extend(newly.flatten());
            }
        }
    }

    /// Sees what a source has brought.
    fn see(&mut self, source: usize) {
        let Some(slot) = self.sources.get(source) else { return };
        slot.rest();
        match source {
            ARRIVALS => self.lobby.see_arrivals(&self.waker(ARRIVALS)),
            CLOCK => self.see_clock(),
            SHUTDOWN => self.see_shutdown(),
            MESSAGES => self.deliver(),
            _ => self.see_settling(),
        }
    }

    fn waker(&self, source: usize) -> Waker {
        self.sources
            .get(source)
            .map_or_else(|| Waker::noop().clone(), |slot| Waker::from(Arc::clone(slot)))
    }

    /// Takes part in a pass of defragmentation, if there is one.
    fn defragment(&mut self) {
        let (server, worker) = (&self.cx.server, &mut self.cx.worker.borrow_mut());
        let again = server.defrag.take_part(&server.engine, worker, &mut self.fresh);
        if let Some(pause) = again {
            self.clock.reset_after(pause);
        }
    }

    fn see_clock(&mut self) {
        self.follower.follow();
        self.defragment();
        let waker = self.waker(CLOCK);
        while self.clock.poll_tick(&mut Context::from_waker(&waker)).is_ready() {
            self.tick = (self.tick + 1) % TICKS_PER_ROUND;
            // An idle worker must not keep flushed collections alive.
            self.cx.collections.refresh(&self.cx.server.engine);
            self.cx.follow_scripts();
            let now = Instant::now();
            let (tick, all) = (self.tick, self.connections.indices());
            for index in all.into_iter().filter(|index| index % TICKS_PER_ROUND == tick) {
                let next = self.connections.with(index, |connection| connection.tick(now));
                if next == Some(Next::End) {
                    self.go_on(index, Next::End);
                }
            }
        }
    }

    fn see_shutdown(&mut self) {
        let waker = self.waker(SHUTDOWN);
        let mut cx = Context::from_waker(&waker);
        if self.patience.is_none() && self.ending.as_mut().poll(&mut cx).is_ready() {
            // The other half is for what comes when all clients have gone.
            let patience = Duration::from_secs(self.cx.server.params.live().shutdown_timeout_s()) / 2;
            self.lobby.close();
            let until = self.cx.server.shutdown.after(patience);
            self.patience = Some(Box::pin(tokio::time::sleep_until(until.into())));
            for index in self.connections.indices() {
                self.connections.with(index, Connection::end_soon);
            }
        }
        if let Some(patience) = &mut self.patience
            && patience.as_mut().poll(&mut cx).is_ready()
        {
            self.connections.clear();
        }
    }

    fn see_settling(&mut self) {
        let waker = self.waker(SETTLING);
        let server = Arc::clone(&self.cx.server);
        let mut released = Vec::new();
        self.settling
            .poll(&server, &mut Context::from_waker(&waker), |ticket, settled| {
                released.push((ticket, settled));
            });
        for (ticket, (run, settled)) in released {
            if let Some(index) = self.index(ticket) {
                self.release(index, run, &settled);
            }
        }
    }

    fn has_ended(&self) -> bool {
        self.patience.is_some() && self.connections.is_empty()
    }
}
