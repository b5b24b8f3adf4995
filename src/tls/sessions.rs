//! Sessions that clients may resume, so that they need not be greeted in full each time.
//!
//! **Invariants**
//! - There are never more than are allowed, and none is given out that is older than allowed.
//! - A session is kept in memory only, and goes with the certificates that it was made with.

use std::collections::{HashMap, VecDeque};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use rustls::server::StoresServerSessions;

/// See the module.
pub(super) struct Sessions {
    count_max: usize,
    age_max: Duration,
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    by_key: HashMap<Vec<u8>, (Instant, Vec<u8>)>,
    /// By age; those that have been taken are still among them.
    order: VecDeque<(Instant, Vec<u8>)>,
}

impl Sessions {
    /// For so many sessions.
    pub fn new(count_max: usize, age_max: Duration) -> Self {
        Self {
            count_max,
            age_max,
            kept: Mutex::default(),
        }
    }

    fn is_alive(&self, since: Instant, now: Instant) -> bool {
        now.saturating_duration_since(since) < self.age_max
    }

    fn keep(&self, key: Vec<u8>, value: Vec<u8>, now: Instant) {
        let kept = &mut *self.kept.lock();
        while let Some((since, _)) = kept.order.front()
            && (kept.order.len() >= self.count_max || !self.is_alive(*since, now))
        {
            let oldest = kept.order.pop_front();
            if let Some((since, key)) = oldest
                && kept
                    .by_key
                    .get(&key)
                    .is_some_and(|(kept_since, _)| *kept_since == since)
            {
                kept.by_key.remove(&key);
            }
        }
        kept.order.push_back((now, key.clone()));
        kept.by_key.insert(key, (now, value));
    }
}

impl std::fmt::Debug for Sessions {
    /// Keys and sessions are secrets.
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Sessions")
            .field("count_max", &self.count_max)
            .finish_non_exhaustive()
    }
}

impl StoresServerSessions for Sessions {
    fn put(&self, key: Vec<u8>, value: Vec<u8>) -> bool {
        self.keep(key, value, Instant::now());
        true
    }

    fn get(&self, key: &[u8]) -> Option<Vec<u8>> {
        let kept = self.kept.lock();
        let (since, value) = kept.by_key.get(key)?;
        self.is_alive(*since, Instant::now()).then(|| value.clone())
    }

    fn take(&self, key: &[u8]) -> Option<Vec<u8>> {
        let (since, value) = self.kept.lock().by_key.remove(key)?;
        self.is_alive(since, Instant::now()).then_some(value)
    }

    fn can_cache(&self) -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounded_in_number_and_age() {
        let sessions = Sessions::new(3, Duration::from_secs(60));
        let now = Instant::now();
        for number in 0..10_u8 {
            sessions.keep(vec![number], vec![number], now);
        }
        assert_eq!((sessions.get(&[6]), sessions.get(&[7])), (None, Some(vec![7])));
        assert_eq!((sessions.take(&[8]), sessions.take(&[8])), (Some(vec![8]), None));
        // The same key anew is as young as it is.
        sessions.keep(vec![7], vec![70], now);
        sessions.keep(vec![11], vec![11], now);
        assert_eq!(sessions.get(&[7]), Some(vec![70]));
        let kept = sessions.kept.lock();
        assert!(kept.order.len() <= 3 && kept.by_key.len() <= 3);
        drop(kept);
        let expired = Sessions::new(3, Duration::ZERO);
        assert!(expired.put(vec![1], vec![1]));
        assert_eq!((expired.get(&[1]), expired.take(&[1])), (None, None));
    }
}
