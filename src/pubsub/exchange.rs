//! The trays of workers: messages that have been published and not yet been delivered.
//!
//! **Invariants**
//! - All trays have one lock: a message comes into those of all workers at once, so that all see one order.
//! - A worker whose tray was empty is woken; it takes all that is in it.
//! - Messages that wait have a limit (`tray`). What a worker has taken and may not show yet it puts back, so that all
//!   of it counts, and what is too much can go.
//! - MONITOR's lines take no more than [`LINE_BYTES_MAX`] of a tray, and hold nobody back: what is too much is dropped,
//!   and the worker told.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::Waker;

use parking_lot::{Mutex, MutexGuard};

use super::notice::Notice;
use super::topic::TopicId;
use super::tray::{Content, DeliveryQueue, WAKE_BYTES};
use crate::engine::dependencies::Dependencies;
use crate::shared::{Shared, heap_bytes};

/// So many bytes of MONITOR's lines may wait for a worker.
pub(super) const LINE_BYTES_MAX: u64 = 32 << 20;

/// Which worker's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WorkerNo(u16);

/// What somebody is sent beside replies.
#[derive(Clone, Debug)]
pub enum News {
    /// A message, as it is kept.
    Message(Shared),
    /// Lines of MONITOR.
    Lines(Shared),
    /// What a client that caches is not to believe any more.
    Notice(Notice),
    /// Messages have been dropped: they were too much.
    Lost,
}

/// Whom a worker is to hand something.
pub enum Addressees {
    /// Those who have subscribed to a topic.
    Topic(TopicId),
    /// Those in MONITOR.
    Monitors,
    /// These clients.
    These(Vec<Addressee>),
}

/// A client that is told of something in particular.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Addressee {
    /// The number of its connection at the worker's desk.
    pub number: usize,
    /// Its own number: another one may have its connection's by then.
    pub client: u64,
    /// It is told in place of another client, which has redirected its notices here, and has subscriptions.
    pub listens: bool,
    /// It belongs behind the answer to the command that the client is blocked by, which is on its way.
    pub behind_answer: bool,
}

/// Something on its way to connections of a worker.
pub struct Delivery {
    /// Who gets it.
    pub to: Addressees,
    /// What they are sent.
    pub news: News,
    /// What must be as the replies of whoever published it may show it before it is shown.
    pub depends_on: Dependencies,
    /// Of those that the worker itself has published, which this is.
    pub stamp: Option<u64>,
}

impl Delivery {
    /// MONITOR's lines; the number of the batch, if the worker has written them itself.
    pub(super) fn of_lines(lines: Shared, stamp: Option<u64>) -> Self {
        Self {
            to: Addressees::Monitors,
            news: News::Lines(lines),
            depends_on: Dependencies::default(),
            stamp,
        }
    }

    /// Whether these are lines of MONITOR, which wait for nothing.
    pub fn is_of_lines(&self) -> bool {
        matches!(self.to, Addressees::Monitors)
    }

    pub(super) fn bytes(&self) -> u64 {
        let shared = match &self.news {
            News::Message(shared) | News::Lines(shared) | News::Notice(Notice::Keys(shared)) => heap_bytes(shared),
            News::Notice(Notice::All | Notice::IsBroken(_)) | News::Lost => 0,
        };
        let listed = match &self.to {
            Addressees::Topic(_) | Addressees::Monitors => 0,
            Addressees::These(these) => these.capacity() * size_of::<Addressee>(),
        };
        (size_of::<Self>() + shared + listed) as u64
    }
}

/// What can be seen of a tray without its lock.
#[derive(Default)]
pub(super) struct Sign {
    has_some: AtomicBool,
    /// In the tray, or taken and not yet delivered.
    waiting_bytes: AtomicU64,
    /// The same of MONITOR's lines, which are not among those.
    line_bytes: AtomicU64,
    /// Some lines were too much.
    has_lost_lines: AtomicBool,
    waker: OnceLock<Waker>,
}

impl Sign {
    /// The count that a delivery is in.
    fn waiting_of(&self, delivery: &Delivery) -> &AtomicU64 {
        if delivery.is_of_lines() {
            &self.line_bytes
        } else {
            &self.waiting_bytes
        }
    }

    fn wake(&self) {
        if let Some(waker) = self.waker.get() {
            waker.wake_by_ref();
        }
    }

    /// There is something in the tray; whether it was empty.
    fn note_some(&self) -> bool {
        !self.has_some.swap(true, Ordering::AcqRel)
    }
}

/// The trays, locked.
pub(super) struct Trays<'a> {
    trays: MutexGuard<'a, Vec<Content>>,
    signs: Arc<[Arc<Sign>]>,
    /// Is let go once they are not locked any more.
    dropped: Vec<News>,
}

/// See the module.
#[derive(Default)]
pub(super) struct Exchange {
    trays: Arc<Mutex<Vec<Content>>>,
    signs: parking_lot::RwLock<Arc<[Arc<Sign>]>>,
}

/// A worker's own tray.
pub(super) struct Tray {
    pub worker: WorkerNo,
    trays: Arc<Mutex<Vec<Content>>>,
    sign: Arc<Sign>,
}

impl Exchange {
    /// A tray for one more worker.
    pub fn add_tray(&self) -> Tray {
        let mut signs = self.signs.write();
        let mut trays = self.trays.lock();
        let worker = WorkerNo(u16::try_from(trays.len()).unwrap_or(u16::MAX));
        trays.push(Content::default());
        let sign = Arc::new(Sign::default());
        *signs = signs.iter().cloned().chain([Arc::clone(&sign)]).collect();
        Tray {
            worker,
            trays: Arc::clone(&self.trays),
            sign,
        }
    }

    /// All trays, to put something into them.
    pub fn lock(&self) -> Trays<'_> {
        let signs = Arc::clone(&self.signs.read());
        Trays {
            trays: self.trays.lock(),
            signs,
            dropped: Vec::new(),
        }
    }

    /// Wakes a worker.
    pub fn wake(&self, worker: WorkerNo) {
        if let Some(sign) = self.signs.read().get(usize::from(worker.0)) {
            sign.wake();
        }
    }

    /// What waits for the worker for which most does.
    pub fn waiting_bytes_max(&self) -> u64 {
        let signs = self.signs.read();
        let waiting = signs.iter().map(|sign| sign.waiting_bytes.load(Ordering::Relaxed));
        waiting.max().unwrap_or(0)
    }
}

impl Trays<'_> {
    /// Puts a delivery into a worker's tray; whether that was empty.
    pub fn put(&mut self, worker: WorkerNo, delivery: Delivery) -> bool {
        let at = usize::from(worker.0);
        let (Some(tray), Some(sign)) = (self.trays.get_mut(at), self.signs.get(at)) else {
            return false;
        };
        let waiting = sign.waiting_of(&delivery);
        if delivery.is_of_lines() && waiting.load(Ordering::Relaxed) > LINE_BYTES_MAX {
            sign.has_lost_lines.store(true, Ordering::Relaxed);
        } else {
            waiting.fetch_add(delivery.bytes(), Ordering::Relaxed);
            let before = tray.new_bytes();
            tray.push(delivery);
            if before < WAKE_BYTES && tray.new_bytes() >= WAKE_BYTES {
                sign.wake();
            }
            if tray.is_too_full() {
                let bytes = tray.relieve(&mut self.dropped);
                sign.waiting_bytes.fetch_sub(bytes, Ordering::Relaxed);
            }
        }
        sign.note_some()
    }

    /// Has a worker know that it is not shown some lines; whether its tray was empty.
    pub fn lose_lines(&mut self, worker: WorkerNo) -> bool {
        let Some(sign) = self.signs.get(usize::from(worker.0)) else {
            return false;
        };
        sign.has_lost_lines.store(true, Ordering::Relaxed);
        sign.note_some()
    }
}

impl Tray {
    /// Who is woken when something comes.
    pub fn set_waker(&self, waker: Waker) {
        // A tray has one worker for its life.
        let _ = self.sign.waker.set(waker);
    }

    /// Whether there is something in it.
    #[inline]
    pub fn has_some(&self) -> bool {
        self.sign.has_some.load(Ordering::Acquire)
    }

    /// Takes what was put back, and what has come since; both are empty before.
    pub fn take(&self, waiting: &mut DeliveryQueue, new: &mut DeliveryQueue) {
        let mut trays = self.trays.lock();
        if let Some(tray) = trays.get_mut(usize::from(self.worker.0)) {
            tray.take(waiting, new);
        }
        self.sign.has_some.store(false, Ordering::Release);
    }

    /// Puts back what may not be delivered yet; nothing is left of it.
    pub fn put_back(&self, waiting: &mut DeliveryQueue) {
        if let Some(tray) = self.trays.lock().get_mut(usize::from(self.worker.0)) {
            tray.put_back(waiting);
        }
    }

    /// Has been delivered, or given up.
    pub fn note_delivered(&self, delivery: &Delivery) {
        let waiting = self.sign.waiting_of(delivery);
        waiting.fetch_sub(delivery.bytes(), Ordering::Relaxed);
    }

    /// Whether lines of MONITOR have been dropped since this was last asked.
    pub fn has_lost_lines(&self) -> bool {
        self.sign.has_lost_lines.load(Ordering::Relaxed) && self.sign.has_lost_lines.swap(false, Ordering::Relaxed)
    }
}
