//! All connected clients.

use std::collections::{BTreeMap, BinaryHeap};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::{Mutex, RwLock};

use super::ClientHandle;

/// All connected clients.
#[derive(Default)]
pub struct Clients {
    handles: RwLock<BTreeMap<u64, Arc<ClientHandle>>>,
    next_id: AtomicU64,
    /// What all clients hold.
    held_bytes: AtomicU64,
    /// One thread at a time chooses who has to go.
    evicting: Mutex<()>,
    /// Connections accepted since start.
    pub accepted: AtomicU64,
    /// Clients closed because all held too much.
    pub evicted: AtomicU64,
    /// Connections refused because of `maxclients`.
    pub rejected: AtomicU64,
}

/// So many clients are copied out of the list under its lock.
const COPIED_AT_ONCE: usize = 128;

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

    /// A client holds so much by now. Its connection alone says so.
    pub fn recharge(&self, handle: &ClientHandle, bytes: u64) {
        let before_bytes = handle.charged_bytes.load(Ordering::Relaxed);
        if bytes != before_bytes {
            self.held_bytes
                .fetch_add(bytes.wrapping_sub(before_bytes), Ordering::Relaxed);
            handle.charged_bytes.store(bytes, Ordering::Relaxed);
        }
    }

    /// What all clients hold.
    pub fn held_bytes(&self) -> u64 {
        self.held_bytes.load(Ordering::Relaxed)
    }

    /// Closes the clients that hold most until the others hold no more than `bytes_max` together. Those that are not to
    /// be evicted stay; those on their way out count no more. Nothing is done while another thread is at it.
    /// O(clients).
    pub fn evict_to(&self, bytes_max: u64) {
        let Some(_role) = self.evicting.try_lock() else { return };
        let handles = self.handles.read();
        // The sum of all may have grown or shrunk by somebody who is not seen here any more, or not yet.
        let mut held = 0_u64;
        let mut alive = Vec::new();
        for handle in handles.values().filter(|handle| !handle.is_killed()) {
            let bytes = handle.charged_bytes.load(Ordering::Relaxed);
            held = held.saturating_add(bytes);
            if !handle.no_evict.load(Ordering::Relaxed) {
                alive.push((bytes, handle.id));
            }
        }
        if held <= bytes_max {
            return;
        }
        let mut most_first = BinaryHeap::from(alive);
        while held > bytes_max
            && let Some((bytes, id)) = most_first.pop()
        {
            let Some(handle) = handles.get(&id) else { continue };
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

    /// A look at all of them, by number.
    pub(super) fn look<R>(&self, look: impl FnOnce(&BTreeMap<u64, Arc<ClientHandle>>) -> R) -> R {
        look(&self.handles.read())
    }

    /// Has all of them looked at, by number. The list is locked for no longer than it takes to copy a few.
    pub fn each(&self, mut look: impl FnMut(&ClientHandle)) {
        let mut next = 0;
        loop {
            let handles = self.handles.read();
            let some = handles
                .range(next..)
                .take(COPIED_AT_ONCE)
                .map(|(_, handle)| Arc::clone(handle));
            let some: Vec<_> = some.collect();
            drop(handles);
            let Some(last) = some.last() else { return };
            next = last.id + 1;
            some.iter().for_each(|handle| look(handle));
        }
    }

    /// All clients, by number.
    pub fn all(&self) -> Vec<Arc<ClientHandle>> {
        self.handles.read().values().cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::task::Waker;

    #[test]
    fn nobody_else_is_evicted_while_one_is_on_its_way_out() {
        let clients = Clients::default();
        let [greedy, modest] = [9_000, 5_000].map(|bytes| {
            let handle = ClientHandle::new(
                bytes,
                String::new(),
                String::new(),
                (0, false),
                Waker::noop().clone(),
                0,
            );
            let handle = Arc::new(handle);
            handle.keep(bytes);
            clients.add(Arc::clone(&handle));
            clients.recharge(&handle, bytes);
            handle
        });
        clients.evict_to(6_000);
        assert!(greedy.is_killed() && !modest.is_killed());
        // Its session has ended, its connection has not told the sum yet.
        greedy.let_go(9_000);
        clients.evict_to(6_000);
        assert!(!modest.is_killed());
        clients.recharge(&greedy, 0);
        assert_eq!(clients.held_bytes(), 5_000);
        // One that is not to be seen in the list any more, or not yet, has its share in the sum of all.
        clients.held_bytes.fetch_add(9_000, Ordering::Relaxed);
        clients.evict_to(6_000);
        assert!(!modest.is_killed());
        assert_eq!(clients.evicted.load(Ordering::Relaxed), 1);
    }
}
