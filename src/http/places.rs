//! Who is connected by HTTP, and who has to go when somebody else comes.
//!
//! **Invariants**
//! - Who comes has a place at once, so that a probe is never kept waiting by others: where no place is left, the
//!   connection goes that has kept its own for longest without a request under way, whatever its client sends or takes
//!   slowly meanwhile. Only where each has one under way it is the one that has been answered for longest.
//! - Connections from one network have [`OF_ONE_NETWORK_MAX`] places at most: they take them from each other before
//!   they take others'.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;
use std::time::Instant;

use parking_lot::Mutex;
use tokio::sync::oneshot;

use crate::config::HTTP_CONNECTIONS_MAX;

/// So many of all connections are from one network.
const OF_ONE_NETWORK_MAX: usize = 48;

/// An address, or of IPv6 the 64 bits that a single machine can choose addresses within.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Network(IpAddr);

impl Network {
    fn of(addr: IpAddr) -> Self {
        Self(match addr.to_canonical() {
            IpAddr::V4(addr) => IpAddr::V4(addr),
            IpAddr::V6(addr) => IpAddr::V6(Ipv6Addr::from_bits(addr.to_bits() & u128::MAX << 64)),
        })
    }
}

/// A connection that has a place.
struct Held {
    network: Network,
    /// Whether a request is under way.
    is_asking: bool,
    /// Since when that is so.
    since: Instant,
    /// Its end tells the connection that the place is another's.
    _kept: oneshot::Sender<()>,
}

#[derive(Default)]
struct Table {
    held: HashMap<u64, Held>,
    last: u64,
}

impl Table {
    /// The connection that has to go for one from `network`, if any has to.
    fn to_go(&self, network: Network) -> Option<u64> {
        let neighbours = self.held.values().filter(|held| held.network == network).count();
        let among_neighbours = neighbours >= OF_ONE_NETWORK_MAX;
        if !among_neighbours && self.held.len() < HTTP_CONNECTIONS_MAX {
            return None;
        }
        let candidates = self
            .held
            .iter()
            .filter(|(_, held)| !among_neighbours || held.network == network);
        let first = candidates.min_by_key(|(number, held)| (held.is_asking, held.since, **number));
        first.map(|(number, _)| *number)
    }
}

/// All places.
#[derive(Default)]
pub(super) struct Places(Mutex<Table>);

impl Places {
    /// A place for a connection from `addr`.
    pub fn take(self: &Arc<Self>, addr: IpAddr, now: Instant) -> Place {
        let network = Network::of(addr);
        let (kept, is_kept) = oneshot::channel();
        let mut table = self.0.lock();
        let to_go = table.to_go(network);
        if let Some(number) = to_go {
            table.held.remove(&number);
            tracing::debug!(%addr, "a connection for HTTP was closed for another one");
        }
        table.last += 1;
        let number = table.last;
        let held = Held {
            network,
            is_asking: false,
            since: now,
            _kept: kept,
        };
        table.held.insert(number, held);
        Place {
            number,
            places: Arc::clone(self),
            is_kept,
            took_anothers: to_go.is_some(),
        }
    }

    fn note(&self, number: u64, is_asking: bool, now: Instant) {
        if let Some(held) = self.0.lock().held.get_mut(&number) {
            (held.is_asking, held.since) = (is_asking, now);
        }
    }
}

/// A connection's place, until it is dropped or taken.
pub(super) struct Place {
    number: u64,
    places: Arc<Places>,
    is_kept: oneshot::Receiver<()>,
    /// Another connection had to go for it, and may not have closed yet.
    pub took_anothers: bool,
}

impl Place {
    /// Waits until the place is another's.
    pub async fn is_taken(&mut self) {
        // Nothing is ever sent: the other end goes.
        let _ = (&mut self.is_kept).await;
    }

    /// What notes the requests of the connection.
    pub fn asks(&self) -> Asks {
        Asks {
            number: self.number,
            places: Arc::clone(&self.places),
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.places.0.lock().held.remove(&self.number);
    }
}

/// See [`Place::asks`].
pub(super) struct Asks {
    number: u64,
    places: Arc<Places>,
}

impl Asks {
    /// A request is under way until what is returned is dropped.
    pub fn begin(&self, now: Instant) -> Asking<'_> {
        self.places.note(self.number, true, now);
        Asking(self)
    }
}

/// A request that is under way.
pub(super) struct Asking<'a>(&'a Asks);

impl Drop for Asking<'_> {
    fn drop(&mut self) {
        self.0.places.note(self.0.number, false, Instant::now());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    const A: &str = "10.0.0.1";
    const B: &str = "10.0.0.2";

    struct Case {
        places: Arc<Places>,
        start: Instant,
    }

    impl Case {
        fn new() -> Self {
            Self {
                places: Arc::default(),
                start: Instant::now().checked_sub(Duration::from_secs(1000)).unwrap(),
            }
        }

        fn come(&self, addr: &str, second: u64) -> Place {
            let at = self.start + Duration::from_secs(second);
            self.places.take(addr.parse().unwrap(), at)
        }

        fn fill(&self, addr: &str, from_second: u64, count: usize) -> Vec<Place> {
            (from_second..)
                .take(count)
                .map(|second| self.come(addr, second))
                .collect()
        }
    }

    fn is_taken(place: &mut Place) -> bool {
        place.is_kept.try_recv() == Err(oneshot::error::TryRecvError::Closed)
    }

    fn gone(held: &mut [Place]) -> Vec<usize> {
        (0..held.len()).filter(|at| is_taken(&mut held[*at])).collect()
    }

    #[test]
    fn one_network_leaves_places_for_others() {
        let case = Case::new();
        let mut one = case.fill(A, 0, OF_ONE_NETWORK_MAX + 3);
        assert_eq!(gone(&mut one), [0, 1, 2]);
        let mut other = case.fill(B, 100, HTTP_CONNECTIONS_MAX - OF_ONE_NETWORK_MAX);
        assert_eq!((gone(&mut other), gone(&mut one).len()), (vec![], 3));
        // All are taken: the one that has been idle for longest goes, whosever it is.
        let _third = case.come("10.0.0.3", 200);
        assert_eq!((gone(&mut other), gone(&mut one)), (vec![], vec![0, 1, 2, 3]));
        // Others have more than is kept for them.
        let mut more = case.fill(A, 300, OF_ONE_NETWORK_MAX);
        assert_eq!((gone(&mut other), gone(&mut more)), (vec![0], vec![]));
        let _most = case.fill(A, 400, 200);
        assert_eq!((gone(&mut other), gone(&mut more).len()), (vec![0], more.len()));
        assert_eq!(gone(&mut one).len(), one.len());
    }

    #[test]
    fn a_request_under_way_goes_last() {
        let case = Case::new();
        let mut held = case.fill(A, 0, OF_ONE_NETWORK_MAX);
        let asks: Vec<Asks> = held.iter().map(Place::asks).collect();
        let _first = asks[0].begin(case.start);
        let mut more = case.come(A, 100);
        assert_eq!(gone(&mut held), [1]);
        // What has been answered is idle from then on.
        drop(asks[2].begin(case.start));
        let mut fourth = case.come(A, 101);
        assert_eq!((gone(&mut held), is_taken(&mut more)), (vec![1, 3], false));
        let asking: Vec<Asking<'_>> = asks
            .iter()
            .map(|asks| asks.begin(case.start + Duration::from_secs(1)))
            .collect();
        for place in [&more, &fourth] {
            case.places.note(place.number, true, case.start);
        }
        let _fifth = case.come(A, 102);
        assert!(is_taken(&mut more) && !is_taken(&mut fourth), "nothing is idle");
        drop(asking);
    }

    #[test]
    fn who_ends_leaves_its_place() {
        let case = Case::new();
        for second in 0..1000 {
            drop(case.come(A, second));
        }
        assert_eq!(case.places.0.lock().held.len(), 0);
        let mut held = case.fill(A, 0, 40);
        held.truncate(10);
        held.extend(case.fill(A, 50, 38));
        assert_eq!(gone(&mut held), [0; 0]);
    }

    #[test]
    fn networks() {
        let same = |one: &str, other: &str| Network::of(one.parse().unwrap()) == Network::of(other.parse().unwrap());
        assert!(same("::ffff:10.0.0.1", "10.0.0.1") && same("2001:db8::1", "2001:db8::ffff:1:2:3"));
        assert!(!same("10.0.0.1", "10.0.0.2") && !same("2001:db8::1", "2001:db8:0:1::1"));
    }
}
