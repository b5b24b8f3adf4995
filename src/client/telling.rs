//! Tells clients that cache what a thread has changed: their notices go the way of messages.
//!
//! **Invariants**
//! - A notice is shown to nobody before the records that it tells of may be.
//! - What a command means to its own client comes behind its reply; what it means to others is handed over at once.
//! - A worker gets one delivery for a key or a prefix, however many of its clients are told.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use smallvec::SmallVec;

use super::caching::CachingMode;
use super::{ClientHandle, Clients};
use crate::engine::dependencies::Dependencies;
use crate::engine::ids::DatabaseId;
use crate::engine::tracking::{Broadcast, Space, Stale, Told, Tracking};
use crate::engine::worker::Kit;
use crate::pubsub::{Addressee, Addressees, Delivery, Desk, News, Notice, PubSub, WorkerNo, keys_notice};

/// What is told now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// What others are told as soon as something has changed.
    AtOnce,
    /// That, and what the acting client is told behind its reply.
    Replied,
    /// All, also what prefixes bring.
    Together,
}

/// What telling needs.
pub struct Post<'a> {
    /// Who caches what.
    pub tracking: &'a Tracking,
    /// All clients.
    pub clients: &'a Clients,
    /// The way of messages.
    pub pubsub: &'a PubSub,
    /// The worker's, of a thread that serves clients.
    pub desk: Option<&'a Desk>,
}

/// What is to be handed over, in order.
struct Outgoing {
    deliveries: Vec<(WorkerNo, Delivery)>,
    depends_on: Dependencies,
    /// Whose connection the worker is busy with.
    acting: u64,
    /// That one is told of something.
    tells_acting: bool,
}

type Handles = BTreeMap<u64, Arc<ClientHandle>>;

impl Post<'_> {
    /// Tells what a thread has noted.
    pub fn tell(&self, kit: &mut Kit, when: When) {
        let records = kit.dependencies();
        let of_broadcast = match when {
            When::Together => kit.take_told_of(),
            When::AtOnce | When::Replied => Dependencies::default(),
        };
        let told = &mut kit.told;
        let mut outgoing = Outgoing {
            deliveries: Vec::new(),
            depends_on: records,
            acting: told.acting(),
            tells_acting: false,
        };
        self.clients.look(|handles| {
            for stale in told.take_stale() {
                tell_others(handles, told, stale, &mut outgoing);
            }
            if when != When::AtOnce {
                // Also if it does not cache any more: it did when that was changed.
                let acting = alive(handles, told.acting());
                for stale in told.take_own() {
                    outgoing.stale(handles, acting.as_slice(), &stale);
                }
            }
            if when == When::Together && told.is_broadcast() {
                let broadcast = told.take_broadcast();
                outgoing.depends_on = outgoing.depends_on.and(of_broadcast);
                self.tell_broadcast(handles, &broadcast, &mut outgoing);
            }
        });
        if !outgoing.deliveries.is_empty() {
            let outlet = self.desk.map(|desk| &**desk.outlet());
            self.pubsub.notify(outlet, outgoing.deliveries);
        }
        if outgoing.tells_acting {
            told.note_tells_acting();
        }
    }

    fn tell_broadcast(&self, handles: &Handles, broadcast: &Broadcast, outgoing: &mut Outgoing) {
        if broadcast.is_too_much() {
            let wants_to_know = |client: &&Arc<ClientHandle>| {
                !client.is_killed() && client.caching.is_on() && client.caching.mode() == CachingMode::Broadcast
            };
            let clients: Vec<_> = handles.values().filter(wants_to_know).collect();
            outgoing.put(handles, &clients, &Notice::All);
            return;
        }
        let by_prefix = broadcast.by_prefix();
        let known = by_prefix.filter_map(|(prefix, keys)| Some((self.tracking.prefix(prefix)?, keys)));
        let mut in_order: Vec<_> = known.collect();
        in_order.sort_by(|((one, _), _), ((other, _), _)| one.cmp(other));
        for ((_, clients), keys) in in_order {
            // Who is told of the same is told in the same words.
            let mut same: HashMap<Space, Vec<&Arc<ClientHandle>>> = HashMap::new();
            for client in clients.iter().filter_map(|id| alive(handles, *id)) {
                let space = Space::of(DatabaseId::new(
                    client.database.load(std::sync::atomic::Ordering::Relaxed),
                ));
                let has_own = || keys.values().any(|author| *author == client.id);
                if client.caching.is_no_loop() && has_own() {
                    let others = keys.iter().filter(|(_, author)| **author != client.id);
                    outgoing.keys(
                        handles,
                        &[client],
                        others.filter(|((of, _), _)| *of == space).map(|((_, key), _)| &**key),
                    );
                } else {
                    same.entry(space).or_default().push(client);
                }
            }
            for (space, clients) in same {
                let of_space = keys.keys().filter(|(of, _)| *of == space);
                outgoing.keys(handles, &clients, of_space.map(|(_, key)| &**key));
            }
        }
    }
}

fn alive(handles: &Handles, id: u64) -> Option<&Arc<ClientHandle>> {
    handles.get(&id).filter(|handle| !handle.is_killed())
}

/// Tells all but the acting client, for which it is kept.
fn tell_others(handles: &Handles, told: &mut Told, stale: Stale, outgoing: &mut Outgoing) {
    let acting = told.acting();
    let mut others = Vec::new();
    let mut is_kept = false;
    let mut note = |client| match alive(handles, client) {
        Some(client) if !is_told(client, &stale) => {}
        Some(client) if client.id == acting => is_kept = true,
        Some(client) => others.push(client),
        None => {}
    };
    match &stale {
        Stale::Key { readers, .. } | Stale::Evicted(_, readers) => readers.iter().for_each(|reader| note(*reader)),
        Stale::All => handles.keys().for_each(|client| note(*client)),
    }
    outgoing.stale(handles, &others, &stale);
    if is_kept {
        told.keep_own(stale);
    }
}

/// Whether a client is told of something.
fn is_told(client: &ClientHandle, stale: &Stale) -> bool {
    let caching = &client.caching;
    let reads = || caching.mode() != CachingMode::Broadcast;
    caching.is_on()
        && match stale {
            Stale::Key { author, .. } => reads() && !(*author == client.id && caching.is_no_loop()),
            Stale::Evicted(..) => reads(),
            Stale::All => true,
        }
}

impl Outgoing {
    fn stale(&mut self, handles: &Handles, clients: &[&Arc<ClientHandle>], stale: &Stale) {
        match stale {
            Stale::Key { key, .. } | Stale::Evicted(key, _) => self.keys(handles, clients, std::iter::once(&**key)),
            Stale::All => self.put(handles, clients, &Notice::All),
        }
    }

    /// A notice of these keys, if there are any.
    fn keys<'k>(
        &mut self,
        handles: &Handles,
        clients: &[&Arc<ClientHandle>],
        keys: impl Iterator<Item = &'k [u8]> + Clone,
    ) {
        let count = keys.clone().count();
        if count > 0 && !clients.is_empty() {
            self.put(handles, clients, &keys_notice(count, keys));
        }
    }

    /// Has clients told, or those that stand in for them: each worker once.
    fn put(&mut self, handles: &Handles, clients: &[&Arc<ClientHandle>], notice: &Notice) {
        let mut by_worker: SmallVec<[(WorkerNo, Vec<Addressee>); 2]> = SmallVec::new();
        for client in clients {
            let Some(stand_in) = client.caching.stand_in() else {
                self.add(&mut by_worker, client, false);
                continue;
            };
            match alive(handles, stand_in) {
                Some(stand_in) => self.add(&mut by_worker, stand_in, true),
                None => {
                    client.caching.note_broken();
                    let mut alone = SmallVec::new();
                    self.add(&mut alone, client, false);
                    self.post(alone, &Notice::IsBroken(stand_in));
                }
            }
        }
        self.post(by_worker, notice);
    }

    fn add(
        &mut self,
        by_worker: &mut SmallVec<[(WorkerNo, Vec<Addressee>); 2]>,
        client: &ClientHandle,
        stands_in: bool,
    ) {
        let Some((worker, number)) = client.seat.get().copied() else {
            return;
        };
        self.tells_acting |= client.id == self.acting;
        let addressee = Addressee {
            number,
            client: client.id,
            listens: stands_in && client.is_subscriber(),
            behind_answer: client.caching.is_answered(),
        };
        match by_worker.iter_mut().find(|(known, _)| *known == worker) {
            Some((_, these)) => these.push(addressee),
            None => by_worker.push((worker, vec![addressee])),
        }
    }

    fn post(&mut self, by_worker: SmallVec<[(WorkerNo, Vec<Addressee>); 2]>, notice: &Notice) {
        let depends_on = self.depends_on;
        self.deliveries.extend(by_worker.into_iter().map(|(worker, these)| {
            let delivery = Delivery {
                to: Addressees::These(these),
                news: News::Notice(notice.clone()),
                depends_on,
                stamp: None,
            };
            (worker, delivery)
        }));
    }
}
