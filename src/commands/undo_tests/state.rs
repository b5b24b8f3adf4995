//! All that an engine holds and counts, for comparison.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use crate::commands::testing::{Attempted, Harness};
use crate::engine::Engine;
use crate::engine::counts::Counts;
use crate::engine::effect::Effect;
use crate::engine::ids::CollectionId;
use crate::engine::libraries::Library;
use crate::engine::registry::Slot;
use crate::page::ValueRef;
use crate::page::digest::digest;
use crate::wal::Lsn;

/// An entry: what it is as bytes, and what is counted of it.
#[derive(Debug, PartialEq)]
struct Kept {
    value: Vec<u8>,
    /// The same whatever the order that elements have in memory.
    content: Vec<u8>,
    is_raw: bool,
    heap_bytes: usize,
}

#[derive(Debug, PartialEq)]
struct Collection {
    name: String,
    id: CollectionId,
    entries: BTreeMap<Vec<u8>, Kept>,
    /// Keys, keys with an expiry, keys with fields that die, bytes of entries.
    sums: [u64; 4],
    /// What has happened; lookups apart, which have been.
    changes: Counts,
}

/// Keys and what they hold, of each collection.
pub type Data = BTreeMap<String, BTreeMap<Vec<u8>, Vec<u8>>>;

/// See the module.
#[derive(Debug, PartialEq)]
pub struct State {
    collections: Vec<Collection>,
    libraries: Vec<Library>,
    changes: u64,
    expired: u64,
}

impl State {
    /// What there is. What is counted is what is there; and so is what is said to be in use.
    pub fn of(server: &Harness) -> Self {
        Self::of_engine(server.engine())
    }

    /// The same of an engine.
    pub fn of_engine(engine: &Engine) -> Self {
        let state = Self::within(engine);
        let slots: Vec<_> = engine.registry().slots().cloned().collect();
        let held: u64 = slots.iter().map(|slot| slot.collection.totals(Lsn::ZERO).bytes).sum();
        let held = held + engine.registry().libraries().bytes();
        let since = Instant::now();
        while engine.meter().used_bytes() != held {
            let used = engine.meter().used_bytes();
            assert!(
                since.elapsed() < Duration::from_secs(60),
                "{used} bytes in use, {held} are held"
            );
            std::thread::sleep(Duration::from_millis(1));
        }
        state
    }

    /// The same while more than the data may be in use.
    fn within(engine: &Engine) -> Self {
        let slots: Vec<_> = engine.registry().slots().cloned().collect();
        Self {
            collections: slots.iter().map(collection).collect(),
            libraries: engine
                .registry()
                .libraries()
                .iter()
                .map(|library| (**library).clone())
                .collect(),
            changes: engine.count(|counters| counters.changes.get()),
            expired: engine.count(|counters| counters.expired.get()),
        }
    }

    /// The data alone, which is what is on disk.
    pub fn data(&self) -> Data {
        let collections = self.collections.iter().map(|collection| {
            let entries = collection.entries.iter();
            let entries = entries.map(|(key, kept)| (key.clone(), kept.content.clone()));
            (collection.name.clone(), entries.collect())
        });
        collections.collect()
    }

    /// What differs.
    pub fn difference(&self, other: &Self) -> String {
        let mut told = format!(
            "{} and {} changes, {} and {} expired\n",
            self.changes, other.changes, self.expired, other.expired
        );
        for (one, other) in self.collections.iter().zip(&other.collections) {
            told += &format!(
                "{:?} and {:?}, {:?} and {:?}\n",
                one.sums, other.sums, one.changes, other.changes
            );
            for (key, kept) in &one.entries {
                if other.entries.get(key) != Some(kept) {
                    told += &format!("{}: was {}", key.escape_ascii(), shown(Some(kept)));
                    told += &format!(", is {}\n", shown(other.entries.get(key)));
                }
            }
            for key in other.entries.keys().filter(|key| !one.entries.contains_key(*key)) {
                told += &format!("{}: is new\n", key.escape_ascii());
            }
        }
        told
    }
}

fn shown(kept: Option<&Kept>) -> String {
    kept.map_or("gone".to_owned(), |kept| {
        let value = kept.value.get(..200).unwrap_or(&kept.value).escape_ascii();
        format!("{} bytes, raw {}: {value}", kept.heap_bytes, kept.is_raw)
    })
}

impl Attempted<'_, '_> {
    /// All that there is, where nothing of it is locked.
    pub fn state(&mut self) -> Option<State> {
        self.is_alone().then(|| State::within(self.engine()))
    }
}

/// A string; of a container its type, its length and a digest of its elements; and when it dies.
fn content_of(value: ValueRef<'_>, expire_at_ms: Option<u64>) -> Vec<u8> {
    let mut content = match value.as_str() {
        Some(text) => text.contiguous().into_owned(),
        None => format!("{:?} {} {:x}", value.value_type(), value.len(), digest(value)).into_bytes(),
    };
    content.extend_from_slice(format!(" {expire_at_ms:?}").as_bytes());
    content
}

fn collection(slot: &Slot) -> Collection {
    let collection = &slot.collection;
    let (mut entries, mut sums) = (BTreeMap::new(), [0; 4]);
    for shard in collection.shards_if_any() {
        let state = shard.lock();
        let (mut counted, mut scanned) = ([0; 4], 0);
        let _: ControlFlow<()> = state.index.for_each(|entry| {
            let effect = Effect::Put {
                key: entry.key(),
                expire_at_ms: entry.expire_at_ms().unwrap_or(0),
                value: entry.value(),
            };
            let mut value = Vec::new();
            effect.encode(CollectionId::NONE, &mut value);
            counted[0] += 1;
            counted[1] += u64::from(entry.expire_at_ms().is_some());
            counted[2] += u64::from(entry.is_timed());
            counted[3] += entry.heap_bytes() as u64;
            let kept = Kept {
                value,
                content: content_of(entry.value(), entry.expire_at_ms()),
                is_raw: entry.is_raw(),
                heap_bytes: entry.heap_bytes(),
            };
            assert!(
                entries.insert(entry.key().to_vec(), kept).is_none(),
                "a key is there twice"
            );
            ControlFlow::Continue(())
        });
        let mut cursor = Some(0);
        while let Some(at) = cursor {
            let mut budget = crate::engine::index::ScanBudget::of_entries(10);
            cursor = state.index.scan(at, &mut budget, &mut |entry| {
                assert!(entries.contains_key(entry.key()));
                scanned += 1;
            });
        }
        assert!(scanned >= counted[0], "a scan finds {scanned} of {} keys", counted[0]);
        assert_eq!(counted, [state.keys, state.expires, state.timed, state.entry_bytes]);
        sums.iter_mut().zip(counted).for_each(|(sum, counted)| *sum += counted);
    }
    let shown = collection.sums();
    let [keys, expires, _, entry_bytes] = sums;
    assert_eq!(
        [shown.keys, shown.expires, shown.entry_bytes],
        [keys, expires, entry_bytes],
        "what is shown without a lock"
    );
    let changes = Counts {
        reads: 0,
        ..collection.counts()
    };
    Collection {
        name: slot.name.to_string(),
        id: collection.id(),
        entries,
        sums,
        changes,
    }
}
