//! All connected clients.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::RwLock;

use super::ClientHandle;

/// All connected clients.
#[derive(Default)]
pub struct Clients {
    handles: RwLock<BTreeMap<u64, Arc<ClientHandle>>>,
    next_id: AtomicU64,
    /// What all clients hold.
    held_bytes: AtomicU64,
    /// Connections accepted since start.
    pub accepted: AtomicU64,
    /// Clients closed because all held too much.
    pub evicted: AtomicU64,
    /// Connections refused because of `maxclients`.
    pub rejected: AtomicU64,
}

impl Clients {
    /// The number of the next client.
    pub fn next_id(&self) -> u64 {
        self.next_id.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// Lists a new client.
    pub fn add(&self, handle: Arc<ClientHandle>) {
        self.accepted.fetch_add(1, Ordering::Relaxed);
        self.handles.write().insert(handle.id, handle);
    }

    /// Takes a client off the list.
    pub fn remove(&self, id: u64) {
        self.handles.write().remove(&id);
    }

    /// What a client holds has changed.
    pub fn recharge(&self, before_bytes: u64, bytes: u64) {
        self.held_bytes
            .fetch_add(bytes.wrapping_sub(before_bytes), Ordering::Relaxed);
    }

    /// What all clients hold.
    pub fn held_bytes(&self) -> u64 {
        self.held_bytes.load(Ordering::Relaxed)
    }

    /// Closes the clients that hold most until the others hold no more than `bytes_max` together. Those that are not to
    /// be evicted stay. O(clients × log).
    pub fn evict_to(&self, bytes_max: u64) {
        let handles = self.handles.read();
        let (killed, mut alive): (Vec<_>, Vec<_>) = handles.values().partition(|handle| handle.is_killed());
        let leaving: u64 = killed.iter().map(|handle| handle.held_bytes()).sum();
        let mut held = self.held_bytes().saturating_sub(leaving);
        alive.retain(|handle| !handle.no_evict.load(Ordering::Relaxed));
        alive.sort_unstable_by_key(|handle| std::cmp::Reverse(handle.held_bytes()));
        for handle in alive {
            if held <= bytes_max {
                break;
            }
            let bytes = handle.held_bytes();
            tracing::warn!(
                client = handle.id,
                bytes,
                "closing: all clients hold more than limits.clients_bytes_max"
            );
            handle.kill();
            self.evicted.fetch_add(1, Ordering::Relaxed);
            held = held.saturating_sub(bytes);
        }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.handles.read().len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.handles.read().is_empty()
    }

    /// One client.
    pub fn get(&self, id: u64) -> Option<Arc<ClientHandle>> {
        self.handles.read().get(&id).cloned()
    }

    /// All clients, by number.
    pub fn all(&self) -> Vec<Arc<ClientHandle>> {
        self.handles.read().values().cloned().collect()
    }
}
